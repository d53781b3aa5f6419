"""What a listener may do with its plays, its favourites, its consent, and all that is kept of it.

Only tracks that are live are shown. What is kept of others stays, and is shown again when they come back.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from catalog.favourites import FAVOURITES, Favourite, Favourites
from catalog.listener_data import export_listener, forget_listener, prune_listeners
from catalog.listener_database import ListenerDatabase
from catalog.plays import DAY_MS, PLAYS, PlayRow, Plays
from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.alongside import alongside
from discovery.listening import operations as ops
from discovery.listening.events import Batch, EventTooOld, PlayEvent, Refused, read_batch
from discovery.listening.listens import happened_at, judged
from discovery.listening.own import own_tracks
from discovery.listening.writer import PlayWriter
from discovery.operations import JSON, Call, Sent, Served
from discovery.tracks import track_answer
from model.errors import ConsentMissing, PipelineError, ResourceUnknown, TrackUnknown

RETENTION_DAYS = 400
HALF_LIFE_DAYS = 30.0  # of what makes a track popular
PRUNE_EVERY_S = 86_400.0

log = logging.getLogger(__name__)


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
        """Over a database and a catalog that stay the caller's to close. `migrate`, or `running`, makes its tables."""
        self.plays = Plays(database, migrate=False)
        self.favourites = Favourites(database, migrate=False)
        self.writer = PlayWriter(self.plays)
        self._database = database
        self._catalog = catalog
        self._kept_ms = retention_days * DAY_MS
        self._clock = clock
        self.served = (
            Served(ops.EVENTS, lambda call: self.take(call.listener_id, call.body)),
            Served(ops.HISTORY, lambda call: self.history(call.listener_id, **call.query)),
            Served(ops.CONSENT, lambda call: self.consent(call.listener_id)),
            Served(ops.SET_CONSENT, lambda call: self.set_consent(call.listener_id, history=call.body.history)),
            Served(ops.FAVOURITES, lambda call: self.favourite_tracks(call.listener_id, **call.query)),
            Served(ops.FAVOURITE, lambda call: self.favourite(call.listener_id, call.path["track_id"])),
            Served(ops.MARK, lambda call: self.mark(call.listener_id, call.path["track_id"])),
            Served(ops.UNMARK, lambda call: self.unmark(call.listener_id, call.path["track_id"])),
            Served(ops.EXPORT, self.export),
            Served(ops.FORGET, self.forget),
        )

    def migrate(self) -> None:
        """Make the tables, or bring them up to date. Blocks."""
        self._database.migrate(PLAYS)
        self._database.migrate(FAVOURITES)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """With tables; drop what is old once a day, and at the end write what was taken."""
        await asyncio.to_thread(self.migrate)
        try:
            async with alongside(self._prune_again_and_again()):
                yield
        finally:
            await self.writer.close()

    async def _prune_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            try:
                await self.prune()
            except PipelineError as error:
                log.warning("old play events not dropped", extra={"error_code": error.code, "reason": str(error)})

    async def take(self, listener_id: str, sent: ops.Events) -> ops.Kept:
        """Keep a batch of play events; they are on the disk when this returns.

        Raises EventInvalid if it is no batch, ConsentMissing, ListeningUnavailable, CatalogError.
        """
        batch = read_batch({"events": sent.events, "sent_at_ms": sent.sent_at_ms})
        tracks = await self._tracks({event.track_id for _, event in batch.events})
        rows, refused = self._checked(listener_id, batch, tracks)
        if not await (self.writer.add(rows) if rows else self._has_consent(listener_id)):
            raise ConsentMissing("PUT /api/v1/consent says that the listener agrees")
        return ops.Kept(kept=len(rows), refused=[_told(each) for each in sorted(refused, key=lambda each: each.index)])

    async def history(self, listener_id: str, *, offset: int = 0, limit: int) -> ops.History:
        """The last plays of live tracks, the latest first."""
        plays = await asyncio.to_thread(self.plays.history, listener_id, limit=limit + 1, offset=offset)
        tracks = await self._tracks({play.track_id for play in plays})
        shown = [
            ops.PlayedTrack(
                track=track_answer(tracks[play.track_id]),
                began_ms=play.began_ms,
                played_ms=play.played_ms,
                listened=play.listened,
                skipped=play.skipped,
                source=play.source,
            )
            for play in plays[:limit]
            if play.track_id in tracks
        ]
        return ops.History(plays=shown, more=len(plays) > limit)

    async def consent(self, listener_id: str) -> ops.Consent:
        """Whether the listener agreed."""
        at_ms = await asyncio.to_thread(self.plays.consented_at_ms, listener_id)
        return ops.Consent(history=at_ms is not None, since_ms=at_ms)

    async def set_consent(self, listener_id: str, *, history: bool) -> ops.Consent:
        """Agree, or not any more: then all that was kept is deleted."""
        if history:
            await asyncio.to_thread(self.plays.consent, listener_id, at_ms=self._clock())
        else:
            await asyncio.to_thread(self.plays.withdraw, listener_id)
        return await self.consent(listener_id)

    async def favourite_tracks(self, listener_id: str, *, offset: int, limit: int) -> ops.FavouriteTracks:
        """A page of the favourites, the latest first."""

        def page() -> tuple[list[Favourite], int]:
            marked = self.favourites.page(listener_id, offset=offset, limit=limit)
            return marked, self.favourites.count(listener_id)

        marked, total = await asyncio.to_thread(page)
        tracks = await self._tracks({each.track_id for each in marked})
        shown = [each for each in marked if each.track_id in tracks]
        return ops.FavouriteTracks(
            favourites=[
                ops.FavouriteTrack(track=track_answer(tracks[each.track_id]), since_ms=each.at_ms) for each in shown
            ],
            total=total,
        )

    async def favourite(self, listener_id: str, track_id: str) -> ops.Mark:
        """Whether a track is a favourite."""
        found = await asyncio.to_thread(self.favourites.get, listener_id, track_id)
        return ops.Mark(track_id=track_id, favourite=found is not None, since_ms=found.at_ms if found else None)

    async def mark(self, listener_id: str, track_id: str) -> ops.Mark:
        """Make a live track a favourite. Raises ResourceUnknown, TooManyFavourites."""
        if track_id not in await self._tracks({track_id}):
            raise ResourceUnknown("no such track")
        if not await asyncio.to_thread(self.favourites.add, listener_id, track_id, at_ms=self._clock()):
            raise ops.TooManyFavourites("take some off first")
        return await self.favourite(listener_id, track_id)

    async def unmark(self, listener_id: str, track_id: str) -> ops.Mark:
        """Make a track a favourite no more."""
        await asyncio.to_thread(self.favourites.remove, listener_id, track_id)
        return await self.favourite(listener_id, track_id)

    async def export(self, call: Call) -> Sent:
        """All that the database has of the listener, as a file."""

        def written() -> bytes:
            kept = export_listener(self._database, call.listener_id)
            return json.dumps(kept, ensure_ascii=False, indent=1).encode() + b"\n"

        return Sent(body=await asyncio.to_thread(written), media_type=JSON, file_name="listener.json")

    async def forget(self, call: Call) -> None:
        """Delete the listener; its key is nobody's from now on."""
        await asyncio.to_thread(forget_listener, self._database, call.listener_id)

    def popularity(self) -> Mapping[str, float]:
        """How popular tracks are now. Blocks. Raises CatalogError."""
        return self.plays.popularity(now_ms=self._clock(), half_life_days=HALF_LIFE_DAYS)

    async def own(self, listener_id: str) -> Mapping[str, float]:
        """How much the listener plays its tracks, for search."""
        return await asyncio.to_thread(own_tracks, self.plays, self.favourites, listener_id)

    async def prune(self) -> int:
        """Drop the events that are older than they are kept, and listeners whom nobody used for as long; how many
        events."""
        before_ms = self._clock() - self._kept_ms
        dropped = await asyncio.to_thread(self.plays.prune, before_ms=before_ms)
        await asyncio.to_thread(prune_listeners, self._database, before_s=before_ms // 1000)
        return dropped

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
                rows.append(play_row(listener_id, event, at_ms, tracks[event.track_id].duration_s))
            except (EventTooOld, TrackUnknown) as error:
                refused.append(Refused(index, event.event_id, error))
        return rows, refused

    async def _has_consent(self, listener_id: str) -> bool:
        return await asyncio.to_thread(self.plays.consented_at_ms, listener_id) is not None

    async def _tracks(self, track_ids: Collection[str]) -> dict[str, TrackRow]:
        """The live ones of some tracks."""
        found = await asyncio.to_thread(self._catalog.rows_of, track_ids)
        return {track_id: row for track_id, row in found.items() if row.live}


def play_row(listener_id: str, event: PlayEvent, at_ms: int, duration_s: float, *, kind: str = "") -> PlayRow:
    """An event of a listener as it is kept; as one of another `kind`, if one is named."""
    told = judged(event, round(duration_s * 1000))
    return PlayRow(
        listener_id=listener_id,
        play_id=event.play_id,
        event_id=event.event_id,
        track_id=event.track_id,
        kind=kind or event.kind,
        at_ms=at_ms,
        position_ms=event.position_ms,
        played_ms=event.played_ms,
        source=event.source,
        reason=event.reason,
        listened=told.listened,
        skipped=told.skipped,
    )


def _told(refused: Refused) -> ops.RefusedEvent:
    error = refused.error
    return ops.RefusedEvent(
        index=refused.index, event_id=refused.event_id, error=error.code, where=error.subject, message=error.message
    )
