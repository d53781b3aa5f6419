"""What one decode of a recording tells: its loudness over time, its peaks, and what an engineer would look for."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from model.loudness import LoudnessReport
from model.track import is_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What an engineer would look for in a master.

    `clipped_runs` counts runs of three or more neighbouring samples at full scale. Silence at the ends is below
    −60 dBFS. `mono` says that two channels hold the same samples. `bandwidth_hz` is where the spectrum ends, None where
    there is too little to tell; `cliff_db` is how steeply it falls there: a lossy encoder's filter is a wall.
    """

    clipped_runs: int
    silence_start_s: float
    silence_end_s: float
    mono: bool
    bandwidth_hz: float | None
    cliff_db: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A recording as the meter heard it, before any gain. The object `recordings/<recording_id>/analysis.json`.

    `meter` names the meter's version. `energies` has one number for every whole 100 ms: the K-weighted mean square,
    channels weighted and summed (BS.1770-4 §2: four of them make a gating block, thirty a short-term value). `peaks`
    has the linear true peak of every 100 ms, the last may be shorter. Both are kept as arrays: of three hours, objects
    would take 7 MB.
    """

    recording_id: str
    meter: str
    sample_rate_hz: int
    samples: int
    loudness: LoudnessReport
    energies: Sequence[float]
    peaks: Sequence[float]
    signs: Signs

    def __post_init__(self) -> None:
        if not is_id(self.recording_id):
            raise ValueError(f"malformed id: {self.recording_id!r}")
        if self.sample_rate_hz <= 0 or self.samples <= 0:
            raise ValueError("a recording has a rate and samples")
        for name in ("energies", "peaks"):
            object.__setattr__(self, name, array("d", getattr(self, name)))

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return self.samples / self.sample_rate_hz
