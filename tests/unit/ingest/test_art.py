"""Cover art: always a JPEG of our size, whatever is in the file and beside it."""

import io
import logging
import os
import resource
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.art import PIXELS_MAX, SIDE_PIXELS, cover_art, drawn
from ingest.scan import Source
from model.track import TrackTags

TAGS = TrackTags(title="Evening", artists=("Somebody",), album="Days")
RED = (220, 30, 40)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image as a file of this kind."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def red(mode: str = "RGB", size: tuple[int, int] = (800, 800)) -> Image.Image:
    """A red picture in some mode."""
    return Image.new("RGB", size, RED).convert(mode)


def source_in(folder: Path) -> Source:
    """A source of which only the place matters."""
    return Source(path=folder / "a.wav", folder=folder)


def opened(jpeg: bytes) -> Image.Image:
    """The cover, checked to be what every cover is."""
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    assert image.mode == "RGB"
    assert max(image.size) <= SIDE_PIXELS
    image.load()
    return image


def colour(image: Image.Image) -> tuple[int, ...]:
    """Of the middle."""
    found = image.getpixel((image.width // 2, image.height // 2))
    assert isinstance(found, tuple)
    return tuple(int(part) for part in found)


def is_red(jpeg: bytes) -> bool:
    """Whether the cover is the red picture, as exactly as JPEG and CMYK allow."""
    return all(abs(one - other) <= 12 for one, other in zip(colour(opened(jpeg)), RED, strict=True))


class TestDrawn:
    """Where there is no art, it is drawn."""

    def test_the_same_names_give_the_same_bytes(self) -> None:
        """A cover is part of what a publish compares: it never changes by itself."""
        assert drawn(TAGS) == drawn(TrackTags(title="Evening", artists=("Somebody",), album="Days"))

    def test_it_is_a_whole_picture(self) -> None:
        """Square, of full size, and more than one colour."""
        image = opened(drawn(TAGS))
        assert image.size == (SIDE_PIXELS, SIDE_PIXELS)
        assert len(image.getcolors(maxcolors=1 << 20) or ()) > 100

    def test_tracks_of_an_album_differ_but_match(self) -> None:
        """Another title moves the figures; another album changes the colours."""
        sibling = TrackTags(title="Morning", artists=("Somebody",), album="Days")
        stranger = TrackTags(title="Evening", artists=("Nobody",), album="Nights")
        covers = [np.asarray(opened(drawn(tags)), dtype=np.float64) for tags in (TAGS, sibling, stranger)]
        assert not np.array_equal(covers[0], covers[1])
        corners = [cover[:4, :4].mean(axis=(0, 1)) for cover in covers]
        assert np.abs(corners[0] - corners[2]).max() > 10

    def test_any_text_will_do(self) -> None:
        """Names are only seeds."""
        opened(drawn(TrackTags(title="\N{CAT FACE}" * 500)))


class TestEmbedded:
    """Pictures of every kind come out as the same plain JPEG."""

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_the_usual_kinds(self, tmp_path: Path, kind: str) -> None:
        """Scaled down and encoded again: nothing of the original bytes gets to listeners."""
        picture = encoded(red(size=(1600, 800)), kind, **({"exif": b"Exif\0\0secret place"} if kind == "JPEG" else {}))
        jpeg = cover_art(source_in(tmp_path), TAGS, picture)
        assert is_red(jpeg)
        assert opened(jpeg).size == (640, 320)
        assert b"secret place" not in jpeg

    @pytest.mark.parametrize(
        ("mode", "kind"),
        [("CMYK", "JPEG"), ("L", "JPEG"), ("P", "PNG"), ("1", "PNG"), ("LA", "PNG"), ("RGBA", "PNG"), ("RGBA", "WEBP")],
    )
    def test_every_mode(self, tmp_path: Path, mode: str, kind: str) -> None:
        """Press files and palettes are taken; a colour stays the colour it was."""
        jpeg = cover_art(source_in(tmp_path), TAGS, encoded(red(mode), kind))
        if mode in ("1", "L", "LA"):
            assert opened(jpeg).size == (SIDE_PIXELS, SIDE_PIXELS)
            assert jpeg != drawn(TAGS)
        else:
            assert is_red(jpeg)

    def test_sixteen_bits(self, tmp_path: Path) -> None:
        """A 16-bit grey is the grey it was, not white."""
        grey = Image.fromarray(np.full((700, 700), 0x4040, dtype=np.uint16))
        found = colour(opened(cover_art(source_in(tmp_path), TAGS, encoded(grey, "PNG"))))
        assert all(abs(part - 0x40) <= 3 for part in found)

    def test_what_can_be_seen_through_is_on_white(self, tmp_path: Path) -> None:
        """The colour hidden under full transparency is not shown."""
        for mode in ("RGBA", "P"):
            hidden = Image.new("RGBA", (300, 300), (255, 0, 0, 0)).convert(mode)
            found = colour(opened(cover_art(source_in(tmp_path), TAGS, encoded(hidden, "PNG"))))
            assert min(found) > 245

    def test_animations_show_their_first_picture(self, tmp_path: Path) -> None:
        """No film on a cover."""
        rest = [Image.new("RGB", (300, 300), shade) for shade in ("blue", "green")]
        for kind in ("PNG", "WEBP"):
            film = encoded(red(size=(300, 300)), kind, save_all=True, append_images=rest, duration=100)
            assert is_red(cover_art(source_in(tmp_path), TAGS, film))

    def test_a_small_picture_is_not_blown_up(self, tmp_path: Path) -> None:
        """It has no more pixels than it has."""
        assert opened(cover_art(source_in(tmp_path), TAGS, encoded(red(size=(90, 60)), "PNG"))).size == (90, 60)


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG whose header is all there is of its size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = b"IDAT" + zlib.compress(bytes(3 * 1_000_000))
    chunks = [header, pixels, b"IEND"]
    framed = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


class TestHostile:
    """Bad art never fails a track: it is refused with a warning, and a cover is drawn."""

    @pytest.mark.parametrize("side", [7_100, 10_000, 14_000, 40_000, 65_000])
    def test_decompression_bombs(self, tmp_path: Path, side: int, caplog: pytest.LogCaptureFixture) -> None:
        """Small files that say they are huge are refused by what they say: no time, no memory."""
        assert side * side > PIXELS_MAX
        bomb = png_that_claims(side, side)
        drawing = drawn(TAGS)
        started, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert cover_art(source_in(tmp_path), TAGS, bomb) == drawing
        assert time.process_time() - started < 1
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 << 10
        assert _refusals(caplog) == 1

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_damaged_pictures(self, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
        """Cut off anywhere, a picture is either shown whole or not at all."""
        noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)
        picture = encoded(Image.fromarray(noise), kind)
        drawing = drawn(TAGS)
        for length in (1, 20, 60, len(picture) // 2, len(picture) - 200):
            assert cover_art(source_in(tmp_path), TAGS, picture[:length]) == drawing
        assert _refusals(caplog) == 5

    @pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM", "EPS"])
    def test_other_formats_are_not_even_parsed(self, tmp_path: Path, kind: str) -> None:
        """Three formats are enough for covers, and three parsers enough to be attacked through."""
        assert cover_art(source_in(tmp_path), TAGS, encoded(red(size=(64, 64)), kind)) == drawn(TAGS)

    def test_flipped_bytes(self, tmp_path: Path) -> None:
        """Whatever the damage, there is a cover and no exception."""
        random = np.random.default_rng(7)
        for kind in ("PNG", "JPEG", "WEBP"):
            picture = encoded(red(size=(64, 64)), kind)
            for _ in range(5):
                damaged = bytearray(picture)
                for place in random.integers(0, len(picture), 4):
                    damaged[place] = random.integers(0, 256)
                opened(cover_art(source_in(tmp_path), TAGS, bytes(damaged)))


def _refusals(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.msg == "cover art refused" and record.levelno == logging.WARNING for record in caplog.records)


class TestFolder:
    """A picture beside the music is its cover where the music has none of its own."""

    @pytest.mark.parametrize("name", ["cover.jpg", "Cover.jpg", "folder.jpeg", "Folder.jpg", "FRONT.PNG", "cover.webp"])
    def test_the_usual_names(self, tmp_path: Path, name: str) -> None:
        """However they are written."""
        kind = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP"}[name.rpartition(".")[2].lower()]
        (tmp_path / name).write_bytes(encoded(red(), kind))
        assert is_red(cover_art(source_in(tmp_path), TAGS, None))

    def test_embedded_art_goes_first(self, tmp_path: Path) -> None:
        """It belongs to the track; but damaged, the folder's is better than none."""
        (tmp_path / "cover.jpg").write_bytes(encoded(red(), "JPEG"))
        blue = encoded(Image.new("RGB", (90, 90), "blue"), "PNG")
        assert colour(opened(cover_art(source_in(tmp_path), TAGS, blue)))[2] > 200
        assert is_red(cover_art(source_in(tmp_path), TAGS, b"no picture"))

    def test_a_bad_picture_does_not_hide_a_good_one(self, tmp_path: Path) -> None:
        """The first that can be shown is."""
        (tmp_path / "cover.jpg").write_bytes(b"no picture")
        (tmp_path / "folder.png").write_bytes(encoded(red(), "PNG"))
        assert is_red(cover_art(source_in(tmp_path), TAGS, None))

    @pytest.mark.timeout(10)
    def test_what_is_no_picture_file(self, tmp_path: Path) -> None:
        """Pipes, folders, dead links and huge files of that name are passed over."""
        os.mkfifo(tmp_path / "cover.jpg")
        (tmp_path / "folder.jpg").mkdir()
        (tmp_path / "front.jpg").symlink_to(tmp_path / "front.jpg")
        (tmp_path / "cover.png").touch()
        os.truncate(tmp_path / "cover.png", 1 << 40)
        assert cover_art(source_in(tmp_path), TAGS, None) == drawn(TAGS)
