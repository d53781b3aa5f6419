"""Steps between all pairs at once, held against the same in plain Python, one by one."""

from collections.abc import Callable
from dataclasses import replace
from operator import mul

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.sequence.item import Item, fifths_step, tempo_step
from discovery.sequence.pairs import steps
from tests.unit.discovery.sequence.catalogue import tracks

SOME = tracks(8, seed=3)


def step(one: Item, other: Item) -> float:
    """The weighted sum of five parts; a part that is not known is neither smooth nor rough."""

    def part(name: str, apart: Callable[..., float]) -> float:
        values = getattr(one, name), getattr(other, name)
        return 0.6 if None in values else min(2.0, apart(*values))

    return (
        0.8 * part("level_lufs", lambda a, b: abs(a - b) / 3)
        + part("tempo_bpm", lambda a, b: tempo_step(a, b) / 0.2)
        + 0.8 * part("fifths", lambda a, b: fifths_step(a, b) / 3)
        + part("energy", lambda a, b: abs(a - b) / 0.25)
        + 0.6 * (1 - sum(map(mul, one.vector, other.vector)) if one.vector and other.vector else 0.6)
    )


def less(item: Item, gone: frozenset[str]) -> Item:
    """The same track with some things not known."""
    return replace(
        item,
        level_lufs=None if "level" in gone else item.level_lufs,
        tempo_bpm=None if "tempo" in gone else item.tempo_bpm,
        fifths=None if "key" in gone else item.fifths,
        energy=None if "energy" in gone else item.energy,
        vector=() if "sound" in gone else item.vector,
    )


GONE = st.frozensets(st.sampled_from(["level", "tempo", "key", "energy", "sound"]))


@given(some=st.lists(st.builds(less, st.sampled_from(SOME), GONE), max_size=6))
def test_steps_are_what_they_are_one_by_one(some: list[Item]) -> None:
    """For every pair, whatever is known of them; and the same in both directions."""
    rows = steps(some)
    assert rows == [[pytest.approx(step(one, other), abs=2e-6) for other in some] for one in some]
    assert rows == [list(column) for column in zip(*rows, strict=True)]
