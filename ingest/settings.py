"""What an ingest is told."""

from dataclasses import dataclass, field

from model.features import FeatureSet
from model.loudness import LoudnessMode, LoudnessTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """`target` None leaves the signal as it is and only measures. Limits are per source.

    `again` works on sources too that were refused before and have not changed since.
    """

    mode: LoudnessMode = LoudnessMode.ALBUM
    target: LoudnessTarget | None = field(default_factory=LoudnessTarget)
    again: bool = False
    scratch_dir: str | None = None
    features: FeatureSet = FeatureSet.OWN  # in either case our own are kept of what is heard: they cost next to nothing
    source_bytes_max: int = 8 << 30
    duration_s_max: float = 24 * 3600.0
    tool_seconds_floor: float = 60.0  # time limit of one ffmpeg run: this, plus the track's length …
    tool_seconds_per_second: float = 1.0  # … times this: a slow core decodes at 50 × real time or better
