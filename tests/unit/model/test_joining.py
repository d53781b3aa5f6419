"""Which frames are kept where tracks meet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.joining import (
    FRAME_TICKS,
    UNTRIMMED_TICKS_MAX,
    Kept,
    Strip,
    joinable,
    kept_in_step,
    kept_of,
    met_of,
    strip_of,
)
from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition

PRIMING = {Codec.AAC: 1024, Codec.OPUS: 312}
PRE_ROLL = {Codec.AAC: 1, Codec.OPUS: 4}
lossy = st.sampled_from([Codec.AAC, Codec.OPUS])
lengths = st.lists(st.integers(20_000, 60_000), min_size=1, max_size=6)


def pieces(codec: Codec, samples: list[int]) -> tuple[list[Strip], list[int]]:
    """The strips of a run of these lengths, and the frame of the whole encoding that each begins with."""
    frame, names = FRAME_TICKS[codec], tuple("abcdef"[: len(samples)])
    strips, firsts, start = [], [], 0
    for at, length in enumerate(samples):
        position = PRIMING[codec] + start
        first = max(0, position // frame - PRE_ROLL[codec]) if at else 0
        priming = position - first * frame
        strips.append(Strip(codec=codec, priming_ticks=priming, total_ticks=priming + length, run=names, position=at))
        firsts.append(first)
        start += length
    return strips, firsts


@given(codec=lossy, samples=lengths)
def test_a_run_is_its_encoding_again_every_frame_once(codec: Codec, samples: list[int]) -> None:
    """From the first to the last frame of what was encoded as one; and the music has its exact length."""
    strips, firsts = pieces(codec, samples)
    kept = kept_of(strips)
    frames = [first + at for first, each in zip(firsts, kept, strict=True) for at in range(each.first, each.end)]
    total = PRIMING[codec] + sum(samples)
    assert frames == list(range(-(-total // FRAME_TICKS[codec])))
    assert sum(each.duration_ticks for each in kept) == total


@given(codec=lossy, samples=lengths)
def test_tracks_by_themselves_are_kept_whole(codec: Codec, samples: list[int]) -> None:
    """Between two lie the rest of the last frame and the priming, and nothing else."""
    frame = FRAME_TICKS[codec]
    strips = [Strip(codec=codec, priming_ticks=PRIMING[codec], total_ticks=PRIMING[codec] + n) for n in samples]
    kept = kept_of(strips)
    assert [(each.first, each.end) for each in kept] == [(0, strip.frames) for strip in strips]
    for each, strip in zip(kept[:-1], strips, strict=False):
        assert each.duration_ticks == strip.frames * frame
        assert 0 <= each.duration_ticks - strip.total_ticks < frame
    assert kept[-1].duration_ticks == strips[-1].total_ticks


@given(samples=lengths)
def test_flac_is_taken_as_it_is(samples: list[int]) -> None:
    """Its blocks may have any length, so nothing is added or lost, whatever follows what."""
    strips = [Strip(codec=Codec.FLAC, priming_ticks=0, total_ticks=n) for n in samples]
    for endless in (False, True):
        assert [each.duration_ticks for each in kept_of(strips, endless=endless)] == samples


def alone(samples: int) -> Strip:
    """A track that was encoded by itself."""
    return Strip(codec=Codec.AAC, priming_ticks=1024, total_ticks=1024 + samples)


@given(before=lengths, run=lengths, after=lengths, torn=st.booleans())
def test_what_is_in_step_never_drifts(before: list[int], run: list[int], after: list[int], torn: bool) -> None:
    """Each track's music begins when it does without priming, to half a frame (after a piece out of its run, to one);
    a run loses nothing inside, and no track more than its last two frames."""
    pieces_of_run, _ = pieces(Codec.AAC, run)
    pairs = list(zip(pieces_of_run, run, strict=True))
    pairs = pairs[::-1] if torn else pairs
    pairs = [*((alone(n), n) for n in before), *pairs, *((alone(n), n) for n in after)]
    strips, samples = [strip for strip, _ in pairs], [n for _, n in pairs]
    whole, kept = kept_of(strips), kept_in_step(strips, samples)
    at = twin = 0
    for number, (strip, own) in enumerate(zip(strips, kept, strict=True)):
        begins = at + strip.priming_ticks - own.first * 1024 - 1024  # 1024: what the player leaves out
        follows = number and strip.follows(strips[number - 1])
        assert abs(begins - twin) <= (1024 if torn or follows else 512)
        assert own.first == whole[number].first and 0 <= whole[number].end - own.end <= 2
        last = number + 1 == len(strips)
        assert own == whole[number] or not (last or strips[number + 1].follows(strip))
        at, twin = at + own.duration_ticks, twin + samples[number]
    assert kept[-1] == whole[-1]


@given(codec=lossy, before=lengths, run=lengths, after=lengths, torn=st.booleans())
def test_tracks_meet_in_a_stream_for_browsers(
    codec: Codec, before: list[int], run: list[int], after: list[int], torn: bool
) -> None:
    """Where one's music ends the next one's begins, a tick later or what no browser cuts off; but for the music of its
    neighbour that a piece of AAC out of its run begins with. No music lies under what comes after."""
    frame, pieces_of_run = FRAME_TICKS[codec], pieces(codec, run)[0]
    strips = [Strip(codec=codec, priming_ticks=PRIMING[codec], total_ticks=PRIMING[codec] + n) for n in before + after]
    strips[len(before) : len(before)] = pieces_of_run[::-1] if torn else pieces_of_run
    met, at, ended, init = met_of(strips), 0, 0, -1
    for number, (strip, own) in enumerate(zip(strips, met, strict=True)):
        head = strip.priming_ticks - own.kept.first * frame
        begins = at + head - own.skip_ticks
        if number == 0:
            assert (begins, own.skip_ticks, own.init_ticks) == (strip.priming_ticks, 0, strip.priming_ticks)
        elif strip.follows(strips[number - 1]):
            assert (begins, own.skip_ticks, own.init_ticks) == (ended, 0, init)
        else:
            foreign = max(head - frame, 0) if codec is Codec.AAC else 0
            assert foreign < frame and (foreign == 0 or strip.position)
            assert 0 <= begins - ended - foreign <= UNTRIMMED_TICKS_MAX + 1
            if codec is Codec.OPUS and own.skip_ticks:
                assert own.init_ticks == own.skip_ticks != init
        at, ended, init = at + own.kept.duration_ticks, begins + strip.total_ticks - strip.priming_ticks, own.init_ticks
    assert at == ended


@given(codec=lossy, samples=lengths)
def test_an_endless_stream_is_whole_frames(codec: Codec, samples: list[int]) -> None:
    """There is no last frame that could be shorter; and a run that begins again begins with its priming."""
    strips, _ = pieces(codec, samples)
    kept = kept_of(strips, endless=True)
    assert all(each.whole_frames for each in kept)
    assert all(each.duration_ticks == (each.end - each.first) * FRAME_TICKS[codec] for each in kept)
    assert kept[0].first == 0


def test_a_piece_out_of_its_run_is_without_the_music_of_the_other_track() -> None:
    """The frames that are wholly priming are left out, and so its neighbour keeps its last frame."""
    strips, _ = pieces(Codec.OPUS, [30_000, 40_000, 50_000])
    alone = Strip(codec=Codec.OPUS, priming_ticks=312, total_ticks=20_000)
    kept = kept_of([alone, strips[2], strips[1]])
    assert kept[0] == Kept(first=0, end=21, whole_frames=True, duration_ticks=21 * 960)
    assert kept[1].first == strips[2].priming_ticks // 960 == 4
    assert kept[1].end == strips[2].frames
    assert kept[2].first == 4


def test_a_piece_that_comes_first_keeps_what_its_decoder_needs() -> None:
    """As when it is played alone: the player leaves its priming out."""
    strips, _ = pieces(Codec.AAC, [30_000, 40_000])
    (kept,) = kept_of(strips[1:])
    assert (kept.first, kept.duration_ticks) == (0, strips[1].total_ticks)


def test_pieces_that_do_not_meet_frame_on_frame_are_no_run() -> None:
    """One was published anew and is longer: then the other is not what follows it."""
    first, second = pieces(Codec.AAC, [30_000, 40_000])[0]
    longer = Strip(codec=Codec.AAC, priming_ticks=1024, total_ticks=first.total_ticks + 1, run=first.run, position=0)
    assert second.follows(first)
    assert not second.follows(longer)
    assert not first.follows(second)


def test_a_strip_is_what_the_record_says() -> None:
    """And one of another form cannot be joined."""
    rendition = segmented()
    assert strip_of(rendition, ("a",), 0) == Strip(
        codec=Codec.AAC, priming_ticks=1024, total_ticks=46_080, run=("a",), position=0
    )
    assert joinable(rendition)
    assert not joinable(segmented(channels=1))
    assert not joinable(segmented(sample_rate_hz=44_100))
    with pytest.raises(ValueError, match="priming is shorter"):
        Strip(codec=Codec.AAC, priming_ticks=10, total_ticks=10)


def segmented(**form: int) -> SegmentedRendition:
    """A rendition of one segment."""
    return SegmentedRendition(
        rendition=Rendition(rendition_id="aac-64", codec=Codec.AAC, bitrate_bps=64_000, **form),
        timescale=48_000, priming_ticks=1024, init_size_bytes=10, index_size_bytes=10,
        segments=(Segment(duration_ticks=46_080, offset_bytes=20, size_bytes=100),), sha256="ab" * 32,
        loudness=LoudnessReport(integrated_lufs=-14.0),
    )  # fmt: skip


def test_every_frame_fits_the_grid_of_segments() -> None:
    """0.32 s is a whole number of frames of every codec."""
    assert all(15_360 % ticks == 0 for ticks in FRAME_TICKS.values())
