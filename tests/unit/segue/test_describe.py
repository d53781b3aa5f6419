"""What `segue show` tells of a track."""

from dataclasses import replace

from model.loudness import Gain, LoudnessMode, LoudnessReport, LoudnessTarget
from model.package import Package
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from model.track import AlbumLoudness, Mezzanine, MusicBrainzIds, ReplayGain, SourceInfo, Track, TrackTags
from segue.describe import described

SHA256 = "ab" * 32
SOURCE = SourceInfo(
    container="flac", codec="flac", sample_rate_hz=44_100, channels=2, channel_layout="stereo", bit_depth=16,
    lossless=True, size_bytes=1000, sha256=SHA256,
)  # fmt: skip
MEZZANINE = Mezzanine(
    recording_id="b" * 20, mezzanine_id="c" * 16, gain_db=-4.5, loudness=LoudnessReport(integrated_lufs=-14.0),
    media_samples=72_000, size_bytes=2_500_000, sha256=SHA256, tool="test",
)  # fmt: skip
TRACK = Track(
    track_id="a" * 20, release="One", source=SOURCE, source_name="01.flac", tags=TrackTags(title="Song"),
    art_id="d" * 16, mode=LoudnessMode.TRACK, target=LoudnessTarget(), album=None, gain=Gain(applied_db=-4.5),
    mezzanine=MEZZANINE,
    loudness_source=LoudnessReport(integrated_lufs=-9.5, range_lu=5.0, true_peak_dbtp=0.4, momentary_max_lufs=-6.0),
)  # fmt: skip
RENDITION = SegmentedRendition(
    rendition=Rendition(rendition_id="aac-128", codec=Codec.AAC, bitrate_bps=128_000), timescale=48_000,
    priming_ticks=1024, init_size_bytes=700, index_size_bytes=100, sha256=SHA256,
    segments=(Segment(duration_ticks=73_024, offset_bytes=800, size_bytes=1_249_200),),
    loudness=LoudnessReport(integrated_lufs=-14.05, true_peak_dbtp=-3.2),
)  # fmt: skip
PACKAGE = Package(
    recording_id="b" * 20, package_id="e" * 16, mezzanine_id="c" * 16, media_samples=72_000, target_duration_s=2,
    true_peak_dbtp=-1.0, level_lufs=-14.0, renditions=(RENDITION,), attempts=(), tool="test",
)  # fmt: skip


def _rows(track: Track, package: Package | None = None) -> list[tuple[str, str]]:
    width = max(len(line.partition("  ")[0]) for line in described(track, package) if not line.startswith(" "))
    return [(line[:width].rstrip(), line[width + 2 :]) for line in described(track, package)]


def test_every_tag_that_is_not_empty_is_told() -> None:
    """Lists in one line, flags as yes, lyrics line by line; what is empty is left out, and a number 0 is not empty."""
    tags = TrackTags(
        title="Song", artists=("One", "Two"), album="Album", album_named=True, track_number=0, compilation=True,
        composers=("Bach",), lyrics="la\n\nla", artist_sort="Eno",
        musicbrainz=MusicBrainzIds(recording="123", artists=("4", "5")), replay_gain=ReplayGain(track_gain_db=0.0),
    )  # fmt: skip
    rows = _rows(replace(TRACK, tags=tags))
    assert rows[: next(n for n, (name, _) in enumerate(rows) if name == "source")] == [
        ("title", "Song"),
        ("artists", "One, Two"),
        ("album", "Album"),
        ("album named", "yes"),
        ("track number", "0"),
        ("composers", "Bach"),
        ("lyrics", "la"),
        ("", ""),
        ("", "la"),
        ("compilation", "yes"),
        ("artist sort", "Eno"),
        ("musicbrainz recording", "123"),
        ("musicbrainz artists", "4, 5"),
        ("replay gain track gain db", "0.0"),
    ]


def test_a_plain_track_is_told_in_full() -> None:
    """Source, length, ids, every loudness figure that there is, target, gain; and that it is not live."""
    assert _rows(TRACK) == [
        ("title", "Song"),
        ("source", "01.flac: flac, 44100 Hz, stereo, 16 bit"),
        ("length", "1.500 s"),
        ("recording", "b" * 20),
        ("art", "d" * 16),
        ("loudness", "-9.50 LUFS, range 5.0 LU, peak 0.40 dBTP, momentary -6.0 LUFS in the source"),
        ("target", "-14.00 LUFS, at most -1.00 dBTP, by track"),
        ("gain", "-4.50 dB"),
        ("mezzanine", f"{'c' * 16}, 2.50 MB, -14.00 LUFS"),
        ("live", "no: `segue package`"),
    ]


def test_album_withheld_gain_and_warnings_are_told_where_there_are_any() -> None:
    """And silence has no figures; no target is no line."""
    album = AlbumLoudness(loudness=LoudnessReport(integrated_lufs=-11.0, true_peak_dbtp=0.1), tracks=9)
    track = replace(
        TRACK, target=None, album=album, gain=Gain(applied_db=1.0, withheld_db=2.5), warnings=("clipped", "mono"),
        loudness_source=LoudnessReport(integrated_lufs=None),
    )  # fmt: skip
    rows = _rows(track)
    assert ("album loudness", "-11.00 LUFS, peak 0.10 dBTP over 9 tracks") in rows
    assert ("gain", "+1.00 dB, 2.50 dB withheld: true peak") in rows
    assert [value for name, value in rows if name == "warning"] == ["clipped", "mono"]
    assert ("loudness", "no loudness in the source") in rows
    assert "target" not in dict(rows)


def test_a_live_track_has_its_renditions() -> None:
    """Size and loudness of each, under the level of all."""
    assert _rows(TRACK, PACKAGE)[-2:] == [
        ("live", f"package {'e' * 16}, level -14.00 LUFS"),
        ("  aac-128", "  1.25 MB, -14.05 LUFS, peak -3.20 dBTP"),
    ]
