"""Cover art: what the source or its folder has, re-encoded; else a cover drawn from the track's names."""

import colorsys
import errno
import hashlib
import io
import logging
import struct
from collections.abc import Iterator
from itertools import chain

from PIL import Image, ImageDraw, ImageFilter

from ingest.scan import Source, plain_file
from ingest.tags import ART_BYTES_MAX
from model.track import TrackTags

log = logging.getLogger(__name__)

SIDE_PIXELS = 640
_PICTURE_ERRORS = (OSError, ValueError, LookupError, TypeError, SyntaxError, ArithmeticError, MemoryError, struct.error)
PIXELS_MAX = 50_000_000  # more is taken for a decompression bomb
_FORMATS = ("JPEG", "PNG", "WEBP")
_STEMS = ("cover", "folder", "front")
_SUFFIXES = ("jpg", "jpeg", "png", "webp")
_LOWER = tuple(f"{stem}.{suffix}" for stem in _STEMS for suffix in _SUFFIXES)
# Looking for each costs less than listing a folder of ten thousand tracks for each of them.
_FOLDER_NAMES = (*_LOWER, *(name.capitalize() for name in _LOWER), *(name.upper() for name in _LOWER))
Image.MAX_IMAGE_PIXELS = None  # ours is lower, and refuses where Pillow's warns


def cover_art(source: Source, tags: TrackTags, embedded: bytes | None) -> bytes:
    """A JPEG of at most 640 pixels a side. Blocking; never raises for bad art: it is drawn then."""
    pictures = chain([embedded] if embedded else [], _folder_art(source))
    found = next((art for picture in pictures if (art := _reencoded(picture, source))), None)
    return found or drawn(tags)


def _folder_art(source: Source) -> Iterator[bytes]:
    for name in _FOLDER_NAMES:
        try:
            with open(source.path.parent / name, "rb", opener=plain_file) as file:
                picture = file.read(ART_BYTES_MAX + 1)
        except OSError as error:
            if error.errno != errno.ENOENT:
                log.warning("folder art unreadable", extra={"source": source.name, "reason": str(error)})
            continue
        if len(picture) <= ART_BYTES_MAX:
            yield picture


def _reencoded(picture: bytes, source: Source) -> bytes | None:
    """The picture as a JPEG of our size, None if it is not one that we take."""
    try:
        with Image.open(io.BytesIO(picture), formats=_FORMATS) as image:
            if image.width * image.height > PIXELS_MAX:
                raise ValueError(f"{image.width} × {image.height} pixels")
            image.draft("RGB", (2 * SIDE_PIXELS, 2 * SIDE_PIXELS))
            flat = _opaque(image)
            flat.thumbnail((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.LANCZOS)
            return _jpeg(flat)
    except _PICTURE_ERRORS as error:
        log.warning("cover art refused", extra={"source": source.name, "reason": f"{type(error).__name__}: {error}"})
        return None


def _opaque(image: Image.Image) -> Image.Image:
    """In RGB: 16 bits brought down to 8, and white behind what can be seen through."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda level: level / 257).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    seen.thumbnail((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.LANCZOS)
    behind = Image.new("RGBA", seen.size, "white")
    return Image.alpha_composite(behind, seen).convert("RGB")


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=86, optimize=True)
    return out.getvalue()


def drawn(tags: TrackTags) -> bytes:
    """A cover made of overlapping discs; tracks of one album share their colours, each has its own figure."""
    album = hashlib.sha256("\0".join((tags.album or tags.title, *tags.artists)).encode()).digest()
    track = hashlib.sha256(tags.title.encode()).digest()
    hue = album[0] / 256
    side = SIDE_PIXELS * 2  # drawn at twice the size and scaled down: smooth edges
    image = Image.new("RGB", (side, side), _colour(hue, 0.55, 0.16))
    for number in range(5):
        x, y, size = (track[3 * number + place] / 255 for place in range(3))
        radius = side * (0.18 + 0.34 * size)
        centre = (side * (0.1 + 0.8 * x), side * (0.1 + 0.8 * y))
        box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
        mask = Image.new("L", (side, side), 0)
        ImageDraw.Draw(mask).ellipse(box, fill=150 if number % 2 else 200)
        if number < 2:
            mask = mask.filter(ImageFilter.GaussianBlur(side / 14))
        colour = _colour((hue + (album[1 + number] / 255 - 0.5) * 0.32) % 1, 0.72, 0.38 + 0.11 * number)
        image.paste(colour, (0, 0, side, side), mask)
    return _jpeg(image.resize((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.LANCZOS))


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
