"""What the packager is told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSettings:
    """Limits are per track. Rates are nominal, in bits per second, ascending."""

    aac_bitrates_bps: tuple[int, ...] = (64_000, 96_000, 128_000, 192_000, 256_000)
    opus_bitrates_bps: tuple[int, ...] = (64_000, 96_000, 128_000, 160_000)
    lossless: bool = True  # a lossless rendition where the source was lossless
    scratch_dir: str | None = None
    tool_seconds_floor: float = 120.0  # time limit of one ffmpeg run: this, plus the track's length …
    tool_seconds_per_second: float = 4.0  # … times this: nine encoders on one slow core
