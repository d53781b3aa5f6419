"""Packages with real boxes in a store, and somebody who knows lists of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import web

from manifests.joined import ListedTrack
from model.errors import ListenerUnknown, ObjectNotFound
from model.records import to_json
from model.track import derived_id
from origin.joined import Programme, TrackList
from storage.base import ObjectStore
from storage.keys import package_key
from tests.integration.origin.published import put
from tests.support.framed import Framed

ALBUM, STATION = "albumalbumalbumalbum", "station"
OWNER, KEY = "ownerownerownerowner", "sk_of-the-owner"


@dataclass
class Shelf:
    """Lists that a test can change while the origin runs."""

    albums: dict[str, TrackList] = field(default_factory=dict)
    playlists: dict[str, TrackList] = field(default_factory=dict)
    private: dict[str, TrackList] = field(default_factory=dict)  # of OWNER
    stations: dict[str, Programme] = field(default_factory=dict)

    async def album(self, album_id: str) -> TrackList:
        """An album that a test put here."""
        return _found(self.albums, album_id)

    async def playlist(self, playlist_id: str) -> TrackList:
        """A playlist that a test put here."""
        return _found(self.playlists, playlist_id)

    async def mix(self, track_ids: Sequence[str]) -> TrackList:
        """Tracks of the albums that a test put here."""
        known = {each.track_id: each for album in self.albums.values() for each in album.tracks}
        found = tuple(known[each] for each in track_ids if each in known)
        if not found:
            raise ObjectNotFound("no such tracks")
        return TrackList(title="Mix", tracks=found)

    async def playlist_for(self, playlist_id: str, listener_id: str) -> TrackList:
        """A playlist that a test put here, private ones for one listener alone."""
        return _found(self.playlists | (self.private if listener_id == OWNER else {}), playlist_id)

    async def station(self, station_id: str, slot: int) -> Programme:
        """A station that a test put here; the same in every slot."""
        return _found(self.stations, station_id)


async def listener(request: web.Request) -> str:
    """Whose key came with a request: the owner's, or a stranger's, who has one like it."""
    key = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not key.startswith("sk_"):
        raise ListenerUnknown("no key")
    return OWNER if key == KEY else "someonesomeonesomeon"


Found = TypeVar("Found")


def _found(things: dict[str, Found], name: str) -> Found:
    if name not in things:
        raise ObjectNotFound("no such list", subject=name)
    return things[name]


async def shelve(store: ObjectStore, framed: Sequence[Framed]) -> tuple[ListedTrack, ...]:
    """Put packages into a store; tracks of them."""
    tracks = []
    for number, each in enumerate(framed):
        package = each.package
        names = {f"{rendition_id}.mp4": data for rendition_id, data in each.files.items()}
        for name, data in {**names, "package.json": to_json(package)}.items():
            await put(store, package_key(package.recording_id, package.package_id, name), data)
        tracks.append(
            ListedTrack(
                track_id=derived_id("track", package.package_id), recording_id=package.recording_id,
                package_id=package.package_id, title=f"Song {number}", artist="Somebody", art_id=derived_id("art"),
            )
        )  # fmt: skip
    return tuple(tracks)
