"""Collect what nobody needs any more, while others publish. Why nothing that is live goes: docs/decisions/0028-gc.md.

Mark what tracks name; sweep through the store for what is not marked and old enough; withdraw the record of each such
group, so that no publish takes it for whole; wait; mark again what was pointed meanwhile; delete the rest of what is
still not named, and put back the record of what is.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from catalog.marks import Marks
from model.errors import ObjectNotFound, RecordMalformed, UsageError
from model.package import Package
from model.records import from_json
from storage.base import ObjectEntry, ObjectStore
from storage.changes import KEPT_MS, old_changes
from storage.defaults import IMMUTABLE, default_media_type
from storage.keys import ART, CHANGES, CLAIMS, RECORDINGS
from storage.leftovers import KeepsLeftovers
from upkeep.groups import Group, group_named, group_of
from upkeep.live import mark_live, of_recording, of_run
from upkeep.reporting import Report, Silent
from upkeep.together import by_owner, together

GRACE_LEAST_S = 3600  # a publish takes less from its first object to its pointer, and clocks differ by less
SETTLE_S = 120.0  # a put, with all its tries, takes at most a minute
GROUPS_AT_ONCE = 8
NOTES_MAX = 100_000  # of each kind, in one run

Reason = Literal["superseded", "unnamed", "orphan", "leftover", "outdated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """A group, or what a crashed write left, that can go. `objects` is 0 where it is no object."""

    kind: str
    name: str
    reason: Reason
    objects: int
    size_bytes: int


@dataclass(slots=True, kw_only=True)
class Collected:
    """What a collection found, and how much of it it deleted; `revived` groups were taken into use meanwhile."""

    groups: int = 0
    objects: int = 0
    size_bytes: int = 0
    deleted_groups: int = 0
    deleted_objects: int = 0
    deleted_bytes: int = 0
    revived: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """How to collect: what was last written or named `grace_s` before `now_s` may go; nothing goes without `delete`.

    `found` is told of everything that can go, as it is found.
    """

    store: ObjectStore
    now_s: int
    grace_s: int
    delete: bool
    found: Callable[[Garbage], None]
    report: Report = field(default_factory=Silent)
    settle_s: float = SETTLE_S

    def __post_init__(self) -> None:
        if self.grace_s < GRACE_LEAST_S:
            hint = "say --grace 1h or more: a publish under way must be done by then"
            raise UsageError("a grace period that is too short", hint=hint)

    @property
    def before_s(self) -> int:
        """What was touched from this moment on stays."""
        return self.now_s - self.grace_s


async def collect(work: Collector) -> Collected:
    """Find what can go, and delete it if that was asked for.

    Safe beside publishes, to cancel, to kill, and to run again: what is half done is done by the next run.
    Raises RecordMalformed, before anything is deleted, if it cannot be told what is live; StorageError; CatalogError.
    """
    done = Collected()
    with Marks() as marks:
        work.report.step("mark")
        await mark_live(work.store, marks, work.report)
        work.report.step("sweep")
        async for group, garbage in _sweep(work, marks):
            done.groups += 1
            done.objects += garbage.objects
            done.size_bytes += garbage.size_bytes
            work.found(garbage)
            if work.delete:
                marks.hold(group.name, b"")
        if work.delete and done.groups:
            await _delete_all(work, marks, done)
    await _leftovers(work, done)
    await _changes(work, done)
    await _claims(work, done)
    return done


async def _sweep(work: Collector, marks: Marks) -> AsyncGenerator[tuple[Group, Garbage], None]:
    for prefix in (RECORDINGS, ART):
        async with aclosing(by_owner(work.store.walk(prefix), lambda each: each.key)) as owners:
            async for entries in owners:
                work.report.add(len(entries), sum(each.size_bytes for each in entries))
                for found in await _garbage_of(work, marks, entries):
                    yield found


async def _garbage_of(work: Collector, marks: Marks, entries: Sequence[ObjectEntry]) -> list[tuple[Group, Garbage]]:
    """What can go of a recording or a cover."""
    groups: dict[Group, list[ObjectEntry]] = defaultdict(list)
    for entry in entries:
        if group := group_of(entry.key):
            groups[group].append(entry)
    going = [group for group, members in groups.items() if _may_go(work, marks, group, members)]
    if not going:
        return []
    for group in [each for each in going if each.kind == "package"]:
        if await _waits_for_its_run(work, marks, group):
            going.remove(group)
    if any(each.kind == "mezzanine" for each in going):
        staying = [each for each in groups if each.kind == "package" and each not in going]
        used = await _mezzanines_of(work.store, staying)
        going = [each for each in going if each.kind != "mezzanine" or (used is not None and each.own_id not in used)]
    return [(each, _garbage(each, groups[each])) for each in going]


async def _mezzanines_of(store: ObjectStore, packages: Sequence[Group]) -> set[str] | None:
    """The mezzanines that packages name; None if one cannot be read, and so may name any."""
    found = await together([_package(store, each) for each in packages])
    return None if None in found else {each.mezzanine_id for each in found if each}


def _may_go(work: Collector, marks: Marks, group: Group, members: Sequence[ObjectEntry]) -> bool:
    """Not named, and neither written nor, as far as can be told, named within the grace period."""
    if marks.since(group.name) is not None:
        return False
    named_s = marks.since(of_recording(group.owner)) or 0
    return max(named_s, *(each.modified_s for each in members)) < work.before_s


async def _waits_for_its_run(work: Collector, marks: Marks, group: Group) -> bool:
    """Whether a package is part of a run that tracks name and is only not live yet."""
    if marks.since("live " + group.owner) is not None:
        return False
    package = await _package(work.store, group)
    return package is not None and bool(package.run) and marks.since(of_run(package.run)) is not None


async def _package(store: ObjectStore, group: Group) -> Package | None:
    try:
        data = (await store.read(group.record)).data
        return await asyncio.to_thread(from_json, Package, data, subject=group.record)
    except (ObjectNotFound, RecordMalformed):
        return None


def _garbage(group: Group, members: Sequence[ObjectEntry]) -> Garbage:
    whole = any(each.key == group.record for each in members)
    reason: Reason = "orphan" if not whole else "superseded" if group.kind == "package" else "unnamed"
    size = sum(each.size_bytes for each in members)
    return Garbage(kind=group.kind, name=group.prefix, reason=reason, objects=len(members), size_bytes=size)


async def _delete_all(work: Collector, marks: Marks, done: Collected) -> None:
    work.report.step("withdraw")
    for held in _chunks(marks.held()):
        await together([_withdraw(work, marks, group_named(name)) for name, _ in held])
        work.report.add(len(held))
    work.report.step("wait")
    await asyncio.sleep(work.settle_s)
    work.report.step("mark again")
    await mark_live(work.store, marks, work.report)
    work.report.step("delete")
    for held in _chunks(marks.held()):
        await together([_finish(work, marks, group_named(name), record, done) for name, record in held])


def _chunks(held: Iterator[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    while chunk := list(islice(held, GROUPS_AT_ONCE)):
        yield chunk


async def _withdraw(work: Collector, marks: Marks, group: Group) -> None:
    """Take the record of a group away, if it is as old as when it was found: then no publish finds the group whole."""
    try:
        body = await work.store.read(group.record)
    except ObjectNotFound:
        return
    if body.info.modified_s >= work.before_s:
        return
    marks.hold(group.name, body.data)
    await work.store.delete(group.record)


async def _finish(work: Collector, marks: Marks, group: Group, record: bytes, done: Collected) -> None:
    """Delete a group that nobody took into use meanwhile; give its record back to one that somebody did."""
    members = [each async for each in work.store.walk(group.prefix) if group_of(each.key) == group]
    named = marks.since(group.name) is not None
    if named or any(each.modified_s >= work.before_s for each in members):
        done.revived += 1
        if record and not any(each.key == group.record for each in members):
            media_type = default_media_type(group.record)
            await work.store.put(group.record, record, media_type=media_type, cache_control=IMMUTABLE)
        return
    for each in members:
        await work.store.delete(each.key)
        work.report.add(1, each.size_bytes)
        done.deleted_bytes += each.size_bytes
    done.deleted_objects += len(members) + bool(record)
    done.deleted_bytes += len(record)
    done.deleted_groups += 1


async def _leftovers(work: Collector, done: Collected) -> None:
    """What crashed writes left beside the objects, where the store knows of it."""
    if not isinstance(work.store, KeepsLeftovers):
        return
    work.report.step("leftovers")
    async for each in work.store.leftovers(work.before_s):
        work.found(Garbage(kind="leftover", name=each.name, reason="leftover", objects=0, size_bytes=each.size_bytes))
        done.groups += 1
        done.size_bytes += each.size_bytes
        if work.delete:
            await work.store.discard(each)
            done.deleted_groups += 1
            done.deleted_bytes += each.size_bytes
        work.report.add(1, each.size_bytes)


async def _changes(work: Collector, done: Collected) -> None:
    """What was told of changes that every follower knows by now. Publishes clear them away, if there are any."""
    work.report.step("changes")
    before_ms = 1000 * work.now_s - KEPT_MS
    keys = await old_changes(work.store, before_ms=before_ms, most=NOTES_MAX)
    garbage = Garbage(kind="changes", name=CHANGES, reason="outdated", objects=len(keys), size_bytes=0)
    await _notes(work, done, garbage, keys)


async def _claims(work: Collector, done: Collected) -> None:
    """Claims of coordinators that were killed, on sources that nobody published again."""
    work.report.step("claims")
    old = [each async for each in work.store.walk(CLAIMS) if each.modified_s < work.before_s][:NOTES_MAX]
    size = sum(each.size_bytes for each in old)
    garbage = Garbage(kind="claims", name=CLAIMS, reason="orphan", objects=len(old), size_bytes=size)
    await _notes(work, done, garbage, [each.key for each in old])


async def _notes(work: Collector, done: Collected, garbage: Garbage, keys: Sequence[str]) -> None:
    """Objects that are told, and go, as one thing."""
    if not keys:
        return
    work.found(garbage)
    done.groups += 1
    done.objects += len(keys)
    done.size_bytes += garbage.size_bytes
    if not work.delete:
        return
    for start in range(0, len(keys), GROUPS_AT_ONCE):
        await together([work.store.delete(key) for key in keys[start : start + GROUPS_AT_ONCE]])
    done.deleted_groups += 1
    done.deleted_objects += len(keys)
    done.deleted_bytes += garbage.size_bytes
