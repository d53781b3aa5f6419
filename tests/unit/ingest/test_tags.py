"""Tags are untrusted: whatever they hold, a track gets clean names, and reading them is bounded."""

import os
import random
import time
import tracemalloc
import unicodedata
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

from ingest.scan import Source
from ingest.tags import READ_BYTES_MAX, TEXT_CHARACTERS_MAX, VALUES_MAX, SourceTags, cleaned, read_tags
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


def read(path: Path, *, folder: Path | None = None) -> SourceTags:
    """What the file at `path` says of itself."""
    return read_tags(Source(path=path, folder=folder))


class TestCleaned:
    """cleaned."""

    @given(st.text(alphabet=st.characters(), max_size=3 * TEXT_CHARACTERS_MAX))
    def test_any_text_becomes_one_printable_line(self, text: str) -> None:
        """Composed, bounded, without control characters or lone surrogates; cleaning again changes nothing."""
        clean = cleaned(text)
        assert len(clean) <= TEXT_CHARACTERS_MAX
        assert clean.encode("utf-8").decode("utf-8") == clean
        assert clean == clean.strip()
        assert unicodedata.is_normalized("NFC", clean)
        assert not [each for each in clean if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")]
        assert cleaned(clean) == clean

    @pytest.mark.parametrize(
        ("text", "clean"),
        [
            ("  two\r\n lines\t", "two lines"),
            ("bell\x07 and null\0", "bell and null"),
            ("e\N{COMBINING ACUTE ACCENT}", "é"),
            ("half \ud83d pair", "half ? pair"),
            ("a\N{LINE SEPARATOR}b", "a b"),
            ("\x1b[31mred", "[31mred"),
            ("", ""),
        ],
    )
    def test_examples(self, text: str, clean: str) -> None:
        """What is left of text that a terminal or a player must not get as it is."""
        assert cleaned(text) == clean

    def test_megabytes_cost_nothing(self) -> None:
        """Only the beginning is looked at."""
        started = time.process_time()
        assert len(cleaned("x" * (64 << 20))) == TEXT_CHARACTERS_MAX
        assert time.process_time() - started < 0.2


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
        assert read(flac(tmp_path / "a.flac", fields)).tags == ALL

    def test_id3(self, tmp_path: Path) -> None:
        """The same from ID3 frames, genres by number included."""
        frames = [
            ID3.TIT2(text="Evening"), ID3.TPE1(text=["One", "Two"]), ID3.TALB(text="Days"), ID3.TPE2(text="Everybody"),
            ID3.TRCK(text="3/12"), ID3.TPOS(text="1/2"), ID3.TDRC(text="2024-05-01"), ID3.TCON(text=["8", "Ambient"]),
            ID3.TSRC(text="DEABC2400001"), ID3.TCMP(text="1"),
        ]  # fmt: skip
        assert read(wav(tmp_path / "a.wav", *frames)).tags == ALL

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
        found = read(flac(tmp_path / "a.flac", {"TRACKNUMBER": [text], "DISCNUMBER": [text]})).tags
        assert (found.track_number, found.track_total) == pair == (found.disc_number, found.disc_total)

    def test_texts_are_cleaned_and_bounded(self, tmp_path: Path) -> None:
        """Empty values are left out, and of too many the first are kept."""
        fields = {"TITLE": ["\0 \n"], "ARTIST": ["", "a\nb", *map(str, range(100))], "ALBUM": ["x" * 5000]}
        tags = read(flac(tmp_path / "a.flac", fields)).tags
        assert tags.title == "a"
        assert tags.artists[:2] == ("a b", "0")
        assert len(tags.artists) < VALUES_MAX + 1
        assert len(tags.album) == TEXT_CHARACTERS_MAX

    def test_front_cover_first(self, tmp_path: Path) -> None:
        """The front cover, wherever it stands among the pictures; another picture if there is none."""
        back, front = picture(b"back", 4), picture(b"front", 3)
        assert read(flac(tmp_path / "a.flac", {}, [back, front])).art == b"front"
        assert read(flac(tmp_path / "b.flac", {}, [back])).art == b"back"
        assert read(flac(tmp_path / "c.flac", {"TITLE": ["x"]})).art is None
        frames = [
            ID3.APIC(type=4, mime="image/png", data=b"back"),
            ID3.APIC(type=3, mime="image/png", data=b"front", desc="f"),
        ]
        assert read(wav(tmp_path / "a.wav", *frames)).art == b"front"


class TestNames:
    """Where tags are missing, the names of file and folder speak."""

    @pytest.mark.parametrize(
        ("name", "title", "track", "disc"),
        [
            ("07 Evening.wav", "Evening", 7, None),
            ("07. Evening.wav", "Evening", 7, None),
            ("2-07 - Evening.wav", "Evening", 7, 2),
            ("Evening.wav", "Evening", None, None),
            ("07.wav", "07", None, None),
            ("1984.wav", "1984", None, None),
            ("007_Evening.live.wav", "Evening.live", 7, None),
            ("line\nfeed.wav", "line feed", None, None),
            (os.fsdecode(b"caf\xe9.wav"), "caf\N{REPLACEMENT CHARACTER}", None, None),
            ("\x07.wav", "untitled", None, None),
        ],
    )
    def test_files(self, tmp_path: Path, name: str, title: str, track: int | None, disc: int | None) -> None:
        """Number and title of a file's name."""
        tags = read(wav(tmp_path / name)).tags
        assert (tags.title, tags.track_number, tags.disc_number) == (title, track, disc)

    def test_folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The folder of a walk is the album, also when it is `.`; a file that was named alone has none."""
        folder = tmp_path / "My Album"
        folder.mkdir()
        path = wav(folder / "a.wav")
        monkeypatch.chdir(folder)
        assert read(path, folder=folder).tags.album == "My Album"
        assert read(Path("a.wav"), folder=Path()).tags.album == "My Album"
        assert read(path).tags.album == ""

    def test_tags_go_first(self, tmp_path: Path) -> None:
        """What the file says beats what it is called."""
        path = flac(tmp_path / "07 Wrong.flac", {"TITLE": ["Right"], "TRACKNUMBER": ["3"], "ALBUM": ["Album"]})
        tags = read(path, folder=tmp_path).tags
        assert (tags.title, tags.track_number, tags.album) == ("Right", 3, "Album")


def zipped_frame(inflated_bytes: int) -> bytes:
    """An ID3v2.4 tag whose title is compressed."""
    packer = zlib.compressobj(9)
    piece = b"\x03" + b"x" * ((1 << 20) - 1)
    body = b"".join([packer.compress(piece) for _ in range(inflated_bytes >> 20)] + [packer.flush()])
    data = _synchsafe(inflated_bytes & 0xFFF_FFFF) + body
    frame = b"TIT2" + _synchsafe(len(data)) + b"\0\x09" + data
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


MPEG_FRAMES = (b"\xff\xfb\x90\x00" + bytes(413)) * 8


class TestHostile:
    """Nothing that a file holds gets past read_tags, and none of it costs much."""

    def test_compressed_frames(self, tmp_path: Path) -> None:
        """They are read where they are small, and refused where they would fill the memory."""
        path = tmp_path / "small.mp3"
        path.write_bytes(zipped_frame(1 << 20) + MPEG_FRAMES)
        assert read(path).tags.title == "x" * TEXT_CHARACTERS_MAX
        bomb = tmp_path / "bomb.mp3"
        bomb.write_bytes(zipped_frame(256 << 20) + MPEG_FRAMES)
        with at_most(100 << 20):
            assert read(bomb).tags.title == "bomb"

    def test_a_tag_as_large_as_the_file(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """An atom of gigabytes is not read into memory."""
        path = tmp_path / "huge.m4a"
        size = 4 << 30
        ilst = _atom("ilst", b"", size)
        meta = _atom("meta", bytes(4) + ilst, 4 + size)
        moov = _atom("moov", _atom("udta", meta, size + 20), size + 28)
        path.write_bytes(_atom("ftyp", b"M4A \0\0\0\0M4A ") + moov)
        os.truncate(path, size)
        with at_most(READ_BYTES_MAX + (16 << 20)):
            assert read(path).tags.title == "huge"
        assert [record.msg for record in caplog.records] == ["tags unreadable"]

    @pytest.mark.timeout(10)
    def test_no_file(self, tmp_path: Path) -> None:
        """A pipe, nothing at all, a folder: the name is what there is, at once."""
        os.mkfifo(tmp_path / "pipe.mp3")
        for name in ("pipe.mp3", "gone.mp3"):
            assert read(tmp_path / name) == SourceTags(TrackTags(title=name.removesuffix(".mp3")), None)

    @pytest.mark.parametrize(
        "suffix", [".mp3", ".flac", ".m4a", ".ogg", ".opus", ".wav", ".aiff", ".wv", ".aac", ".mka"]
    )
    def test_junk(self, tmp_path: Path, suffix: str) -> None:
        """Bytes that are nothing, under any name."""
        path = tmp_path / f"junk{suffix}"
        path.write_bytes(random.Random(suffix).randbytes(3000))
        assert read(path).tags.title == "junk"

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
            assert read(path).tags.title

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
