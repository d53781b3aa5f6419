"""Groups that need no work: published whole before, with nothing changed since, in the sources or in the store.

What is compared is what can be seen without reading: the state of every source of the group and of the pictures beside
it, how it is asked to be made, and the versions of the tracks' records in one listing of the store. A source is looked
at again in full when any of it differs, or when another source may speak for its track. What lies under `recordings/`
is not listed: `segue verify` looks at it.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import takewhile

from catalog.settled import Settled, SettledRow
from catalog.store import PointerVersions
from ingest.hear import ART
from ingest.objects import object_at
from ingest.plan import Group
from ingest.work import stamp_of
from model.errors import SourceError
from model.events import Status, TrackOutcome
from model.records import from_json, to_json
from model.track import derived_id
from segue.wiring import Workshop
from storage.keys import TRACKS, pointer_in, track_key

FORMAT = "settled 1"
_BATCH_TRACKS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A group as it is before anybody works on it."""

    paths: tuple[bytes, ...]
    wanted: str


class Settlement:
    """What is settled of the sources of a batch, with what is asked for now."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._settled = Settled(shop.ingest.ledger)
        self._recipe = (FORMAT, version("segue"), ART, *shop.recipe)

    async def compare(self) -> None:
        """Forget what is not in the store any more as it was. One listing of the tracks."""
        found: dict[str, PointerVersions] = {}
        after = ""
        async for entry in self._shop.store.walk(TRACKS):
            pointer = pointer_in(entry.key)
            if pointer is None:
                continue
            if pointer.track_id not in found and len(found) == _BATCH_TRACKS:
                through = max(found)
                await asyncio.to_thread(self._settled.keep, found, after=after, through=through)
                found, after = {}, through
            found[pointer.track_id] = _with(found, pointer.track_id, entry.version, live=pointer.live)
        await asyncio.to_thread(self._settled.keep, found, after=after, through=None)

    async def look(self, groups: Sequence[Group]) -> tuple[list[list[TrackOutcome]], State | None]:
        """How the sources of the groups ended, up to the first group that is not settled; and the state of that one,
        None if it cannot be told, or if there is none."""
        return await asyncio.to_thread(self._look, groups)

    async def settle(self, state: State, outcomes: Sequence[TrackOutcome]) -> None:
        """Remember that the sources of a group that was in this state ended so, if they ended well."""
        if len(outcomes) != len(state.paths):  # one had no end
            return
        if any(each.status is Status.FAILED or each.duplicate_of or each.track_id is None for each in outcomes):
            return
        rows = []
        for path, outcome in zip(state.paths, outcomes, strict=True):
            assert outcome.track_id is not None
            versions = await self._versions(outcome.track_id)
            told = to_json(replace(outcome, status=Status.SKIPPED)).decode()
            rows.append(
                SettledRow(path=path, wanted=state.wanted, track_id=outcome.track_id, versions=versions, outcome=told)
            )
        await asyncio.to_thread(self._settled.settle, rows)

    def _look(self, groups: Sequence[Group]) -> tuple[list[list[TrackOutcome]], State | None]:
        found: list[list[TrackOutcome]] = []
        for group in groups:
            state = self._state(group)
            outcomes = self._outcomes(state) if state else None
            if outcomes is None:
                return found, state
            found.append(outcomes)
        return found, None

    def _state(self, group: Group) -> State | None:
        words, paths = list(self._recipe), []
        for each in group.members:
            try:
                stamp = stamp_of(each.source)
            except SourceError:
                return None
            pictures = self._shop.ingest.reader.state_of_art(each.source)
            if pictures is None:
                return None
            paths.append(stamp.path)
            words += [repr(stamp.path), stamp.text, pictures]
        return State(paths=tuple(paths), wanted=derived_id(*words))

    def _outcomes(self, state: State) -> list[TrackOutcome] | None:
        told = self._settled.outcomes(state.paths, state.wanted)
        if told is None:
            return None
        outcomes = [from_json(TrackOutcome, each.encode(), subject="ledger") for each in told]
        if any(self._another_speaks(path, each) for path, each in zip(state.paths, outcomes, strict=True)):
            return None
        return outcomes

    def _another_speaks(self, path: bytes, outcome: TrackOutcome) -> bool:
        """Whether a file with an earlier path may be the track that this one was settled as: it may have become that
        afterwards, or in the moment in which this one was settled."""
        earlier = takewhile(lambda other: other < path, self._shop.ingest.ledger.holders(outcome.track_id or ""))
        return any(object_at(other) is not None or os.path.lexists(other) for other in earlier)

    async def _versions(self, track_id: str) -> PointerVersions:
        found: dict[str, PointerVersions] = {}
        async for entry in self._shop.store.walk(track_key(track_id).rpartition("/")[0] + "/"):
            pointer = pointer_in(entry.key)
            if pointer is not None:
                found[track_id] = _with(found, track_id, entry.version, live=pointer.live)
        return found.get(track_id, PointerVersions(None, None))


def _with(found: Mapping[str, PointerVersions], track_id: str, seen: str, *, live: bool) -> PointerVersions:
    known = found.get(track_id, PointerVersions(None, None))
    return PointerVersions(known.ingest, seen) if live else PointerVersions(seen, known.current)
