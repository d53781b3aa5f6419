"""What listeners play together, as mixes ask for it. Pure; `discovery/recommend/together.py` knows it from a model."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol


class Together(Protocol):
    """What a model learnt from plays. Always the same for the same model."""

    def near(self, track_ids: Sequence[str], limit: int) -> list[tuple[str, float]]:
        """At most `limit` tracks that those play who play these, each with how near, from 1 for the nearest down
        to 0; none of these."""
        ...

    def tastes(self, track_ids: Collection[str]) -> Mapping[str, tuple[float, ...]]:
        """Of those of some tracks that were played: who listens to them, as vectors of length 1."""
        ...
