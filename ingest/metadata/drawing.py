"""The cover of a track that has none: overlapping discs, drawn from its names."""

import colorsys
import hashlib
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFilter

from ingest.metadata.pictures import jpegs
from model.track import ART_SIDES

_SIDE = max(ART_SIDES)
_SOFT_SIDE = _SIDE // 4  # what is blurred needs no more pixels
_EDGE = 2  # a bicubic filter reaches that far
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
        mask, place = _disc(figure, number)
        image.paste(_colour(shade, 0.72, 0.38 + 0.11 * number), place, mask)
    return jpegs(image)


def _disc(figure: bytes, number: int) -> tuple[Image.Image, tuple[int, int]]:
    """How much a disc covers of the picture, from this place on: the first are soft, the others have smooth edges."""
    soft = number < _SOFT_DISCS
    side = _SOFT_SIDE if soft else 2 * _SIDE
    x, y, size = (figure[3 * number + place] / 255 for place in range(3))
    radius = side * (0.18 + 0.34 * size)
    across, down = side * (0.1 + 0.8 * x), side * (0.1 + 0.8 * y)
    box = (int(across - radius), int(down - radius), int(across + radius), int(down + radius))
    fill = 150 if number % 2 else 200
    if soft:
        return _enlarged(_ellipse((0, 0, side, side), box, fill).filter(ImageFilter.GaussianBlur(side / 14)))
    # What it does not reach needs no mask; whole pixels of the picture, and of the mask twice as many each way.
    left, top = (max(0, edge // 2) for edge in box[:2])
    right, bottom = (min(_SIDE, edge // 2 + 1) for edge in box[2:])
    return _ellipse((2 * left, 2 * top, 2 * right, 2 * bottom), box, fill).reduce(2), (left, top)


def _enlarged(soft: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
    """As much of a soft mask as there is anything in, with what the filter makes of its edge, and where it begins."""
    times = _SIDE // _SOFT_SIDE
    left, top, right, bottom = soft.getbbox() or (0, 0, 1, 1)
    part = (max(0, left - _EDGE), max(0, top - _EDGE), min(_SOFT_SIDE, right + _EDGE), min(_SOFT_SIDE, bottom + _EDGE))
    size = (times * (part[2] - part[0]), times * (part[3] - part[1]))
    return soft.resize(size, Image.Resampling.BICUBIC, box=part), (times * part[0], times * part[1])


def _ellipse(part: tuple[int, int, int, int], box: tuple[int, int, int, int], fill: int) -> Image.Image:
    """A mask of this part of the plane, with the ellipse that fills this box."""
    left, top, right, bottom = part
    mask = Image.new("L", (right - left, bottom - top), 0)
    ImageDraw.Draw(mask).ellipse((box[0] - left, box[1] - top, box[2] - left, box[3] - top), fill=fill)
    return mask


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
