"""What albums, playlists and stations hold, out of the catalog, for the origin that joins them."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from catalog.schema import TrackRow
from catalog.shelves import Shelves
from catalog.store import Catalog
from discovery.playlists.library import Library
from discovery.sequence.mixer import Mixer
from discovery.sequence.pool import CatalogCandidates
from discovery.sequence.sounds import CatalogSounds
from discovery.sequence.wish import STATION_PREFIX, wish_of
from manifests.joined import ListedTrack
from model.errors import ObjectNotFound, PlaylistUnknown
from model.rendition import Codec
from model.schedule import SEGMENT_MS, SLOT_SEGMENTS
from model.track import TRACK_ID_LENGTH, digest_of
from origin.joined import Programme, TrackList

LIBRARY = "library"  # the station that plays all there is
LISTED_MAX = 1000  # tracks of a playlist that are looked up: no more are joined
_ROWS = 500  # that are asked for at a time
_SLOT_S = SLOT_SEGMENTS * SEGMENT_MS / 1000
_PICKS_MAX = 1000  # of one slot
_LOOKED_AT = 16  # tracks in the place that chance says, until one fits
_TO_FIT = 30  # picks among which the last track of a slot is chosen


class CatalogLists:
    """`origin.joined.TrackLists` over a catalog and the playlists of listeners.

    Stations are `library`, `album-{album_id}` and `playlist-{playlist_id}`, which play their list in its order, again
    and again, and the mixes that `discovery.sequence.wish` names. Those ask no model: all nodes have to say the same,
    also while a new model goes from one to the other.
    """

    def __init__(self, catalog: Catalog, playlists: Library, sounds: CatalogSounds | None = None) -> None:
        """`sounds` are those that something else in the process works on, too."""
        self._catalog = catalog
        self._playlists = playlists
        self._shelves = Shelves(catalog)
        self._mixer = Mixer(CatalogCandidates(catalog, sounds or CatalogSounds(catalog)))

    async def album(self, album_id: str) -> TrackList:
        """The live tracks of an album, in its order."""
        rows = await asyncio.to_thread(self._shelves.tracks_on, album_id)
        if not rows:
            raise ObjectNotFound("no such album", subject=album_id)
        artist = rows[0].album_artist or rows[0].artist
        return TrackList(title=rows[0].album, artist=artist, tracks=tuple(map(listed, rows)), since_s=_since_s(rows))

    async def playlist(self, playlist_id: str) -> TrackList:
        """The live tracks of a playlist that everybody may hear."""
        try:
            return await asyncio.to_thread(self._chosen, playlist_id, None)
        except PlaylistUnknown as error:
            raise ObjectNotFound("no such playlist", subject=playlist_id) from error

    async def mix(self, track_ids: Sequence[str]) -> TrackList:
        """Those of some tracks that are live, in this order."""
        rows = await asyncio.to_thread(self._catalog.rows_of, track_ids)
        live = [rows[each] for each in track_ids if each in rows and rows[each].live]
        if not live:
            raise ObjectNotFound("none of these tracks is live")
        return TrackList(title="Mix", tracks=tuple(map(listed, live)))

    async def playlist_for(self, playlist_id: str, listener_id: str) -> TrackList:
        """The live tracks of a playlist that this listener may hear."""
        try:
            return await asyncio.to_thread(self._chosen, playlist_id, listener_id)
        except PlaylistUnknown as error:
            raise ObjectNotFound("no such playlist", subject=playlist_id) from error

    async def station(self, station_id: str, slot: int) -> Programme:
        """What a station plays in a slot."""
        if station_id == LIBRARY:
            rows = await asyncio.to_thread(self._library, slot)
            return _programme("Everything", rows)
        if station_id.startswith(STATION_PREFIX):
            rows = await asyncio.to_thread(self._mix, station_id, slot)
            return _programme("Mix", rows)
        kind, _, name = station_id.partition("-")
        if kind not in ("album", "playlist"):
            raise ObjectNotFound("no such station", subject=station_id)
        found = await (self.album(name) if kind == "album" else self.playlist(name))
        return Programme(title=found.title, tracks=found.tracks, loops=True, since_s=found.since_s)

    def _chosen(self, playlist_id: str, reader: str | None) -> TrackList:
        choice = self._playlists.track_choice(playlist_id, reader)
        track_ids = choice.track_ids[:LISTED_MAX]
        rows: dict[str, TrackRow] = {}
        for at in range(0, len(track_ids), _ROWS):
            rows |= self._catalog.rows_of(track_ids[at : at + _ROWS])
        live = [rows[track_id] for track_id in track_ids if track_id in rows and rows[track_id].live]
        since_s = max(choice.changed_s, _since_s(live))
        return TrackList(title=choice.name, tracks=tuple(map(listed, live)), since_s=since_s)

    def _mix(self, station_id: str, slot: int) -> list[TrackRow]:
        """Tracks of a mix that fill a slot."""
        try:
            wish = wish_of(station_id)
        except ValueError as error:
            raise ObjectNotFound("no such station", subject=station_id) from error
        items = self._mixer.programme(wish, slot, _SLOT_S)
        rows = self._catalog.rows_of([each.track_id for each in items])
        return _filling(row for each in items if (row := rows.get(each.track_id)) and row.live and _fits(row))

    def _library(self, slot: int) -> list[TrackRow]:
        """Tracks by chance that fill a slot, none of them twice nor in the slot before, if there are enough."""
        before = {row.track_id for row in _filling(self._picks(slot - 1))}
        fresh = _filling(row for row in self._picks(slot) if row.track_id not in before)
        enough = sum(row.duration_s for row in fresh) >= _SLOT_S
        return fresh if enough else _filling(self._picks(slot))

    def _picks(self, slot: int) -> Iterator[TrackRow]:
        """Tracks by chance, none twice. Chance is a place among all ids, so that a track that comes or goes changes the
        picks of its own place only."""
        seen: set[str] = set()
        for number in range(_PICKS_MAX):
            place = digest_of("station", LIBRARY, str(slot), str(number), length=TRACK_ID_LENGTH)
            row = next((each for each in self._around(place) if each.track_id not in seen and _fits(each)), None)
            if row is not None:
                seen.add(row.track_id)
                yield row

    def _around(self, place: str) -> Iterator[TrackRow]:
        """Some tracks from this place on; the first comes after the last."""
        yield from self._catalog.live_from(place, _LOOKED_AT)
        yield from self._catalog.live_from("", _LOOKED_AT)


def listed(row: TrackRow) -> ListedTrack:
    """A live track as a member of a list."""
    return ListedTrack(
        track_id=row.track_id,
        recording_id=row.recording_id,
        package_id=row.package_id or "",
        title=row.title,
        artist=row.artist,
        album=row.album,
        art_id=row.art_id,
    )


def _programme(title: str, rows: Sequence[TrackRow]) -> Programme:
    """What is for one slot."""
    return Programme(title=title, tracks=tuple(map(listed, rows)), loops=False, since_s=_since_s(rows))


def _since_s(rows: Iterable[TrackRow]) -> int:
    """When the last of these came to be what it is."""
    return max((row.published_s or 0 for row in rows), default=0)


def _fits(row: TrackRow) -> bool:
    return not row.protected and Codec.AAC in row.families.split() and row.duration_s >= 1


def _filling(rows: Iterator[TrackRow]) -> list[TrackRow]:
    """The first rows that fill a slot. The last is, of some, the one that has the least left when it is over."""
    chosen: list[TrackRow] = []
    left_s = _SLOT_S
    for row in rows:
        if row.duration_s < left_s:
            chosen.append(row)
            left_s -= row.duration_s
            continue
        candidates = [row, *(each for _, each in zip(range(_TO_FIT), rows, strict=False) if each.duration_s >= left_s)]
        return [*chosen, min(candidates, key=lambda each: each.duration_s)]
    return chosen
