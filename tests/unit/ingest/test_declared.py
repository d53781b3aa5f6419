"""Where headers say that the audio ends, and files that end before."""

import io
import os
import struct
from pathlib import Path

import pytest

from ingest.declared import CHUNKS_MAX, audio_end, check_whole
from ingest.scan import Source
from model.errors import SourceUnreadable

FMT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 44_100, 176_400, 4, 16)
ODD_CHUNK = struct.pack("<4sI", b"LIST", 3) + b"abc\0"


def wav(data_size: int, *, before: bytes = FMT, magic: bytes = b"RIFF") -> bytes:
    """A WAV whose data chunk claims this size."""
    return magic + struct.pack("<I", 0xFFFF_FFFF) + b"WAVE" + before + struct.pack("<4sI", b"data", data_size)


def rf64(data_size: int) -> bytes:
    """A WAV with 64-bit sizes."""
    return wav(0xFFFF_FFFF, before=struct.pack("<4sIQQQ", b"ds64", 24, 0, data_size, 0) + FMT, magic=b"RF64")


def aiff(size: int) -> bytes:
    """An AIFF whose sound chunk claims this size."""
    return b"FORM\0\0\0\0AIFF" + struct.pack(">4sI", b"COMM", 18) + bytes(18) + struct.pack(">4sI", b"SSND", size)


def caf(size: int) -> bytes:
    """A CAF whose data chunk claims this size; its chunks are not padded to even sizes."""
    return b"caff\0\1\0\0" + struct.pack(">4sq", b"desc", 33) + bytes(33) + struct.pack(">4sq", b"data", size)


@pytest.mark.parametrize(
    "headers",
    [wav(1000), wav(1000, before=FMT + ODD_CHUNK), rf64(1000), rf64(1 << 33), rf64(0xFFFF_FFFF), aiff(1000), caf(1000)],
)
def test_the_end_is_where_the_headers_say(headers: bytes) -> None:
    """The size of the audio chunk counts from behind its header, odd chunks before it and 64-bit sizes respected."""
    claimed = {rf64(1 << 33): 1 << 33, rf64(0xFFFF_FFFF): 0xFFFF_FFFF}.get(headers, 1000)
    assert audio_end(io.BytesIO(headers)) == len(headers) + claimed


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF, 0xFFFF_FFFF - 36, 0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000])
def test_sizes_that_were_never_filled_in(size: int) -> None:
    """Programs that write to a pipe leave such sizes behind: they promise nothing, so nothing is cut off."""
    assert audio_end(io.BytesIO(wav(size))) is None
    assert audio_end(io.BytesIO(caf(-1))) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"ID3\4" + bytes(100), b"fLaC" + bytes(100), wav(9)[:-4], b"caff\0\1\0\0data"],
)
def test_other_bytes_say_nothing(data: bytes) -> None:
    """What is none of these formats, or breaks off in its headers, is for the decoder to judge."""
    assert audio_end(io.BytesIO(data)) is None


def test_endless_headers_are_given_up() -> None:
    """A file of nothing but empty chunks costs a bounded number of reads."""
    counted = _Counted(b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", b"JUNK", 0) * (10 * CHUNKS_MAX))
    assert audio_end(counted) is None
    assert counted.reads <= CHUNKS_MAX + 1


class _Counted(io.BytesIO):
    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


def test_a_whole_file_passes(tmp_path: Path) -> None:
    """All bytes are there, with or without the padding after an odd size."""
    for tail in (b"x" * 999, b"x" * 999 + b"\0", b"x" * 999 + b"\0" + ODD_CHUNK):
        path = tmp_path / "a.wav"
        path.write_bytes(wav(999) + tail)
        check_whole(Source(path=path))


def test_a_missing_byte_is_told(tmp_path: Path) -> None:
    """One byte less than promised is a damaged copy."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav(999) + b"x" * 998)
    with pytest.raises(SourceUnreadable, match="cut off") as caught:
        check_whole(Source(path=path))
    assert caught.value.hint


def test_no_file_at_all(tmp_path: Path) -> None:
    """Vanished, or a pipe by now: typed, and without waiting."""
    os.mkfifo(tmp_path / "pipe.wav")
    for name in ("pipe.wav", "gone.wav"):
        with pytest.raises(SourceUnreadable):
            check_whole(Source(path=tmp_path / name))
