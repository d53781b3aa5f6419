"""What an ingest is told."""

from dataclasses import dataclass, field

from model.loudness import LoudnessTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """`target` None leaves the signal as it is and only measures. Limits are per source."""

    target: LoudnessTarget | None = field(default_factory=LoudnessTarget)
    scratch_dir: str | None = None
    source_bytes_max: int = 8 << 30
    duration_s_max: float = 24 * 3600.0
    tool_seconds_floor: float = 60.0  # time limit of one ffmpeg run: this, plus the track's length …
    tool_seconds_per_second: float = 1.0  # … times this: a slow core decodes at 50 × real time or better

    @property
    def recipe(self) -> str:
        """What of these settings decides the mezzanine's bytes, as text for its id."""
        target = self.target
        return f"{target.integrated_lufs:.2f} LUFS {target.true_peak_dbtp:.2f} dBTP" if target else "as it is"
