"""`segue search`: find tracks, artists and albums by what one would type."""

import argparse
import asyncio

from catalog.search_postings import Filters
from discovery.search import LIMIT_MAX, Results, SearchIndex
from discovery.search_follow import compare
from discovery.sync import sync
from model.errors import UsageError
from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_catalog, opened_search, opened_store
from segue.output import Output

HELP = "find tracks, artists and albums; typos and accents do not matter"
SETTINGS = ("store", "catalog", "search_index")
EXAMPLE = "segue search yelow submarine --store file:store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """TEXT and what to narrow it down by."""
    parser.add_argument("text", nargs="+", metavar="TEXT", help="words of title, artist and album, in any order")
    parser.add_argument("--limit", type=int, default=10, metavar="N", help=f"of each kind, 1 to {LIMIT_MAX} [10]")
    parser.add_argument("--artist", default="", metavar="NAME", help="only what is of this artist, as it is listed")
    parser.add_argument("--album", default="", metavar="NAME", help="only what is on an album of this name")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Bring the index up to date with the store, if one was named, and search it."""
    if not (config["store"] or config["catalog"]):
        hint = "say --store file:PATH, or --catalog FILE to search what was listed before"
        raise UsageError("nothing to search in", hint=hint)
    return run_loop(_run(config, arguments, output))


async def _run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    async with opened_catalog(config) as catalog, opened_search(config) as postings:
        if config["store"]:
            async with opened_store(config) as store:
                await sync(store, catalog)
        await asyncio.to_thread(compare, catalog, postings)
        filters = Filters(artist=arguments.artist, album=arguments.album)
        found = SearchIndex(postings).search(" ".join(arguments.text), limit=arguments.limit, filters=filters)
        _show(found, output)
    return 0


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
