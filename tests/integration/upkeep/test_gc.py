"""Collecting garbage: what goes, what never goes, and what happens when others publish at the same time."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avtool.locate import Ffmpeg
from model.errors import RecordMalformed, StorageUnavailable, UsageError
from model.package import Current
from model.records import to_json
from model.track import Piece, Run
from packager.pipeline import Packaged, package
from packager.publish import keep_in_use
from packager.records import live_package, read_package, read_track
from scripts.s3_server import S3Server
from storage.base import ObjectStore
from storage.changes import KEPT_MS, changes_since, now_ms, signal
from storage.filesystem import FilesystemStore
from storage.keys import art_key, claim_key, current_key, mezzanine_key, package_key, track_file_key, track_key
from storage.s3 import S3Store
from tests.integration.origin.published import Published, publish, put
from tests.integration.packager.conftest import SMALL, Shelf, sound_package, work_on
from tests.integration.upkeep.conftest import contents
from tests.support.faulty_store import FaultyStore
from upkeep.gc import Collected, Collector, Garbage, collect

DAY_S = 86_400
GRACE_S = 7 * DAY_S


async def gc(store: ObjectStore, *, after_s: int = 8 * DAY_S, delete: bool = True) -> tuple[Collected, list[Garbage]]:
    """A collection so long from now, with a week of grace."""
    found: list[Garbage] = []
    work = Collector(
        store=store, now_s=int(time.time()) + after_s, grace_s=GRACE_S, delete=delete, found=found.append, settle_s=0.0
    )
    return await collect(work), found


async def assert_whole(store: ObjectStore, track_id: str) -> None:
    """Everything that players and a new encoding of a live track need is there, with its bytes."""
    track = await read_track(store, track_id)
    for side in (160, 640, 1280):
        await store.head(art_key(track.art_id, side))
    await store.head(mezzanine_key(track.recording_id, track.mezzanine.mezzanine_id))
    current = await live_package(store, track_id)
    assert current is not None
    package = await read_package(store, current.recording_id, current.package_id)
    for each in package.renditions:
        key = track_file_key(package.recording_id, package.package_id, each.track_file_path)
        assert hashlib.sha256((await store.read(key)).data).hexdigest() == each.sha256
        await store.head(package_key(package.recording_id, package.package_id, f"{each.rendition.rendition_id}.m3u8"))


async def test_superseded_goes_and_live_stays(store: ObjectStore) -> None:
    """The package, the mezzanine and the cover that a new edition replaced; nothing else, and it is told by name."""
    old = await publish(store, "one", edition=1, segments=2)
    new = await publish(store, "one", edition=2, segments=2)
    other = await publish(store, "two", release="Other", segments=2)
    before = await contents(store)
    dry, told = await gc(store, delete=False)
    assert await contents(store) == before
    done, found = await gc(store)
    after = await contents(store)
    assert found == told
    gone = set(before) - set(after)
    assert {(each.kind, each.reason) for each in found} == {
        ("package", "superseded"), ("mezzanine", "unnamed"), ("art", "unnamed"),
    }  # fmt: skip
    assert all(
        key.startswith((f"{old.package_base}/"[1:], f"{old.recording_base}/mezzanine/"[1:], f"{old.art_base}/"[1:]))
        for key in gone
    )
    assert (done.groups, done.objects, done.deleted_groups, done.deleted_objects) == (3, len(gone), 3, len(gone))
    assert done.deleted_bytes == done.size_bytes == dry.size_bytes > 0
    for each in (new, other):
        await assert_whole(store, each.track_id)
    assert (await gc(store))[1] == []


async def test_old_changes_go_and_young_ones_stay(store: ObjectStore) -> None:
    """What was told within the hour is still listened to. They are told as one thing."""
    track_id, now = "a" * 20, now_ms()
    await publish(store, "one", segments=1)
    for number in range(20):
        await signal(store, track_id, at_ms=(now - KEPT_MS - 60_000) // 32 * 32 - 1 - number)
    await signal(store, track_id, at_ms=now // 32 * 32 + 1)
    dry, told = await gc(store, after_s=0, delete=False)
    assert len(await changes_since(store, 0)) == 21
    done, found = await gc(store, after_s=0)
    assert found == told == [Garbage(kind="changes", name="changes/", reason="outdated", objects=20, size_bytes=0)]
    assert (dry.deleted_objects, done.deleted_objects, done.deleted_groups) == (0, 20, 1)
    assert len(await changes_since(store, 0)) == 1


async def test_claims_of_who_was_killed_go(store: ObjectStore) -> None:
    """Once they are as old as a publish never is; of who works now they stay."""
    for claim_id in ("a" * 16, "b" * 16):
        await store.put(claim_key(claim_id), b"{}", media_type="application/json", cache_control="no-cache")
    assert (await gc(store, after_s=0))[1] == []
    done, found = await gc(store)
    assert found == [Garbage(kind="claims", name="claims/", reason="orphan", objects=2, size_bytes=4)]
    assert (done.deleted_groups, done.deleted_objects, done.deleted_bytes) == (1, 2, 4)
    assert await contents(store) == {}


async def test_the_grace_period_begins_when_a_package_is_superseded(tmp_path: Path) -> None:
    """However old it is: who began to play it a minute ago goes on."""
    store = FilesystemStore(tmp_path)
    await publish(store, "one", edition=1, segments=2)
    assert (await gc(store, after_s=6 * DAY_S))[1] == []
    await publish(store, "one", edition=2, segments=2)
    old_s = int(time.time()) - 30 * DAY_S
    for path in tmp_path.glob("recordings/*/*/*"):
        os.utime(path, (old_s, old_s))
    assert [each for each in (await gc(store, after_s=DAY_S))[1] if each.kind != "art"] == []
    await store.close()


async def test_a_crashed_upload_goes(store: ObjectStore) -> None:
    """A package without its record, a mezzanine without its own: nobody will ever find them whole."""
    track = await publish(store, "one", segments=2)
    begun = package_key(track.track.recording_id, "b" * 16, "aac-64.mp4")
    alone = mezzanine_key(track.track.recording_id, "c" * 16)
    for key in (begun, alone, "recordings/not-ours/x.mp4", "notes.txt"):
        await put(store, key, b"half")
    _, found = await gc(store)
    assert sorted((each.kind, each.reason, each.objects) for each in found) == [
        ("mezzanine", "orphan", 1), ("package", "orphan", 1),
    ]  # fmt: skip
    left = await contents(store)
    assert {begun, alone} & set(left) == set() and {"recordings/not-ours/x.mp4", "notes.txt"} <= set(left)
    await assert_whole(store, track.track_id)


async def test_what_is_young_stays(store: ObjectStore) -> None:
    """A group stays as long as one object of it is younger than the grace period: its upload may be under way."""
    await publish(store, "one", edition=1, segments=2)
    await publish(store, "one", edition=2, segments=2)
    before = await contents(store)
    assert (await gc(store, after_s=GRACE_S - 60))[1] == []
    assert await contents(store) == before


async def test_the_mezzanine_of_a_live_package_stays(store: ObjectStore) -> None:
    """A track that was ingested anew but not packaged: its live lossless rendition is the mezzanine before."""
    old = await publish(store, "one", segments=2)
    again = replace(old.track, mezzanine=replace(old.track.mezzanine, mezzanine_id="m" * 16))
    await put(store, mezzanine_key(old.track.recording_id, "m" * 16), b"new")
    await put(store, track_key(old.track_id), to_json(again))
    assert (await gc(store))[1] == []
    await assert_whole(store, old.track_id)


async def test_a_package_that_cannot_be_read_keeps_every_mezzanine(store: ObjectStore) -> None:
    """Nobody knows which one it is made of, and repairs need it."""
    old = await publish(store, "one", segments=2)
    again = replace(old.track, mezzanine=replace(old.track.mezzanine, mezzanine_id="m" * 16))
    await put(store, mezzanine_key(old.track.recording_id, "m" * 16), b"new")
    await put(store, track_key(old.track_id), to_json(again))
    await put(store, package_key(old.package.recording_id, old.package.package_id, "package.json"), b"{}")
    assert (await gc(store))[1] == []


@pytest.mark.parametrize("named", [True, False])
async def test_a_package_of_a_run_waits_for_its_track(store: ObjectStore, named: bool) -> None:
    """Encoded with its neighbours, not live yet: it stays while tracks name the run, and goes when none does."""
    one, two = [await publish(store, name, release="Live", segments=2) for name in ("one", "two")]
    ids = tuple(each.track.mezzanine.mezzanine_id for each in (one, two))
    pieces = tuple(
        Piece(recording_id=e.track.recording_id, mezzanine_id=i, lossless=True)
        for e, i in zip((one, two), ids, strict=True)
    )
    for position, each in enumerate((one, two)):
        package = replace(each.package, run=ids, position=position)
        await put(store, package_key(package.recording_id, package.package_id, "package.json"), to_json(package))
        if named:
            track = replace(each.track, run=Run(pieces=pieces, position=position))
            await put(store, track_key(track.track_id), to_json(track))
    await store.delete(current_key(two.track_id))
    found = (await gc(store))[1]
    assert [each.name for each in found] == ([] if named else [f"{two.package_base}/"[1:]])
    await assert_whole(store, one.track_id)


@pytest.mark.parametrize("name", ["current", "track"])
async def test_who_does_not_know_what_is_live_deletes_nothing(store: ObjectStore, name: str) -> None:
    """A pointer that cannot be read ends the collection before it began."""
    await publish(store, "one", edition=1, segments=2)
    track = await publish(store, "one", edition=2, segments=2)
    await put(store, current_key(track.track_id) if name == "current" else track_key(track.track_id), b"{}")
    before = await contents(store)
    with pytest.raises(RecordMalformed) as caught:
        await gc(store)
    assert "nothing is deleted" in caught.value.hint
    assert await contents(store) == before


def test_a_short_grace_is_refused() -> None:
    """Nobody can say that no publish is under way."""
    with pytest.raises(UsageError):
        Collector(store=FilesystemStore(Path("none")), now_s=0, grace_s=3599, delete=True, found=lambda _: None)


class Meddling:
    """Reports nothing, and lets somebody act when a step begins."""

    def __init__(self, step: str, act: Callable[[], Awaitable[object]]) -> None:
        self._step = step
        self._act = act
        self.task: asyncio.Future[object] | None = None

    def step(self, name: str) -> None:
        if name == self._step:
            self.task = asyncio.ensure_future(self._act())

    def add(self, objects: int, size_bytes: int = 0) -> None:
        pass


async def _make_live(store: ObjectStore, each: Published) -> None:
    track, package = each.track, each.package
    current = Current(track_id=track.track_id, recording_id=track.recording_id, package_id=package.package_id)
    await put(store, track_key(track.track_id), to_json(track))
    await put(store, current_key(track.track_id), to_json(current))


@pytest.mark.parametrize("step", ["sweep", "withdraw", "wait"])
async def test_what_is_pointed_to_meanwhile_stays(store: ObjectStore, step: str) -> None:
    """The worst case: an old package is made live by somebody who looked before its record was withdrawn."""
    old = await publish(store, "one", edition=1, segments=2)
    await publish(store, "one", edition=2, segments=2)
    meddling = Meddling(step, lambda: _make_live(store, old))
    work = Collector(
        store=store, now_s=int(time.time()) + 8 * DAY_S, grace_s=GRACE_S, delete=True,
        found=lambda _: None, settle_s=1.0, report=meddling,
    )  # fmt: skip
    done = await collect(work)
    assert meddling.task is not None
    await meddling.task
    assert (done.revived, done.deleted_groups) == (3, 0)
    await assert_whole(store, old.track_id)


@pytest.mark.parametrize("step", ["mark", "sweep", "withdraw", "wait", "mark again", "delete"])
async def test_a_real_publish_beside_it_ends_well(published: Shelf, tool: Ffmpeg, tmp_path: Path, step: str) -> None:
    """The ladder goes back to what it was, so that the old package is to be live again, while that one is collected:
    whoever is first, in the end the track is live and whole."""
    shutil.copytree(published.folder, tmp_path / "store")
    store, track_id = FilesystemStore(tmp_path / "store"), published.track.track_id
    await package(work_on(tool, store, replace(SMALL, aac_bitrates_bps=(96_000,))), track_id, subject="Short")
    for path in (tmp_path / "store").glob("**/*.*"):
        os.utime(path, (time.time() - 30 * DAY_S,) * 2)
    meddling = Meddling(step, lambda: package(work_on(tool, store), track_id, subject="Short"))
    work = Collector(
        store=store, now_s=int(time.time()), grace_s=GRACE_S, delete=True,
        found=lambda _: None, settle_s=2.0, report=meddling,
    )  # fmt: skip
    done = await collect(work)
    assert meddling.task is not None
    made = await meddling.task
    assert isinstance(made, Packaged)
    assert done.groups <= 1
    assert await sound_package(store, track_id) == made.package
    assert made.package.package_id in {path.name for path in published.folder.glob("recordings/*/*")}
    await store.close()


async def test_what_is_taken_into_use_counts_as_new(tmp_path: Path) -> None:
    """A publish that is still verifying an old package has written its record anew: the package stays."""
    store = FilesystemStore(tmp_path)
    old = await publish(store, "one", edition=1, segments=2)
    await publish(store, "one", edition=2, segments=2)
    for path in tmp_path.glob("**/*.*"):
        os.utime(path, (time.time() - 30 * DAY_S,) * 2)
    await keep_in_use(store, old.package)
    found = (await gc(store, after_s=DAY_S))[1]
    assert {each.kind for each in found} == {"art"}  # the mezzanine is named by the package that stays
    await store.close()


async def test_a_collection_that_is_killed_anywhere_harms_nothing(tmp_path: Path) -> None:
    """Every call in turn is the last one; the next run ends as an undisturbed one does."""
    whole = FilesystemStore(tmp_path / "whole")
    await publish(whole, "one", edition=1, segments=1)
    track = await publish(whole, "one", edition=2, segments=1)
    await whole.close()
    for number in range(1, 200):
        shutil.copytree(tmp_path / "whole", tmp_path / str(number))
        inner = FilesystemStore(tmp_path / str(number))
        store = FaultyStore(inner, fail_at=number, from_then_on=True)
        try:
            await gc(store)
        except StorageUnavailable:
            await assert_whole(inner, track.track_id)
            await gc(inner)
            await assert_whole(inner, track.track_id)
            assert {key.split("/")[2] for key in await contents(inner) if key.startswith("recordings/")} == {
                "analysis.json", "mezzanine", track.package.package_id,
            }  # fmt: skip
            await inner.close()
            continue
        await inner.close()
        break
    assert number > 20


async def test_temporary_files_of_the_dead_go(tmp_path: Path) -> None:
    """Old ones without a writer; what is being written stays, and so does what is young."""
    store = FilesystemStore(tmp_path)
    track = await publish(store, "one", segments=1)
    folder = tmp_path / "recordings" / track.track.recording_id
    for name in (".tmp-dead", ".tmp-written"):
        (folder / name).write_bytes(b"half")
    with (folder / ".tmp-written").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done, found = await gc(store)
    assert [(each.kind, each.size_bytes) for each in found] == [("leftover", 4)]
    assert not (folder / ".tmp-dead").exists() and (folder / ".tmp-written").exists()
    assert (await gc(store, after_s=GRACE_S - 60))[1] == []
    assert done.deleted_groups == 1
    await store.close()


async def test_uploads_in_parts_that_were_never_ended_go(s3_server: S3Server) -> None:
    """The service keeps their parts, unseen, until somebody gives them up."""
    prefix = f"upkeep/{uuid.uuid4().hex}"
    store = S3Store(s3_server.address(prefix), s3_server.writer)
    client, name = s3_server.client(), f"{prefix}/recordings/{'a' * 20}/{'b' * 16}/aac-64.mp4"
    client._create_multipart_upload(s3_server.bucket, name, {})
    young = await gc(store, after_s=GRACE_S - 60)
    dry = await gc(store, delete=False)
    done, found = await gc(store)
    assert (young[1], [each.name for each in dry[1]], found) == ([], [name], dry[1])
    assert done.deleted_groups == 1
    assert (await gc(store))[1] == []
    await store.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.sampled_from(["x", "y"]), st.integers(0, 20)),
        min_size=1, max_size=8,
    ),
    st.lists(st.integers(0, 60), max_size=6),
    st.integers(0, 20),
)  # fmt: skip
def test_nothing_live_goes(
    tmp_path_factory: pytest.TempPathFactory, publishes: list[tuple[str, int, str, int]], lost: list[int], day: int
) -> None:
    """Random stores, of any age, with objects lost at random outside the live tracks: all that is live is whole."""
    asyncio.run(_nothing_live_goes(tmp_path_factory.mktemp("random"), publishes, lost, day))


async def _nothing_live_goes(
    folder: Path, publishes: list[tuple[str, int, str, int]], lost: list[int], day: int
) -> None:
    store = FilesystemStore(folder)
    live = {}
    for name, edition, release, age in publishes:
        made = await publish(store, name, edition=edition, release=release, segments=1)
        live[made.track_id] = made
        for path in folder.glob("recordings/**/*.*"):
            if made.package.package_id in str(path):
                os.utime(path, (time.time() - age * DAY_S,) * 2)
    needed = {key for each in live.values() for key in _needed(each)}
    spare = sorted(set(await contents(store)) - needed)
    for number in lost[: len(spare)]:
        await store.delete(spare[number % len(spare)])
    await gc(store, after_s=day * DAY_S)
    for track_id in live:
        await assert_whole(store, track_id)
    assert needed <= set(await contents(store))
    await store.close()


def _needed(each: Published) -> set[str]:
    recording_id, package_id = each.package.recording_id, each.package.package_id
    names = [name for media in each.media for name in (f"{media}.mp4", f"{media}.m3u8") if name != "flac.mp4"]
    return {
        track_key(each.track_id), current_key(each.track_id),
        *(art_key(each.track.art_id, side) for side in each.art),
        mezzanine_key(recording_id, each.track.mezzanine.mezzanine_id),
        *(package_key(recording_id, package_id, name) for name in (*names, "package.json", "index.m3u8")),
    }  # fmt: skip
