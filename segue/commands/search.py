"""`segue search`: find tracks, artists and albums by what one would type."""

import argparse
import asyncio
from collections.abc import Mapping

from catalog.favourites import Favourites
from catalog.plays import Plays
from catalog.search_postings import Filters, Group
from discovery.listening.own import own_tracks
from discovery.search import EVERYTHING, LIMIT_MAX, NOTHING_OWN, SUGGESTIONS_MAX, Results, SearchIndex, Suggestion
from discovery.search_follow import compare
from discovery.sync import sync
from model.errors import UsageError
from segue.asked import check_listener_id
from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_catalog, opened_listeners, opened_search, opened_store
from segue.output import Output

HELP = "find tracks, artists and albums; typos and accents do not matter"
SETTINGS = ("store", "catalog", "listeners", "search_index")
EXAMPLE = "segue search yelow submarine --store file:store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """TEXT and what to narrow it down by."""
    parser.add_argument("text", nargs="+", metavar="TEXT", help="words of title, artist and album, in any order")
    parser.add_argument("--limit", type=int, default=10, metavar="N", help=f"of each kind, 1 to {LIMIT_MAX} [10]")
    parser.add_argument("--artist", default="", metavar="NAME", help="only what is of this artist, as it is listed")
    parser.add_argument("--album", default="", metavar="NAME", help="only what is on an album of this name")
    parser.add_argument("--group", action="append", choices=list(Group), help="only these, again and again [all]")
    parser.add_argument("--listener", default="", metavar="LISTENER_ID", help="first what this listener plays")
    parser.add_argument(
        "--suggest", action="store_true", help=f"names to complete what was typed, at most {SUGGESTIONS_MAX}"
    )


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Bring the index up to date with the store, if one was named, and search it."""
    if not (config["store"] or config["catalog"]):
        hint = "say --store file:PATH, or --catalog FILE to search what was listed before"
        raise UsageError("nothing to search in", hint=hint)
    if arguments.listener:
        check_listener_id(arguments.listener)
    if arguments.suggest and (arguments.group or arguments.artist or arguments.album):
        raise UsageError("--suggest is not narrowed down", hint="leave --group, --artist and --album out")
    return run_loop(_run(config, arguments, output))


async def _run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    async with opened_catalog(config) as catalog, opened_search(config) as postings:
        if config["store"]:
            async with opened_store(config) as store:
                await sync(store, catalog)
        await asyncio.to_thread(compare, catalog, postings)
        own = await _own(config, arguments.listener)
        index, text, limit = SearchIndex(postings), " ".join(arguments.text), arguments.limit
        if arguments.suggest:
            _show_names(index.suggest(text, limit=limit, own=own), output)
            return 0
        filters = Filters(artist=arguments.artist, album=arguments.album)
        groups = frozenset(map(Group, arguments.group or EVERYTHING))
        _show(index.search(text, limit=limit, filters=filters, groups=groups, own=own), output)
    return 0


async def _own(config: Config, listener_id: str) -> Mapping[str, float]:
    if not listener_id:
        return NOTHING_OWN
    async with opened_listeners(config) as listeners:
        return own_tracks(Plays(listeners), Favourites(listeners), listener_id)


def _show_names(names: list[Suggestion], output: Output) -> None:
    for each in names:
        output.data({"event": "suggestion", "text": each.text, "group": each.group})
        output.text(f"{each.group:<6}  {each.text}")
    output.data({"event": "summary", "suggestions": len(names)})
    output.say(f"{len(names)} suggestions")


def _show(found: Results, output: Output) -> None:
    for artist in found.artists:
        output.data({"event": "artist", "artist": artist.artist, "tracks": artist.tracks})
        output.text(f"artist  {_names(artist.artist)}  ({artist.tracks} tracks)")
    for album in found.albums:
        output.data({"event": "album", "album": album.album, "artist": album.artist, "tracks": album.tracks})
        output.text(f"album   {_names(album.artist, album.album)}  ({album.tracks} tracks)")
    for track in found.tracks:
        names = {"title": track.title, "artist": track.artist, "album": track.album}
        output.data({"event": "track", "track_id": track.track_id, **names})
        output.text(f"track   {track.track_id}  {_names(track.artist, track.album, track.title)}")
    artists, albums, tracks = len(found.artists), len(found.albums), len(found.tracks)
    output.data(
        {"event": "summary", "artists": artists, "albums": albums, "tracks": tracks, "corrected": found.corrected}
    )
    taken = ", what was typed taken for misspelt" if found.corrected else ""
    output.say(f"{artists} artists, {albums} albums, {tracks} tracks{taken}")


def _names(*names: str) -> str:
    return " · ".join(name for name in names if name)
