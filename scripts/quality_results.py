"""The results of the quality study: a CSV file of one line per encoding, in the repository. It grows line by line."""

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path

RESULTS = Path("benchmarks/quality_results.csv")
WINDOWS = (1, 2)
METRICS = ("visqol_mos", "zimtohrli_mos", "zimtohrli_distance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One encoding of one track: what it cost, and what the metrics say of the passage's two windows.

    `overshoot_db` is the decoded true peak over the original's; `gain_db` what was missing to the original's level.
    """

    track: str
    origin: str
    setting: str
    rate_bps: int
    real_kbps: float
    cpu_s: float
    gain_db: float
    overshoot_db: float
    visqol_mos_1: float
    zimtohrli_mos_1: float
    zimtohrli_distance_1: float
    visqol_mos_2: float
    zimtohrli_mos_2: float
    zimtohrli_distance_2: float

    def value(self, what: str) -> float:
        """A cost by its name, or a metric's mean over the windows."""
        if what not in METRICS:
            return float(getattr(self, what))
        return sum(float(getattr(self, f"{what}_{window}")) for window in WINDOWS) / len(WINDOWS)


_NAMES = [field.name for field in fields(Result)]
_KINDS = [field.type for field in fields(Result)]


def read(path: Path) -> list[Result]:
    """The results that are there; none if there is no file. A last line that was cut off is left out.

    Raises ValueError if the file is of other columns.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    header, *lines = list(csv.reader(text[: text.rfind("\n") + 1].splitlines())) or [_NAMES]
    if header != _NAMES:
        raise ValueError(f"{path} has other columns: {','.join(header)}")
    return [_parsed(line) for line in lines]


def append(path: Path, result: Result) -> None:
    """Add a line, below the columns' names if the file is new."""
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _NAMES, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(asdict(result))


def _parsed(line: list[str]) -> Result:
    values = {name: kind(value) for name, kind, value in zip(_NAMES, _KINDS, line, strict=True) if callable(kind)}
    return Result(**values)
