"""Track files against the specifications, rule by rule, read by a reader that shares no code with the writer.

The rules are in tests/support/cmaf_rules.py, each with its clause; they hold for what ffmpeg encodes as well
(tests/integration/packager/test_boxes_of_files.py).
"""

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model.loudness import LoudnessReport
from model.rendition import Codec
from tests.support.box_reader import Box, BoxError
from tests.support.cmaf_rules import RULES, CmafFile
from tests.unit.cmaf.samples import LOUDNESS, PRIMING_TICKS, made

ALBUM = LoudnessReport(integrated_lufs=-11.3, true_peak_dbtp=-0.21)
# The lengths that go wrong first: 0.1 s, one frame, one segment, each ± 1 sample; and more than the ramp.
LENGTHS = [4_800, 1, 959, 960, 961, 1_023, 1_024, 1_025, 3_839, 3_840, 3_841, 46_079, 46_080, 46_081, 960_007]
# What no rule can know: names, identifiers to come, measured values, and what an encoder chose, by box and byte.
FREE = {
    "ftyp": range(24, 28),
    "mvhd": range(104, 108),
    "elst": range(20, 24),
    "hdlr": range(32, 37),
    "tlou": (15, 16, 20),
    "alou": (15, 16, 20),
    "dOps": range(10, 12),
    "dfLa": (*range(20, 26), *range(34, 50)),
}


@cache
def _file(codec: Codec, samples: int = 48_007) -> CmafFile:
    return CmafFile(made(codec, samples, album_loudness=ALBUM).data)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("codec", list(Codec))
def test_a_track_file_keeps_every_rule(rule: Callable[[CmafFile], None], codec: Codec) -> None:
    """At every odd length."""
    for samples in LENGTHS:
        rule(_file(codec, samples))


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("samples", LENGTHS)
def test_the_durations_are_the_music_and_the_priming(codec: Codec, samples: int) -> None:
    """What decoders are told to play is what went in, to the sample."""
    file = _file(codec, samples)
    assert file.priming_ticks == PRIMING_TICKS[codec]
    assert sum(file.durations) - file.priming_ticks == samples


def _sound(data: bytes) -> bool:
    file = CmafFile(data)
    try:
        for rule in RULES:
            rule(file)
    except (AssertionError, BoxError, ValueError, KeyError, IndexError, StopIteration):
        return False
    return True


def _innermost(boxes: list[Box], at: int) -> Box | None:
    for box in boxes:
        if box.start <= at < box.start + box.size:
            return _innermost(box.boxes, at) or box
    return None


@given(codec=st.sampled_from(list(Codec)), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@example(codec=Codec.AAC, place=0.0, bit=7)
def test_no_bit_of_a_header_is_left_unread(codec: Codec, place: float, bit: int) -> None:
    """The rules are strict: whichever bit of header, index or first fragment is turned, one of them breaks."""
    file = _file(codec)
    at = int(place * (file.fragments[0][1].start + 8))
    box = _innermost(file.boxes, at)
    assert box is not None
    damaged = bytearray(file.data)
    damaged[at] ^= 1 << bit
    if at - box.start not in FREE.get(box.type, ()):
        assert not _sound(bytes(damaged)), f"{box.type}, byte {at - box.start}"


@pytest.mark.parametrize("codec", list(Codec))
def test_loudness_is_told_of_track_and_album(codec: Codec) -> None:
    """ISO/IEC 23003-4: (LUFS + 57.75) × 4 and (20 − dBTP) × 32, rounded, each by hand."""
    ludt = _file(codec).trak.one("udta/ludt")
    assert [box.type for box in ludt.boxes] == ["tlou", "alou"]
    assert (LOUDNESS.integrated_lufs, LOUDNESS.true_peak_dbtp) == (-14.1, -1.3)
    assert [(box.rows[0]["value"], box["true_peak"]) for box in ludt.boxes] == [(175, 682), (186, 647)]


@pytest.mark.parametrize("codec", list(Codec))
def test_loudness_that_is_not_there_is_not_told(codec: Codec) -> None:
    """Silence on an album that is not silent, an album of silence, and no peak: nothing is made up."""
    silent, peakless = LoudnessReport(integrated_lufs=None), LoudnessReport(integrated_lufs=-14.0)
    quiet = CmafFile(made(codec, 4_800, loudness=silent, album_loudness=ALBUM).data)
    assert [box.type for box in quiet.trak.one("udta/ludt").boxes] == ["alou"]
    both = CmafFile(made(codec, 4_800, loudness=silent, album_loudness=silent).data)
    assert both.trak.all("udta") == []
    single = CmafFile(made(codec, 4_800, loudness=peakless).data)
    (tlou,) = single.trak.one("udta/ludt").boxes
    assert (tlou["true_peak"], tlou["peak_system"], tlou["peak_reliability"]) == (0, 0, 0)
    for file in (quiet, both, single):
        for rule in RULES:
            rule(file)
