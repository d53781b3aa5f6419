"""The catalog follows the store: new, changed and vanished tracks, with few reads, whatever is broken."""

import hashlib
import logging
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.sync import BATCH_TRACKS, SyncReport, sync
from model.errors import StorageUnavailable
from model.features import Features, FeatureSet
from model.loudness import Gain, LoudnessMode, LoudnessReport
from model.package import Current, Package
from model.records import to_json
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from model.track import Mezzanine, SourceInfo, Track, TrackTags, derived_id, recording_id_of, track_id_of
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.keys import FEATURES_MARK, current_key, features_key, package_key, track_key
from tests.support.faulty_store import FaultyStore
from tests.unit.model.test_features import SOME

SHA256 = "ab" * 32
LOUD = LoudnessReport(integrated_lufs=-20.0)
ART = derived_id("art")


def _recording_id(n: int) -> str:
    return recording_id_of(hashlib.sha256(b"%d" % n).hexdigest())


def _id(n: int) -> str:
    return track_id_of(_recording_id(n), "Album")


def _track(n: int, title: str = "Song") -> Track:
    source = SourceInfo(
        container="flac", codec="flac", sample_rate_hz=44_100, channels=2, channel_layout="stereo", bit_depth=16,
        lossless=True, size_bytes=1000, sha256=SHA256,
    )  # fmt: skip
    mezzanine = Mezzanine(
        recording_id=_recording_id(n), mezzanine_id=derived_id("mezzanine"), gain_db=0.0, loudness=LOUD,
        media_samples=96_000, size_bytes=1000, sha256=SHA256, tool="test",
    )  # fmt: skip
    tags = TrackTags(
        title=title, artists=("One", "Two"), album="Album", album_artist="Various", disc_number=2, track_number=n + 1,
        date="1998-05-01", genres=("Dub", " Trip\nHop"),
    )  # fmt: skip
    return Track(
        track_id=_id(n), release="Album", source=source, source_name="a.flac", tags=tags, art_id=ART,
        mode=LoudnessMode.OFF, target=None, loudness_source=LOUD, album=None, gain=Gain(applied_db=0.0),
        mezzanine=mezzanine,
    )  # fmt: skip


def _package(n: int, recipe: str = "1") -> Package:
    rendition = SegmentedRendition(
        rendition=Rendition(rendition_id="aac-64", codec=Codec.AAC, bitrate_bps=64_000), timescale=48_000,
        priming_ticks=1024, init_size_bytes=10, index_size_bytes=10,
        segments=(Segment(duration_ticks=97_024, offset_bytes=20, size_bytes=100),), sha256=SHA256, loudness=LOUD,
    )  # fmt: skip
    return Package(
        recording_id=_recording_id(n), package_id=derived_id("package", str(n), recipe), media_samples=144_000,
        mezzanine_id=derived_id("mezzanine"), target_duration_s=6, true_peak_dbtp=None, level_lufs=-20.5,
        renditions=(rendition,), attempts=(), tool="test",
    )  # fmt: skip


async def _put(store: ObjectStore, key: str, record: object) -> None:
    data = record if isinstance(record, bytes) else to_json(record)
    await store.put(key, data, media_type="application/json", cache_control="no-cache")


async def _ingest(store: ObjectStore, track: Track) -> None:
    await _put(store, track_key(track.track_id), track)


async def _publish(store: ObjectStore, n: int, recipe: str = "1") -> None:
    package = _package(n, recipe)
    await _put(store, package_key(package.recording_id, package.package_id, "package.json"), package)
    await _put(store, current_key(_id(n)), _current(n, package.package_id))


def _current(n: int, package_id: str) -> Current:
    return Current(track_id=_id(n), recording_id=_recording_id(n), package_id=package_id)


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    """An empty catalog in memory."""
    with Catalog() as made:
        yield made


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FaultyStore]:
    """An empty store that counts its calls."""
    made = FaultyStore(FilesystemStore(tmp_path / "store"))
    yield made
    await made.close()


async def test_a_track_appears_when_ingested_and_again_when_live(store: FaultyStore, catalog: Catalog) -> None:
    """Names are the track's; length and level are the mezzanine's until there is a package, then what players get."""
    await _ingest(store, _track(1))
    assert await sync(store, catalog) == SyncReport(seen=1, updated=1)
    row = catalog.get(_id(1))
    assert row
    assert row == TrackRow(
        track_id=_id(1), ingest_version=row.ingest_version, current_version=None, recording_id=_recording_id(1),
        package_id=None, art_id=ART, title="Song", artist="One, Two", album="Album", album_artist="Various",
        track_number=2, disc_number=2, duration_s=2.0, level_lufs=-20.0, families="",
        protected=False, year=1998, genres=("Dub", "Trip Hop"),
    )  # fmt: skip
    await _publish(store, 1)
    assert await sync(store, catalog) == SyncReport(seen=1, updated=1)
    live = catalog.get(_id(1))
    assert live
    assert live.ingest_version == row.ingest_version is not None
    assert live == replace(
        row, current_version=live.current_version, package_id=_package(1).package_id, duration_s=3.0, level_lufs=-20.5,
        families="aac", published_s=(await store.head(current_key(_id(1)))).modified_s,
    )  # fmt: skip


async def test_what_did_not_change_is_not_read(store: FaultyStore, catalog: Catalog) -> None:
    """One walk over the tracks alone, and reads only for the track that changed, in its package or in its tags."""
    for n in range(5):
        await _ingest(store, _track(n))
        await _publish(store, n)
    assert await sync(store, catalog) == SyncReport(seen=5, updated=5)
    store.calls.clear()
    assert await sync(store, catalog) == SyncReport(seen=5)
    assert store.calls == [("walk", "tracks/")]
    await _publish(store, 3, recipe="2")
    await _ingest(store, _track(4, title="Renamed"))
    store.calls.clear()
    assert await sync(store, catalog) == SyncReport(seen=5, updated=2)
    assert dict(store.counts) == {"walk": 1, "read": 8}  # of each: two pointers, the package, and features
    again, renamed = catalog.get(_id(3)), catalog.get(_id(4))
    assert again and renamed
    assert (again.title, again.package_id) == ("Song", _package(3, recipe="2").package_id)
    assert (renamed.title, renamed.package_id) == ("Renamed", _package(4).package_id)


async def test_what_vanished_is_forgotten(store: FaultyStore, catalog: Catalog) -> None:
    """What has no report is no track, whatever still points to it; one that lost its pointer is not live any more."""
    for n in range(4):
        await _ingest(store, _track(n))
        await _publish(store, n)
    await sync(store, catalog)
    await store.delete(current_key(_id(0)))
    await store.delete(track_key(_id(1)))
    await store.delete(current_key(_id(2)))
    await store.delete(track_key(_id(2)))
    assert await sync(store, catalog) == SyncReport(seen=2, updated=1, removed=2)
    assert {row.track_id: row.live for row in catalog.iterate()} == {_id(0): False, _id(3): True}


async def test_an_empty_store_empties_the_catalog(store: FaultyStore, catalog: Catalog) -> None:
    """Nothing there, nothing known."""
    await _ingest(store, _track(1))
    await sync(store, catalog)
    await store.delete(track_key(_id(1)))
    assert await sync(store, catalog) == SyncReport(removed=1)
    assert catalog.count(live_only=False) == 0


async def test_more_tracks_than_are_held_at_a_time(
    store: FaultyStore, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Across the borders of batches no track is lost, read twice, or taken for vanished."""
    monkeypatch.setattr("discovery.sync.BATCH_TRACKS", 4)
    present = random.sample(range(100), 33)
    for n in present:
        _write(tmp_path / "store" / track_key(_id(n)), to_json(_track(n)))
    assert await sync(store, catalog) == SyncReport(seen=33, updated=33)
    for n in present[:11]:
        (tmp_path / "store" / track_key(_id(n))).unlink()
    new = [n for n in range(100) if n not in present][:10]
    for n in new:
        _write(tmp_path / "store" / track_key(_id(n)), to_json(_track(n)))
    assert await sync(store, catalog) == SyncReport(seen=32, updated=10, removed=11)
    assert {row.track_id for row in catalog.iterate()} == {_id(n) for n in [*present[11:], *new]}
    assert BATCH_TRACKS > 4


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _broken_ingests() -> dict[str, bytes]:
    good = to_json(_track(1))
    return {
        "empty": b"",
        "no JSON": b"\x00\xff",
        "no record": b"[]",
        "deep": b"[" * 100_000,
        "another track's": to_json(_track(2)),
        "no art": good.replace(ART.encode(), b"../x"),
        "no text": good.replace(b'"Song"', b'"\\ud800"'),
        "endless number": good.replace(b'"track_number": 2', b'"track_number": 1' + b"0" * 40),
    }


@pytest.mark.parametrize("broken", _broken_ingests().values(), ids=_broken_ingests())
async def test_a_broken_report_is_counted_and_stops_nothing(
    store: FaultyStore, catalog: Catalog, caplog: pytest.LogCaptureFixture, broken: bytes
) -> None:
    """The others come in; the log names the track and the reason; once mended, it comes in too."""
    await _ingest(store, _track(0))
    await _put(store, track_key(_id(1)), broken)
    with caplog.at_level(logging.WARNING):
        assert await sync(store, catalog) == SyncReport(seen=2, updated=1, failed=1)
    assert {row.track_id for row in catalog.iterate()} == {_id(0)}
    logged: set[object] = set()
    with caplog.at_level(logging.WARNING):
        caplog.clear()
        for _ in range(3):
            assert await sync(store, catalog, logged=logged) == SyncReport(seen=2, failed=1)
    (record,) = (each for each in caplog.records if each.message == "track left out")
    assert record.__dict__["track_id"] == _id(1)
    assert record.__dict__["error_code"] == "record-malformed"
    await _ingest(store, _track(1))
    assert await sync(store, catalog) == SyncReport(seen=2, updated=1)


async def test_a_pointer_to_what_is_not_its_own_is_left_out(store: FaultyStore, catalog: Catalog) -> None:
    """A live pointer counts only with the package that it names, of the track's recording; the row stays as it was."""
    await _ingest(store, _track(1))
    await _publish(store, 1)
    await sync(store, catalog)
    before = catalog.get(_id(1))
    nowhere = _current(1, derived_id("nowhere"))
    await _put(store, current_key(_id(1)), nowhere)
    assert await sync(store, catalog) == SyncReport(seen=1, failed=1)
    await _put(store, package_key(_recording_id(1), nowhere.package_id, "package.json"), _package(1))
    assert await sync(store, catalog) == SyncReport(seen=1, failed=1)
    await _publish(store, 2)
    another = _current(2, _package(2).package_id)
    for other in (another, replace(another, track_id=_id(1))):
        await _put(store, current_key(_id(1)), other)
        assert await sync(store, catalog) == SyncReport(seen=1, failed=1)
    assert catalog.get(_id(1)) == before is not None


@pytest.mark.parametrize("fail_at", [1, 2, 3, 4])
async def test_an_outage_stops_the_sync_and_the_next_one_goes_on(
    store: FaultyStore, catalog: Catalog, fail_at: int
) -> None:
    """A store that is down is the caller's to hear of, as the error itself, and costs no rows."""
    await _ingest(store, _track(0))
    await sync(store, catalog)
    await _ingest(store, _track(1))
    await _publish(store, 1)
    failing = FaultyStore(store, fail_at=fail_at)
    with pytest.raises(StorageUnavailable):
        await sync(failing, catalog)
    assert catalog.get(_id(0))
    assert await sync(store, catalog) == SyncReport(seen=2, updated=1)


async def _hear(store: ObjectStore, n: int, **changes: object) -> Features:
    features = replace(SOME, recording_id=_recording_id(n), **changes)  # type: ignore[arg-type]  # of many types
    await _put(store, features_key(_recording_id(n)), features)
    return features


async def test_features_come_with_the_live_track(store: FaultyStore, catalog: Catalog) -> None:
    """And go with it; those of another version, of another recording, or that cannot be read are none."""
    features = await _hear(store, 1)
    await _hear(store, 2, format="features 0")
    await _hear(store, 3)
    await _put(store, features_key(_recording_id(4)), b"{")
    for n in (1, 2, 4):
        await _ingest(store, _track(n))
        await _publish(store, n)
    await _ingest(store, _track(3))
    assert (await sync(store, catalog)).updated == 4
    assert catalog.features_of([_id(n) for n in range(5)]) == {_id(1): features}
    assert list(catalog.live_features()) == [(_id(1), features)]
    await store.delete(track_key(_id(1)))
    await sync(store, catalog)
    assert catalog.features_of([_id(1)]) == {}


async def test_features_made_later_are_found_by_their_mark(store: FaultyStore, catalog: Catalog) -> None:
    """Once for each mark, and only for tracks without any; nothing is looked for while there is no new mark."""
    for n in range(40):
        await _ingest(store, _track(n))
        await _publish(store, n)
    first = await _hear(store, 0)
    await sync(store, catalog)
    later = {_id(n): await _hear(store, n, energy=0.25) for n in range(1, 40)}
    store.calls.clear()
    await sync(store, catalog)
    assert store.calls == [("walk", "tracks/")]
    await _put(store, FEATURES_MARK, b"1")
    await sync(store, catalog)
    assert store.counts["read"] == 39
    assert dict(catalog.live_features()) == {_id(0): first, **later}
    store.calls.clear()
    await sync(store, catalog)
    assert store.calls == [("walk", "tracks/")]


async def test_a_look_for_features_that_fails_is_done_again(store: FaultyStore, catalog: Catalog) -> None:
    """The mark is noted when all were looked at."""
    await _ingest(store, _track(1))
    await _publish(store, 1)
    await sync(store, catalog)
    features = await _hear(store, 1)
    await _put(store, FEATURES_MARK, b"1")
    with pytest.raises(StorageUnavailable):
        await sync(FaultyStore(store, kind="read", fail_at=1), catalog)
    await sync(store, catalog)
    assert catalog.features_of([_id(1)]) == {_id(1): features}


async def test_a_catalog_knows_the_features_of_one_set(store: FaultyStore, tmp_path: Path) -> None:
    """Opened for another, it takes up that one, and has nothing of the first for tracks that lack it; and back."""
    for n in (1, 2):
        await _ingest(store, _track(n))
        await _publish(store, n)
    own = {_id(n): await _hear(store, n) for n in (1, 2)}
    librosa = replace(own[_id(1)], format=FeatureSet.LIBROSA.version, energy=0.5)
    await _put(store, features_key(_recording_id(1), FeatureSet.LIBROSA), librosa)
    await _put(store, FEATURES_MARK, b"1")
    for wanted, known in ((FeatureSet.OWN, own), (FeatureSet.LIBROSA, {_id(1): librosa}), (FeatureSet.OWN, own)):
        with Catalog(tmp_path / "catalog", features=wanted) as catalog:
            await sync(store, catalog)
            assert dict(catalog.live_features()) == catalog.features_of([_id(1), _id(2)]) == known
            assert [each.track_id for each in catalog.live_sounds()] == list(known)
