"""Features as rows: beside the tracks, for not every track has them."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from model.features import Features, KeyMode

FEATURE_COLUMNS = tuple(field.name for field in fields(Features))
FEATURES_TABLE = """CREATE TABLE features (
    track_id TEXT PRIMARY KEY, recording_id TEXT NOT NULL, format TEXT NOT NULL, level_lufs REAL, range_lu REAL,
    energy REAL NOT NULL, tempo_bpm REAL, tempo_confidence REAL NOT NULL, key INTEGER, mode TEXT,
    key_confidence REAL NOT NULL, timbre TEXT NOT NULL
) WITHOUT ROWID"""
UPSERT_FEATURES = (
    f"INSERT OR REPLACE INTO features (track_id, {', '.join(FEATURE_COLUMNS)}) "
    f"VALUES ({', '.join('?' * (len(FEATURE_COLUMNS) + 1))})"
)


def feature_values(track_id: str, features: Features) -> tuple[object, ...]:
    """What UPSERT_FEATURES takes."""
    known = {name: getattr(features, name) for name in FEATURE_COLUMNS}
    return (track_id, *(known | {"timbre": json.dumps(features.timbre)}).values())


def features_in(values: Sequence[Any]) -> Features:
    """The features with these values, in the order of FEATURE_COLUMNS."""
    known = dict(zip(FEATURE_COLUMNS, values, strict=True))
    mode = None if known["mode"] is None else KeyMode(known["mode"])
    return Features(**(known | {"mode": mode, "timbre": tuple(json.loads(known["timbre"]))}))
