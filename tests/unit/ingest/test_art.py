"""Cover art: always the same three JPEGs, whatever is in the file and beside it."""

import hashlib
import io
import os
import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw, ImageFilter

from ingest.metadata import drawing
from ingest.metadata.art import art_of
from ingest.metadata.cover import Covers
from ingest.metadata.drawing import drawn
from ingest.metadata.pictures import PIXELS_MAX, PictureRefused, pixels_of, sized
from ingest.metadata.tags import Embedded
from model.track import ART_SIDES

RED = (220, 30, 40)
BLUE = (20, 30, 230)
Pictures = dict[int, bytes]


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image as a file of this kind."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def plain(colour: tuple[int, int, int] = RED, *, mode: str = "RGB", size: tuple[int, int] = (800, 800)) -> Image.Image:
    """A picture of one colour."""
    image = Image.new("RGB", size, colour)
    return image.quantize(4) if mode == "P" else image.convert(mode)


def png(colour: tuple[int, int, int], side: int) -> bytes:
    """A square of one colour."""
    return encoded(plain(colour, size=(side, side)), "PNG")


def opened(pictures: Pictures) -> list[Image.Image]:
    """The pictures, checked to be what every cover is: a small one, a middle one and a large one."""
    assert art_of(pictures).pictures == pictures
    images: list[Image.Image] = []
    for side in ART_SIDES:
        image = Image.open(io.BytesIO(pictures[side]))
        assert (image.format, image.mode, image.info.get("progressive")) == ("JPEG", "RGB", 1)
        assert not image.getexif()
        assert not {"icc_profile", "exif", "comment", "xmp"} & set(image.info)
        assert image.layer[0][1:3] == (2, 2)  # type: ignore[attr-defined]  # 4:2:0
        assert max(image.size) <= side
        image.load()
        images.append(image)
    return images


def _whole_disc(figure: bytes, number: int) -> Image.Image:
    side = 320 if number < 2 else 2560
    x, y, size = (figure[3 * number + place] / 255 for place in range(3))
    radius, across, down = side * (0.18 + 0.34 * size), side * (0.1 + 0.8 * x), side * (0.1 + 0.8 * y)
    mask = Image.new("L", (side, side), 0)
    box = (across - radius, down - radius, across + radius, down + radius)
    ImageDraw.Draw(mask).ellipse(box, fill=150 if number % 2 else 200)
    if number >= 2:
        return mask.reduce(2)
    return mask.filter(ImageFilter.GaussianBlur(side / 14)).resize((1280, 1280), Image.Resampling.BICUBIC)


def colour(image: Image.Image, at: tuple[float, float] = (0.5, 0.5)) -> tuple[int, ...]:
    """Of a place, as parts of width and height."""
    found = image.getpixel((int(image.width * at[0]), int(image.height * at[1])))
    assert isinstance(found, tuple)
    return tuple(int(part) for part in found)


def close(found: tuple[int, ...], wanted: tuple[int, ...], within: int = 12) -> bool:
    """The same colour, as exactly as JPEG and CMYK allow."""
    return all(abs(one - other) <= within for one, other in zip(found, wanted, strict=True))


def shows(pictures: Pictures | None, wanted: tuple[int, int, int]) -> bool:
    """Whether all three are of this colour."""
    return pictures is not None and all(close(colour(image), wanted) for image in opened(pictures))


class TestDrawn:
    """Where there is no art, it is drawn."""

    def test_the_same_names_give_the_same_bytes(self) -> None:
        """A cover is part of what a publish compares: it never changes by itself."""
        assert drawn("Evening", "Days", ("Somebody",)) == drawn("Evening", "Days", ["Somebody"])

    def test_they_are_whole_pictures(self) -> None:
        """Square, of full size, and more than one colour."""
        for side, image in zip(ART_SIDES, opened(drawn("Evening", "Days", ())), strict=True):
            assert image.size == (side, side)
            assert len(image.getcolors(maxcolors=1 << 24) or ()) > 100

    def test_tracks_of_an_album_differ_but_match(self) -> None:
        """Another title moves the figures; another album changes the colours."""
        names = [("Evening", "Days", "Somebody"), ("Morning", "Days", "Somebody"), ("Evening", "Nights", "Nobody")]
        covers = [np.asarray(opened(drawn(title, album, (who,)))[1], dtype=float) for title, album, who in names]
        assert not np.array_equal(covers[0], covers[1])
        corners = [cover[:4, :4].mean(axis=(0, 1)) for cover in covers]
        assert np.abs(corners[0] - corners[2]).max() > 10

    def test_any_text_will_do(self) -> None:
        """Names are only seeds."""
        opened(drawn("\N{CAT FACE}" * 500, "", ()))

    @pytest.mark.parametrize("title", [str(number) for number in range(8)])
    def test_a_disc_is_drawn_as_far_as_it_reaches(self, title: str) -> None:
        """The mask of a part of the picture has what that of all of it would have, and all of it."""
        figure = hashlib.sha256(title.encode()).digest()
        for number in range(5):
            mask, (left, top) = drawing._disc(figure, number)
            whole = Image.new("L", (1280, 1280), 0)
            whole.paste(mask, (left, top))
            assert whole.tobytes() == _whole_disc(figure, number).tobytes()


class TestSized:
    """Pictures of every kind come out as the same plain JPEGs."""

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_the_usual_kinds(self, kind: str) -> None:
        """Scaled down and encoded again: nothing of the original bytes gets to listeners."""
        options = {"comment": b"secret place"} if kind == "JPEG" else {}
        made = sized(encoded(plain(size=(1600, 800)), kind, **options))
        assert shows(made, RED)
        assert [image.size for image in opened(made)] == [(160, 80), (640, 320), (1280, 640)]
        assert not any(b"secret place" in jpeg for jpeg in made.values())

    @pytest.mark.parametrize(
        ("mode", "kind"),
        [("CMYK", "JPEG"), ("L", "JPEG"), ("P", "PNG"), ("1", "PNG"), ("LA", "PNG"), ("RGBA", "PNG"), ("RGBA", "WEBP")],
    )
    def test_every_mode(self, mode: str, kind: str) -> None:
        """Press files and palettes are taken; a colour stays the colour it was."""
        made = sized(encoded(plain(mode=mode), kind))
        if mode in ("1", "L", "LA"):
            red, green, blue = colour(opened(made)[0])
            assert red == green == blue
        else:
            assert shows(made, RED)

    def test_sixteen_bits(self) -> None:
        """A 16-bit grey is the grey it was, not white."""
        grey = Image.fromarray(np.full((700, 700), 0x4040, dtype=np.uint16))
        assert shows(sized(encoded(grey, "PNG")), (0x40, 0x40, 0x40))

    def test_what_can_be_seen_through_is_on_white(self) -> None:
        """The colour hidden under full transparency is not shown."""
        for mode in ("RGBA", "P"):
            hidden = Image.new("RGBA", (300, 300), (255, 0, 0, 0)).convert(mode)
            assert shows(sized(encoded(hidden, "PNG")), (255, 255, 255))

    def test_animations_show_their_first_picture(self) -> None:
        """No film on a cover."""
        rest = [Image.new("RGB", (300, 300), shade) for shade in ("blue", "green")]
        for kind in ("PNG", "WEBP"):
            film = encoded(plain(size=(300, 300)), kind, save_all=True, append_images=rest, duration=100)
            assert shows(sized(film), RED)

    def test_a_small_picture_is_not_blown_up(self) -> None:
        """It has no more pixels than it has; where it fits several sizes, they are the same bytes."""
        made = sized(encoded(plain(size=(300, 200)), "PNG"))
        assert [image.size for image in opened(made)] == [(160, 107), (300, 200), (300, 200)]
        assert made[640] == made[1280]

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_upright(self, orientation: int) -> None:
        """A camera's note on how it was held is followed, and not passed on."""
        upright = plain(BLUE, size=(400, 200))
        upright.paste(RED, (0, 0, 200, 100))  # red is at the top left
        back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the turn that undoes each
        lying = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = opened(sized(encoded(lying, "JPEG", exif=exif)))[1]
        assert image.size == (400, 200)
        assert close(colour(image, (0.25, 0.25)), RED)
        assert close(colour(image, (0.75, 0.75)), BLUE)

    def test_colour_profiles(self) -> None:
        """A picture in other primaries looks as it did; a broken profile does not cost the picture."""
        swapped = _profile_with_red_and_blue_swapped()
        assert shows(sized(encoded(plain(RED), "PNG", icc_profile=swapped)), (RED[2], RED[1], RED[0]))
        assert shows(sized(encoded(plain(RED), "PNG", icc_profile=b"junk" * 50)), RED)
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        assert shows(sized(encoded(plain(RED), "JPEG", icc_profile=srgb)), RED)

    def test_equal_bytes_give_equal_bytes(self) -> None:
        """Always."""
        picture = png(RED, 700)
        assert sized(picture) == sized(picture)
        assert art_of(sized(picture)).art_id == art_of(sized(picture)).art_id != art_of(sized(png(BLUE, 700))).art_id


def _profile_with_red_and_blue_swapped() -> bytes:
    """The sRGB profile, with the names of its red and its blue exchanged: an independent check of the conversion."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(data[128:132], "big")
    for entry in range(132, 132 + 12 * count, 12):
        names = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ", b"rTRC": b"bTRC", b"bTRC": b"rTRC"}
        data[entry : entry + 4] = names.get(bytes(data[entry : entry + 4]), bytes(data[entry : entry + 4]))
    data[84:100] = bytes(16)  # no checksum
    return bytes(data)


def chunked(*chunks: bytes) -> bytes:
    """A PNG of these chunks."""
    framed = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def png_that_claims(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG whose header is all there is of its size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return chunked(header, *chunks, b"IDAT" + zlib.compress(bytes(3 * 1_000_000)), b"IEND")


class TestHostile:
    """Bad pictures are refused, at once and for a reason."""

    @pytest.mark.parametrize("side", [7_100, 10_000, 14_000, 40_000, 65_000])
    def test_decompression_bombs(self, side: int) -> None:
        """Small files that say they are huge are refused by what they say: they take no memory."""
        assert side * side > PIXELS_MAX
        bomb = png_that_claims(side, side)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(PictureRefused, match=f"{side} × {side} pixels"):
            sized(bomb)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 << 10

    @pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
    def test_texts_that_inflate_to_a_gigabyte(self, name: bytes) -> None:
        """They are refused, or left aside: the memory is not taken."""
        packer = zlib.compressobj(9)
        first, again = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
        packed = first + 1023 * again + packer.flush()
        start = name + (b"key\0\1\0\0\0" if name == b"iTXt" else b"key\0\0")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            sized(png_that_claims(500, 500, start + packed))
        except PictureRefused as refused:
            assert str(refused)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200 << 10

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_damaged_pictures(self, kind: str) -> None:
        """Cut off anywhere, a picture is either shown whole or not at all."""
        noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)
        picture = encoded(Image.fromarray(noise), kind)
        for length in (1, 20, 60, len(picture) // 2, len(picture) - 200):
            with pytest.raises(PictureRefused):
                sized(picture[:length])

    @pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM", "EPS"])
    def test_other_formats_are_not_even_parsed(self, kind: str) -> None:
        """Three formats are enough for covers, and three parsers enough to be attacked through."""
        with pytest.raises(PictureRefused):
            pixels_of(encoded(plain(size=(64, 64)), kind))

    def test_flipped_bytes(self) -> None:
        """Whatever the damage, there is a cover or a reason."""
        random = np.random.default_rng(7)
        for kind in ("PNG", "JPEG", "WEBP"):
            picture = encoded(plain(size=(64, 64)), kind)
            for _ in range(20):
                damaged = bytearray(picture)
                for place in random.integers(0, len(picture), 4):
                    damaged[place] = random.integers(0, 256)
                try:
                    opened(sized(bytes(damaged)))
                except PictureRefused as refused:
                    assert str(refused)

    def test_art_is_three_jpegs(self) -> None:
        """Anything else is none."""
        good = sized(png(RED, 100))
        for bad in ({}, good | {640: b""}, good | {160: b"<html>"}, {160: good[160]}):
            with pytest.raises(ValueError, match="no cover art"):
                art_of(bad)


def cover(folder: Path, *embedded: Embedded, complaints: list[str] | None = None) -> Pictures | None:
    """The cover of a track in this folder."""
    return Covers().cover(folder / "a.wav", embedded, complaints if complaints is not None else [])


class TestChoice:
    """Which picture is the cover."""

    @pytest.mark.parametrize(
        "name", ["cover.jpg", "Cover.jpg", "folder.jpeg", "FoLdEr.JPG", "FRONT.PNG", "cover.webp", "AlbumArt.jpg"]
    )
    def test_the_usual_names_in_a_folder(self, tmp_path: Path, name: str) -> None:
        """However they are written."""
        kind = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "webp": "WEBP"}[name.rpartition(".")[2].lower()]
        (tmp_path / name).write_bytes(encoded(plain(), kind))
        assert shows(cover(tmp_path), RED)

    def test_other_names_are_other_pictures(self, tmp_path: Path) -> None:
        """A back cover or a photo is no front."""
        for name in ("back.jpg", "IMG_0001.jpg", "cover.txt", "cover.jpg.part"):
            (tmp_path / name).write_bytes(png(RED, 90))
        assert cover(tmp_path) is None

    def test_the_largest_front_cover(self, tmp_path: Path) -> None:
        """In pixels, wherever it is; of equal ones the embedded one."""
        (tmp_path / "cover.png").write_bytes(png(RED, 300))
        assert shows(cover(tmp_path, Embedded(3, png(BLUE, 200))), RED)
        assert shows(cover(tmp_path, Embedded(3, png(BLUE, 300))), BLUE)
        assert shows(cover(tmp_path, Embedded(3, png(RED, 90)), Embedded(3, png(BLUE, 301))), BLUE)

    def test_a_front_cover_goes_before_other_pictures(self, tmp_path: Path) -> None:
        """However large they are; an icon is none."""
        assert shows(cover(tmp_path, Embedded(4, png(RED, 900)), Embedded(3, png(BLUE, 90))), BLUE)
        assert shows(cover(tmp_path, Embedded(4, png(RED, 90)), Embedded(0, png(BLUE, 90))), BLUE)
        assert shows(cover(tmp_path, Embedded(4, png(RED, 90))), RED)
        assert cover(tmp_path, Embedded(1, png(RED, 32))) is None

    def test_a_bad_picture_does_not_hide_a_good_one(self, tmp_path: Path) -> None:
        """And somebody is told."""
        (tmp_path / "cover.jpg").write_bytes(b"no picture")
        (tmp_path / "folder.png").write_bytes(png(RED, 90))
        complaints: list[str] = []
        assert shows(cover(tmp_path, Embedded(3, png(BLUE, 400)[:200]), complaints=complaints), RED)
        assert len(complaints) == 2
        assert all(complaint.startswith("cover art refused: ") for complaint in complaints)

    def test_discs_share_the_cover_above(self, tmp_path: Path) -> None:
        """An album of several discs has one cover beside their folders; any other folder keeps to itself."""
        (tmp_path / "cover.png").write_bytes(png(RED, 90))
        for name in ("CD2", "Other"):
            (tmp_path / name).mkdir()
        assert shows(cover(tmp_path / "CD2"), RED)
        assert cover(tmp_path / "Other") is None

    def test_a_folder_that_changes(self, tmp_path: Path) -> None:
        """What is remembered of a folder is forgotten when it changes."""
        covers = Covers()
        assert covers.cover(tmp_path / "a.wav", [], []) is None
        (tmp_path / "cover.png").write_bytes(png(RED, 90))
        assert shows(covers.cover(tmp_path / "a.wav", [], []), RED)

    def test_an_album_is_encoded_once(self, tmp_path: Path) -> None:
        """The picture of the track before is known."""
        covers = Covers()
        picture = encoded(Image.effect_noise((1500, 1500), 80).convert("RGB"), "JPEG")
        first = covers.cover(tmp_path / "a.wav", [Embedded(3, picture)], [])
        assert covers.cover(tmp_path / "b.wav", [Embedded(3, picture)], []) is first

    @pytest.mark.timeout(10)
    def test_what_is_no_picture_file(self, tmp_path: Path) -> None:
        """Pipes, folders, dead links and huge files of that name are passed over."""
        os.mkfifo(tmp_path / "cover.jpg")
        (tmp_path / "folder.jpg").mkdir()
        (tmp_path / "front.jpg").symlink_to(tmp_path / "front.jpg")
        (tmp_path / "cover.png").touch()
        os.truncate(tmp_path / "cover.png", 1 << 40)
        assert cover(tmp_path) is None
