"""What the plan past these machines is computed from, and what follows at once: bytes, listeners, plays."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.scale_che import Ranks, zipf

INPUTS = Path("benchmarks/scale_inputs.toml")
KINDS = ("measured", "assumed", "price")
DAY_S = 86_400
MONTH_S = 30 * DAY_S


@dataclass(frozen=True, slots=True)
class Input:
    """A number, whether it was measured, assumed or is a price, and where it is from."""

    value: float
    kind: str
    origin: str


@dataclass(frozen=True, slots=True)
class Rung:
    """A rendition of the ladder: its real bits per second, and the share of all listening that is at it."""

    bps: float
    listened: float


@dataclass(frozen=True, slots=True)
class Inputs:
    """All inputs by name, and the ladder."""

    all: Mapping[str, Input]
    rungs: Mapping[str, Rung]

    def __getitem__(self, name: str) -> float:
        return self.all[name].value

    @property
    def ladder_bps(self) -> float:
        """All rungs together."""
        return sum(rung.bps for rung in self.rungs.values())

    @property
    def heard_bps(self) -> float:
        """What a listener gets, in the mean."""
        return sum(rung.bps * rung.listened for rung in self.rungs.values())

    @property
    def at_peak(self) -> float:
        """How many listen at the same time in the busiest hour."""
        return self["listeners"] * self["hours_per_listener_day"] / 24 * self["peak_of_mean"]

    @property
    def play_s(self) -> float:
        """How long a play lasts, in the mean."""
        return self["track_s"] * self["played_share"]

    @property
    def plays_per_month(self) -> float:
        """Of all listeners."""
        return self["listeners"] * self["hours_per_listener_day"] * 3600 * 30 / self.play_s

    def bytes_of(self, bps: float) -> float:
        """The size of one mean track."""
        return bps / 8 * self["track_s"]

    @property
    def read_bytes(self) -> float:
        """What the origin reads from the store at once, in the mean."""
        return self.bytes_of(self.heard_bps) * self["played_share"] / self["play_reads"]

    @property
    def segment_reads(self) -> float:
        """What a play that nobody cached reads of the store where each segment is an object: those, and an init."""
        return self.play_s / self["segment_s"] + 1

    def catalogue(self) -> tuple[Ranks, ...]:
        """The tracks by how often they are asked for; the rates sum to 1."""
        return zipf(round(self["tracks"]), self["zipf_head"], knee=round(self["zipf_knee"]), tail=self["zipf_tail"])


def read(path: Path = INPUTS) -> Inputs:
    """The inputs in a file. Raises ValueError for a kind that is none, and for shares that are not all of it."""
    found = tomllib.loads(path.read_text())
    rungs = {name: Rung(each["bps"], each["listened"]) for name, each in found.pop("rungs").items()}
    inputs = {name: Input(each["value"], each["kind"], each["from"]) for name, each in found.items()}
    strange = [name for name, each in inputs.items() if each.kind not in KINDS]
    if strange or abs(sum(rung.listened for rung in rungs.values()) - 1) > 1e-9:
        raise ValueError(f"kinds are {KINDS}, and what is listened to sums to 1: {strange}")
    return Inputs(inputs, rungs)
