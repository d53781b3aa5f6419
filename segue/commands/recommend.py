"""`segue recommend`: tracks for a listener, tracks like one, artists like one."""

import argparse

from catalog.plays import Plays
from catalog.schema import TrackRow
from discovery.recommend.current import CurrentModel
from discovery.recommend.service import LIMIT_MAX, Recommender
from discovery.sync import sync
from model.errors import UsageError
from segue.asked import check_artist, check_listener_id
from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_catalog, opened_listeners, opened_store
from segue.output import Output

HELP = "tracks for a listener, tracks like one, artists like one"
SETTINGS = ("store", "catalog", "features", "listeners", "models")
EXAMPLE = "segue recommend --track mfrggzdfmztwq2lknnwg --store file:store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """For whom, or like what."""
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--listener", metavar="LISTENER_ID", help="for a listener, by what it heard")
    wanted.add_argument("--track", metavar="TRACK_ID", help="tracks like this one")
    wanted.add_argument("--artist", metavar="NAME", help="artists like this one, as it is listed")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help=f"1 to {LIMIT_MAX} [20]")
    parser.add_argument("--heard", action="store_true", help="with --listener: what it has heard, too")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Bring the catalog up to date with the store, if one was named, and recommend."""
    if not (config["store"] or config["catalog"]):
        hint = "say --store file:PATH, or --catalog FILE for what was listed before"
        raise UsageError("nothing to recommend from", hint=hint)
    if not 1 <= arguments.limit <= LIMIT_MAX:
        raise UsageError(f"--limit is from 1 to {LIMIT_MAX}", hint="ask for fewer")
    if arguments.listener:
        check_listener_id(arguments.listener)
    return run_loop(_run(config, arguments, output))


async def _run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    async with opened_catalog(config) as catalog, opened_listeners(config) as listeners:
        if config["store"]:
            async with opened_store(config) as store:
                await sync(store, catalog)
        if arguments.artist:
            check_artist(catalog, arguments.artist)
        recommender = Recommender(catalog, Plays(listeners), CurrentModel(config.models_path))
        recommender.look()
        count = _shown(recommender, arguments, output)
    output.data({"event": "summary", "found": count, "model": recommender.model is not None})
    output.say(f"{count} found" + ("" if recommender.model else ", without a model: `segue train` makes one"))
    return 0


def _shown(recommender: Recommender, arguments: argparse.Namespace, output: Output) -> int:
    if arguments.artist:
        names = recommender.similar_artists(arguments.artist, arguments.limit)
        for name in names:
            output.data({"event": "artist", "artist": name})
            output.text(f"artist  {name}")
        return len(names)
    if arguments.track:
        tracks = recommender.similar(arguments.track, arguments.limit)
        for track in tracks:
            _show(track, (), output)
        return len(tracks)
    found = recommender.for_listener(arguments.listener, arguments.limit, seen=arguments.heard)
    for each in found:
        _show(each.track, each.because, output)
    return len(found)


def _show(track: TrackRow, because: tuple[TrackRow, ...], output: Output) -> None:
    names = {"title": track.title, "artist": track.artist, "album": track.album}
    output.data({"event": "track", "track_id": track.track_id, **names, "because": [each.track_id for each in because]})
    reason = f"  (because of {', '.join(each.title for each in because)})" if because else ""
    output.text(f"track   {track.track_id}  {' · '.join(name for name in names.values() if name)}{reason}")
