"""The cover of a track that has none: overlapping discs, drawn from its names."""

import colorsys
import hashlib
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFilter

from ingest.metadata.pictures import jpegs
from model.track import ART_SIDES

_SIDE = max(ART_SIDES)
_SOFT_SIDE = _SIDE // 4  # what is blurred needs no more pixels
_DISCS = 5
_SOFT_DISCS = 2


def drawn(title: str, album: str, artists: Sequence[str]) -> dict[int, bytes]:
    """A JPEG for each of ART_SIDES; tracks of one album share their colours, each has its own figure."""
    colours = hashlib.sha256("\0".join((album or title, *artists)).encode()).digest()
    figure = hashlib.sha256(title.encode()).digest()
    hue = colours[0] / 256
    image = Image.new("RGB", (_SIDE, _SIDE), _colour(hue, 0.55, 0.16))
    for number in range(_DISCS):
        shade = (hue + (colours[1 + number] / 255 - 0.5) * 0.32) % 1
        disc, corner = _disc(figure, number)
        image.paste(_colour(shade, 0.72, 0.38 + 0.11 * number), corner, disc)
    return jpegs(image)


def _disc(figure: bytes, number: int) -> tuple[Image.Image, tuple[int, int]]:
    """How much a disc covers of the part of the picture where it is, and that part's corner.

    The first are soft, and everywhere; the others have smooth edges.
    """
    soft = number < _SOFT_DISCS
    side = _SOFT_SIDE if soft else 2 * _SIDE
    x, y, size = (figure[3 * number + place] / 255 for place in range(3))
    radius = side * (0.18 + 0.34 * size)
    across, down = side * (0.1 + 0.8 * x), side * (0.1 + 0.8 * y)
    box = (int(across - radius), int(down - radius), int(across + radius), int(down + radius))
    left, top = (0, 0) if soft else (max(0, edge // 2 * 2) for edge in box[:2])
    right, bottom = (side, side) if soft else (min(side, edge // 2 * 2 + 2) for edge in box[2:])
    mask = Image.new("L", (right - left, bottom - top), 0)
    moved = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    ImageDraw.Draw(mask).ellipse(moved, fill=150 if number % 2 else 200)
    if soft:
        mask = mask.filter(ImageFilter.GaussianBlur(side / 14)).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        return mask, (0, 0)
    return mask.reduce(2), (left // 2, top // 2)


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
