"""Pictures made into cover art, through Pillow. For the confined child only: pictures are hostile."""

import io
import struct
from contextlib import suppress

from PIL import Image, ImageCms, ImageFile

from model.track import ART_SIDES

PIXELS_MAX = 50_000_000  # more is taken for a decompression bomb
QUALITY = 85
_PICTURE_ERRORS = (OSError, ValueError, LookupError, TypeError, SyntaxError, ArithmeticError, MemoryError, struct.error)
_FORMATS = ("JPEG", "PNG", "WEBP")
_LARGEST = max(ART_SIDES)
_ORIENTATION = 0x0112  # Exif
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SRGB = ImageCms.createProfile("sRGB")
_PROFILED = frozenset(["RGB", "CMYK", "L"])
Image.MAX_IMAGE_PIXELS = None  # ours is lower, and refuses where Pillow's warns


class PictureRefused(Exception):
    """Not a picture that we take; says why."""


def pixels_of(picture: bytes) -> int:
    """How many pixels it says it has. Raises PictureRefused, also for more than PIXELS_MAX."""
    try:
        with _opened(picture) as image:
            return image.width * image.height
    except _PICTURE_ERRORS as error:
        raise PictureRefused(f"{type(error).__name__}: {error}") from error


def sized(picture: bytes) -> dict[int, bytes]:
    """The picture as a JPEG for each of ART_SIDES, upright, in sRGB, without metadata, never larger than it is.

    Of an animation the first picture. Equal bytes give equal bytes. Raises PictureRefused.
    """
    try:
        with _opened(picture) as image:
            return jpegs(_upright(image))
    except _PICTURE_ERRORS as error:
        raise PictureRefused(f"{type(error).__name__}: {error}") from error


def _opened(picture: bytes) -> ImageFile.ImageFile:
    image = Image.open(io.BytesIO(picture), formats=_FORMATS)
    if image.width * image.height > PIXELS_MAX:
        raise ValueError(f"{image.width} × {image.height} pixels")
    return image


def _upright(image: ImageFile.ImageFile) -> Image.Image:
    """In RGB, of our largest size at most, and turned as its maker meant it to be seen."""
    turn = None
    with suppress(*_PICTURE_ERRORS):  # a picture is worth more than its Exif
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    profile = image.info.get("icc_profile")
    image.draft("RGB", (2 * _LARGEST, 2 * _LARGEST))
    flat = _opaque(image)
    flat.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
    seen = _srgb(flat, profile)
    return seen.transpose(turn) if turn is not None else seen


def _opaque(image: Image.Image) -> Image.Image:
    """In RGB, CMYK or grey: 16 bits brought down to 8, and white behind what can be seen through."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda level: level / 257).convert("L")
    if not image.has_transparency_data:
        return image.copy() if image.mode in _PROFILED else image.convert("RGB")
    seen = image.convert("RGBA")
    seen.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
    behind = Image.new("RGBA", seen.size, "white")
    return Image.alpha_composite(behind, seen).convert("RGB")


def _srgb(image: Image.Image, profile: object) -> Image.Image:
    """Colours as its profile means them; a profile that fits the picture badly counts as none."""
    if isinstance(profile, bytes) and profile:
        with suppress(ImageCms.PyCMSError, *_PICTURE_ERRORS):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            seen = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
            if seen is not None:
                return seen
    return image.convert("RGB")


def jpegs(image: Image.Image) -> dict[int, bytes]:
    """The picture (RGB) for each of ART_SIDES."""
    made = {}
    for side in sorted(ART_SIDES, reverse=True):  # each from the one before: less to scale
        image = _fitted(image, side)
        made[side] = _jpeg(image)
    return made


def _fitted(image: Image.Image, side: int) -> Image.Image:
    smaller = image.copy()
    smaller.thumbnail((side, side), Image.Resampling.LANCZOS)
    smaller.info = {}  # profile and comment would go into the file
    return smaller


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, subsampling="4:2:0", optimize=True, progressive=True)
    return out.getvalue()
