"""Protected packages: made of what is there, the same bytes each time, checked with keys and without."""

import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from avtool.locate import Ffmpeg
from cmaf.read import read_track_file
from manifests.rules import Severity
from model.errors import MediaError
from model.package import Package
from model.protection import ProtectionMethod
from model.records import to_json
from packager.order import Packaging
from packager.pipeline import Packaged, package
from packager.protect import Protector
from packager.verify import verify_package
from protection.cipher import decrypt, sequence_iv
from protection.keys import KeyRing, MasterKey
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.keys import package_key, track_file_key
from tests.integration.packager.conftest import Shelf, files_of, work_on

ONE, TWO = MasterKey(bytes(range(32))), MasterKey(bytes(32))
LOCKED = Protector(method=ProtectionMethod.AES_128, keys=KeyRing((ONE,)))
ROTATING = replace(LOCKED, rotation_segments=1)
REKEYED = replace(LOCKED, keys=KeyRing((ONE, TWO)))
OPEN = Protector(keys=KeyRing((ONE,)))


def _work(tool: Ffmpeg, store: ObjectStore, protector: Protector) -> Packaging:
    return replace(work_on(tool, store), protector=protector)


def _without_tool(work: Packaging) -> Packaging:
    """No encoder to start: whatever needs one fails."""
    return replace(work, tool=replace(work.tool, path="/no/such/ffmpeg"))


async def _files(store: ObjectStore, made: Package) -> dict[str, bytes]:
    """The track files by rendition id, wherever they lie."""
    keys = [track_file_key(made.recording_id, made.package_id, each.track_file_path) for each in made.renditions]
    ids = [each.rendition.rendition_id for each in made.renditions]
    return {rendition_id: (await store.read(key)).data for rendition_id, key in zip(ids, keys, strict=True)}


async def _read(store: ObjectStore, made: Package, name: str) -> bytes:
    return (await store.read(package_key(made.recording_id, made.package_id, name))).data


async def _packaged(work: Packaging, shelf: Shelf) -> Packaged:
    return await package(work, shelf.track.track_id, subject="Short")


async def test_what_was_in_the_clear_is_protected_without_encoding_anything(
    tool: Ffmpeg, live: FilesystemStore, published: Shelf
) -> None:
    """Another package with another id; each segment decrypted is the clear one, byte for byte, the mezzanine's too."""
    clear = await _packaged(work_on(tool, live), published)
    locked = await _packaged(_without_tool(_work(tool, live, ROTATING)), published)
    assert locked.fresh and locked.package_id != clear.package_id
    assert [each.rendition.rendition_id for each in clear.package.renditions if each.track_file] == ["flac"]
    before, after = await _files(live, clear.package), await _files(live, locked.package)
    for was, now in zip(clear.package.renditions, locked.package.renditions, strict=True):
        name = was.rendition.rendition_id
        assert now.protection is not None and not now.track_file
        assert after[name][: now.init_size_bytes] == before[name][: was.init_size_bytes]
        for index, (one, other) in enumerate(zip(was.segments, now.segments, strict=True)):
            key = ONE.content_key(now.protection.key_id, index)
            body = after[name][other.offset_bytes : other.offset_bytes + other.size_bytes]
            opened = decrypt(body, key, sequence_iv(index))
            assert opened == before[name][one.offset_bytes : one.offset_bytes + one.size_bytes]


async def test_the_same_inputs_give_the_same_bytes_from_scratch_and_from_another_package(
    tool: Ffmpeg, store: FilesystemStore, live: FilesystemStore, published: Shelf
) -> None:
    """Encoded and encrypted on one machine; taken over from what was clear, or had another key, on another."""
    first = await _packaged(_work(tool, store, LOCKED), published)
    await _packaged(_without_tool(_work(tool, live, replace(REKEYED, rotation_segments=1))), published)
    second = await _packaged(_without_tool(_work(tool, live, LOCKED)), published)
    assert first.package_id == second.package_id
    there, here = await files_of(store), await files_of(live)
    mine = {key: digest for key, digest in there.items() if first.package_id in key}
    assert mine == {key: digest for key, digest in here.items() if first.package_id in key}


async def test_each_manner_of_protection_is_a_package_of_its_own(
    tool: Ffmpeg, live: FilesystemStore, published: Shelf
) -> None:
    """What is cached for ever never changes; the way back is the clear package as it was."""
    made = [await _packaged(_work(tool, live, each), published) for each in (OPEN, LOCKED, ROTATING, REKEYED, OPEN)]
    ids = [each.package_id for each in made]
    assert len(set(ids[:4])) == 4 and ids[4] == ids[0]
    assert made[4].package == made[0].package


async def test_packages_that_we_have_no_key_to_are_left_aside(
    tool: Ffmpeg, store: FilesystemStore, ingested: Shelf
) -> None:
    """Their renditions are encoded anew, for they cannot be read."""
    await _packaged(_work(tool, store, replace(LOCKED, keys=KeyRing((TWO,)))), ingested)
    made = await _packaged(_work(tool, store, LOCKED), ingested)
    assert made.fresh and made.package.protection is not None
    assert made.package.protection.key_set == ONE.key_set
    assert await verify_package(store, made.package, keys=LOCKED.keys) == []


async def test_a_record_that_names_wrong_keys_does_no_harm(
    tool: Ffmpeg, live: FilesystemStore, published: Shelf
) -> None:
    """Its renditions cannot be taken over: they are encoded anew, and the new package is sound."""
    made = (await _packaged(_work(tool, live, LOCKED), published)).package
    clear = (await _packaged(_work(tool, live, OPEN), published)).package
    await live.delete(package_key(clear.recording_id, clear.package_id, "package.json"))
    record = to_json(_misnamed(made))
    key = package_key(made.recording_id, made.package_id, "package.json")
    await live.put(key, record, media_type="application/json", cache_control="no-store")
    again = await _packaged(_work(tool, live, ROTATING), published)
    assert await verify_package(live, again.package, keys=ROTATING.keys) == []


def _misnamed(made: Package) -> Package:
    renditions = []
    for each in made.renditions:
        assert each.protection is not None
        renditions.append(replace(each, protection=replace(each.protection, key_id=ONE.key_id_of("00" * 32))))
    return replace(made, renditions=tuple(renditions))


async def test_the_store_never_has_a_key(tool: Ffmpeg, live: FilesystemStore, published: Shelf, tmp_path: Path) -> None:
    """Not the master key, not a content key, in no object."""
    made = await _packaged(_work(tool, live, LOCKED), published)
    keys = [ONE.secret]
    for each in made.package.renditions:
        assert each.protection is not None
        keys.append(ONE.content_key(each.protection.key_id, 0))
    for file in (path for path in (tmp_path / "live").rglob("*") if path.is_file()):
        data = file.read_bytes().lower()
        assert not any(key.lower() in data or key.hex().encode() in data for key in keys)


async def test_a_clear_package_made_of_a_protected_one_is_as_if_made_by_itself(
    tool: Ffmpeg, store: FilesystemStore, live: FilesystemStore, published: Shelf
) -> None:
    """The lossless rendition is the mezzanine again, and nothing else is stored."""
    await _packaged(_work(tool, store, LOCKED), published)
    made = await _packaged(_without_tool(_work(tool, store, OPEN)), published)
    mine = {key: digest for key, digest in (await files_of(store)).items() if made.package_id in key}
    assert mine == {key: digest for key, digest in (await files_of(live)).items() if made.package_id in key}


async def test_no_mpd_is_made_of_what_dash_cannot_say(tool: Ffmpeg, live: FilesystemStore, published: Shelf) -> None:
    """Whole segments encrypted is a thing of HLS."""
    clear, locked = [await _packaged(_work(tool, live, each), published) for each in (OPEN, LOCKED)]
    prefixes = [f"recordings/{each.package.recording_id}/{each.package_id}/" for each in (clear, locked)]
    names = [[key for key in await files_of(live) if key.startswith(each)] for each in prefixes]
    assert [any(name.endswith(".mpd") for name in each) for each in names] == [True, False]


async def test_a_segment_is_no_media_to_who_has_no_key(tool: Ffmpeg, live: FilesystemStore, published: Shelf) -> None:
    """The header can be read, the fragments cannot."""
    made = await _packaged(_work(tool, live, LOCKED), published)
    for name, data in (await _files(live, made.package)).items():
        assert b"moof" not in data and b"mdat" not in data, name
        with pytest.raises(MediaError):
            read_track_file(BytesIO(data))


async def test_verify_looks_into_it_with_the_keys_and_says_when_it_did_not(
    tool: Ffmpeg, live: FilesystemStore, published: Shelf
) -> None:
    """Without keys that is something to look at, but nothing broken."""
    made = (await _packaged(_work(tool, live, LOCKED), published)).package
    assert await verify_package(live, made, keys=LOCKED.keys) == []
    (unseen,) = await verify_package(live, made)
    assert (unseen.rule, unseen.severity) == ("SEGUE-unseen", Severity.SHOULD)
    assert "--key-store" in unseen.how_to_fix


async def test_verify_finds_damage_without_keys(tool: Ffmpeg, live: FilesystemStore, published: Shelf) -> None:
    """Hashes and playlists need none."""
    made = (await _packaged(_work(tool, live, LOCKED), published)).package
    for name in ("aac-64.mp4", "opus-64.m3u8"):
        key = package_key(made.recording_id, made.package_id, name)
        damaged = (await live.read(key)).data.replace(b"mp4", b"mp5")
        await live.put(key, damaged, media_type="text/plain", cache_control="no-store")
    assert {each.rule for each in await verify_package(live, made)} == {"SEGUE-unseen", "SEGUE-hash", "SEGUE-playlist"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [(KeyRing((TWO,)), "does not have this master key"), (LOCKED.keys, "key does not open|not the media")],
)
async def test_verify_tells_a_missing_key_from_a_wrong_one(
    tool: Ffmpeg, live: FilesystemStore, published: Shelf, keys: KeyRing, message: str
) -> None:
    """A key store of somebody else; a record that names other keys than the media was encrypted with."""
    made = (await _packaged(_work(tool, live, LOCKED), published)).package
    if keys is LOCKED.keys:
        made = _misnamed(made)
    findings = await verify_package(live, made, keys=keys)
    told = [each for each in findings if each.rule == "SEGUE-key"]
    assert len(told) == len(made.renditions)
    for finding in told:
        assert re.search(message, finding.message) and finding.how_to_fix and finding.severity is Severity.MUST
