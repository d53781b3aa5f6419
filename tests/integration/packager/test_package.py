"""A package is live whole or not at all, whatever fails on the way; and damage in the store is found."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from avtool.locate import Ffmpeg
from manifests.rules import Severity
from model.errors import (
    MediaError,
    ObjectNotFound,
    PackageInvalid,
    RecordMalformed,
    StorageUnavailable,
    TrackUnknown,
)
from model.events import Event, Stage, StageProgress, StageStarted
from model.package import Package
from packager.pipeline import package
from packager.publish import playlists
from packager.records import live_package, read_package, read_track
from packager.settings import PackageSettings
from packager.verify import check_playlists, verify_art, verify_package
from storage.base import ObjectInfo, ObjectStore
from storage.filesystem import FilesystemStore
from storage.keys import art_key, change_in, current_key, mezzanine_key, package_key, track_key
from tests.integration.packager.conftest import SMALL, Shelf, files_of, sound_package, work_on
from tests.support.faulty_store import FaultyStore, Kind

OTHER = PackageSettings(aac_bitrates_bps=(64_000, 96_000), opus_bitrates_bps=())


class Watching:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def notify(self, event: Event) -> None:
        """Take one event."""
        self.events.append(event)


async def _live(store: ObjectStore, track_id: str) -> str | None:
    """The id of the package that players see, which is sound."""
    made = await sound_package(store, track_id)
    return made.package_id if made else None


async def test_a_track_goes_live(tool: Ffmpeg, store: FilesystemStore, ingested: Shelf) -> None:
    """The stages are told in order, the result is sound, and a second run has nothing to do."""
    watching = Watching()
    work = replace(work_on(tool, store), observer=watching)
    done = await package(work, ingested.track.track_id, subject="Short")
    assert done.fresh
    assert done.track.tags.title == "Short"
    assert await _live(store, ingested.track.track_id) == done.package_id
    stages = [event.stage for event in watching.events if isinstance(event, StageStarted)]
    assert stages == [Stage.ENCODE, Stage.PACKAGE, Stage.UPLOAD, Stage.VERIFY]
    assert all(event.done <= event.total for event in watching.events if isinstance(event, StageProgress))
    again = await package(work, ingested.track.track_id, subject="Short")
    assert not again.fresh
    assert again.package_id == done.package_id


async def test_the_same_inputs_give_the_same_bytes(
    tool: Ffmpeg, store: FilesystemStore, live: FilesystemStore, ingested: Shelf
) -> None:
    """Packaged twice, in two stores: not a byte differs."""
    await package(work_on(tool, store), ingested.track.track_id, subject="Short")
    assert await files_of(store) == await files_of(live)


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
            done = await package(work_on(tool, dying, settings), track_id, subject="Short")
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
    finished = await package(work_on(tool, store, settings), track_id, subject="Short")
    assert await _live(store, track_id) == finished.package_id != before


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_at_any_put_of_the_first_package(
    tool: Ffmpeg, store: FilesystemStore, ingested: Shelf, after: bool
) -> None:
    """Nothing is live until everything is; also when the put worked and only its answer was lost."""
    await _crash_and_recover(tool, store, ingested.track.track_id, kind="put", settings=SMALL, after=after)


async def test_a_crash_at_any_put_of_the_next_package(tool: Ffmpeg, live: FilesystemStore, ingested: Shelf) -> None:
    """The package before stays live, whole, until the next one is."""
    await _crash_and_recover(tool, live, ingested.track.track_id, kind="put", settings=OTHER, after=False)


@pytest.mark.parametrize("kind", ["read", "fetch", "walk"])
async def test_a_crash_at_any_read(tool: Ffmpeg, live: FilesystemStore, ingested: Shelf, kind: Kind) -> None:
    """A store that goes away while we read, take over or verify: nothing goes live half checked."""
    await _crash_and_recover(tool, live, ingested.track.track_id, kind=kind, settings=OTHER, after=False)


async def test_a_whole_upload_is_not_encoded_again(tool: Ffmpeg, live: FilesystemStore, ingested: Shelf) -> None:
    """Everything went up but the pointer: the next run only says that it is in use, checks and points."""
    package_id = (await _package(live, ingested.track.track_id)).package_id
    await live.delete(current_key(ingested.track.track_id))
    counting = FaultyStore(live)
    done = await package(work_on(tool, counting), ingested.track.track_id, subject="Short")
    assert (done.package_id, done.fresh) == (package_id, True)
    record = package_key(ingested.track.recording_id, package_id, "package.json")
    *puts, told = [key for kind, key in counting.calls if kind == "put"]
    assert puts == [record, current_key(ingested.track.track_id)]
    assert (change := change_in(told)) and change.track_id == ingested.track.track_id


def _flip(folder: Path, key: str, place: float) -> None:
    path = folder / key
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x01
    path.write_bytes(data)


async def test_a_damaged_upload_is_made_again(
    tool: Ffmpeg, live: FilesystemStore, ingested: Shelf, tmp_path: Path
) -> None:
    """What an earlier run left behind is checked before it goes live, and mended if it is broken."""
    package_id = (await _package(live, ingested.track.track_id)).package_id
    await live.delete(current_key(ingested.track.track_id))
    _flip(tmp_path / "live", package_key(ingested.track.recording_id, package_id, "opus-64.mp4"), 0.5)
    done = await package(work_on(tool, live), ingested.track.track_id, subject="Short")
    assert await _live(live, ingested.track.track_id) == done.package_id == package_id


async def _package(store: ObjectStore, track_id: str) -> Package:
    current = await live_package(store, track_id)
    assert current is not None
    return await read_package(store, current.recording_id, current.package_id)


@pytest.mark.parametrize("place", [0.0, 0.02, 0.3, 0.7, 1.0])
async def test_one_damaged_byte_is_found(live: FilesystemStore, ingested: Shelf, tmp_path: Path, place: float) -> None:
    """Anywhere in a track file: in the boxes or in the sound."""
    made = await _package(live, ingested.track.track_id)
    _flip(tmp_path / "live", package_key(made.recording_id, made.package_id, "aac-64.mp4"), place)
    findings = await verify_package(live, made)
    assert [(each.rule, each.severity) for each in findings] == [("SEGUE-hash", Severity.MUST)]
    assert "aac-64.mp4" in findings[0].message


async def test_damage_of_what_is_live_is_repaired_when_asked(
    live: FilesystemStore, ingested: Shelf, tool: Ffmpeg, tmp_path: Path
) -> None:
    """Without `repair` a live package is taken as it is; with it, a sound one is left and a broken one made again."""
    made = await _package(live, ingested.track.track_id)
    work = work_on(tool, live)
    assert not (await package(work, ingested.track.track_id, subject="x", repair=True)).fresh
    _flip(tmp_path / "live", package_key(made.recording_id, made.package_id, "aac-64.mp4"), 0.5)
    assert not (await package(work, ingested.track.track_id, subject="x")).fresh
    assert (await package(work, ingested.track.track_id, subject="x", repair=True)).fresh
    assert await verify_package(live, made) == []


async def test_damage_that_the_store_does_not_know_of_is_found(live: FilesystemStore, ingested: Shelf) -> None:
    """A store that still tells the hash of what was put, and gives other bytes: as a bad disk does."""

    class Rotten(FaultyStore):
        async def lend(self, key: str, target: Path) -> ObjectInfo:
            info = await super().fetch(key, target)
            data = bytearray(target.read_bytes())
            data[-1] ^= 0x80
            target.write_bytes(data)
            return info

    made = await _package(live, ingested.track.track_id)
    assert {each.rule for each in await verify_package(Rotten(live), made)} == {"SEGUE-hash"}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("aac-64.mp4", "SEGUE-object"),
        ("aac-64.m3u8", "SEGUE-object"),
        ("index.m3u8", "SEGUE-object"),
        ("opus.m3u8", "SEGUE-object"),
    ],
)
async def test_a_missing_file_is_found(live: FilesystemStore, ingested: Shelf, name: str, rule: str) -> None:
    """Every file that a package has."""
    made = await _package(live, ingested.track.track_id)
    await live.delete(package_key(made.recording_id, made.package_id, name))
    findings = await verify_package(live, made)
    assert [each.rule for each in findings] == [rule]
    assert name in findings[0].message


@pytest.mark.parametrize("name", ["aac-64.m3u8", "index.m3u8"])
async def test_a_changed_playlist_is_found(live: FilesystemStore, ingested: Shelf, tmp_path: Path, name: str) -> None:
    """Even if it is still a valid playlist."""
    made = await _package(live, ingested.track.track_id)
    path = tmp_path / "live" / package_key(made.recording_id, made.package_id, name)
    path.write_text(path.read_text().replace("#EXTM3U\n", "#EXTM3U\n# a comment\n"))
    assert [each.rule for each in await verify_package(live, made)] == ["SEGUE-playlist"]


async def test_a_described_file_that_has_no_boxes_is_found(
    live: FilesystemStore, ingested: Shelf, tmp_path: Path
) -> None:
    """Its hash and size are right, and it is no CMAF."""
    made = await _package(live, ingested.track.track_id)
    first, *others = made.renditions
    name = f"{first.rendition.rendition_id}.mp4"
    junk = bytes(first.size_bytes)
    (tmp_path / "live" / package_key(made.recording_id, made.package_id, name)).write_bytes(junk)
    described = replace(first, sha256=hashlib.sha256(junk).hexdigest())
    findings = await verify_package(live, replace(made, renditions=(described, *others)))
    assert {each.rule for each in findings} == {"CMAF-boxes"}


@pytest.mark.parametrize(
    ("added", "rule"),
    [
        ("#EXTINF:x,\n", "RFC8216-4.1"),
        ("#EXTINFO:9,\n", "SEGUE-second-reader"),
        ("#EXT-X-DEFINE:NAME=v\n", "RFC8216-4.1"),
    ],
)
async def test_playlists_that_read_otherwise_are_found(
    live: FilesystemStore, ingested: Shelf, added: str, rule: str
) -> None:
    """Not by us, or by the second reader."""
    made = await _package(live, ingested.track.track_id)
    stored = playlists(made)
    assert check_playlists(made, stored) == []
    changed = stored["aac-64.m3u8"].decode().replace("#EXT-X-BYTERANGE", f"{added}#EXT-X-BYTERANGE", 1)
    assert rule in {each.rule for each in check_playlists(made, stored | {"aac-64.m3u8": changed.encode()})}


async def test_a_description_of_another_length_is_found(live: FilesystemStore, ingested: Shelf) -> None:
    """`package.json` counts the music; the files must hold as much."""
    made = await _package(live, ingested.track.track_id)
    findings = await verify_package(live, replace(made, media_samples=made.media_samples - 1))
    assert [each.rule for each in findings] == ["SEGUE-length"] * len(made.renditions)


async def test_the_record_of_another_package_is_refused(live: FilesystemStore, ingested: Shelf) -> None:
    """Copied to a place that is not its own, it would lead players elsewhere."""
    made = await _package(live, ingested.track.track_id)
    data = (await live.read(package_key(made.recording_id, made.package_id, "package.json"))).data
    other = "a" * 16
    key = package_key(made.recording_id, other, "package.json")
    await live.put(key, data, media_type="application/json", cache_control="no-cache")
    with pytest.raises(RecordMalformed, match="another package"):
        await read_package(live, made.recording_id, other)


async def test_a_pointer_that_cannot_be_read_points_nowhere(
    tool: Ffmpeg, live: FilesystemStore, ingested: Shelf
) -> None:
    """It counts as none, and the next run writes it anew."""
    await live.put(current_key(ingested.track.track_id), b"{}", media_type="application/json", cache_control="no-cache")
    assert await live_package(live, ingested.track.track_id) is None
    assert (await package(work_on(tool, live), ingested.track.track_id, subject="Short")).fresh
    assert await _live(live, ingested.track.track_id) is not None


async def test_a_track_that_is_not_there(tool: Ffmpeg, store: FilesystemStore) -> None:
    """A typed error that says where to look."""
    with pytest.raises(TrackUnknown) as unknown:
        await package(work_on(tool, store), "b" * 20, subject="?")
    assert unknown.value.hint


async def test_the_report_of_another_track_is_refused(store: FilesystemStore, ingested: Shelf) -> None:
    """Copied to a place that is not its own, it would put other music under this name."""
    other = "b" * 20
    data = (await store.read(track_key(ingested.track.track_id))).data
    await store.put(track_key(other), data, media_type="application/json", cache_control="no-cache")
    with pytest.raises(RecordMalformed, match="another track"):
        await read_track(store, other)


@pytest.mark.parametrize("repair", [False, True])
async def test_a_missing_mezzanine(tool: Ffmpeg, store: FilesystemStore, ingested: Shelf, repair: bool) -> None:
    """Nothing to encode from: the error names the object and the source to publish again; nothing is live."""
    key = mezzanine_key(ingested.track.recording_id, ingested.track.mezzanine.mezzanine_id)
    await store.delete(key)
    with pytest.raises(ObjectNotFound, match="mezzanine is missing") as refused:
        await package(work_on(tool, store), ingested.track.track_id, subject="Short", repair=repair)
    assert refused.value.subject == key
    assert "publish the source again: short.flac" in refused.value.hint
    assert await live_package(store, ingested.track.track_id) is None


async def test_a_damaged_mezzanine_is_not_packaged(
    tool: Ffmpeg, live: FilesystemStore, ingested: Shelf, tmp_path: Path
) -> None:
    """One changed bit in the master of everything, found when a repair needs it: refused, with what to do about it."""
    made = await _package(live, ingested.track.track_id)
    key = mezzanine_key(made.recording_id, made.mezzanine_id)
    _flip(tmp_path / "live", key, 0.9)
    _flip(tmp_path / "live", package_key(made.recording_id, made.package_id, "aac-64.mp4"), 0.5)
    with pytest.raises(MediaError, match="mezzanine is damaged") as refused:
        await package(work_on(tool, live), ingested.track.track_id, subject="Short", repair=True)
    assert refused.value.subject == key
    assert "delete this object, then publish the source again: short.flac" in refused.value.hint


async def test_missing_art_is_found(live: FilesystemStore, ingested: Shelf) -> None:
    """Every size that the track names."""
    assert await verify_art(live, ingested.track) == []
    await live.delete(art_key(ingested.track.art_id, 640))
    (finding,) = await verify_art(live, ingested.track)
    assert (finding.rule, finding.severity) == ("SEGUE-object", Severity.MUST)
    assert art_key(ingested.track.art_id, 640) in finding.message


async def test_a_store_that_damages_what_it_takes_is_not_trusted(
    tool: Ffmpeg, store: FilesystemStore, ingested: Shelf
) -> None:
    """What was put is read back before it goes live."""

    class Lossy(FaultyStore):
        async def give(self, key: str, body: Path, *, sha256: str, media_type: str, cache_control: str) -> ObjectInfo:
            if key.endswith("aac-64.mp4"):
                body.write_bytes(body.read_bytes()[:-1])
            return await super().give(key, body, sha256=sha256, media_type=media_type, cache_control=cache_control)

    with pytest.raises(PackageInvalid, match=r"not made live.*aac-64\.mp4"):
        await package(work_on(tool, Lossy(store)), ingested.track.track_id, subject="Short")
    assert await live_package(store, ingested.track.track_id) is None
