"""`segue export`: write live tracks into a folder that any web server plays."""

import argparse
from importlib.resources import files
from pathlib import Path

from model.errors import UsageError
from segue.commands.tracks import chosen_tracks
from segue.config import Config
from segue.loop import run_loop
from segue.opened import key_ring, opened_store
from segue.output import Output
from segue.steps import Steps
from upkeep.export import Export, export

HELP = "write live tracks into a folder that any web server plays"
SETTINGS = ("store", "key_store")
EXAMPLE = "segue export zhm33ugdte2jdxmix5ak site --store file:store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[TRACK_ID...] DIR [--segments] [--with-keys]."""
    parser.add_argument("track_ids", nargs="*", metavar="TRACK_ID", help="which tracks (default: all that are live)")
    parser.add_argument("folder", type=Path, metavar="DIR", help="where to write; made if it is not there")
    parser.add_argument(
        "--segments",
        action="store_true",
        help="a file for each segment, for servers that know no ranges (python -m http.server)",
    )
    parser.add_argument(
        "--with-keys",
        action="store_true",
        help="write the content keys of protected tracks too: whoever reaches the site can play them",
    )


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Export; raises for the first track that cannot be."""
    return run_loop(_run(config, arguments, output))


async def _run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    folder: Path = arguments.folder
    if folder.exists() and not folder.is_dir():
        raise UsageError("not a folder", subject=str(folder), hint="segue export TRACK_ID... DIR")
    keys = key_ring(config) if arguments.with_keys else None
    async with opened_store(config) as store:
        track_ids = await chosen_tracks(store, arguments.track_ids, live=True)
        work = Export(store=store, folder=folder, segments=arguments.segments, keys=keys, report=Steps(output))
        count = await export(work, track_ids, _page())
    output.data({"event": "summary", "tracks": len(track_ids), "files": count, "folder": str(folder)})
    output.say(f"{len(track_ids)} {'track' if len(track_ids) == 1 else 'tracks'} in {folder}, {count} files of media")
    if not arguments.segments:
        output.say("serve it with a server that knows ranges (nginx, Apache, Caddy, a bucket); else say --segments")
    return 0


def _page() -> dict[str, bytes]:
    """The page, its script, and the library that plays."""
    ours, vendor = files("segue"), files("player_demo").joinpath("vendor")
    library = vendor.joinpath("hls.mjs")
    if not library.is_file():
        raise UsageError("the player's hls.js is not there", subject=str(library), hint="run `make setup`")
    return {
        "hls.mjs": library.read_bytes(),
        "hls.LICENSE": vendor.joinpath("hls.LICENSE").read_bytes(),
        "export.js": ours.joinpath("export_page.js").read_bytes(),
        "index.html": ours.joinpath("export_page.html").read_bytes(),
    }
