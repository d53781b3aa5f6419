"""Features as a record."""

from dataclasses import replace

import pytest

from model.errors import RecordMalformed
from model.features import FEATURES, TIMBRE, Features, KeyMode
from model.records import from_json, to_json

SOME = Features(
    recording_id="r" * 20,
    format=FEATURES,
    level_lufs=-9.5,
    range_lu=None,
    energy=0.7,
    tempo_bpm=120.0,
    tempo_confidence=0.5,
    key=0,
    mode=KeyMode.MINOR,
    key_confidence=0.25,
    timbre=(0.5,) * TIMBRE,
)


def test_a_record_of_features_is_read_back_as_it_was() -> None:
    """Features survive JSON."""
    assert from_json(Features, to_json(SOME), subject="x") == SOME


@pytest.mark.parametrize(
    "wrong",
    [
        {"recording_id": "../x"},
        {"energy": 1.5},
        {"energy": float("nan")},
        {"tempo_confidence": -0.1},
        {"tempo_bpm": 0.0},
        {"key": 12},
        {"key": None},
        {"mode": None},
        {"level_lufs": float("inf")},
        {"timbre": (0.0,)},
        {"timbre": (float("nan"),) * TIMBRE},
    ],
)
def test_nonsense_is_no_features(wrong: dict[str, object]) -> None:
    """A value that exists is valid."""
    with pytest.raises(ValueError):
        replace(SOME, **wrong)  # type: ignore[arg-type]


def test_junk_is_a_typed_error() -> None:
    """What another program wrote is told as such."""
    with pytest.raises(RecordMalformed):
        from_json(Features, to_json(SOME).replace(b'"minor"', b'"dorian"'), subject="x")


def test_features_of_another_version_may_have_another_timbre() -> None:
    """An older record can still be read, so that it can be told to be old."""
    assert replace(SOME, format="features 0", timbre=(1.0,)).timbre == (1.0,)
