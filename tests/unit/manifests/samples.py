"""Segmented renditions and packages to build playlists from: fixed ones, and hypothesis strategies for random ones."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from manifests.build import session_data_of, target_duration_s
from model.loudness import LoudnessReport
from model.package import Package
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from model.track import TrackTags

TIMESCALE = 48_000
RAMP_TICKS = (46_080, 92_160, 138_240)
NOMINAL_TICKS = 291_840
TAIL_TICKS = 24_000
PRIMING_TICKS = {Codec.AAC: 1_024, Codec.OPUS: 312, Codec.FLAC: 0}
NAMES = session_data_of(TrackTags(title="Song", artists=("Singer", "Band"), album="Album"))
LADDER = tuple(
    Rendition(rendition_id=f"{codec}-{kilobits}", codec=codec, bitrate_bps=kilobits * 1000)
    for codec, rates in ((Codec.AAC, (64, 96, 128, 192, 256)), (Codec.OPUS, (64, 96, 128, 160)))
    for kilobits in rates
)
FLAC = Rendition(rendition_id="flac", codec=Codec.FLAC, bitrate_bps=0)


def cut(total_ticks: int) -> tuple[int, ...]:
    """Segment durations as the packager cuts them: a ramp, then 6.08 s each, a tail under half a second merged."""
    durations: list[int] = []
    left = total_ticks
    while left:
        nominal = RAMP_TICKS[len(durations)] if len(durations) < len(RAMP_TICKS) else NOMINAL_TICKS
        take = left if left - nominal < TAIL_TICKS else nominal
        durations.append(take)
        left -= take
    return tuple(durations)


def rendition_of(
    durations_ticks: Sequence[int],
    sizes_bytes: Sequence[int],
    *,
    rendition: Rendition = LADDER[2],
    timescale: int = TIMESCALE,
) -> SegmentedRendition:
    """A segmented rendition with these segments behind an init section of 700 bytes and an index of 44 and more."""
    index_size_bytes = 44 + 12 * len(durations_ticks)
    offset_bytes = 700 + index_size_bytes
    segments = []
    for ticks, size_bytes in zip(durations_ticks, sizes_bytes, strict=True):
        segments.append(Segment(duration_ticks=ticks, offset_bytes=offset_bytes, size_bytes=size_bytes))
        offset_bytes += size_bytes
    return SegmentedRendition(
        rendition=rendition,
        timescale=timescale,
        priming_ticks=0,
        init_size_bytes=700,
        index_size_bytes=index_size_bytes,
        segments=tuple(segments),
        sha256="0" * 64,
        loudness=LoudnessReport(integrated_lufs=-14.0),
    )


def coded(
    rendition: Rendition, durations_ticks: Sequence[int], *, percents: Sequence[int] = (100,)
) -> SegmentedRendition:
    """A rendition whose segments have its nominal rate, times the percents in turn, plus 150 bytes of boxes each."""
    sizes_bytes = [
        150 + ticks * rendition.bitrate_bps * percents[n % len(percents)] // (100 * 8 * TIMESCALE)
        for n, ticks in enumerate(durations_ticks)
    ]
    return rendition_of(durations_ticks, sizes_bytes, rendition=rendition)


def lossless(durations_ticks: Sequence[int], *, bitrate_bps: int = 900_000, track_file: str = "") -> SegmentedRendition:
    """A FLAC rendition whose segments come out at this rate."""
    sizes_bytes = [150 + ticks * bitrate_bps // (8 * TIMESCALE) for ticks in durations_ticks]
    return replace(rendition_of(durations_ticks, sizes_bytes, rendition=FLAC), track_file=track_file)


def package_of(renditions: Sequence[SegmentedRendition]) -> Package:
    """A package of these renditions."""
    return Package(
        recording_id="abcdefghijklmnopqrst",
        package_id="abcdefghijklmnop",
        mezzanine_id="qrstuvwxyz234567",
        media_samples=renditions[0].duration_ticks,
        target_duration_s=target_duration_s(renditions),
        true_peak_dbtp=-1.0,
        level_lufs=-14.0,
        renditions=tuple(renditions),
        attempts=(),
        tool="test",
    )


def media_uri(rendition_id: str) -> str:
    """Where the media playlist of a rendition lies: beside the multivariant playlist."""
    return f"{rendition_id}.m3u8"


@st.composite
def packages(draw: st.DrawFn) -> Package:
    """Packages as the packager makes them: the default ladder and a lossless rendition, each codec with its priming,
    tracks of 0.1 s to 20 minutes, rates that breathe."""
    samples = draw(st.integers(4_800, 1_200 * TIMESCALE))
    percents = draw(st.lists(st.integers(80, 120), min_size=1, max_size=20))
    durations = {codec: cut(samples + priming) for codec, priming in PRIMING_TICKS.items()}
    coded_ones = [coded(rendition, durations[rendition.codec], percents=percents) for rendition in LADDER]
    return package_of([*coded_ones, lossless(durations[Codec.FLAC], bitrate_bps=draw(st.integers(50, 2_300)) * 1000)])


@st.composite
def wild_renditions(draw: st.DrawFn, rendition: Rendition = LADDER[2]) -> SegmentedRendition:
    """Renditions of any segment durations from half a second, any sizes, any timescale."""
    timescale = draw(st.sampled_from([8_000, 44_100, 48_000, 90_000, 96_000]))
    segment = st.tuples(st.integers(timescale // 2, 12 * timescale), st.integers(1, 1_000_000))
    segments = draw(st.lists(segment, min_size=1, max_size=40))
    durations, sizes = zip(*segments, strict=True)
    return rendition_of(durations, sizes, rendition=rendition, timescale=timescale)
