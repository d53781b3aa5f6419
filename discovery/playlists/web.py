"""Playlists over HTTP: kept, put in order, shared, and as files.

A playlist that may not be read is answered as one that is not there. Its owner gets its version as the entity tag, and
may name it in If-Match: then a change is made to that version or not at all.
"""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from msgspec import UNSET

from catalog.playlists import EntryRow, PlaylistChange, PlaylistRow
from catalog.search_postings import Group
from catalog.shelves import Shelves
from discovery.operations import Call, Sent, Served, Tagged
from discovery.playlists.entries import PlaylistFileInvalid, clean_lines
from discovery.playlists.formats import FORMATS, Format, read_playlist
from discovery.playlists.library import Library, Shown, playlist_name
from discovery.playlists.match import LookUps
from discovery.playlists.nsp import read_nsp, rule_playlist
from discovery.playlists.operations import (
    ADD,
    CREATE,
    DELETE,
    EDIT,
    ENTRIES,
    EXPORTS,
    FOLLOW,
    IMPORT,
    LIST,
    MOVE,
    READ,
    REMOVE,
    REPLACE,
    SHARE,
    UNFOLLOW,
    Changed,
    ImportedPlaylist,
    MissingEntry,
    NewPlaylist,
    Playlist,
    PlaylistEntries,
    PlaylistEntry,
    PlaylistList,
)
from discovery.search import SearchIndex
from discovery.tracks import track_answer
from model.album import artist_id_of
from model.errors import PlaylistChanged, PlaylistRefused
from model.track import is_id

AT_ONCE = 2  # imports, exports and rules that are worked out: each may take seconds of CPU
_CANDIDATES = 10
Result = TypeVar("Result")


class PlaylistApi:
    """The operations, over a library. `searching` gives the search index, None as long as there is none."""

    def __init__(self, library: Library, searching: Callable[[], SearchIndex | None]) -> None:
        self._library = library
        self._kept = library.playlists
        self._searching = searching
        self._shelves = Shelves(library.catalog)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self.served = (
            Served(LIST, self.list), Served(CREATE, self.create), Served(IMPORT, self.take_in), Served(READ, self.read),
            Served(REPLACE, self.replace), Served(EDIT, self.edit), Served(DELETE, self.delete),
            Served(ENTRIES, self.entries), Served(ADD, self.add), Served(MOVE, self.move),
            Served(REMOVE, self.remove), Served(SHARE, self.share), Served(FOLLOW, self.follow),
            Served(UNFOLLOW, self.unfollow),
            *(Served(each, partial(self.export, FORMATS[name])) for name, each in EXPORTS.items()),
        )  # fmt: skip

    async def list(self, call: Call) -> PlaylistList:
        """A page of playlists."""
        by, offset, limit = call.listener_id, call.query["offset"], call.query["limit"]
        rows, total = await asyncio.to_thread(
            lambda: (self._kept.listed(by, offset=offset, limit=limit), self._kept.count(by))
        )
        return PlaylistList(playlists=[_playlist(row, by) for row in rows], total=total)

    async def create(self, call: Call) -> Tagged:
        """A new playlist."""
        row = await asyncio.to_thread(self._create, call.listener_id, call.body)
        return Tagged(_playlist(row, call.listener_id), str(row.version))

    async def take_in(self, call: Call) -> Tagged:
        """A new playlist from a file."""
        return await self._in_turn(lambda: self._take_in(call))

    async def read(self, call: Call) -> Tagged:
        """A playlist without its entries."""
        row = await asyncio.to_thread(self._kept.get, call.path["playlist_id"], call.listener_id or None)
        return Tagged(_playlist(row, call.listener_id), str(row.version))

    async def replace(self, call: Call) -> Tagged:
        """Everything about a playlist."""
        return await self._changed(call, self._replace)

    async def edit(self, call: Call) -> Tagged:
        """Some of what is said about a playlist."""
        said = call.body
        rules = None if said.rules is UNSET else rule_playlist(said.rules).text
        change = PlaylistChange(
            name=None if said.name is UNSET else playlist_name(said.name),
            comment=None if said.comment is UNSET else clean_lines(said.comment),
            public=None if said.public is UNSET else said.public,
            rules=rules,
        )

        def edit(playlist_id: str, version: int | None) -> Changed:
            return Changed(version=self._kept.change(playlist_id, call.listener_id, change, version=version))

        return await self._changed(call, lambda _, playlist_id, version: edit(playlist_id, version))

    async def delete(self, call: Call) -> None:
        """All of a playlist."""
        version = _version(call)
        await asyncio.to_thread(partial(self._kept.delete, call.path["playlist_id"], call.listener_id, version=version))

    async def entries(self, call: Call) -> Tagged:
        """A page of entries, with their tracks."""
        return await self._in_turn(lambda: self._entries(call))

    async def add(self, call: Call) -> Tagged:
        """Tracks, as new entries."""

        def add(call: Call, playlist_id: str, version: int | None) -> Changed:
            entries = self._library.entries_of(call.body.track_ids)
            entry_ids, now = self._kept.add(
                playlist_id, call.listener_id, entries, before=call.body.before, version=version
            )
            return Changed(version=now, entry_ids=entry_ids)

        return await self._changed(call, add)

    async def move(self, call: Call) -> Tagged:
        """An entry to another place."""

        def move(call: Call, playlist_id: str, version: int | None) -> Changed:
            entry_id, before = int(call.path["entry_id"]), call.body.before
            return Changed(
                version=self._kept.move(playlist_id, call.listener_id, entry_id, before=before, version=version)
            )

        return await self._changed(call, move)

    async def remove(self, call: Call) -> Tagged:
        """An entry out of its playlist."""

        def remove(call: Call, playlist_id: str, version: int | None) -> Changed:
            entry_ids = [int(call.path["entry_id"])]
            return Changed(version=self._kept.remove(playlist_id, call.listener_id, entry_ids, version=version))

        return await self._changed(call, remove)

    async def follow(self, call: Call) -> None:
        """Another's playlist into one's list."""
        await asyncio.to_thread(self._kept.follow, call.path["playlist_id"], call.listener_id)

    async def unfollow(self, call: Call) -> None:
        """Out of it again."""
        await asyncio.to_thread(self._kept.part, call.path["playlist_id"], call.listener_id, call.listener_id)

    async def share(self, call: Call) -> None:
        """Other listeners as readers of one's own, or no more. Their ids are in the body: URLs are logged."""

        def share(playlist_id: str, by: str) -> None:
            for reader in call.body.invite:
                self._kept.invite(playlist_id, by, reader)
            for reader in call.body.remove:
                self._kept.part(playlist_id, by, reader)

        await asyncio.to_thread(share, call.path["playlist_id"], call.listener_id)

    async def export(self, form: Format, call: Call) -> Sent:
        """A playlist as a file."""

        def written() -> Sent:
            row = self._kept.get(call.path["playlist_id"], call.listener_id or None)
            body = form.write(self._library.give_out(row))
            return Sent(body=body, media_type=form.media_type, file_name=f"{row.playlist_id}.{form.name}")

        return await self._in_turn(written)

    async def _changed(self, call: Call, change: Callable[[Call, str, int | None], Changed]) -> Tagged:
        changed = await asyncio.to_thread(change, call, call.path["playlist_id"], _version(call))
        return Tagged(changed, str(changed.version))

    async def _in_turn(self, work: Callable[[], Result]) -> Result:
        async with self._turn:
            return await asyncio.to_thread(work)

    def _create(self, listener_id: str, said: NewPlaylist) -> PlaylistRow:
        return self._kept.create(
            listener_id,
            name=playlist_name(said.name),
            comment=clean_lines(said.comment),
            public=said.public,
            rules=_rules(said),
            entries=self._library.entries_of(said.track_ids),
        )

    def _replace(self, call: Call, playlist_id: str, version: int | None) -> Changed:
        said, rules = call.body, _rules(call.body)
        change = PlaylistChange(
            name=playlist_name(said.name), comment=clean_lines(said.comment), public=said.public, rules=rules
        )
        entries: list[EntryRow] | None = None if rules else self._library.entries_of(said.track_ids)
        return Changed(
            version=self._kept.change(playlist_id, call.listener_id, change, entries=entries, version=version)
        )

    def _take_in(self, call: Call) -> Tagged:
        name = call.query["name"]
        try:
            found = read_playlist(call.body, _FORMATS_OF[call.body_type])
        except PlaylistFileInvalid:
            if call.body_type != "application/json" or not _looks_like_rules(call.body):
                raise
            row, missing = self._library.take_in_rules(call.listener_id, read_nsp(call.body), name=name), []
        else:
            taken = self._library.take_in(call.listener_id, found, self._look_ups(), name=name)
            row = taken.playlist
            missing = [
                MissingEntry(entry=n + 1, title=each.title, artist=each.artist, uri=each.uris[0] if each.uris else "")
                for n, each in taken.missing.items()
            ]
        answer = ImportedPlaylist(playlist=_playlist(row, call.listener_id), missing=missing)
        return Tagged(answer, str(row.version))

    def _entries(self, call: Call) -> Tagged:
        row = self._kept.get(call.path["playlist_id"], call.listener_id or None)
        shown, total = self._library.shown(row, offset=call.query["offset"], limit=call.query["limit"])
        answer = PlaylistEntries(entries=list(map(_entry, shown)), total=total, version=row.version)
        return Tagged(answer, str(row.version))

    def _look_ups(self) -> LookUps:
        def search(text: str) -> list[str]:
            index = self._searching()
            found = index.search(text, limit=_CANDIDATES, groups=frozenset([Group.TRACK])) if index else None
            return [each.track_id for each in found.tracks] if found else []

        return LookUps(
            rows_of=self._library.catalog.rows_of,
            of_artist=lambda name: self._shelves.tracks_by(artist_id_of(name), 1000),
            search=search,
        )


_FORMATS_OF = {"audio/x-mpegurl": "m3u8", "application/xspf+xml": "xspf", "application/json": "jspf"}


def _looks_like_rules(data: bytes) -> bool:
    """Whether JSON is rather an .nsp file than a JSPF one."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return b"//" in data  # comments are for .nsp files only
    return isinstance(found, dict) and bool({"all", "any"} & set(found))


def _rules(said: NewPlaylist) -> str:
    if said.rules is None:
        return ""
    if said.track_ids:
        raise PlaylistRefused("a playlist has either rules or tracks", subject="rules")
    return rule_playlist(said.rules).text


def _version(call: Call) -> int | None:
    """The version that If-Match names, None for any. What is no version of ours is none that there is."""
    wanted = call.if_match.strip()
    if wanted in ("", "*"):
        return None
    digits = wanted[1:-1]
    if wanted[:1] + wanted[-1:] == '""' and digits.isascii() and digits.isdecimal() and len(digits) < 16:
        return int(digits)
    raise PlaylistChanged("it has no such version", subject="If-Match")


def _playlist(row: PlaylistRow, reader: str) -> Playlist:
    own = bool(reader) and row.listener_id == reader
    return Playlist(
        playlist_id=row.playlist_id,
        name=row.name,
        comment=row.comment,
        public=row.public,
        own=own,
        by_rules=bool(row.rules),
        rules=json.loads(row.rules) if own and row.rules else None,
        entries=row.entries,
        version=row.version,
        created_s=row.created_s,
        changed_s=row.changed_s,
    )


def _entry(shown: Shown) -> PlaylistEntry:
    entry, track = shown.entry, shown.track
    return PlaylistEntry(
        entry_id=entry.entry_id,
        track_id=entry.track_id if is_id(entry.track_id) else None,
        title=track.title if track else entry.title,
        artist=track.artist if track else entry.artist,
        album=track.album if track else entry.album,
        duration_s=track.duration_s if track else entry.duration_s,
        track=track_answer(track) if track else None,
    )
