"""Records as a batch leaves them, for tests of the report: music-like levels from a seed, everything else as asked."""

import math
import random
from dataclasses import replace

from model.analysis import Analysis, Signs
from model.events import Status, TrackOutcome
from model.loudness import Gain, LoudnessMode, LoudnessReport, LoudnessTarget, gain_to
from model.package import Package
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from model.track import AlbumLoudness, Mezzanine, SourceInfo, Track, TrackTags, derived_id, recording_id_of, track_id_of

TARGET = LoudnessTarget()
_RUNGS = [(Codec.AAC, rate) for rate in (64, 96, 128, 192, 256)] + [(Codec.OPUS, rate) for rate in (64, 96, 128, 160)]


def made_analysis(seed: int, *, seconds: float = 200.0, lufs: float = -11.0) -> Analysis:
    """A song of verses and choruses at about this loudness."""
    dice = random.Random(seed)
    parts = [dice.choice((-11.0, -5.0, -2.0, 0.0, 1.0)) for _ in range(9)]
    steps = int(seconds * 10)
    fades = [-18 * (math.exp(-n / 9) + math.exp((n - steps) / 25)) for n in range(steps)]
    levels = [lufs + parts[n * len(parts) // steps] + dice.gauss(0, 1.4) + fade for n, fade in enumerate(fades)]
    energies = tuple(10 ** ((level + 0.691) / 10) for level in levels)
    peaks = tuple(min(1.04, 10 ** ((level + 9 + dice.gauss(0, 1.6)) / 20)) for level in levels)
    report = LoudnessReport(
        integrated_lufs=-0.691 + 10 * math.log10(sum(energies) / steps),
        range_lu=dice.uniform(3, 12),
        true_peak_dbtp=20 * math.log10(max(peaks)),
        momentary_max_lufs=max(levels),
        short_term_max_lufs=max(levels) - 1.5,
    )
    signs = Signs(
        clipped_runs=0, silence_start_s=0.0, silence_end_s=0.0, mono=False, bandwidth_hz=20_000.0, cliff_db=None
    )
    return Analysis(
        recording_id=recording_id_of(f"{seed:064x}"), meter="meter 1", sample_rate_hz=44_100,
        samples=int(seconds * 44_100), loudness=report, energies=energies, peaks=peaks, signs=signs,
    )  # fmt: skip


def made_track(
    analysis: Analysis, tags: TrackTags, *, album: LoudnessReport | None = None, warnings: tuple[str, ...] = ()
) -> Track:
    """The track of this recording, in album mode if its album was measured."""
    gain = gain_to(TARGET, album or analysis.loudness)
    release = f"{tags.album_artist}/{tags.album}/{tags.track_number}/{tags.title}"
    return Track(
        track_id=track_id_of(analysis.recording_id, release),
        release=release,
        source=SourceInfo(
            container="flac", codec="flac", sample_rate_hz=44_100, channels=2, channel_layout="stereo",
            bit_depth=16, lossless=True, size_bytes=30_000_000, sha256="0" * 64,
        ),
        source_name=f"{tags.title}.flac",
        tags=tags,
        art_id=derived_id("art", tags.album or tags.title),
        mode=LoudnessMode.ALBUM if album else LoudnessMode.TRACK,
        target=TARGET,
        loudness_source=analysis.loudness,
        album=AlbumLoudness(loudness=album, tracks=9) if album else None,
        gain=gain,
        mezzanine=Mezzanine(
            recording_id=analysis.recording_id, mezzanine_id=derived_id("mezzanine"), gain_db=gain.applied_db,
            loudness=_raised(analysis.loudness, gain), media_samples=round(analysis.duration_s * 48_000),
            size_bytes=30_000_000, sha256="0" * 64, tool="ffmpeg 9.0",
        ),
        warnings=warnings,
    )  # fmt: skip


def _raised(report: LoudnessReport, gain: Gain, more_db: float = 0.0) -> LoudnessReport:
    raised = {
        name: value + gain.applied_db + more_db
        for name in ("integrated_lufs", "true_peak_dbtp", "momentary_max_lufs", "short_term_max_lufs")
        if (value := getattr(report, name)) is not None
    }
    return replace(report, **raised)


def made_package(track: Track) -> Package:
    """Nine renditions, each measured a little beside the mezzanine."""
    dice = random.Random(track.track_id)
    renditions = tuple(_rendition(track, codec, kbps, dice.uniform(-0.15, 0.1)) for codec, kbps in _RUNGS)
    return Package(
        recording_id=track.recording_id, package_id=derived_id("package"), mezzanine_id=track.mezzanine.mezzanine_id,
        media_samples=track.media_samples, target_duration_s=6, true_peak_dbtp=-1.0,
        level_lufs=track.mezzanine.loudness.integrated_lufs, renditions=renditions, attempts=(), tool="ffmpeg 9.0",
    )  # fmt: skip


def _rendition(track: Track, codec: Codec, kbps: int, error_db: float) -> SegmentedRendition:
    size = max(1, track.media_samples * kbps // 384)
    return SegmentedRendition(
        rendition=Rendition(rendition_id=f"{codec}-{kbps}", codec=codec, bitrate_bps=1000 * kbps),
        timescale=48_000, priming_ticks=312, init_size_bytes=800, index_size_bytes=0,
        segments=(Segment(duration_ticks=track.media_samples + 312, offset_bytes=800, size_bytes=size),),
        sha256="0" * 64, loudness=_raised(track.mezzanine.loudness, Gain(applied_db=0.0), error_db),
    )  # fmt: skip


def done(track: Track, **more: str) -> TrackOutcome:
    """The outcome of this track, freshly made."""
    name = f"{track.tags.album or 'single'}/{track.source_name}"
    return TrackOutcome(source=name, status=Status.DONE, track_id=track.track_id, title=track.tags.title, **more)  # type: ignore[arg-type]
