"""An origin as a process of its own, over a folder whose reads are watched: `STORE`. Which parser aiohttp has is up to
the environment (AIOHTTP_NO_EXTENSIONS). Prints its URL, and when it is told to stop, what was read of the store."""

import json
import sys
from pathlib import Path

from aiohttp import http_parser

from origin.serve import serve
from origin.settings import OriginSettings
from segue.loop import run_server
from storage.filesystem import FilesystemStore
from tests.integration.origin.watched_store import WatchedStore


async def _serve(folder: str) -> None:
    store = WatchedStore(FilesystemStore(Path(folder)))
    settings = OriginSettings(port=0, drain_s=2.0)
    parser = "Python" if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy else "C"
    await serve(settings, store, ready=lambda url: _say({"url": url, "parser": parser}))
    await store.close()
    _say({"reads": sorted(store.reads)})


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run_server(_serve(sys.argv[1]))
