"""Records survive the store, and whatever else lies there is refused by one typed error."""

import json
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.analysis import Analysis, Signs
from model.errors import RecordMalformed
from model.loudness import LoudnessReport
from model.package import Current, Package
from model.records import from_json, to_json
from model.track import Track
from tests.unit.model.builders import TRACKS, packages, track

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
SUBJECT = "tracks/x/track.json"


@given(TRACKS)
def test_a_track_comes_back_as_it_was(made: Track) -> None:
    """Every field, every float to its last bit; and the same record gives the same bytes."""
    data = to_json(made)
    assert from_json(Track, data, subject=SUBJECT) == made
    assert to_json(from_json(Track, data, subject=SUBJECT)) == data


@given(packages())
def test_a_package_comes_back_as_it_was(made: Package) -> None:
    """With all its renditions and segments."""
    assert from_json(Package, to_json(made), subject=SUBJECT) == made


def test_fields_of_a_newer_writer_are_ignored() -> None:
    """Anywhere in the record."""
    record = json.loads(to_json(track()))
    record["mood"] = {"energy": [1, None]}
    record["tags"]["opus"] = "BWV 1080"
    assert from_json(Track, json.dumps(record).encode(), subject=SUBJECT) == track()


def test_fields_with_defaults_may_be_absent() -> None:
    """An older writer did not know them; those without a default must be there."""
    record = json.loads(to_json(track()))
    del record["tags"]["isrc"]
    assert from_json(Track, json.dumps(record).encode(), subject=SUBJECT) == track()
    del record["mezzanine"]["media_samples"]
    with pytest.raises(RecordMalformed, match=r"`media_samples` - at `\$\.mezzanine`.*tracks/x/track\.json") as refused:
        from_json(Track, json.dumps(record).encode(), subject=SUBJECT)
    assert refused.value.hint


@given(packages())
def test_the_error_names_the_place(made: Package) -> None:
    """Through lists and records, to the value that is wrong."""
    record = json.loads(to_json(made))
    record["renditions"][0]["segments"][-1]["size_bytes"] = "7"
    last = len(record["renditions"][0]["segments"]) - 1
    place = rf"Expected `int`, got `str` - at `\$\.renditions\[0\]\.segments\[{last}\]\.size_bytes`"
    with pytest.raises(RecordMalformed, match=place):
        from_json(Package, json.dumps(record).encode(), subject=SUBJECT)


@given(st.binary(max_size=200))
def test_junk_bytes_are_refused(data: bytes) -> None:
    """Nothing but RecordMalformed."""
    with pytest.raises(RecordMalformed):
        from_json(Current, data, subject=SUBJECT)


@given(JSON)
def test_json_of_another_shape_is_refused(value: Any) -> None:
    """Nothing but RecordMalformed."""
    with pytest.raises(RecordMalformed):
        from_json(Track, json.dumps(value).encode(), subject=SUBJECT)


@given(data=st.data(), value=JSON)
def test_a_record_with_one_odd_value_is_refused_or_can_be_written_again(data: st.DataObject, value: Any) -> None:
    """Whatever a single field holds: a typed error, or a record that survives the next round trip."""
    record = json.loads(to_json(track()))
    place = data.draw(st.sampled_from([record, *(each for each in record.values() if isinstance(each, dict))]))
    place[data.draw(st.sampled_from(sorted(place)))] = value
    with suppress(RecordMalformed):
        read = from_json(Track, json.dumps(record).encode(), subject=SUBJECT)
        assert from_json(Track, to_json(read), subject=SUBJECT) == read


@pytest.mark.parametrize(
    ("field", "spelled"),
    [
        ("applied_db", "NaN"),
        ("applied_db", "Infinity"),
        ("applied_db", "1e999"),
        ("applied_db", "1" + "0" * 400),
        ("withheld_db", "9" * 5_000),
        ("withheld_db", "true"),
        ("media_samples", "1.0"),
        ("media_samples", "true"),
        ("source_name", '"half a pair: \\ud83d"'),
        ("source_name", "7"),
        ("tags", "[]"),
    ],
)
def test_values_that_json_can_spell_but_no_record_has(field: str, spelled: str) -> None:
    """Not-a-number, infinity, integers past any float, halves of characters, booleans for numbers."""
    text = to_json(track()).decode()
    start = text.index(f'"{field}": ') + len(f'"{field}": ')
    decoder = json.JSONDecoder()
    _, end = decoder.raw_decode(text, start)
    with pytest.raises(RecordMalformed):
        from_json(Track, (text[:start] + spelled + text[end:]).encode(), subject=SUBJECT)


def test_a_long_record_takes_little_memory() -> None:
    """Of numbers over time, eight bytes each; and to write them no more than some times the text."""
    steps = [round(0.1 + number / 7**7, 6) for number in range(30_000)]
    loudness, signs = (
        LoudnessReport(integrated_lufs=None),
        Signs(clipped_runs=0, silence_start_s=0, silence_end_s=0, mono=False, bandwidth_hz=None, cliff_db=None),
    )
    tracemalloc.start()
    try:
        made = Analysis(
            recording_id="a" * 26, meter="meter", sample_rate_hz=48_000, samples=1,
            loudness=loudness, energies=steps, peaks=steps, signs=signs,
        )  # fmt: skip
        kept, _ = tracemalloc.get_traced_memory()
        data = to_json(made)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 9 * 2 * len(steps)
    assert most - kept < 4 * len(data)
    assert json.loads(data)["peaks"] == steps
    assert from_json(Analysis, data, subject=SUBJECT) == made


def test_what_no_record_holds_is_our_own_mistake() -> None:
    """A set has no order that a text could keep."""
    with pytest.raises(TypeError, match="no record holds a set"):
        to_json({"found": {1, 2}})


def test_a_pit_of_brackets_is_refused() -> None:
    """Nesting that no recursion survives."""
    with pytest.raises(RecordMalformed):
        from_json(Track, b"[" * 200_000, subject=SUBJECT)
