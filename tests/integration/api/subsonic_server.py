"""A real `segue serve` for other people's players, with what one of them needs to sign in."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from libopensonic import AsyncConnection

from catalog.app_passwords import AppPasswords
from catalog.listener_open import open_listeners
from catalog.listeners import Listeners
from catalog.plays import Plays
from model.album import album_id_of, artist_id_of
from model.records import to_json
from protection.key_store import load_keys
from storage.filesystem import FilesystemStore
from storage.keys import track_key
from tests.integration.origin.published import Published, publish, put
from tests.support.command import environment
from tests.support.forked import fork

ALBUM, ARTIST = album_id_of("Somebody", "Album"), artist_id_of("Somebody")
LYRICS = "[ar:Somebody]\n[00:01.50]First line\n[00:03.00][01:00]Again & again"
STOP_TIMEOUT_S = 35


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An origin that asks for tokens, two songs of an album, and a listener with a phone."""

    url: str
    songs: tuple[Published, ...]
    listener_id: str
    key: str
    password: str
    plays: Plays
    log: Path

    def connected(self, **credentials: Any) -> AsyncConnection:
        """A player."""
        host, _, port = self.url.rpartition(":")
        return AsyncConnection(host, port=int(port), **credentials)


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """The origin runs until the block is done."""
    songs = asyncio.run(_published(folder / "store"))
    keys = load_keys(folder / "keys", create=True)
    arguments = (
        "serve", "--store", f"file:{folder / 'store'}", "--port", "0", "--listeners", folder / "listeners.sqlite3",
        "--key-store", f"file:{folder / 'keys'}", "--auth", "token", "--log-format", "json", "--log-listeners", "on",
        "--log-level", "info", "--json",
    )  # fmt: skip
    secrets = {"SEGUE_TOKEN_KEY": "00" * 32}
    log = folder / "log"
    with open_listeners(folder / "listeners.sqlite3") as database, log.open("wb") as errors:
        listener, key = Listeners(database).add("ann")
        phone = AppPasswords(database).add(listener.listener_id, "phone", keys.current.key_set)
        process = fork(*arguments, env=environment(folder, **secrets), cwd=folder, stderr=errors)
        with process.stdout as said:
            try:
                yield Served(
                    url=json.loads(said.readline())["url"].rstrip("/"),
                    songs=songs,
                    listener_id=listener.listener_id,
                    key=key,
                    password=keys.current.app_password(phone.password_id),
                    plays=Plays(database),
                    log=log,
                )
            finally:
                process.terminate()
                process.wait(STOP_TIMEOUT_S)


async def _published(folder: Path) -> tuple[Published, ...]:
    store = FilesystemStore(folder)
    try:
        songs = tuple([await publish(store, name, segments=2) for name in ("one", "two")])
        sung = replace(songs[0].track, tags=replace(songs[0].track.tags, lyrics=LYRICS))
        await put(store, track_key(sung.track_id), to_json(sung))
        return songs
    finally:
        await store.close()
