"""Which tracks run into each other, and what each hears of its neighbours: exact to the sample."""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.ledger import SourceStamp
from ingest.metadata.art import Art
from ingest.metadata.reader import Around
from ingest.runs import PIECE_S_MIN, RUN_S_MAX, SILENCE_S_MAX, places_of, runs_of, surroundings
from ingest.scan import Source
from ingest.work import Heard
from model.analysis import Analysis, Signs
from model.loudness import LoudnessReport
from model.track import TrackTags
from tests.unit.model.builders import source_info

RATES = (44_100, 48_000, 88_200, 96_000, 22_050)
SIGNS = Signs(clipped_runs=0, silence_start_s=0, silence_end_s=0, mono=False, bandwidth_hz=None, cliff_db=None)
LENGTHS = st.lists(st.integers(1, 200_000).map(lambda more: 2 * 96_000 + more), min_size=2, max_size=6)


def heard(
    number: int | None,
    *,
    samples: int = 3 * 44_100,
    rate: int = 44_100,
    disc: int | None = None,
    silence_start_s: float = 0.0,
    silence_end_s: float = 0.0,
    path: str = "",
    codec: str = "flac",
) -> Heard:
    """A track of an album, in the folder /album unless its path says otherwise."""
    path = path or f"/album/{disc or 1}-{number}.{codec}"
    stamp = SourceStamp(path=path.encode(), size_bytes=1, mtime_ns=1, ctime_ns=1, inode=1)
    analysis = Analysis(
        recording_id=f"{'abcdefghijklmnopqrstuvwxyz'[(number or 0) % 26]}" * 20,
        meter="m",
        sample_rate_hz=rate,
        samples=samples,
        loudness=LoudnessReport(integrated_lufs=-14.0),
        energies=(),
        peaks=(),
        signs=replace(SIGNS, silence_start_s=silence_start_s, silence_end_s=silence_end_s),
    )
    return Heard(
        source=Source(path=Path(path)),
        stamp=stamp,
        info=replace(source_info(), sample_rate_hz=rate, codec=codec, container=codec),
        around=Around(
            tags=TrackTags(title="T", track_number=number, disc_number=disc),
            art=Art(art_id="a" * 16, pictures={}),
            seconds=None,
            warnings=(),
        ),
        analysis=analysis,
    )


def test_neighbours_with_sound_up_to_the_joint_are_a_run() -> None:
    """In playing order, whatever order they come in."""
    assert runs_of([heard(3), heard(1), heard(2)]) == [(1, 2, 0)]
    assert runs_of([heard(9), heard(10)]) == [(0, 1)]
    assert runs_of([heard(1), heard(2), heard(4), heard(5)]) == [(0, 1), (2, 3)]


@pytest.mark.parametrize(
    "following",
    [
        heard(3),
        heard(None),
        heard(2, disc=2),
        heard(2, silence_start_s=SILENCE_S_MAX + 0.001),
        heard(2, samples=int(PIECE_S_MIN * 44_100) - 1),
        heard(2, rate=48_000),
        heard(2, codec="alac"),
        heard(2, path="/elsewhere/2.flac"),
        heard(2, samples=int(RUN_S_MAX * 44_100)),
    ],
    ids=["gap", "unnumbered", "disc", "silence", "short", "rate", "codec", "folder", "long"],
)
def test_what_does_not_run_on_is_alone(following: Heard) -> None:
    """Either way round."""
    assert runs_of([heard(1), following]) == []
    assert runs_of([following, heard(1)]) == []


def test_a_track_that_fades_out_ends_its_run() -> None:
    """Silence at its end; a little is found at any joint."""
    assert runs_of([heard(1, silence_end_s=SILENCE_S_MAX + 0.001), heard(2), heard(3)]) == [(1, 2)]
    assert runs_of([heard(1, silence_end_s=SILENCE_S_MAX), heard(2, silence_start_s=SILENCE_S_MAX)]) == [(0, 1)]


def test_tracks_without_numbers_are_nobodys_neighbours() -> None:
    """0 is no number, and 1 does not follow it."""
    assert runs_of([heard(None, path="/a"), heard(0, path="/b"), heard(1), heard(None, path="/c")]) == []


def test_of_two_tracks_of_one_number_neither_is_a_neighbour() -> None:
    """Nobody can tell which one the next belongs to."""
    assert runs_of([heard(1), heard(2, path="/album/a"), heard(2, path="/album/b"), heard(3), heard(4)]) == [(3, 4)]


def test_an_album_that_is_there_twice_is_two_runs() -> None:
    """In another form, or in another folder."""
    forms = [heard(number, codec=codec) for number in (1, 2) for codec in ("flac", "mp3")]
    assert sorted(runs_of(forms)) == [(0, 2), (1, 3)]
    folders = [heard(number, path=f"/{folder}/{number}") for number in (1, 2) for folder in "ab"]
    assert sorted(runs_of(folders)) == [(0, 2), (1, 3)]


def test_runs_are_not_longer_than_can_be_encoded_in_one_go() -> None:
    """They are cut where the next track would pass the limit."""
    hour = 44_100 * 3600
    tracks = [heard(number, samples=hour) for number in range(1, 8)]
    limit = int(RUN_S_MAX // 3600)
    assert runs_of(tracks) == [tuple(range(start, start + limit)) for start in range(0, 7 - limit + 1, limit)]


def test_what_is_not_resampled_hears_no_neighbours() -> None:
    """Its mezzanine is that of a track that is alone."""
    assert places_of([heard(1, rate=48_000), heard(2, rate=48_000)]) == [None, None]


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate != 48_000])
@given(LENGTHS)
def test_the_pieces_tile_the_grid_of_the_run(rate: int, lengths: Sequence[int]) -> None:
    """Sample n of the run at 48 kHz, at n / 48000 s, is in the piece that is heard then: once, and in no other."""
    run = [heard(number, samples=count, rate=rate) for number, count in enumerate(lengths, start=1)]
    starts = list(accumulate(lengths, initial=0))
    grid = Fraction(48_000, rate)
    reached = 0
    for at, place in enumerate(places_of(run)):
        assert place is not None
        around = surroundings(run[at], place)
        lead = lengths[at - 1] - around.before_from if at else 0  # samples of the neighbour that are heard before
        assert 0 <= lead <= (lengths[at - 1] if at else 0)
        begin = (starts[at] - lead) * grid
        assert begin.denominator == 1, "what is decoded begins between two samples of the grid"
        first = int(begin) + around.skip
        assert first == reached == math.ceil(starts[at] * grid)
        if at < len(run) - 1:
            assert around.keep is not None
            reached = first + around.keep
            assert reached == math.ceil(starts[at + 1] * grid)
            assert around.after == str(run[at + 1].source.path)
            assert rate // 10 <= around.after_until <= lengths[at + 1]
        else:
            assert (around.keep, around.after) == (None, None)
        if at:
            assert lead >= rate // 10 - rate // 200
            assert around.before == str(run[at - 1].source.path)
        else:
            assert (around.before, around.skip) == (None, 0)


def test_a_place_tells_all_that_is_heard() -> None:
    """Other neighbours, or another point of the grid, are another mezzanine."""
    one, two, three = (heard(number, samples=44_100 * 3 + number) for number in (1, 2, 3))
    runs = ([one, two], [one, two, three], [heard(7, samples=44_100 * 3 + 2), two], [two, three])
    words = [
        place.words
        for run in runs
        for member, place in zip(run, places_of(run), strict=True)
        if place and member is two
    ]
    assert len(set(words)) == len(words) == 4
    first, second, _ = places_of([one, two, three])
    assert first is not None
    assert second is not None
    assert (first.past_grid, second.past_grid) == (0, (44_100 * 3 + 1) % 147)
