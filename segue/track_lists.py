"""What albums, playlists and stations hold, out of the catalog, for the origin that joins them."""

import asyncio
from collections.abc import Iterator

from catalog.schema import TrackRow
from catalog.shelves import Shelves
from catalog.store import Catalog
from manifests.joined import ListedTrack
from model.errors import ObjectNotFound
from model.rendition import Codec
from model.schedule import PERIOD_SEGMENTS, SEGMENT_MS
from model.track import TRACK_ID_LENGTH, digest_of
from origin.joined import Programme, TrackList

LIBRARY = "library"  # the station that plays all there is
_PERIOD_S = PERIOD_SEGMENTS * SEGMENT_MS / 1000
_PICKS_MAX = 1000  # of one period
_LOOKED_AT = 16  # tracks in the place that chance says, until one fits
_TO_FIT = 30  # picks among which the last track of a period is chosen


class CatalogLists:
    """`origin.joined.TrackLists` over a catalog.

    Stations are `library`, `album-{album_id}` and `playlist-{playlist_id}`; the latter two play their list in its
    order, again and again.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._shelves = Shelves(catalog)

    async def album(self, album_id: str) -> TrackList:
        """The live tracks of an album, in its order."""
        rows = await asyncio.to_thread(self._shelves.tracks_on, album_id)
        if not rows:
            raise ObjectNotFound("no such album", subject=album_id)
        artist = rows[0].album_artist or rows[0].artist
        return TrackList(title=rows[0].album, artist=artist, tracks=tuple(map(listed, rows)))

    async def playlist(self, playlist_id: str) -> TrackList:
        """The live tracks of a playlist that everybody may hear."""
        raise ObjectNotFound("no such playlist", subject=playlist_id)

    async def station(self, station_id: str, period: int) -> Programme:
        """What a station plays in a period."""
        if station_id == LIBRARY:
            rows = await asyncio.to_thread(self._library, period)
            return Programme(title="Everything", tracks=tuple(map(listed, rows)), loops=False)
        kind, _, name = station_id.partition("-")
        if kind not in ("album", "playlist"):
            raise ObjectNotFound("no such station", subject=station_id)
        found = await (self.album(name) if kind == "album" else self.playlist(name))
        return Programme(title=found.title, tracks=found.tracks, loops=True)

    def _library(self, period: int) -> list[TrackRow]:
        """Tracks by chance that fill a period, none of them twice nor in the period before, if there are enough."""
        before = {row.track_id for row in _filling(self._picks(period - 1))}
        fresh = _filling(row for row in self._picks(period) if row.track_id not in before)
        enough = sum(row.duration_s for row in fresh) >= _PERIOD_S
        return fresh if enough else _filling(self._picks(period))

    def _picks(self, period: int) -> Iterator[TrackRow]:
        """Tracks by chance, none twice. Chance is a place among all ids, so that a track that comes or goes changes the
        picks of its own place only."""
        seen: set[str] = set()
        for number in range(_PICKS_MAX):
            place = digest_of("station", LIBRARY, str(period), str(number), length=TRACK_ID_LENGTH)
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


def _fits(row: TrackRow) -> bool:
    return not row.protected and Codec.AAC in row.families.split() and row.duration_s >= 1


def _filling(rows: Iterator[TrackRow]) -> list[TrackRow]:
    """The first rows that fill a period. The last is, of some, the one that has the least left when it is over."""
    chosen: list[TrackRow] = []
    left_s = _PERIOD_S
    for row in rows:
        if row.duration_s < left_s:
            chosen.append(row)
            left_s -= row.duration_s
            continue
        candidates = [row, *(each for _, each in zip(range(_TO_FIT), rows, strict=False) if each.duration_s >= left_s)]
        return [*chosen, min(candidates, key=lambda each: each.duration_s)]
    return chosen
