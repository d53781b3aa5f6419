"""A model as named arrays and back. What comes back is checked: shapes, bounds, order, numbers that are numbers."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from discovery.recommend.content import WIDTH_MAX, Content
from discovery.recommend.model import Model
from discovery.recommend.scorers import Factors, Neighbours
from model.track import is_id

Array = NDArray[Any]
Arrays = Mapping[str, Array]

ITEMS_END = 1_000_000
FACTORS_MAX = 512
TABLES = 2
ID_BYTES_MAX = 32
NUMBER_MAX = 1e9  # what is summed and squared stays a number
_TABLE = ("starts", "targets", "weights", "half_life")
_FACTORS = ("vectors", "gram", "ridges")
_CONTENT = ("vectors", "to_factors")
_ALONE = ("tracks", "artists", "artist_names", "artist_ends", "popularity", "listeners")
NAMES = frozenset(
    [
        *_ALONE,
        *(f"neighbours{table}_{part}" for table in range(TABLES) for part in _TABLE),
        *(f"factors_{part}" for part in _FACTORS),
        *(f"content_{part}" for part in _CONTENT),
    ]
)


def arrays_of(model: Model) -> dict[str, Array]:
    """All of a model."""
    names = [name.encode() for name in model.artist_names]
    arrays: dict[str, Array] = {
        "tracks": np.array([track.encode("ascii") for track in model.tracks], dtype=f"S{ID_BYTES_MAX}"),
        "artists": model.artists,
        "artist_names": np.frombuffer(b"".join(names), dtype=np.uint8),
        "artist_ends": np.cumsum([len(name) for name in names], dtype=np.int64),
        "popularity": model.popularity,
        "listeners": model.listeners,
    }
    for at, table in enumerate(model.neighbours):
        half_life = np.array([table.half_life])
        parts: tuple[Array, ...] = (table.starts, table.targets, table.weights, half_life)
        arrays |= {f"neighbours{at}_{name}": part for name, part in zip(_TABLE, parts, strict=True)}
    if factors := model.factors:
        ridges = np.array([factors.ridge, factors.ridge_each])
        parts = (factors.vectors, factors.gram, ridges)
        arrays |= {f"factors_{name}": part for name, part in zip(_FACTORS, parts, strict=True)}
    if content := model.content:
        arrays |= {"content_vectors": content.vectors, "content_to_factors": content.to_factors}
    return arrays


def model_of(arrays: Arrays) -> Model:
    """The model that these are. Raises ValueError for whatever is none."""
    tracks, names = _tracks(arrays), _names(arrays)
    items = len(tracks)
    factors = _factors(arrays, items)
    return Model(
        tracks=tracks,
        artists=_whole(_of(arrays, "artists", np.int32, items), -1, len(names)),
        artist_names=names,
        popularity=_finite(_of(arrays, "popularity", np.float32, items)),
        listeners=_whole(_of(arrays, "listeners", np.int32, items), 0, 1 << 31),
        neighbours=tuple(
            _neighbours(arrays, f"neighbours{table}_", items)
            for table in range(TABLES)
            if f"neighbours{table}_starts" in arrays
        ),
        factors=factors,
        content=_content(arrays, items, factors),
    )


def _of(arrays: Arrays, name: str, kind: type, *shape: int) -> Array:
    """The array of this name, which must have this type of numbers and this shape."""
    found = arrays.get(name)
    if found is None or found.dtype != np.dtype(kind) or found.shape != shape or not found.flags.c_contiguous:
        raise ValueError(f"{name} is not what it must be")
    return found


def _finite(found: Array) -> Array:
    if not np.isfinite(found).all() or float(np.abs(found).max(initial=0)) > NUMBER_MAX:
        raise ValueError("numbers that are none, or too large")
    return found


def _whole(found: Array, least: int, end: int) -> Array:
    if found.size and not (least <= int(found.min()) and int(found.max()) < end):
        raise ValueError("indices out of bounds")
    return found


def _tracks(arrays: Arrays) -> tuple[str, ...]:
    found = arrays.get("tracks")
    if found is None or found.ndim != 1 or found.dtype != np.dtype(f"S{ID_BYTES_MAX}") or len(found) > ITEMS_END:
        raise ValueError("tracks are not what they must be")
    tracks = tuple(each.decode("ascii") for each in found.tolist())
    if not tracks or len(set(tracks)) != len(tracks) or not all(map(is_id, tracks)):
        raise ValueError("tracks are ids, each once")
    return tracks


def _names(arrays: Arrays) -> tuple[str, ...]:
    ends = arrays.get("artist_ends")
    if ends is None or ends.ndim != 1 or len(ends) > ITEMS_END:
        raise ValueError("artist_ends is not what it must be")
    size = int(ends[-1]) if len(ends) else 0
    _whole(_of(arrays, "artist_ends", np.int64, len(ends)), 0, size + 1)
    text = _of(arrays, "artist_names", np.uint8, size).tobytes()
    bounds = [0, *ends.tolist()]
    if bounds != sorted(bounds):
        raise ValueError("artist_ends do not ascend")
    return tuple(text[first:end].decode() for first, end in pairwise(bounds))


def _neighbours(arrays: Arrays, prefix: str, items: int) -> Neighbours:
    starts = _of(arrays, f"{prefix}starts", np.int64, items + 1)
    if int(starts[0]) != 0 or (np.diff(starts) < 0).any():
        raise ValueError("starts do not ascend")
    size = int(starts[-1])
    targets = _whole(_of(arrays, f"{prefix}targets", np.int32, size), 0, items)
    weights = _finite(_of(arrays, f"{prefix}weights", np.float32, size))
    half_life = float(_finite(_of(arrays, f"{prefix}half_life", np.float64, 1))[0])
    if half_life < 0:
        raise ValueError("a half-life is not negative")
    return Neighbours(starts, targets, weights, half_life)


def _factors(arrays: Arrays, items: int) -> Factors | None:
    if "factors_vectors" not in arrays:
        return None
    width = _width(arrays["factors_vectors"], FACTORS_MAX)
    ridge, each = _finite(_of(arrays, "factors_ridges", np.float64, 2)).tolist()
    if ridge < 0 or each < 0 or ridge + each <= 0:
        raise ValueError("a ridge is positive")
    gram = _finite(_of(arrays, "factors_gram", np.float32, width, width))
    if np.linalg.eigvalsh(gram.astype(np.float64)).min() + ridge + each <= 0:
        raise ValueError("a sum of outer products is not negative")  # with a ridge it can always be solved
    vectors = _finite(_of(arrays, "factors_vectors", np.float32, items, width))
    return Factors(vectors=vectors, gram=gram, ridge=ridge, ridge_each=each)


def _content(arrays: Arrays, items: int, factors: Factors | None) -> Content | None:
    if "content_vectors" not in arrays:
        return None
    width = _width(arrays["content_vectors"], WIDTH_MAX)
    vectors = _finite(_of(arrays, "content_vectors", np.float32, items, width))
    to_width = factors.vectors.shape[1] if factors else 1
    return Content(vectors, _finite(_of(arrays, "content_to_factors", np.float32, width, to_width)))


def _width(found: Array, most: int) -> int:
    if found.ndim != 2 or not 0 < found.shape[1] <= most:
        raise ValueError("vectors are too wide, or none")
    return int(found.shape[1])
