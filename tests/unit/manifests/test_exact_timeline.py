"""Playlists of track files of any length against the bytes, by brute force and by another reader."""

import re
from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manifests.build import average_bandwidth_bps, media_playlist, peak_bandwidth_bps, target_duration_s
from manifests.render import render
from model.rendition import Codec, Rendition
from model.segment import SegmentedRendition
from tests.support.cmaf_rules import CmafFile
from tests.unit.cmaf.samples import FRAME_TICKS, LOUDNESS, PRIMING_TICKS, Made, made

RATE = 48_000
SEGMENT = 46_080
THREE_HOURS = 3 * 3600 * RATE
_EXTINF = re.compile(r"#EXTINF:(\d+)\.(\d{6}),\n#EXT-X-BYTERANGE:(\d+)@(\d+)\n")


def _segmented(codec: Codec, one: Made) -> SegmentedRendition:
    rendition = Rendition(rendition_id=f"{codec}-1", codec=codec, bitrate_bps=0 if codec is Codec.FLAC else 64_000)
    return SegmentedRendition(
        rendition=rendition,
        timescale=one.file.timescale,
        priming_ticks=one.file.priming_ticks,
        init_size_bytes=one.file.init_size_bytes,
        index_size_bytes=one.file.index_size_bytes,
        segments=one.file.segments,
        sha256=one.file.sha256,
        loudness=LOUDNESS,
    )


def _largest_rate(sizes: list[int], ticks: list[int], target_s: int) -> Fraction:
    """Of all runs of segments that last half to one and a half target durations; of everything where none does."""
    bytes_to, ticks_to = list(accumulate(sizes, initial=0)), list(accumulate(ticks, initial=0))
    most, during = 0, 1
    for first in range(len(sizes)):
        for end in range(first + 1, len(sizes) + 1):
            size, lasting = bytes_to[end] - bytes_to[first], ticks_to[end] - ticks_to[first]
            if target_s * RATE <= 2 * lasting <= 3 * target_s * RATE and size * during > most * lasting:
                most, during = size, lasting
    return Fraction(8 * RATE * most, during) if most else Fraction(8 * RATE * bytes_to[-1], ticks_to[-1])


def _check(codec: Codec, samples: int) -> None:
    one = made(codec, samples)
    file, rendition = CmafFile(one.data), _segmented(codec, one)
    sizes = [moof.size + mdat.size for moof, mdat in file.fragments]
    ticks = [file.ticks_of(moof) for moof, _ in file.fragments]
    assert sum(ticks) - file.priming_ticks == samples
    target_s = target_duration_s([rendition])
    text = render(media_playlist(rendition, target_duration_s=target_s, track_file_uri="a.mp4")).decode()
    lines = [tuple(map(int, found)) for found in _EXTINF.findall(text)]
    assert [(size, at) for _, _, size, at in lines] == [
        (size, moof.start) for size, (moof, _) in zip(sizes, file.fragments, strict=True)
    ]
    microseconds = [seconds * 1_000_000 + rest for seconds, rest, _, _ in lines]
    for told, true in zip(accumulate(microseconds), accumulate(ticks), strict=True):
        assert abs(Fraction(told, 1_000_000) - Fraction(true, RATE)) < Fraction(1, RATE)
    assert target_s == max(1, *(int(Fraction(each, 1_000_000) + Fraction(1, 2)) for each in microseconds))
    peak = peak_bandwidth_bps(rendition.segments, RATE, target_s)
    average = average_bandwidth_bps(rendition.segments, RATE)
    assert peak == pytest.approx(float(_largest_rate(sizes, ticks, target_s)), rel=0.01)
    assert average == pytest.approx(float(Fraction(8 * RATE * sum(sizes), sum(ticks))), rel=0.01)


@given(codec=st.sampled_from(list(Codec)), samples=st.integers(1, 40 * RATE))
@example(codec=Codec.OPUS, samples=4_800)
def test_playlists_tell_what_the_boxes_hold(codec: Codec, samples: int) -> None:
    """Places, EXTINF sums to less than a sample, target duration by rounding, both bandwidths within 1 %."""
    _check(codec, samples)


@pytest.mark.parametrize("codec", list(Codec))
def test_at_the_edges_of_frames_and_segments(codec: Codec) -> None:
    """One frame and one segment, priming and all; a sample less, a sample more; where a tail is lent or joined."""
    for edge in (FRAME_TICKS[codec], SEGMENT, SEGMENT + RATE // 2, 9 * 15_360 + RATE // 2, 37 * 15_360 + RATE // 2):
        for odd in (-1, 0, 1):
            if (samples := edge + odd - PRIMING_TICKS[codec]) > 0:
                _check(codec, samples)


def test_at_three_hours() -> None:
    """Rounding does not add up over 1,779 segments."""
    _check(Codec.FLAC, THREE_HOURS + 77)


@given(
    samples=st.integers(1, 40 * RATE), seeds=st.tuples(st.integers(), st.integers()), codec=st.sampled_from(list(Codec))
)
def test_renditions_of_a_codec_are_cut_alike(samples: int, seeds: tuple[int, int], codec: Codec) -> None:
    """As many segments, each as long: a player may change at any of them."""
    cuts = [[each.duration_ticks for each in made(codec, samples, seed=seed).file.segments] for seed in seeds]
    assert cuts[0] == cuts[1]
