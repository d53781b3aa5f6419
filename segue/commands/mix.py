"""`segue mix`: a playlist from tracks, artists, genres or a mood: who fits, in a pleasant order, and why."""

import argparse
import asyncio

from catalog.store import Catalog
from discovery.recommend.current import CurrentModel
from discovery.sequence.mix import Placed
from discovery.sequence.mixer import COUNT_MAX, Mixer
from discovery.sequence.pool import CatalogCandidates
from discovery.sequence.sounds import CatalogSounds
from discovery.sequence.wish import MOODS, Wish, station_id_of
from discovery.sync import sync
from model.album import artist_id_of
from model.errors import UsageError
from segue.asked import check_artist
from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_catalog, opened_store
from segue.output import Output

HELP = "a mix from tracks, artists, genres or a mood, in a pleasant order"
SETTINGS = ("store", "catalog", "features", "models")
EXAMPLE = "segue mix --store file:store --mood calm --count 30"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the mix is to be like."""
    parser.add_argument("--seed-track", action="append", default=[], metavar="TRACK_ID", help="like this track")
    parser.add_argument("--seed-artist", action="append", default=[], metavar="NAME", help="like this artist")
    parser.add_argument("--genre", action="append", default=[], metavar="GENRE", help="of this genre")
    parser.add_argument("--mood", choices=sorted(MOODS), help="of this energy")
    parser.add_argument("--energy", type=float, metavar="0…1", help="of this energy, in numbers")
    parser.add_argument("--tempo", type=int, metavar="BPM", help="about so many beats a minute, or half or double")
    parser.add_argument("--count", type=int, default=50, metavar="N", help=f"how many tracks, at most {COUNT_MAX} [50]")
    parser.add_argument("--variation", default="", metavar="WORDS", help="other words, another mix of the same kind")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Show the mix; 1 if it is empty."""
    return run_loop(_run(config, arguments, output))


async def _run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    wish = _wish(arguments)
    if not 1 <= arguments.count <= COUNT_MAX:
        raise UsageError("not so many tracks", subject=str(arguments.count), hint=f"from 1 to {COUNT_MAX}")
    async with opened_catalog(config) as catalog:
        if config["store"]:
            async with opened_store(config) as store:
                await sync(store, catalog)
        _check_seeds(catalog, arguments)
        current = CurrentModel(config.models_path)
        await asyncio.to_thread(current.look)
        mixer = Mixer(CatalogCandidates(catalog, CatalogSounds(catalog), lambda: current.together))
        placed = await asyncio.to_thread(mixer.mix, wish, arguments.count, variation=arguments.variation)
    for each in placed:
        _show(each, output)
    output.data(
        {"event": "summary", "tracks": len(placed), "station": _station(wish), "model": current.model_id is not None}
    )
    output.say(f"{len(placed)} tracks, {sum(each.item.duration_s for each in placed) / 60:.0f} minutes")
    return 0 if placed else 1


def _check_seeds(catalog: Catalog, arguments: argparse.Namespace) -> None:
    """A name that is misspelt would be a mix by chance. Raises UsageError."""
    rows = catalog.rows_of(arguments.seed_track)
    for track_id in arguments.seed_track:
        if track_id not in rows or not rows[track_id].live:
            raise UsageError("no such track", subject=track_id, hint="`segue ls` shows the tracks and their ids")
    for artist in arguments.seed_artist:
        check_artist(catalog, artist)


def _wish(arguments: argparse.Namespace) -> Wish:
    energy = MOODS[arguments.mood] if arguments.mood and arguments.energy is None else arguments.energy
    try:
        return Wish(
            track_ids=tuple(arguments.seed_track),
            artist_ids=tuple(map(artist_id_of, arguments.seed_artist)),
            genres=tuple(arguments.genre),
            energy=energy,
            tempo_bpm=arguments.tempo,
        )
    except ValueError as error:
        raise UsageError(str(error), hint="`segue mix --help` says what a mix can be like") from error


def _station(wish: Wish) -> str | None:
    try:
        return station_id_of(wish)
    except ValueError:
        return None


def _show(placed: Placed, output: Output) -> None:
    item = placed.item
    reasons = [{"because": each.because, "words": each.words, "of": each.of} for each in placed.reasons]
    names = {"title": item.title, "artist": item.artist, "album": item.album}
    output.data({"event": "track", "track_id": item.track_id, **names, "reasons": reasons})
    why = "; ".join(each.words for each in placed.reasons)
    output.text(f"{item.track_id}  {' · '.join(filter(None, (item.artist, item.title)))}  ({why})")
