"""Whole records, fixed ones and hypothesis strategies for random ones."""

from itertools import accumulate

from hypothesis import strategies as st

from model.loudness import Gain, LoudnessMode, LoudnessReport, LoudnessTarget
from model.package import Attempt, Package
from model.protection import Protection, ProtectionMethod
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from model.track import AlbumLoudness, Mezzanine, SourceInfo, Track, TrackTags

IDS = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=26)
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
NUMBERS = st.none() | st.integers(0, 10_000)
DECIBELS = st.floats(-100, 20)

REPORTS = st.builds(
    LoudnessReport,
    integrated_lufs=st.none() | DECIBELS,
    range_lu=st.none() | st.floats(0, 60),
    true_peak_dbtp=st.none() | DECIBELS,
    momentary_max_lufs=st.none() | DECIBELS,
    short_term_max_lufs=st.none() | DECIBELS,
)
TARGETS = st.none() | st.builds(LoudnessTarget, integrated_lufs=st.floats(-40, -5), true_peak_dbtp=st.floats(-20, 0))
TAGS = st.builds(
    TrackTags,
    title=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    artists=st.lists(TEXT, max_size=3).map(tuple),
    album=TEXT,
    album_artist=TEXT,
    track_number=NUMBERS,
    track_total=NUMBERS,
    disc_number=NUMBERS,
    disc_total=NUMBERS,
    date=TEXT,
    genres=st.lists(TEXT, max_size=3).map(tuple),
    isrc=TEXT,
    compilation=st.booleans(),
)
SOURCES = st.builds(
    SourceInfo,
    container=TEXT,
    codec=TEXT,
    sample_rate_hz=st.integers(1, 768_000),
    channels=st.integers(1, 64),
    channel_layout=TEXT,
    bit_depth=st.none() | st.integers(1, 64),
    lossless=st.booleans(),
    size_bytes=st.integers(1, 10**12),
    sha256=HASHES,
)
ATTEMPTS = st.builds(Attempt, rendition_id=TEXT, trim_db=DECIBELS, loudness=REPORTS)
MEZZANINES = st.builds(
    Mezzanine,
    recording_id=IDS,
    mezzanine_id=IDS,
    gain_db=DECIBELS,
    loudness=REPORTS,
    media_samples=st.integers(1, 10**12),
    size_bytes=st.integers(1, 10**12),
    sha256=HASHES,
    tool=TEXT,
)
TRACKS = st.builds(
    Track,
    track_id=IDS,
    release=TEXT,
    source=SOURCES,
    source_name=TEXT,
    tags=TAGS,
    art_id=IDS,
    mode=st.sampled_from(LoudnessMode),
    target=TARGETS,
    loudness_source=REPORTS,
    album=st.none() | st.builds(AlbumLoudness, loudness=REPORTS, tracks=st.integers(1, 500)),
    gain=st.builds(Gain, applied_db=DECIBELS, withheld_db=st.floats(0, 60)),
    mezzanine=MEZZANINES,
    warnings=st.lists(TEXT, max_size=3).map(tuple),
)


@st.composite
def segmented_renditions(
    draw: st.DrawFn, rendition_id: str = "aac-128", *, rotation_segments: int | None = None
) -> SegmentedRendition:
    """A rendition of any segments without holes, in the clear or with keys that rotate."""
    init, index = draw(st.integers(1, 2_000)), draw(st.integers(0, 2_000))
    cuts = draw(st.lists(st.tuples(st.integers(1, 400_000), st.integers(1, 10**7)), min_size=1, max_size=8))
    offsets = accumulate((size for _, size in cuts), initial=init + index)
    segments = tuple(
        Segment(duration_ticks=ticks, offset_bytes=offset, size_bytes=size)
        for (ticks, size), offset in zip(cuts, offsets, strict=False)
    )
    return SegmentedRendition(
        rendition=Rendition(rendition_id=rendition_id, codec=Codec.AAC, bitrate_bps=draw(st.integers(1, 10**6))),
        timescale=draw(st.sampled_from([44_100, 48_000])),
        priming_ticks=draw(st.integers(0, sum(ticks for ticks, _ in cuts) - 1)),
        init_size_bytes=init,
        index_size_bytes=index,
        segments=segments,
        sha256=draw(HASHES),
        loudness=draw(REPORTS),
        trim_db=draw(DECIBELS),
        protection=None
        if rotation_segments is None
        else Protection(
            method=ProtectionMethod.AES_128,
            key_set="a" * 16,
            key_id=draw(IDS),
            rotation_segments=rotation_segments,
        ),
    )


@st.composite
def packages(draw: st.DrawFn) -> Package:
    """A package of one to three renditions."""
    rotation = draw(st.none() | st.integers(0, 100))
    ids = draw(st.lists(st.sampled_from(["aac-64", "aac-128", "x-1"]), min_size=1, max_size=3, unique=True))
    return Package(
        recording_id=draw(IDS),
        package_id=draw(IDS),
        mezzanine_id=draw(IDS),
        media_samples=draw(st.integers(1, 10**12)),
        target_duration_s=draw(st.integers(1, 30)),
        true_peak_dbtp=draw(st.none() | st.floats(-20, 0)),
        level_lufs=draw(st.none() | DECIBELS),
        renditions=tuple(draw(segmented_renditions(each, rotation_segments=rotation)) for each in ids),
        asked_db=draw(st.floats(0, 6)),
        attempts=tuple(draw(st.lists(ATTEMPTS, max_size=3))),
        tool=draw(TEXT),
    )


def source_info() -> SourceInfo:
    """A FLAC file of a CD."""
    return SourceInfo(
        container="flac", codec="flac", sample_rate_hz=44_100, channels=2, channel_layout="stereo", bit_depth=16,
        lossless=True, size_bytes=30_000_000, sha256="ab" * 32,
    )  # fmt: skip


def track() -> Track:
    """The report of a CD track."""
    return Track(
        track_id="abcdefghijklmnopqrst",
        release="one",
        source=source_info(),
        source_name="01 Łódź.flac",
        tags=TrackTags(title="Łódź", artists=("Zoë", "The Band"), album="One", track_number=1),
        art_id="abcdefghijklmnop",
        mode=LoudnessMode.TRACK,
        target=LoudnessTarget(),
        loudness_source=LoudnessReport(integrated_lufs=-9.5, true_peak_dbtp=0.4, range_lu=5.0),
        album=None,
        gain=Gain(applied_db=-4.5),
        mezzanine=Mezzanine(
            recording_id="bcdefghijklmnopqrstu",
            mezzanine_id="bcdefghijklmnopq",
            gain_db=-4.5,
            loudness=LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=-4.1, range_lu=5.0),
            media_samples=48_000 * 180,
            size_bytes=20_000_000,
            sha256="ef" * 32,
            tool="9.0.2",
        ),
    )
