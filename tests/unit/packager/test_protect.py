"""Encrypted track files: what is in them, that they come back byte for byte, and what a wrong key does."""

from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import KeyMissing, KeyWrong, MediaError
from model.protection import ProtectionMethod
from model.rendition import Codec, Rendition
from model.segment import SegmentedRendition
from packager.protect import Protector, cleared, protected
from protection.cipher import decrypt, encrypt, sequence_iv
from protection.keys import KeyRing, MasterKey
from tests.unit.cmaf.samples import LOUDNESS, made

MASTER, OTHER = MasterKey(bytes(range(32))), MasterKey(bytes(32))


def _clear(codec: Codec = Codec.AAC, samples: int = 30 * 48_000, seed: int = 1) -> tuple[SegmentedRendition, bytes]:
    one = made(codec, samples, seed=seed)
    bitrate_bps = 0 if codec is Codec.FLAC else 128_000
    rendition = SegmentedRendition(
        rendition=Rendition(rendition_id=f"{codec}-128", codec=codec, bitrate_bps=bitrate_bps),
        timescale=one.file.timescale,
        priming_ticks=one.file.priming_ticks,
        init_size_bytes=one.file.init_size_bytes,
        index_size_bytes=one.file.index_size_bytes,
        segments=one.file.segments,
        sha256=one.file.sha256,
        loudness=LOUDNESS,
    )
    return rendition, one.data


def _protected(
    clear: SegmentedRendition, data: bytes, *, master: MasterKey = MASTER, rotation: int = 0
) -> tuple[SegmentedRendition, bytes]:
    target = BytesIO()
    done = protected(clear, BytesIO(data), target, master=master, rotation_segments=rotation)
    return done, target.getvalue()


@cache
def _example() -> tuple[SegmentedRendition, bytes]:
    return _protected(*_clear(), rotation=3)


def _opened(rendition: SegmentedRendition, data: bytes, *, master: MasterKey = MASTER) -> SegmentedRendition:
    return cleared(rendition, BytesIO(data), BytesIO(), master=master)


def _keys(rendition: SegmentedRendition) -> list[bytes]:
    assert rendition.protection is not None
    key_id, period_of = rendition.protection.key_id, rendition.protection.period_of
    return [MASTER.content_key(key_id, period_of(index)) for index in range(len(rendition.segments))]


@settings(max_examples=25, deadline=None)
@given(codec=st.sampled_from(Codec), samples=st.integers(4_800, 20 * 48_000), rotation=st.integers(0, 3))
def test_it_comes_back_byte_for_byte(codec: Codec, samples: int, rotation: int) -> None:
    """Every codec, any length: index, sizes and hash are what they were."""
    clear, data = _clear(codec, samples)
    rendition, encrypted = _protected(clear, data, rotation=rotation)
    target = BytesIO()
    assert cleared(rendition, BytesIO(encrypted), target, master=MASTER) == clear
    assert target.getvalue() == data


def test_each_segment_is_one_encrypted_range_behind_a_clear_init_section() -> None:
    """No index; each segment opens by itself with its period's key and its number as IV, and is the clear one."""
    clear, data = _clear()
    rendition, encrypted = _protected(clear, data, rotation=3)
    assert rendition.index_size_bytes == 0 and rendition.size_bytes == len(encrypted)
    assert encrypted[: rendition.init_size_bytes] == data[: clear.init_size_bytes]
    assert [each.duration_ticks for each in rendition.segments] == [each.duration_ticks for each in clear.segments]
    for index, (was, now, key) in enumerate(zip(clear.segments, rendition.segments, _keys(rendition), strict=True)):
        body = encrypted[now.offset_bytes : now.offset_bytes + now.size_bytes]
        opened = decrypt(body, key, sequence_iv(index))
        assert opened == data[was.offset_bytes : was.offset_bytes + was.size_bytes]


def test_keys_rotate_after_so_many_segments() -> None:
    """Segments 0 to 2 share a key, 3 to 5 the next one; without rotation there is one."""
    keys = _keys(_example()[0])
    assert keys[0] == keys[1] == keys[2] != keys[3] == keys[4] == keys[5]
    assert len(set(_keys(_protected(*_clear())[0]))) == 1


def test_the_same_inputs_give_the_same_bytes_and_other_media_other_keys() -> None:
    """Two renditions with equal heads share no key, so equal beginnings do not show."""
    (clear, data), (else_clear, else_data) = _clear(seed=1), _clear(seed=2)
    first, encrypted = _protected(clear, data)
    assert _protected(clear, data) == (first, encrypted)
    second, else_encrypted = _protected(else_clear, else_data)
    was, then = clear.segments[0].offset_bytes, first.segments[0].offset_bytes
    assert data[was : was + 16] == else_data[was : was + 16]  # the heads of the first segments are alike
    assert encrypted[then : then + 16] != else_encrypted[then : then + 16]
    assert set(_keys(first)).isdisjoint(_keys(second))


def test_another_master_key_is_told() -> None:
    """It derives other keys."""
    with pytest.raises(KeyWrong) as caught:
        _opened(*_example(), master=OTHER)
    assert "repair" in caught.value.hint


def test_a_wrong_key_that_happens_to_leave_padding_is_told() -> None:
    """What comes out is held against the name of the key, which is made from the media."""
    rendition, encrypted = _example()
    first = rendition.segments[0]
    forged = encrypt(bytes(first.size_bytes - 1), _keys(rendition)[0], sequence_iv(0))
    damaged = encrypted[: first.offset_bytes] + forged + encrypted[first.offset_bytes + first.size_bytes :]
    with pytest.raises(KeyWrong, match="not the media"):
        _opened(rendition, damaged)


def test_an_empty_segment_is_told() -> None:
    """A block of nothing but padding."""
    rendition, encrypted = _example()
    assert rendition.protection is not None
    first = rendition.segments[0]
    empty = replace(rendition, segments=(replace(first, size_bytes=16),))
    with pytest.raises(KeyWrong, match="empty"):
        _opened(empty, encrypted[: first.offset_bytes] + encrypt(b"", _keys(rendition)[0], sequence_iv(0)))


def test_a_file_that_is_cut_off_is_no_matter_of_keys() -> None:
    """It ends before its last segment."""
    rendition, encrypted = _example()
    with pytest.raises(MediaError, match="ends before"):
        _opened(rendition, encrypted[:-1])


def test_files_are_protected_and_opened_in_place(tmp_path: Path) -> None:
    """As they are by themselves, with the newest master key, and with any; nothing is left over."""
    clear, data = _clear()
    path = tmp_path / "aac-128.mp4"
    path.write_bytes(data)
    locking = Protector(method=ProtectionMethod.AES_128, keys=KeyRing((OTHER, MASTER)), rotation_segments=2)
    (locked,) = locking.applied([clear], tmp_path)
    assert (locked, path.read_bytes()) == _protected(clear, data, rotation=2)
    assert Protector(keys=locking.keys).opened(locked, path) == clear
    assert path.read_bytes() == data
    assert Protector().opened(clear, path) == clear and Protector().applied([clear], tmp_path) == [clear]
    assert [each.name for each in tmp_path.iterdir()] == ["aac-128.mp4"]


def test_what_does_not_open_is_left_as_it_is(tmp_path: Path) -> None:
    """It is encoded anew then; without its master key it is not even tried."""
    rendition, encrypted = _example()
    assert rendition.protection is not None
    path = tmp_path / "aac-128.mp4"
    path.write_bytes(encrypted)
    other = replace(rendition, protection=replace(rendition.protection, key_id=MASTER.key_id_of("00" * 32)))
    assert Protector(keys=KeyRing((MASTER,))).opened(other, path) is None
    assert path.read_bytes() == encrypted
    with pytest.raises(KeyMissing):
        Protector(keys=KeyRing((OTHER,))).opened(rendition, path)


def test_the_recipe_tells_apart_what_has_other_bytes() -> None:
    """Method, master key and rotation; nothing where nothing is protected."""
    ring, other = KeyRing((MASTER,)), KeyRing((OTHER,))
    made = [
        Protector(method=ProtectionMethod.AES_128, keys=keys, rotation_segments=rotation).recipe
        for keys in (ring, other)
        for rotation in (0, 1)
    ]
    assert len(set(made)) == 4
    assert Protector(keys=ring).recipe == ()
