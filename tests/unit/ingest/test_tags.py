"""Tags are untrusted: whatever they hold, a track gets clean names, and reading them is bounded."""

import os
import random
import tempfile
import tracemalloc
import wave
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mutagen.flac
import mutagen.id3
import mutagen.wave
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.metadata.clean import TEXT_CHARACTERS_MAX
from ingest.metadata.fields import tags_of
from ingest.metadata.names import named
from ingest.metadata.tag_names import VALUES_MAX
from ingest.metadata.tags import READ_BYTES_MAX, FileTags, read_file
from model.track import TrackTags

ID3: Any = mutagen.id3
FLAC: Any = mutagen.flac
WAVE: Any = mutagen.wave
STREAMINFO = b"\x80\0\0\x22" + (4096).to_bytes(2, "big") * 2 + bytes(6) + b"\x0a\xc4\x42\xf0" + bytes(4) + bytes(16)


def flac(path: Path, fields: dict[str, list[str]], pictures: list[Any] | None = None) -> Path:
    """A FLAC of no audio with these Vorbis comments."""
    path.write_bytes(b"fLaC" + STREAMINFO)
    file = FLAC.FLAC(path)
    for name, values in fields.items():
        file[name] = values
    for each in pictures or []:
        file.add_picture(each)
    file.save()
    return path


def wav(path: Path, *frames: object) -> Path:
    """A WAV of a few samples with these ID3 frames."""
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 48_000, 0, "NONE", ""))
        file.writeframes(bytes(400))
    tagged = WAVE.WAVE(path)
    tagged.add_tags()
    for frame in frames:
        tagged.tags.add(frame)
    tagged.save()
    return path


def picture(data: bytes, kind: int) -> Any:
    """A FLAC picture block."""
    made = FLAC.Picture()
    made.type, made.mime, made.data = kind, "image/png", data
    return made


def read(path: Path) -> TrackTags:
    """What the file at `path` says of itself."""
    return tags_of(read_file(path).found, named(path))


def front(path: Path) -> list[bytes]:
    """Its front covers."""
    return [picture.data for picture in read_file(path).pictures if picture.kind == 3]


ALL = TrackTags(
    title="Evening",
    artists=("One", "Two"),
    album="Days",
    album_artist="Everybody",
    track_number=3,
    track_total=12,
    disc_number=1,
    disc_total=2,
    date="2024-05-01",
    genres=("Jazz", "Ambient"),
    album_named=True,
    isrc="DEABC2400001",
    compilation=True,
)


class TestRead:
    """read_tags, of Vorbis comments and ID3 (MP4 is tested on real files)."""

    def test_vorbis_comments(self, tmp_path: Path) -> None:
        """Everything we keep, in the names that Vorbis comments have for it."""
        fields = {
            "TITLE": ["Evening"], "ARTIST": ["One", "Two"], "ALBUM": ["Days"], "ALBUMARTIST": ["Everybody"],
            "TRACKNUMBER": ["3"], "TRACKTOTAL": ["12"], "DISCNUMBER": ["1"], "DISCTOTAL": ["2"],
            "DATE": ["2024-05-01"], "GENRE": ["Jazz", "Ambient"], "ISRC": ["DEABC2400001"], "COMPILATION": ["1"],
        }  # fmt: skip
        assert read(flac(tmp_path / "a.flac", fields)) == ALL

    def test_id3(self, tmp_path: Path) -> None:
        """The same from ID3 frames, genres by number included."""
        frames = [
            ID3.TIT2(text="Evening"), ID3.TPE1(text=["One", "Two"]), ID3.TALB(text="Days"), ID3.TPE2(text="Everybody"),
            ID3.TRCK(text="3/12"), ID3.TPOS(text="1/2"), ID3.TDRC(text="2024-05-01"), ID3.TCON(text=["8", "Ambient"]),
            ID3.TSRC(text="DEABC2400001"), ID3.TCMP(text="1"),
        ]  # fmt: skip
        assert read(wav(tmp_path / "a.wav", *frames)) == ALL

    @pytest.mark.parametrize(
        ("text", "pair"),
        [
            ("7", (7, None)),
            ("07/12", (7, 12)),
            (" 7 / 12 ", (7, 12)),
            ("0/12", (None, 12)),
            ("7/0", (7, None)),
            ("A1", (None, None)),
            ("-3", (None, None)),
            ("99999", (None, None)),
            ("9" * 5000, (None, None)),
            ("1/2/3", (1, 2)),
            ("²", (None, None)),
            ("/", (None, None)),
        ],
    )
    def test_numbers(self, tmp_path: Path, text: str, pair: tuple[int | None, int | None]) -> None:
        """A number, or a number and a total; everything else is no number."""
        found = read(flac(tmp_path / "a.flac", {"TRACKNUMBER": [text], "DISCNUMBER": [text]}))
        assert (found.track_number, found.track_total) == pair == (found.disc_number, found.disc_total)

    def test_texts_are_cleaned_and_bounded(self, tmp_path: Path) -> None:
        """Empty values are left out, and of too many the first are kept."""
        fields = {"TITLE": ["\0 \n"], "ARTIST": ["", "a\nb", *map(str, range(100))], "ALBUM": ["x" * 5000]}
        tags = read(flac(tmp_path / "a.flac", fields))
        assert tags.title == "a"
        assert tags.artists[:2] == ("a b", "0")
        assert len(tags.artists) < VALUES_MAX + 1
        assert len(tags.album) == TEXT_CHARACTERS_MAX

    def test_pictures(self, tmp_path: Path) -> None:
        """All of them, with what they show, in their order."""
        back, front_cover = picture(b"back", 4), picture(b"front", 3)
        kinds = [
            (each.kind, each.data) for each in read_file(flac(tmp_path / "a.flac", {}, [back, front_cover])).pictures
        ]
        assert kinds == [(4, b"back"), (3, b"front")]
        assert read_file(flac(tmp_path / "c.flac", {"TITLE": ["x"]})).pictures == []
        frames = [
            ID3.APIC(type=4, mime="image/png", data=b"back"),
            ID3.APIC(type=3, mime="image/png", data=b"front", desc="f"),
        ]
        assert front(wav(tmp_path / "a.wav", *frames)) == [b"front"]

    def test_tags_go_before_names(self, tmp_path: Path) -> None:
        """What the file says beats what it is called."""
        path = flac(tmp_path / "07 Wrong.flac", {"TITLE": ["Right"], "TRACKNUMBER": ["3"], "ALBUM": ["Album"]})
        tags = read(path)
        assert (tags.title, tags.track_number, tags.album, tags.album_named) == ("Right", 3, "Album", True)


def zipped_frame(inflated_bytes: int, name: bytes = b"TIT2") -> bytes:
    """An ID3v2.4 tag with one compressed frame: a title, or a picture of text."""
    packer = zlib.compressobj(9)
    start = b"\x03image/png\0\x03\0" if name == b"APIC" else b"\x03"
    first = packer.compress(start + b"x" * ((1 << 20) - len(start))) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b"x" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    body = first + ((inflated_bytes >> 20) - 1) * again
    if inflated_bytes >> 20 == 1:
        body = zlib.compress(start + b"x" * ((1 << 20) - len(start)))  # with an end and a checksum
    data = _synchsafe(inflated_bytes & 0xFFF_FFFF) + body
    frame = name + _synchsafe(len(data)) + b"\0\x09" + data
    return b"ID3\4\0\0" + _synchsafe(len(frame)) + frame


def _synchsafe(value: int) -> bytes:
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))


@contextmanager
def at_most(memory_bytes: int) -> Iterator[None]:
    """What is done inside holds no more memory than this at any time."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= memory_bytes


SIGNS = [
    b"fLaC", b"OggS" + bytes(24) + b"\x01vorbis", b"OggS" + bytes(24) + b"OpusHead", b"RIFF\xff\0\0\0WAVE",
    b"RIFF\xff\0\0\0WAVELIST\x20\0\0\0INFO", b"FORM\0\0\0\xffAIFF", b"caff\0\1\0\0", b"caff\0\1\0\0info", b"wvpk",
    b"\0\0\0\x18ftypM4A ", b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff",
    b"ID3\4\0\0\0\0\1\0", b"\xff\xfb\x90",
    b"\x1a\x45\xdf\xa3\x80\x12\x54\xc3\x67\xff", b"\xff\xf1",
]  # fmt: skip
MPEG_FRAMES = (b"\xff\xfb\x90\x00" + bytes(413)) * 8


class TestHostile:
    """Nothing that a file holds gets past read_tags, and none of it costs much."""

    def test_compressed_frames(self, tmp_path: Path) -> None:
        """They are read where they are small, and refused where they would fill the memory."""
        path = tmp_path / "small.mp3"
        path.write_bytes(zipped_frame(1 << 20) + MPEG_FRAMES)
        assert read(path).title == "x" * TEXT_CHARACTERS_MAX
        bomb = tmp_path / "bomb.mp3"
        for name in (b"TIT2", b"APIC"):
            bomb.write_bytes(zipped_frame(1 << 30, name) + MPEG_FRAMES)
            with at_most(100 << 20):
                assert read(bomb).title == "bomb"
                assert read_file(bomb).pictures == []

    def test_a_compressed_picture(self, tmp_path: Path) -> None:
        """A small one is read: the bomb is refused for its size, not for its form."""
        path = tmp_path / "small.mp3"
        path.write_bytes(zipped_frame(1 << 20, b"APIC") + MPEG_FRAMES)
        assert len(front(path)[0]) == (1 << 20) - len(b"\x03image/png\0\x03\0")

    def test_a_tag_as_large_as_the_file(self, tmp_path: Path) -> None:
        """An atom of gigabytes is not read into memory."""
        path = tmp_path / "huge.m4a"
        size = 4 << 30
        ilst = _atom("ilst", b"", size)
        meta = _atom("meta", bytes(4) + ilst, 4 + size)
        moov = _atom("moov", _atom("udta", meta, size + 20), size + 28)
        path.write_bytes(_atom("ftyp", b"M4A \0\0\0\0M4A ") + moov)
        os.truncate(path, size)
        with at_most(READ_BYTES_MAX + (16 << 20)):
            assert read_file(path).complaints

    @pytest.mark.timeout(10)
    def test_no_file(self, tmp_path: Path) -> None:
        """A pipe, nothing at all, a folder: the name is what there is, at once."""
        os.mkfifo(tmp_path / "pipe.mp3")
        for name in ("pipe.mp3", "gone.mp3"):
            said = read_file(tmp_path / name)
            assert said == FileTags(complaints=said.complaints)
            assert len(said.complaints) == 1

    @pytest.mark.parametrize(
        "suffix", [".mp3", ".flac", ".m4a", ".ogg", ".opus", ".wav", ".aiff", ".wv", ".aac", ".mka", ".caf"]
    )
    def test_junk(self, tmp_path: Path, suffix: str) -> None:
        """Bytes that are nothing, under any name."""
        path = tmp_path / f"junk{suffix}"
        junk = random.Random(suffix).randbytes(3000)
        for sign in (b"", *SIGNS):
            path.write_bytes(sign + junk)
            assert read(path).title == "junk"

    @given(st.sampled_from(SIGNS), st.binary(max_size=300))
    def test_any_bytes_after_a_good_start(self, sign: bytes, rest: bytes) -> None:
        """A title from the name, and no exception."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "any.bin"
            path.write_bytes(sign + rest)
            assert read(path).title

    @pytest.mark.parametrize("make", [flac, wav])
    def test_damage(self, tmp_path: Path, make: Callable[..., Path]) -> None:
        """Any bytes of a good file changed or missing: never an exception, always a title."""
        content: list[object] = (
            [{"TITLE": ["x"] * 3}, [picture(b"p" * 99, 3)]] if make is flac else [ID3.TIT2(text="x" * 9)]
        )
        good = make(tmp_path / "good", *content).read_bytes()
        chance = random.Random(3)
        path = tmp_path / "damaged.flac"
        for _ in range(300):
            damaged = bytearray(good)
            for _ in range(chance.randint(1, 6)):
                damaged[chance.randrange(min(len(damaged), 900))] = chance.randrange(256)
            path.write_bytes(damaged[: chance.choice([len(good), chance.randrange(len(good))])])
            assert read(path).title

    def test_reading_leaves_the_file_as_it_is(self, tmp_path: Path) -> None:
        """Masters are never written to."""
        path = flac(tmp_path / "a.flac", {"TITLE": ["x"]})
        path.chmod(0o400)
        before = (path.read_bytes(), path.stat().st_mtime_ns)
        read(path)
        assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def _atom(name: str, body: bytes, body_bytes: int | None = None) -> bytes:
    """An MP4 atom with a 64-bit size."""
    size = 16 + (len(body) if body_bytes is None else body_bytes)
    return (1).to_bytes(4, "big") + name.encode() + size.to_bytes(8, "big") + body


def test_mutagen_still_inflates_where_we_limit_it(tmp_path: Path) -> None:
    """The limit sits inside mutagen; this fails if a new version inflates somewhere else."""
    path = tmp_path / "bomb.mp3"
    path.write_bytes(zipped_frame(64 << 20) + MPEG_FRAMES)
    tags = mutagen.File(path).tags
    assert tags is None or "TIT2" not in tags
