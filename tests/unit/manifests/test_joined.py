"""The playlists of joined tracks."""

from dataclasses import replace
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.joined import (
    FIRST_DATE_MS,
    JoinedSegment,
    ListedTrack,
    can_join,
    joined,
    joined_close,
    joined_media_playlist,
    joined_multivariant,
    joined_target_s,
    joined_variant,
    rungs_of,
    track_range,
)
from manifests.parse import parse
from manifests.render import render
from manifests.rules import check_media
from model.joining import FRAME_TICKS
from model.package import Package
from model.protection import Protection, ProtectionMethod
from model.rendition import Codec, Rendition
from model.rule import Severity
from tests.support.framed import LADDER, run_of

RUN = [each.package for each in run_of([130_001, 99_999, 150_000])]
ALONE = [each.package for each in run_of([100_000, 120_000], name="alone", alone=True)]


def listed(package: Package, number: int = 0) -> ListedTrack:
    """A track of this package."""
    return ListedTrack(
        track_id=f"{number:x<20}".replace("0", "a"),
        recording_id=package.recording_id,
        package_id=package.package_id,
        title=f'"Song" {number}',
        artist="Somebody",
        art_id="q" * 16,
    )


def laid(packages: list[Package], codec: Codec) -> list[list[JoinedSegment]]:
    """The segments of each rung of the codec itself."""
    rungs, _, laid_out = joined([listed(each) for each in packages], packages, codec)
    return [segments for rung, segments in zip(rungs, laid_out, strict=True) if rung.codec is codec]


@pytest.mark.parametrize("codec", list(Codec))
@given(order=st.permutations([*RUN, *ALONE]), cut=st.integers(1, 5))
@settings(max_examples=40)
def test_segments_tile_the_time(codec: Codec, order: list[Package], cut: int) -> None:
    """Each begins where the one before ended, on the grid of its frames, in every rung at the same times."""
    rungs = laid(order[:cut], codec)
    for segments in rungs:
        assert segments[0].start_ticks == 0
        for before, after in pairwise(segments):
            assert after.start_ticks == before.start_ticks + before.duration_ticks
            if codec is not Codec.FLAC:
                assert after.start_ticks % FRAME_TICKS[codec] == 0
                assert before.end is not None
                assert before.duration_ticks == (before.end - before.first) * FRAME_TICKS[codec]
        assert segments[-1].end is None
    assert len({tuple((each.start_ticks, each.first, each.end) for each in segments) for segments in rungs}) == 1


@pytest.mark.parametrize("codec", [Codec.AAC, Codec.OPUS])
@given(order=st.permutations([*RUN, *ALONE]), cut=st.integers(1, 5))
@settings(max_examples=40)
def test_segments_for_browsers_tile_the_time(codec: Codec, order: list[Package], cut: int) -> None:
    """Each begins where the one before is said to end, in every rung at the same times; the first of a track may skip,
    and has the track's init section like the others."""
    tracks = [listed(each, number) for number, each in enumerate(order[:cut])]
    _, _, rungs = joined_close(tracks, order[:cut], codec)
    for segments in rungs:
        assert (segments[0].start_ticks, segments[0].skip_ticks) == (0, 0)
        for before, after in pairwise(segments):
            assert after.start_ticks == before.start_ticks + before.duration_ticks > before.start_ticks
            if before.track == after.track:
                assert (after.skip_ticks, after.init_ticks) == (0, before.init_ticks)
        assert segments[-1].end is None
    assert len({tuple((each.start_ticks, each.first, each.end) for each in segments) for segments in rungs}) == 1


def test_a_run_has_the_length_of_its_music() -> None:
    """And the priming of its first track."""
    for codec, priming in ((Codec.AAC, 1024), (Codec.OPUS, 312), (Codec.FLAC, 0)):
        for segments in laid(RUN, codec):
            assert sum(each.duration_ticks for each in segments) == priming + 380_000


def test_sizes_are_never_less_than_what_is_sent() -> None:
    """So that no peak is above BANDWIDTH; and what is left out of a segment is little beside a run of them."""
    whole = [segment.size_bytes for package in RUN for segment in package.of(Codec.AAC)[0].segments]
    assert [each.size_bytes for each in laid(RUN, Codec.AAC)[0]] == whole


def test_a_track_that_lacks_a_rung_is_heard_at_the_next_lower_rate() -> None:
    """Or at its lowest: the joined stream has every rung that one of the tracks has."""
    low = replace(RUN[0], renditions=RUN[0].renditions[:1])
    high = replace(RUN[1], renditions=RUN[1].renditions[1:2])
    rungs = rungs_of([low, high], Codec.AAC)
    assert [rung.rendition_id for rung in rungs] == ["aac-64", "aac-128"]
    assert [each.rendition.rendition_id for each in rungs[0].renditions] == ["aac-64", "aac-128"]
    assert [each.rendition.rendition_id for each in rungs[1].renditions] == ["aac-64", "aac-128"]


def test_what_is_of_another_form_cannot_be_joined() -> None:
    """Nor what has nothing of the codec."""
    aac = RUN[0].of(Codec.AAC)
    mono = Rendition(rendition_id="aac-64", codec=Codec.AAC, bitrate_bps=64_000, channels=1)
    assert can_join(RUN[0], Codec.AAC)
    assert not can_join(replace(RUN[0], renditions=(replace(aac[0], rendition=mono),)), Codec.AAC)
    assert not can_join(replace(RUN[0], renditions=aac), Codec.OPUS)


def test_segments_of_a_protected_track_say_the_period_of_their_key() -> None:
    """That of the track's own segment which they are cut from; those in the clear say none."""
    protection = Protection(
        method=ProtectionMethod.AES_128, key_set="k" * 16, key_id="i" * 16, rotation_segments=2
    )  # fmt: skip
    locked = replace(ALONE[0], renditions=tuple(replace(each, protection=protection) for each in ALONE[0].renditions))
    packages = [RUN[0], locked, RUN[1]]
    tracks = [listed(each, number) for number, each in enumerate(packages)]
    _, _, (segments, *_) = joined(tracks, packages, Codec.AAC)
    periods = [[each.period for each in segments if each.track is track] for track in tracks]
    own = range(len(ALONE[0].of(Codec.AAC)[0].segments))
    assert periods[1] == [number // 2 for number in own] and len(own) > 1
    assert set(periods[0] + periods[2]) == {None}


@pytest.mark.parametrize("codec", list(Codec))
def test_a_media_playlist_keeps_the_rules_and_parses_to_itself(codec: Codec) -> None:
    """One init section, a date, a range for each track; and no finding."""
    packages = [*RUN, *ALONE]
    tracks = [listed(each, number) for number, each in enumerate(packages)]
    _, kept, (segments, *_) = joined(tracks, packages, codec)
    at, ranges = 0, []
    for number, (track, keeping) in enumerate(zip(tracks, kept, strict=True)):
        ranges.append(
            track_range(
                track, range_id=str(number), start_ms=FIRST_DATE_MS, start_ticks=at,
                duration_ticks=keeping.duration_ticks, root_uri="../../../",
            )
        )  # fmt: skip
        at += keeping.duration_ticks
    playlist = joined_media_playlist(
        segments,
        target_duration_s=joined_target_s(segments),
        init_uri="init.mp4",
        uri_of=lambda each: f"{each.start_ticks}.mp4",
        key_of=lambda _: None,
        date_ranges=tuple(ranges),
    )
    text = render(playlist)
    assert parse(text) == playlist
    assert not [each for each in check_media(playlist) if each.severity is Severity.MUST]
    assert text.count(b"#EXT-X-MAP") == 1
    assert b"DISCONTINUITY" not in text
    assert b'X-TITLE="\xe2\x80\x9dSong\xe2\x80\x9d 3",X-ARTIST="Somebody",X-ART="../../../art/' in text
    assert playlist.date_ranges[0].start_ms == FIRST_DATE_MS
    first_us = playlist.date_ranges[0].duration_us
    assert first_us is not None
    assert playlist.date_ranges[1].start_ms == FIRST_DATE_MS + first_us // 1000


def test_the_first_variant_is_the_one_to_begin_with() -> None:
    """As with a track by itself; the rates are of the joined whole."""
    rungs, _, laid_out = joined([listed(each) for each in RUN], RUN, Codec.AAC)
    variants = [
        joined_variant(rung, segments, target_duration_s=3, uri=rung.rendition_id)
        for rung, segments in zip(rungs, laid_out, strict=True)
    ]
    playlist = joined_multivariant(rungs, variants)
    assert [each.uri for each in playlist.variants] == ["aac-128", "aac-64"]
    for variant, segments in zip(variants, laid_out, strict=True):
        size, ticks = sum(each.size_bytes for each in segments), sum(each.duration_ticks for each in segments)
        assert variant.average_bandwidth_bps is not None
        assert abs(variant.average_bandwidth_bps - 8 * size * 48_000 / ticks) < 2
        assert variant.bandwidth_bps >= variant.average_bandwidth_bps


def test_aac_under_lossless_keeps_its_time() -> None:
    """The same number of segments for each track, which begin and end together, to half a frame of AAC and the priming
    of the whole; lossless first, with the highest score."""
    packages = [*ALONE, *RUN, ALONE[0]]
    tracks = [listed(each, number) for number, each in enumerate(packages)]
    rungs, kept, laid_out = joined(tracks, packages, Codec.FLAC)
    assert [rung.rendition_id for rung in rungs] == ["flac", "flac-aac-64", "flac-aac-128"]
    lossless, *under = laid_out
    starts = list(accumulate((each.duration_ticks for each in kept), initial=0))
    for segments in under:
        assert [each.track for each in segments] == [each.track for each in lossless]
        for track, start in zip(tracks, starts, strict=False):
            first = next(each for each in segments if each.track is track)
            assert abs(first.start_ticks - start) <= 1024 + 512
    variants = [
        joined_variant(rung, segments, target_duration_s=3, uri=rung.rendition_id)
        for rung, segments in zip(rungs, laid_out, strict=True)
    ]
    playlist = joined_multivariant(rungs, variants)
    told = [(each.uri, str(each.score), each.audio, *each.codecs) for each in playlist.variants]
    assert told == [
        ("flac", "3", "flac", "fLaC"),
        ("flac-aac-128", "2", "aac", "mp4a.40.2"),
        ("flac-aac-64", "1", "aac", "mp4a.40.2"),
    ]
    assert [each.group_id for each in playlist.audio_groups] == ["flac", "aac"]


def test_without_aac_of_every_track_there_is_none_under_lossless() -> None:
    """Half of a stream to step down to is none."""
    bare = replace(ALONE[0], renditions=ALONE[0].of(Codec.FLAC))
    rungs, _, laid_out = joined([listed(each) for each in (bare, RUN[0])], [bare, RUN[0]], Codec.FLAC)
    assert [rung.rendition_id for rung in rungs] == ["flac"] and len(laid_out) == 1


def test_the_ladder_of_these_tests_has_every_family() -> None:
    """Else they would say less than they seem to."""
    assert {each.codec for each in LADDER} == set(Codec)
