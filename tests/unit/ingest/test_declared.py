"""What headers promise, and files that do not hold it. The formats' real files are in tests/integration/ingest."""

import io
import math
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.checks.declared import check_whole, declared_samples, promise_of
from ingest.checks.mpeg import adts_frame_size, mp3_frame_size
from ingest.checks.pcm import CHUNKS_MAX
from ingest.checks.promise import SAYS_NOTHING, Promise
from ingest.scan import Source
from model.errors import SourceEncrypted, SourceHeaderLies, SourceTruncated, SourceUnreadable, SourceVanished

FMT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 44_100, 176_400, 4, 16)
ODD_CHUNK = struct.pack("<4sI", b"LIST", 3) + b"abc\0"
RATE_44100 = struct.pack(">HQ", 16_383 + 15, 44_100 << 48)  # as an 80-bit float


def wav(data_size: int, *, before: bytes = FMT, magic: bytes = b"RIFF", riff_size: int = 0xFFFF_FFFF) -> bytes:
    """A WAV whose data chunk claims this size."""
    return magic + struct.pack("<I", riff_size) + b"WAVE" + before + struct.pack("<4sI", b"data", data_size)


def rf64(data_size: int) -> bytes:
    """A WAV with 64-bit sizes."""
    return wav(0xFFFF_FFFF, before=struct.pack("<4sIQQQ", b"ds64", 24, 0, data_size, 0) + FMT, magic=b"RF64")


def aiff(size: int, frames: int = 250) -> bytes:
    """An AIFF whose sound chunk claims this size."""
    common = struct.pack(">4sIHIH", b"COMM", 18, 2, frames, 16) + RATE_44100
    return b"FORM\0\0\0\0AIFF" + common + struct.pack(">4sI", b"SSND", size)


def caf(size: int) -> bytes:
    """A CAF whose data chunk claims this size; its chunks are not padded to even sizes."""
    described = struct.pack(">d4sIIIII", 44_100, b"lpcm", 0, 4, 1, 2, 16) + b"x"
    return b"caff\0\1\0\0" + struct.pack(">4sq", b"desc", 33) + described + struct.pack(">4sq", b"data", size)


def w64(size: int) -> bytes:
    """A Wave64 whose data chunk claims this size, its own header not counted."""
    tail = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    riff = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000") + bytes(8)
    return (
        riff + b"wave" + tail + b"fmt " + tail + struct.pack("<Q", 40) + FMT[8:]
        + b"data" + tail + struct.pack("<Q", (size + 24) % (1 << 64))
    )  # fmt: skip


def box(name: bytes, *inside: bytes) -> bytes:
    """An ISO-BMFF box."""
    body = b"".join(inside)
    return struct.pack(">I", 8 + len(body)) + name + body


def moov(*, entry: bytes = b"mp4a", offset: int = 0, sizes: tuple[int, ...] = (), kind: bytes = b"soun") -> bytes:
    """The index of one track of one chunk."""
    description = box(b"stsd", bytes(4), struct.pack(">I", 1), box(entry, bytes(28)))
    table = box(
        b"stbl",
        description,
        box(b"stsc", bytes(4), struct.pack(">IIII", 1, 1, len(sizes), 1)),
        box(b"stsz", bytes(4), struct.pack(">II", 0, len(sizes)), *(struct.pack(">I", size) for size in sizes)),
        box(b"stco", bytes(4), struct.pack(">II", 1, offset)),
    )
    handler = box(b"hdlr", bytes(8), kind, bytes(12))
    return box(b"moov", box(b"trak", box(b"mdia", handler, box(b"minf", table))))


FTYP = box(b"ftyp", b"M4A ", bytes(4))


def element(name: str, data: bytes, *, length: int | None = None) -> bytes:
    """An EBML element with a length of 8 bytes."""
    return bytes.fromhex(name) + (1 << 56 | (len(data) if length is None else length)).to_bytes(8, "big") + data


def page(flags: int, body: bytes, *, position: int = 0, serial: int = 1) -> bytes:
    """An Ogg page of one packet."""
    head = struct.pack("<4sBBqIII", b"OggS", 0, flags, position, serial, 0, 0)
    return head + bytes([1, len(body)]) + body


def promised(data: bytes) -> Promise:
    """What these bytes promise."""
    return promise_of(io.BytesIO(data), len(data))


@pytest.mark.parametrize(
    ("headers", "size"),
    [
        (wav(1000), 1000),
        (wav(1000, before=FMT + ODD_CHUNK), 1000),
        (rf64(1000), 1000),
        (rf64(1 << 33), 1 << 33),
        (rf64(0xFFFF_FFFF), 0xFFFF_FFFF),
        (w64(1000), 1000),
        (aiff(1000), 1000),
        (caf(1000), 1000),
    ],
)
def test_the_end_is_where_the_headers_say(headers: bytes, size: int) -> None:
    """The size of the audio chunk counts from behind its header, odd chunks before it and 64-bit sizes respected."""
    promise = promised(headers)
    assert promise.end == len(headers) + size
    assert (promise.sample_rate_hz, promise.channels) == (44_100, 2)


@pytest.mark.parametrize(
    ("headers", "samples"),
    [(wav(1000), 250), (rf64(1 << 33), 1 << 31), (w64(1000), 250), (aiff(1008), 250), (caf(1004), 250)],
)
def test_samples_are_counted(headers: bytes, samples: int) -> None:
    """Of one channel, from the bytes and what one of them takes."""
    assert promised(headers).samples == samples


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF, 0xFFFF_FFFF - 36, 0x7FFF_F000, 0x7FFF_FFFF, 0x8000_0000])
def test_sizes_that_were_never_filled_in(size: int) -> None:
    """Programs that write to a pipe leave such sizes behind: they promise nothing, so nothing is cut off."""
    assert (promised(wav(size)).end, promised(wav(size)).samples) == (None, None)
    assert promised(caf(-1)).end is None


def test_headers_that_no_reader_can_do_without() -> None:
    """A Wave64 or AIFF from a pipe has no sizes to go by, and readers give up on it."""
    assert promised(w64((1 << 63) - 1)).unfilled
    assert promised(aiff(0, frames=0) + b"sound").unfilled
    assert not promised(aiff(0, frames=0)).unfilled


@pytest.mark.parametrize("data", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"fLaC", b"caff\0\1\0\0data", b"ID3", b"\xff\xfb"])
def test_bytes_that_break_off_promise_no_end(data: bytes) -> None:
    """What breaks off in its headers is for the decoder to judge."""
    assert promised(data).end is None


def test_endless_headers_are_given_up() -> None:
    """A file of nothing but empty chunks costs a bounded number of reads."""
    counted = _Counted(b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", b"JUNK", 0) * (10 * CHUNKS_MAX))
    assert promise_of(counted, len(counted.getvalue())).endless
    assert counted.reads <= CHUNKS_MAX + 4


class _Counted(io.BytesIO):
    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


def test_sizes_that_no_file_has() -> None:
    """A chunk of 2^62 bytes and more leads nowhere, and is no reason to fail."""
    junk = b"junk" + bytes.fromhex("f3acd3118cd100c04f8edb8a") + b"\xff" * 8
    assert promised(w64(0)[:40] + junk + bytes(100)) == SAYS_NOTHING
    assert promised(b"caff\0\1\0\0free\x7f" + b"\xff" * 7 + bytes(100)) == SAYS_NOTHING


MAGICS = (
    b"", b"RIFF\0\0\0\0WAVE", b"FORM\0\0\0\0AIFF", b"caff", b"riff", b"fLaC", b"OggS\0", b"wvpk", b"\x1aE\xdf\xa3",
    b"ID3\4\0\0",
    FTYP, FTYP + b"\0\0\1\0moov", b"\xff\xfb\x90\x64", b"\xff\xf1\x50\x80\4\x3f\xfc",
)  # fmt: skip


@given(st.sampled_from(MAGICS), st.binary(max_size=2000))
def test_any_bytes(magic: bytes, rest: bytes) -> None:
    """Whatever follows a magic number, there is an answer and no exception."""
    promise = promised(magic + rest)
    assert promise.end is None or promise.end >= 0
    assert promise.sample_rate_hz is None or not math.isinf(promise.sample_rate_hz)


class TestMp4:
    """Boxes."""

    def test_a_whole_file(self) -> None:
        """Index, then audio, where the index says."""
        index = moov(offset=0, sizes=(300, 200))
        at = len(FTYP) + len(index) + 8
        data = FTYP + moov(offset=at, sizes=(300, 200)) + box(b"mdat", bytes(500))
        assert promised(data) == Promise(end=len(data))

    def test_the_sample_table_points_past_the_end(self) -> None:
        """The last chunk's samples count, also where the box around them runs to the end."""
        head = FTYP + moov(offset=1000, sizes=(300, 200))
        assert promised(head + struct.pack(">I", 0) + b"mdat" + bytes(100)).end == 1500

    def test_no_index(self) -> None:
        """Audio without an index is a recording that was never closed."""
        assert "moov" in promised(FTYP + box(b"mdat", bytes(500))).lacks

    def test_a_segment_index(self) -> None:
        """Where segments are listed, all must be there."""
        listed = box(b"sidx", bytes(16), struct.pack(">II", 0, 2), struct.pack(">III", 700, 0, 0) * 2)
        data = FTYP + moov() + listed
        assert promised(data + bytes(10)).end == len(data) + 1400

    @pytest.mark.parametrize("entry", [b"drms", b"enca", b"aavd"])
    def test_encrypted(self, entry: bytes) -> None:
        """By its sample entry; only the sound matters."""
        assert promised(FTYP + moov(entry=entry)).encrypted
        assert not promised(FTYP + moov(entry=entry, kind=b"vide")).encrypted


class TestMatroska:
    """Elements."""

    EBML = element("1A45DFA3", b"x" * 20)

    def test_known_and_unknown_sizes(self) -> None:
        """A segment ends where it says; one that was streamed says nothing."""
        assert promised(self.EBML + element("18538067", b"", length=5000)).end == len(self.EBML) + 12 + 5000
        assert promised(self.EBML + element("18538067", b"", length=(1 << 56) - 1)).end is None

    @pytest.mark.parametrize(("kind", "locked"), [(2, True), (1, False)])
    def test_encrypted(self, kind: int, locked: bool) -> None:
        """Encryption of an audio track is seen."""
        encoding = element("6D80", element("6240", element("5035", b"x")))
        tracks = element("1654AE6B", element("AE", element("83", bytes([kind])) + encoding))
        assert promised(self.EBML + element("18538067", tracks)).encrypted is locked


class TestOgg:
    """Pages."""

    HEAD = page(2, b"OpusHead\1\2" + struct.pack("<HIHB", 312, 48_000, 0, 0))

    def test_the_last_page_says_so(self) -> None:
        """Samples are counted from its position, the pre-skip taken off."""
        whole = self.HEAD + page(0, b"a" * 50, position=960) + page(4, b"b" * 50, position=9_912)
        assert promised(whole) == Promise(end=len(whole), samples=9_600)
        assert promised(whole + b"TAG" + bytes(125)).lacks == ""

    def test_no_last_page(self) -> None:
        """A recording that broke off between two pages."""
        assert promised(self.HEAD + page(0, b"a" * 50, position=960)).lacks

    def test_a_page_that_is_cut(self) -> None:
        """Its header tells how long it is."""
        whole = self.HEAD + page(4, b"b" * 50, position=960)
        assert promised(whole[:-1]).end == len(whole)

    def test_positions_that_do_not_count_from_zero(self) -> None:
        """A station's stream was joined late: its positions say nothing about the file's length."""
        joined = self.HEAD + page(0, b"a" * 50, position=48_000 * 600) + page(4, b"b", position=48_000 * 601)
        assert promised(joined).samples is None

    def test_one_stream_after_the_other(self) -> None:
        """Positions begin anew."""
        both = self.HEAD + page(4, b"a", position=960) + page(4, b"b", position=960, serial=2)
        assert promised(both).samples is None


class TestWavPack:
    """Blocks."""

    @staticmethod
    def block(total: int, index: int, samples: int, *, flags: int = 0x1800) -> bytes:
        """A block of 100 bytes."""
        return struct.pack("<4sIHBBIIIII", b"wvpk", 92, 0x410, 0, 0, total, index, samples, flags, 0) + bytes(68)

    def test_the_last_block_reaches_the_total(self) -> None:
        """All blocks are there, the last one whole."""
        whole = self.block(200, 0, 100) + self.block(200, 100, 100)
        assert promised(whole) == Promise(end=len(whole), samples=200)
        assert promised(whole[:100]).lacks
        assert promised(whole[:-1]).end == len(whole)

    def test_unknown_totals(self) -> None:
        """Written to a pipe: nothing is promised beyond the blocks that are there."""
        assert promised(self.block(0xFFFF_FFFF, 0, 100)) == Promise(end=100)

    def test_channels_of_one_moment(self) -> None:
        """A file cut between two pairs of channels lacks the second."""
        assert promised(self.block(100, 0, 100, flags=0x800)).lacks


class TestMpeg:
    """Frames."""

    FRAME = b"\xff\xfb\x90\x64" + bytes(413)

    @pytest.mark.parametrize(
        ("header", "size"),
        [
            (b"\xff\xfb\x90\x64", 417),  # 128 kbit/s at 44.1 kHz
            (b"\xff\xfb\x92\x64", 418),  # padded
            (b"\xff\xfb\x94\x64", 384),  # at 48 kHz
            (b"\xff\xf3\x80\x64", 208),  # MPEG-2: 64 kbit/s at 22.05 kHz
            (b"\xff\xfd\xa0\x64", 626),  # layer II: 192 kbit/s
            (b"\xff\xff\xc0\x64", 416),  # layer I: 384 kbit/s
            (b"\xff\xfb\x00\x64", 0),  # free format
            (b"\xff\xfb\xf0\x64", 0),
            (b"\xff\xfb\x9c\x64", 0),
            (b"\xff\xeb\x90\x64", 0),
            (b"\xff\xf9\x90\x64", 0),
            (b"\xff\xfb", 0),
        ],
    )
    def test_frame_sizes(self, header: bytes, size: int) -> None:
        """As ISO/IEC 11172-3 computes them."""
        assert mp3_frame_size(header) == size

    def test_adts_frame_sizes(self) -> None:
        """13 bits of length."""
        assert adts_frame_size(b"\xff\xf1\x50\x80\x04\x3f\xfc") == 33
        assert adts_frame_size(b"\xff\xf1\x50\x80\0\0\xfc") == 0

    def test_the_last_frame(self) -> None:
        """Whole, or not; other bytes behind it are no sign of damage."""
        for tail in (b"", b"TAG" + bytes(125), bytes(5000), b"junk of any kind"):
            assert promised(self.FRAME * 20 + tail) == SAYS_NOTHING
        assert promised((self.FRAME * 20)[:-1]).lacks
        assert promised((self.FRAME * 20)[:-1] + b"TAG" + bytes(125)).lacks

    @pytest.mark.parametrize("told", [20 * 417, 21 * 417])
    def test_xing(self, told: int) -> None:
        """The frame in front counts the bytes of all, itself or not."""
        xing = (b"\xff\xfb\x90\x64" + bytes(32) + b"Xing" + struct.pack(">III", 3, 20, told)).ljust(417, b"\0")
        assert promised(xing + self.FRAME * 20) == SAYS_NOTHING
        assert (promised(xing + self.FRAME * 17).end or 0) > 18 * 417

    def test_vbri(self) -> None:
        """Fraunhofer's encoder tells it another way."""
        vbri = (b"\xff\xfb\x90\x64" + bytes(32) + b"VBRI" + bytes(6) + struct.pack(">II", 21 * 417, 21)).ljust(
            417, b"\0"
        )
        assert promised(vbri + self.FRAME * 20) == SAYS_NOTHING
        assert (promised(vbri + self.FRAME * 17).end or 0) > 18 * 417

    def test_lame(self) -> None:
        """Delay and padding are taken off the count."""
        tag = b"Info" + struct.pack(">III", 15, 20, 21 * 417) + bytes(104) + b"LAME3.100" + bytes(12)
        info = (b"\xff\xfb\x90\x64" + bytes(32) + tag + (576 << 12 | 1000).to_bytes(3, "big")).ljust(417, b"\0")
        assert promised(info + self.FRAME * 20).samples == 20 * 1152 - 576 - 1000

    def test_a_tag_in_front_that_is_cut(self) -> None:
        """An ID3v2 tag longer than the file."""
        assert promised(b"ID3\4\0\0\0\0\x7f\x7f" + bytes(100)).end == 10 + (0x7F << 7 | 0x7F)


class TestChecking:
    """check_whole and declared_samples, on files."""

    @staticmethod
    def file(tmp_path: Path, data: bytes) -> Source:
        """A source of these bytes."""
        path = tmp_path / "a.wav"
        path.write_bytes(data)
        return Source(path=path)

    def test_a_whole_file_passes(self, tmp_path: Path) -> None:
        """All bytes are there, with or without the padding after an odd size."""
        for tail in (b"x" * 999, b"x" * 999 + b"\0", b"x" * 999 + b"\0" + ODD_CHUNK):
            check_whole(self.file(tmp_path, wav(999) + tail))

    def test_a_missing_byte_is_told(self, tmp_path: Path) -> None:
        """One byte less than promised is a damaged copy."""
        with pytest.raises(SourceTruncated, match=r"it has 1042 of 1043 bytes") as caught:
            check_whole(self.file(tmp_path, wav(999) + b"x" * 998))
        assert "copy it again" in caught.value.hint

    def test_a_header_that_contradicts_itself(self, tmp_path: Path) -> None:
        """The file is as long as its outer header says; the inner one claims gigabytes."""
        with pytest.raises(SourceHeaderLies, match="contradicts itself"):
            check_whole(self.file(tmp_path, wav(1 << 30, riff_size=36 + 1000) + bytes(1000)))

    def test_a_size_that_went_round(self, tmp_path: Path) -> None:
        """More than 4 GiB behind a header of 32 bits: the decoder would play the rest modulo 4 GiB."""
        source = self.file(tmp_path, wav(1000, riff_size=1036))
        os.truncate(source.path, (1 << 32) + 1044)  # a hole, not written
        with pytest.raises(SourceHeaderLies, match="less than the file holds"):
            check_whole(source)

    @pytest.mark.parametrize(("rate", "channels"), [(2_000_000_000, 2), (0, 2), (10, 2), (48_000, 0), (48_000, 65_535)])
    def test_what_no_music_has(self, tmp_path: Path, rate: int, channels: int) -> None:
        """Rates and channels are judged by the header alone."""
        fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, 176_400, 4, 16)
        with pytest.raises(SourceHeaderLies) as caught:
            check_whole(self.file(tmp_path, wav(8, before=fmt) + bytes(8)))
        assert caught.value.hint

    def test_encrypted(self, tmp_path: Path) -> None:
        """Said before anything else."""
        with pytest.raises(SourceEncrypted, match="encrypted"):
            check_whole(self.file(tmp_path, FTYP + moov(entry=b"drms", offset=10**6, sizes=(5,))))

    def test_samples(self, tmp_path: Path) -> None:
        """A number, or None where nothing is told."""
        assert declared_samples(self.file(tmp_path, wav(1000) + bytes(1000))) == 250
        assert declared_samples(self.file(tmp_path, b"words")) is None

    def test_no_file_at_all(self, tmp_path: Path) -> None:
        """Vanished, or a pipe by now: typed, and without waiting."""
        os.mkfifo(tmp_path / "pipe.wav")
        with pytest.raises(SourceUnreadable):
            check_whole(Source(path=tmp_path / "pipe.wav"))
        with pytest.raises(SourceVanished):
            check_whole(Source(path=tmp_path / "gone.wav"))
