"""A package is live whole or not at all, whatever fails on the way; and damage in the store is found."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from avtool.locate import Ffmpeg
from catalog.store import Catalog
from ingest.pipeline import Ingest, ingest
from ingest.scan import Source
from ingest.settings import IngestSettings
from manifests.rules import Severity
from model.errors import (
    MediaError,
    ObjectNotFound,
    PackageInvalid,
    RecordMalformed,
    StorageUnavailable,
    TrackUnknown,
)
from model.events import Event, Stage, StageProgress, StageStarted, Unobserved
from model.package import Package
from packager.pipeline import Packaging, live_package_id, package, read_package
from packager.settings import PackageSettings
from packager.verify import verify_package
from storage.base import ObjectInfo, ObjectStore
from storage.filesystem import FilesystemStore
from storage.keys import current_key, package_key
from tests.support.audio import music_like
from tests.support.faulty_store import FaultyStore, Kind

SMALL = PackageSettings(aac_bitrates_bps=(64_000,), opus_bitrates_bps=(64_000,))
OTHER = PackageSettings(aac_bitrates_bps=(96_000,), opus_bitrates_bps=())


@dataclass(frozen=True, slots=True)
class Ingested:
    """A folder with the store of one ingested track; tests work on copies."""

    folder: Path
    track_id: str


class Watching:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def notify(self, event: Event) -> None:
        """Take one event."""
        self.events.append(event)


@pytest.fixture(scope="session")
def ingested(tool: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """A track of 2 s, ingested."""
    folder = tmp_path_factory.mktemp("ingested")

    async def fill() -> str:
        store = FilesystemStore(folder / "store")
        with Catalog() as catalog:
            work = Ingest(settings=IngestSettings(), tool=tool, store=store, catalog=catalog, observer=Unobserved())
            done = await ingest(work, Source(path=music_like(2, tags={"title": "Short", "artist": "Somebody"})))
        await store.close()
        return done.track.track_id

    return Ingested(folder / "store", asyncio.run(fill()))


@pytest.fixture(scope="session")
def published(tool: Ffmpeg, ingested: Ingested, tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """The same track, packaged and live."""
    folder = tmp_path_factory.mktemp("published") / "store"
    shutil.copytree(ingested.folder, folder)

    async def fill() -> None:
        store = FilesystemStore(folder)
        await package(_work(tool, store), ingested.track_id, subject="Short")
        await store.close()

    asyncio.run(fill())
    return Ingested(folder, ingested.track_id)


@pytest.fixture
async def store(ingested: Ingested, tmp_path: Path) -> AsyncIterator[FilesystemStore]:
    """A store of its own with the ingested track."""
    shutil.copytree(ingested.folder, tmp_path / "store")
    opened = FilesystemStore(tmp_path / "store")
    yield opened
    await opened.close()


@pytest.fixture
async def live(published: Ingested, tmp_path: Path) -> AsyncIterator[FilesystemStore]:
    """A store of its own with the live track."""
    shutil.copytree(published.folder, tmp_path / "live")
    opened = FilesystemStore(tmp_path / "live")
    yield opened
    await opened.close()


def _work(tool: Ffmpeg, store: ObjectStore, settings: PackageSettings = SMALL) -> Packaging:
    return Packaging(settings=settings, tool=tool, store=store, slots=asyncio.Semaphore(2), observer=Unobserved())


async def _live(store: ObjectStore, track_id: str) -> str | None:
    """The package that players see, after looking at every byte of it."""
    package_id = await live_package_id(store, track_id)
    if package_id is not None:
        assert await verify_package(store, await read_package(store, track_id, package_id)) == []
    return package_id


async def _files(store: ObjectStore) -> dict[str, str]:
    """Key and content hash of everything in a store."""
    return {entry.key: (await store.head(entry.key)).sha256 async for entry in store.walk("")}


async def test_a_track_goes_live(tool: Ffmpeg, store: FilesystemStore, ingested: Ingested) -> None:
    """The stages are told in order, the result is sound, and a second run has nothing to do."""
    watching = Watching()
    work = replace(_work(tool, store), observer=watching)
    done = await package(work, ingested.track_id, subject="Short")
    assert done.fresh
    assert done.track.tags.title == "Short"
    assert await _live(store, ingested.track_id) == done.package_id
    stages = [event.stage for event in watching.events if isinstance(event, StageStarted)]
    assert stages == [Stage.ENCODE, Stage.PACKAGE, Stage.UPLOAD, Stage.VERIFY]
    assert all(event.done <= event.total for event in watching.events if isinstance(event, StageProgress))
    again = await package(work, ingested.track_id, subject="Short")
    assert not again.fresh
    assert again.package_id == done.package_id


async def test_the_same_inputs_give_the_same_bytes(
    tool: Ffmpeg, store: FilesystemStore, live: FilesystemStore, ingested: Ingested
) -> None:
    """Packaged twice, in two stores: not a byte differs."""
    await package(_work(tool, store), ingested.track_id, subject="Short")
    assert await _files(store) == await _files(live)


async def _crash_and_recover(
    tool: Ffmpeg, store: FilesystemStore, track_id: str, *, kind: Kind, settings: PackageSettings, after: bool
) -> None:
    """Fail the n-th call of a kind, for every n: players see what they saw, and the next run completes."""
    before = await _live(store, track_id)
    number = 0
    while True:
        number += 1
        dying = FaultyStore(store, kind=kind, fail_at=number, after=after, from_then_on=True)
        try:
            done = await package(_work(tool, dying, settings), track_id, subject="Short")
        except StorageUnavailable:
            seen = await _live(store, track_id)
            pointed = after and dying.calls[-1] == ("put", current_key(track_id))
            assert seen != before if pointed else seen == before
            if pointed:
                break
            continue
        assert done.fresh
        break
    assert number > 1, "no call of this kind failed"
    finished = await package(_work(tool, store, settings), track_id, subject="Short")
    assert await _live(store, track_id) == finished.package_id != before


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_any_put_of_the_first_package(
    tool: Ffmpeg, store: FilesystemStore, ingested: Ingested, after: bool
) -> None:
    """Nothing is live until everything is; also when the put worked and only its answer was lost."""
    await _crash_and_recover(tool, store, ingested.track_id, kind="put", settings=SMALL, after=after)


async def test_a_crash_at_any_put_of_the_next_package(tool: Ffmpeg, live: FilesystemStore, ingested: Ingested) -> None:
    """The package before stays live, whole, until the next one is."""
    await _crash_and_recover(tool, live, ingested.track_id, kind="put", settings=OTHER, after=False)


@pytest.mark.parametrize("kind", ["read", "fetch"])
async def test_a_crash_at_any_read(tool: Ffmpeg, store: FilesystemStore, ingested: Ingested, kind: Kind) -> None:
    """A store that goes away while we read or verify: nothing goes live half checked."""
    await _crash_and_recover(tool, store, ingested.track_id, kind=kind, settings=OTHER, after=False)


async def test_a_whole_upload_is_not_encoded_again(tool: Ffmpeg, live: FilesystemStore, ingested: Ingested) -> None:
    """Everything went up but the pointer: the next run only checks and points."""
    package_id = await live_package_id(live, ingested.track_id)
    await live.delete(current_key(ingested.track_id))
    counting = FaultyStore(live)
    done = await package(_work(tool, counting), ingested.track_id, subject="Short")
    assert (done.package_id, done.fresh) == (package_id, True)
    assert [key for kind, key in counting.calls if kind == "put"] == [current_key(ingested.track_id)]


def _flip(folder: Path, key: str, place: float) -> None:
    path = folder / key
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x01
    path.write_bytes(data)


async def test_a_damaged_upload_is_made_again(
    tool: Ffmpeg, live: FilesystemStore, ingested: Ingested, tmp_path: Path
) -> None:
    """What an earlier run left behind is checked before it goes live, and mended if it is broken."""
    package_id = await live_package_id(live, ingested.track_id)
    assert package_id
    await live.delete(current_key(ingested.track_id))
    _flip(tmp_path / "live", package_key(ingested.track_id, package_id, "opus-64.mp4"), 0.5)
    done = await package(_work(tool, live), ingested.track_id, subject="Short")
    assert await _live(live, ingested.track_id) == done.package_id == package_id


async def _package(store: ObjectStore, track_id: str) -> Package:
    package_id = await live_package_id(store, track_id)
    assert package_id is not None
    return await read_package(store, track_id, package_id)


@pytest.mark.parametrize("place", [0.0, 0.02, 0.3, 0.7, 1.0])
async def test_one_damaged_byte_is_found(
    live: FilesystemStore, ingested: Ingested, tmp_path: Path, place: float
) -> None:
    """Anywhere in a track file: in the boxes or in the sound."""
    made = await _package(live, ingested.track_id)
    _flip(tmp_path / "live", package_key(made.track_id, made.package_id, "aac-64.mp4"), place)
    findings = await verify_package(live, made)
    assert [(each.rule, each.severity) for each in findings] == [("SEGUE-hash", Severity.MUST)]
    assert "aac-64.mp4" in findings[0].message


async def test_damage_of_what_is_live_is_repaired_when_asked(
    live: FilesystemStore, ingested: Ingested, tool: Ffmpeg, tmp_path: Path
) -> None:
    """Without `repair` a live package is taken as it is; with it, a sound one is left and a broken one made again."""
    made = await _package(live, ingested.track_id)
    work = _work(tool, live)
    assert not (await package(work, ingested.track_id, subject="x", repair=True)).fresh
    _flip(tmp_path / "live", package_key(made.track_id, made.package_id, "aac-64.mp4"), 0.5)
    assert not (await package(work, ingested.track_id, subject="x")).fresh
    assert (await package(work, ingested.track_id, subject="x", repair=True)).fresh
    assert await verify_package(live, made) == []


async def test_damage_that_the_store_does_not_know_of_is_found(live: FilesystemStore, ingested: Ingested) -> None:
    """A store that still tells the hash of what was put, and gives other bytes: as a bad disk does."""

    class Rotten(FaultyStore):
        async def fetch(self, key: str, target: Path) -> ObjectInfo:
            info = await super().fetch(key, target)
            data = bytearray(target.read_bytes())
            data[-1] ^= 0x80
            target.write_bytes(data)
            return info

    made = await _package(live, ingested.track_id)
    assert {each.rule for each in await verify_package(Rotten(live), made)} == {"SEGUE-hash"}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("aac-64.mp4", "SEGUE-object"),
        ("aac-64.m3u8", "SEGUE-object"),
        ("index.m3u8", "SEGUE-object"),
        ("opus.m3u8", "SEGUE-object"),
        ("art.jpg", "SEGUE-object"),
    ],
)
async def test_a_missing_file_is_found(live: FilesystemStore, ingested: Ingested, name: str, rule: str) -> None:
    """Every file that a package has."""
    made = await _package(live, ingested.track_id)
    await live.delete(package_key(made.track_id, made.package_id, name))
    findings = await verify_package(live, made)
    assert [each.rule for each in findings] == [rule]
    assert name in findings[0].message


@pytest.mark.parametrize("name", ["aac-64.m3u8", "index.m3u8"])
async def test_a_changed_playlist_is_found(
    live: FilesystemStore, ingested: Ingested, tmp_path: Path, name: str
) -> None:
    """Even if it is still a valid playlist."""
    made = await _package(live, ingested.track_id)
    path = tmp_path / "live" / package_key(made.track_id, made.package_id, name)
    path.write_text(path.read_text().replace("#EXTM3U\n", "#EXTM3U\n# a comment\n"))
    assert [each.rule for each in await verify_package(live, made)] == ["SEGUE-playlist"]


async def test_a_description_of_another_length_is_found(live: FilesystemStore, ingested: Ingested) -> None:
    """`package.json` counts the music; the files must hold as much."""
    made = await _package(live, ingested.track_id)
    findings = await verify_package(live, replace(made, media_samples=made.media_samples - 1))
    assert [each.rule for each in findings] == ["SEGUE-length"] * len(made.renditions)


async def test_the_record_of_another_package_is_refused(live: FilesystemStore, ingested: Ingested) -> None:
    """Copied to a place that is not its own, it would lead players elsewhere."""
    made = await _package(live, ingested.track_id)
    data = (await live.read(package_key(made.track_id, made.package_id, "package.json"))).data
    other = "a" * 16
    key = package_key(made.track_id, other, "package.json")
    await live.put(key, data, media_type="application/json", cache_control="no-cache")
    with pytest.raises(RecordMalformed, match="another package"):
        await read_package(live, made.track_id, other)


async def test_a_pointer_that_cannot_be_read_points_nowhere(
    tool: Ffmpeg, live: FilesystemStore, ingested: Ingested
) -> None:
    """It counts as none, and the next run writes it anew."""
    await live.put(current_key(ingested.track_id), b"{}", media_type="application/json", cache_control="no-cache")
    assert await live_package_id(live, ingested.track_id) is None
    assert (await package(_work(tool, live), ingested.track_id, subject="Short")).fresh
    assert await _live(live, ingested.track_id) is not None


async def test_what_cannot_be_packaged(tool: Ffmpeg, store: FilesystemStore, ingested: Ingested) -> None:
    """A track that is not there, and one whose mezzanine is gone: typed errors, nothing live."""
    work = _work(tool, store)
    with pytest.raises(TrackUnknown) as unknown:
        await package(work, "b" * 20, subject="?")
    assert unknown.value.hint
    mezzanines = [entry.key async for entry in store.walk("") if "/mezzanine/" in entry.key]
    await store.delete(mezzanines[0])
    with pytest.raises(ObjectNotFound):
        await package(work, ingested.track_id, subject="Short")
    assert await live_package_id(store, ingested.track_id) is None


async def test_a_damaged_mezzanine_is_not_packaged(
    tool: Ffmpeg, store: FilesystemStore, ingested: Ingested, tmp_path: Path
) -> None:
    """One changed bit in the master of everything: refused, with what to do about it."""
    (mezzanine,) = [entry.key async for entry in store.walk("") if "/mezzanine/" in entry.key]
    _flip(tmp_path / "store", mezzanine, 0.9)
    with pytest.raises(MediaError, match="mezzanine is damaged") as refused:
        await package(_work(tool, store), ingested.track_id, subject="Short")
    assert refused.value.hint
    assert await live_package_id(store, ingested.track_id) is None


async def test_a_store_that_damages_what_it_takes_is_not_trusted(
    tool: Ffmpeg, store: FilesystemStore, ingested: Ingested
) -> None:
    """What was put is read back before it goes live."""

    class Lossy(FaultyStore):
        async def put(self, key: str, body: Path | bytes, *, media_type: str, cache_control: str) -> ObjectInfo:
            if key.endswith("aac-64.mp4") and isinstance(body, Path):
                body = body.read_bytes()[:-1]
            return await super().put(key, body, media_type=media_type, cache_control=cache_control)

    with pytest.raises(PackageInvalid, match=r"not made live.*aac-64\.mp4"):
        await package(_work(tool, Lossy(store)), ingested.track_id, subject="Short")
    assert await live_package_id(store, ingested.track_id) is None
