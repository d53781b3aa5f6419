"""Features as rows: beside the tracks, for not every track has them."""

import struct
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from model.features import Features, KeyMode

FEATURE_COLUMNS = tuple(field.name for field in fields(Features))
FEATURES_TABLE = """CREATE TABLE features (
    track_id TEXT PRIMARY KEY, recording_id TEXT NOT NULL, format TEXT NOT NULL, level_lufs REAL, range_lu REAL,
    energy REAL NOT NULL, tempo_bpm REAL, tempo_confidence REAL NOT NULL, key INTEGER, mode TEXT,
    key_confidence REAL NOT NULL, timbre BLOB NOT NULL
) WITHOUT ROWID"""
UPSERT_FEATURES = (
    f"INSERT OR REPLACE INTO features (track_id, {', '.join(FEATURE_COLUMNS)}) "
    f"VALUES ({', '.join('?' * (len(FEATURE_COLUMNS) + 1))})"
)

# What of a row mixes are made with: as it lies there, for a whole library is read at once.
SOUND_COLUMNS = ("energy", "tempo_bpm", "tempo_confidence", "key", "mode", "key_confidence", "timbre")


class SoundRow(NamedTuple):
    """What a live track sounds like, as Features has it. `timbre` are 64-bit numbers, the least byte first."""

    track_id: str
    artist_id: str
    energy: float
    tempo_bpm: float | None
    tempo_confidence: float
    key: int | None
    mode: str | None
    key_confidence: float
    timbre: bytes


def sound_row(track_id: str, artist_id: str, features: Features) -> SoundRow:
    """The row that these features become."""
    known = {name: getattr(features, name) for name in SOUND_COLUMNS[:-1]}
    return SoundRow(track_id=track_id, artist_id=artist_id, timbre=_packed(features.timbre), **known)


def _packed(timbre: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(timbre)}d", *timbre)


def feature_values(track_id: str, features: Features) -> tuple[object, ...]:
    """What UPSERT_FEATURES takes."""
    known = {name: getattr(features, name) for name in FEATURE_COLUMNS}
    return (track_id, *(known | {"timbre": _packed(features.timbre)}).values())


def features_in(values: Sequence[Any]) -> Features:
    """The features with these values, in the order of FEATURE_COLUMNS."""
    known = dict(zip(FEATURE_COLUMNS, values, strict=True))
    mode = None if known["mode"] is None else KeyMode(known["mode"])
    return Features(
        **(known | {"mode": mode, "timbre": struct.unpack(f"<{len(known['timbre']) // 8}d", known["timbre"])})
    )
