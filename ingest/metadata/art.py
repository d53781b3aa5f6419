"""Cover art of a track: the same picture in three sizes, known by its bytes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from model.track import ART_SIDES, derived_id

ART_BYTES_MAX = 32 << 20  # of a picture as it comes
JPEG_BYTES_MAX = 8 << 20  # noise at 1,280 pixels a side has 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Art:
    """JPEGs of at most so many pixels a side, one for each of ART_SIDES; equal pictures have an equal `art_id`."""

    art_id: str
    pictures: dict[int, bytes]


def art_of(pictures: Mapping[int, bytes]) -> Art:
    """The art that these pictures are. Raises ValueError if a size is missing, or something is no JPEG."""
    kept = {side: pictures[side] for side in ART_SIDES if _is_jpeg(pictures.get(side, b""))}
    if len(kept) != len(ART_SIDES):
        raise ValueError("no cover art: a size is missing or no JPEG")
    digests = (hashlib.sha256(picture).hexdigest() for picture in kept.values())
    return Art(art_id=derived_id(*digests), pictures=kept)


def _is_jpeg(data: bytes) -> bool:
    return len(data) <= JPEG_BYTES_MAX and data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9")
