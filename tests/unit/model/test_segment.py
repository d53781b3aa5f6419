"""A segmented rendition, a ladder and a package that exist are ones that can be played."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from model.package import Current, Package
from model.protection import Protection, ProtectionMethod
from model.rendition import Codec, Ladder, Rendition
from model.segment import Segment, SegmentedRendition
from tests.unit.model.builders import packages, segmented_renditions

AAC = Rendition(rendition_id="aac-128", codec=Codec.AAC, bitrate_bps=128_000)


@given(segmented_renditions())
def test_the_sums_are_those_of_the_segments(made: SegmentedRendition) -> None:
    """Duration, music and size of the file."""
    assert made.duration_ticks == sum(each.duration_ticks for each in made.segments)
    assert made.media_ticks == made.duration_ticks - made.priming_ticks > 0
    sizes = sum(each.size_bytes for each in made.segments)
    assert made.size_bytes == made.init_size_bytes + made.index_size_bytes + sizes


def _moved(made: SegmentedRendition) -> tuple[Segment, ...]:
    return (replace(made.segments[0], offset_bytes=made.segments[0].offset_bytes + 1), *made.segments[1:])


@pytest.mark.parametrize(
    "change",
    [
        lambda _: {"segments": ()},
        lambda made: {"segments": _moved(made)},
        lambda made: {"segments": (*made.segments, made.segments[-1])},
        lambda made: {"priming_ticks": made.duration_ticks},
        lambda _: {"priming_ticks": -1},
        lambda _: {"timescale": 0},
        lambda made: {"init_size_bytes": 0, "index_size_bytes": made.init_size_bytes + made.index_size_bytes},
        lambda made: {"index_size_bytes": -1, "init_size_bytes": made.init_size_bytes + made.index_size_bytes + 1},
    ],
)
@given(made=segmented_renditions())
def test_what_cannot_be_a_track_file_is_refused(
    made: SegmentedRendition, change: Callable[[SegmentedRendition], dict[str, Any]]
) -> None:
    """No segments, holes, overlaps, priming as long as the track, no timescale, no init section."""
    with pytest.raises(ValueError, match=r"segment|hole|priming"):
        replace(made, **change(made))


FLAC = Rendition(rendition_id="flac", codec=Codec.FLAC, bitrate_bps=0)
MEZZANINE = "../mezzanine/abcdefghijklmnop.mp4"


@given(made=segmented_renditions())
def test_a_track_file_lies_in_the_package_or_is_the_mezzanine(made: SegmentedRendition) -> None:
    """The path is as seen from the package."""
    assert made.track_file_path == "aac-128.mp4"
    assert replace(made, rendition=FLAC, trim_db=0.0, track_file=MEZZANINE).track_file_path == MEZZANINE


@pytest.mark.parametrize(
    "change",
    [
        {"track_file": "other.mp4"},
        {"track_file": "../mezzanine/../../x.mp4"},
        {"track_file": f"{MEZZANINE}\n"},
        {"track_file": "../mezzanine/ABCDEFGHIJKLMNOP.mp4"},
        {"track_file": "../abcdefghijklmnop/aac-128.mp4"},
        {"track_file": MEZZANINE.replace("mp4", "json")},
        {"rendition": AAC},
        {"trim_db": -0.5},
        {"protection": Protection(method=ProtectionMethod.AES_128, key_set="a" * 16, key_id="b" * 26)},
    ],
)
@given(made=segmented_renditions())
def test_nothing_else_can_be_shown_as_a_track_file(made: SegmentedRendition, change: dict[str, Any]) -> None:
    """The origin serves what this path names: no other object of the recording, and no lossy or softer rendition."""
    shared = replace(made, rendition=FLAC, trim_db=0.0, track_file=MEZZANINE, protection=None)
    with pytest.raises(ValueError, match=r"track file|mezzanine"):
        replace(shared, **change)


@given(packages())
def test_a_package_shares_no_mezzanine_but_its_own(made: Package) -> None:
    """Another one is of another level, or of another recording's."""
    shared = replace(made.renditions[0], rendition=FLAC, trim_db=0.0, track_file=MEZZANINE, protection=None)
    own = replace(made, mezzanine_id="abcdefghijklmnop", renditions=(shared,))
    with pytest.raises(ValueError, match="no mezzanine but its own"):
        replace(own, mezzanine_id="abcdefghijklmnoq")


@pytest.mark.parametrize("field", ["duration_ticks", "offset_bytes", "size_bytes"])
def test_a_segment_is_not_empty(field: str) -> None:
    """It has duration and bytes, and lies past the init section."""
    values = {"duration_ticks": 1, "offset_bytes": 1, "size_bytes": 1}
    Segment(**values)
    with pytest.raises(ValueError, match="a segment needs"):
        Segment(**(values | {field: 0}))


@pytest.mark.parametrize(
    "change",
    [
        {"rendition_id": ""},
        {"rendition_id": "../aac"},
        {"rendition_id": "AAC"},
        {"rendition_id": "aac-"},
        {"rendition_id": "aac-128\n"},
        {"bitrate_bps": 0},
        {"bitrate_bps": -1},
        {"codec": Codec.FLAC},
        {"channels": 0},
        {"sample_rate_hz": 0},
    ],
)
def test_an_impossible_rendition_is_refused(change: dict[str, Any]) -> None:
    """Ids are safe in paths, lossless has no rate and everything else has one."""
    with pytest.raises(ValueError, match=r"rendition id|bit rate|must be positive"):
        replace(AAC, **change)


def test_a_ladder_has_rungs_with_ids_of_their_own() -> None:
    """None, or twice the same, is no ladder."""
    for rungs in ((), (AAC, AAC)):
        with pytest.raises(ValueError, match="unique ids"):
            Ladder(renditions=rungs)


@given(packages())
def test_a_package_finds_its_renditions(made: Package) -> None:
    """By id and by codec; what it does not have is None."""
    for each in made.renditions:
        assert made.rendition(each.rendition.rendition_id) is each
    assert made.rendition("nothing") is None
    assert made.codecs == (Codec.AAC,)
    assert made.of(Codec.AAC) == made.renditions


@pytest.mark.parametrize(
    "change",
    [
        lambda _: {"recording_id": "../../etc"},
        lambda _: {"package_id": "current"},
        lambda _: {"target_duration_s": 0},
        lambda _: {"media_samples": 0},
        lambda _: {"renditions": ()},
        lambda made: {"renditions": (made.renditions[0], made.renditions[0])},
    ],
)
@given(made=packages())
def test_an_impossible_package_is_refused(made: Package, change: Callable[[Package], dict[str, Any]]) -> None:
    """Malformed ids, no renditions, the same rendition twice, nothing to play."""
    with pytest.raises(ValueError, match=r"malformed id|renditions|samples"):
        replace(made, **change(made))


def test_the_pointer_holds_ids() -> None:
    """Whatever it names becomes part of a key."""
    with pytest.raises(ValueError, match="malformed id"):
        Current(track_id="abcdefghijklmnopqrst", recording_id="abcdefghijklmnopqrst", package_id="..")
