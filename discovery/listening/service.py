"""What a listener may do with its plays, its favourites and its consent: the operations, without HTTP.

Only tracks that are live are shown. What is kept of others stays, and is shown again when they come back.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

from catalog.favourites import Favourite, Favourites
from catalog.listener_database import ListenerDatabase
from catalog.plays import DAY_MS, PlayRow, Plays
from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.listening.events import Batch, PlayEvent, Refused, read_batch
from discovery.listening.listens import happened_at, judged
from discovery.listening.writer import PlayWriter
from discovery.tracks import track_answer
from model.errors import ConsentMissing, TrackUnknown, UsageError

RETENTION_DAYS = 400
OWN_MAX = 500  # tracks of a listener that search looks through

Json = dict[str, object]


class TooManyFavourites(UsageError):
    """A listener has as many favourites as it may have."""

    code = "too-many-favourites"


def now_ms() -> int:
    """The wall clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Listening:
    """The listeners' side of plays, over their database and the catalog of tracks."""

    def __init__(
        self,
        database: ListenerDatabase,
        catalog: Catalog,
        *,
        retention_days: int = RETENTION_DAYS,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """Over a database and a catalog that stay the caller's to close. Blocks while tables are made."""
        self.plays = Plays(database)
        self.favourites = Favourites(database)
        self.writer = PlayWriter(self.plays)
        self._catalog = catalog
        self._kept_ms = retention_days * DAY_MS
        self._clock = clock

    async def take(self, listener_id: str, sent: object) -> Json:
        """Keep a batch of play events; how many were kept, now or before, and which were refused, and why.

        Raises EventInvalid if it is no batch, ConsentMissing, ListeningUnavailable, CatalogError.
        """
        batch = read_batch(sent)
        tracks = await self._tracks({event.track_id for _, event in batch.events})
        rows, refused = self._checked(listener_id, batch, tracks)
        if not await (self.writer.add(rows) if rows else self._has_consent(listener_id)):
            raise ConsentMissing("the listener did not agree", hint="PUT /api/v1/consent says that it does")
        return {
            "kept": len(rows),
            "refused": [_told(each) for each in sorted(refused, key=lambda each: each.index)],
        }

    async def history(self, listener_id: str, *, limit: int, before_ms: int | None = None) -> Json:
        """The last plays of live tracks, the latest first, and where the next page begins."""
        plays = await asyncio.to_thread(self.plays.history, listener_id, limit=limit, before_ms=before_ms)
        tracks = await self._tracks({play.track_id for play in plays})
        return {
            "plays": [
                {
                    "track": track_answer(tracks[play.track_id]),
                    "began_ms": play.began_ms,
                    "played_ms": play.played_ms,
                    "listened": play.listened,
                    "skipped": play.skipped,
                    "source": play.source,
                }
                for play in plays
                if play.track_id in tracks
            ],
            "next_before_ms": plays[-1].began_ms if len(plays) == limit else None,
        }

    async def consent(self, listener_id: str) -> Json:
        """Whether the listener agreed that its plays are kept, and since when."""
        at_ms = await asyncio.to_thread(self.plays.consented_at_ms, listener_id)
        return {"history": at_ms is not None, "since_ms": at_ms}

    async def set_consent(self, listener_id: str, *, history: bool) -> Json:
        """Agree, or not any more: then all that was kept is deleted."""
        if history:
            await asyncio.to_thread(self.plays.consent, listener_id, at_ms=self._clock())
        else:
            await asyncio.to_thread(self.plays.withdraw, listener_id)
        return await self.consent(listener_id)

    async def favourite_tracks(self, listener_id: str, *, offset: int, limit: int) -> Json:
        """A page of the favourites, the latest first, without those that are not live; how many there are in all."""

        def page() -> tuple[list[Favourite], int]:
            marked = self.favourites.page(listener_id, offset=offset, limit=limit)
            return marked, self.favourites.count(listener_id)

        marked, total = await asyncio.to_thread(page)
        tracks = await self._tracks({each.track_id for each in marked})
        shown = [each for each in marked if each.track_id in tracks]
        return {
            "favourites": [{"track": track_answer(tracks[each.track_id]), "since_ms": each.at_ms} for each in shown],
            "total": total,
        }

    async def favourite(self, listener_id: str, track_id: str) -> Json:
        """Whether a track is a favourite, and since when."""
        found = await asyncio.to_thread(self.favourites.get, listener_id, track_id)
        return {"track_id": track_id, "favourite": found is not None, "since_ms": found.at_ms if found else None}

    async def mark(self, listener_id: str, track_id: str) -> Json:
        """Make a live track a favourite. Raises TrackUnknown, TooManyFavourites."""
        if track_id not in await self._tracks({track_id}):
            raise TrackUnknown("no such track", subject=track_id)
        if not await asyncio.to_thread(self.favourites.add, listener_id, track_id, at_ms=self._clock()):
            raise TooManyFavourites("more favourites than are kept", hint="remove some")
        return await self.favourite(listener_id, track_id)

    async def unmark(self, listener_id: str, track_id: str) -> Json:
        """Make a track a favourite no more."""
        await asyncio.to_thread(self.favourites.remove, listener_id, track_id)
        return await self.favourite(listener_id, track_id)

    async def own(self, listener_id: str) -> Mapping[str, float]:
        """How much the listener plays its tracks, for search; its favourites count as one listen more."""

        def weights() -> dict[str, float]:
            found = {each.track_id: float(each.listens) for each in self.plays.heard(listener_id, limit=OWN_MAX)}
            for each in self.favourites.page(listener_id, offset=0, limit=OWN_MAX):
                found[each.track_id] = found.get(each.track_id, 0.0) + 1.0
            return {track_id: weight for track_id, weight in found.items() if weight > 0}

        return await asyncio.to_thread(weights)

    async def prune(self) -> int:
        """Drop the events that are older than they are kept; how many."""
        return await asyncio.to_thread(self.plays.prune, before_ms=self._clock() - self._kept_ms)

    def _checked(
        self, listener_id: str, batch: Batch, tracks: Mapping[str, TrackRow]
    ) -> tuple[list[PlayRow], list[Refused]]:
        """The events that can be kept, and all that cannot."""
        now = self._clock()
        rows, refused = [], list(batch.refused)
        for index, event in batch.events:
            try:
                if event.track_id not in tracks:
                    raise TrackUnknown("no such track", subject="track_id")
                at_ms = happened_at(event, sent_at_ms=batch.sent_at_ms, now_ms=now, kept_ms=self._kept_ms)
                rows.append(play_row(listener_id, event, at_ms, duration_s=tracks[event.track_id].duration_s))
            except (UsageError, TrackUnknown) as error:
                refused.append(Refused(index, event.event_id, error))
        return rows, refused

    async def _has_consent(self, listener_id: str) -> bool:
        return await asyncio.to_thread(self.plays.consented_at_ms, listener_id) is not None

    async def _tracks(self, track_ids: Collection[str]) -> dict[str, TrackRow]:
        """The live ones of some tracks."""
        found = await asyncio.to_thread(self._catalog.rows_of, track_ids)
        return {track_id: row for track_id, row in found.items() if row.live}


def play_row(listener_id: str, event: PlayEvent, at_ms: int, *, duration_s: float) -> PlayRow:
    """An event of a listener as it is kept."""
    told = judged(event, round(duration_s * 1000))
    return PlayRow(
        listener_id=listener_id,
        play_id=event.play_id,
        event_id=event.event_id,
        track_id=event.track_id,
        kind=event.kind,
        at_ms=at_ms,
        position_ms=event.position_ms,
        played_ms=event.played_ms,
        source=event.source,
        reason=event.reason,
        listened=told.listened,
        skipped=told.skipped,
    )


def _told(refused: Refused) -> Json:
    error = refused.error
    return {
        "index": refused.index,
        "event_id": refused.event_id,
        "error": error.code,
        "field": error.subject,
        "message": error.message,
    }
