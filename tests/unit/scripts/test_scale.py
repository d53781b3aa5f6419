"""The plan past these machines: its tables are what is computed, and the arithmetic under them holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.scale_che import Ranks, chain, rate_of, through, zipf
from scripts.scale_inputs import INPUTS, read
from scripts.scale_model import filled, tables
from scripts.scale_storage import worth_days

ROOT = Path(__file__).resolve().parents[3]
SIMULATION: dict[str, Any] = json.loads((ROOT / "benchmarks/scale_simulation.json").read_text())


def test_the_document_has_the_tables_that_are_computed() -> None:
    """docs/scale.md is what `python -m scripts.scale_model --write` makes of it, with a place for every table."""
    document = (ROOT / "docs/scale.md").read_text()
    made = tables(read(ROOT / INPUTS), SIMULATION)
    assert filled(document, made) == document, "run `python -m scripts.scale_model --write`"
    assert [name for name in made if f"<!-- {name} -->" not in document] == []


def test_an_input_without_a_kind_is_refused(tmp_path: Path) -> None:
    """Nobody can pass off a guess as a measurement by leaving out what it is."""
    changed = tmp_path / "inputs.toml"
    changed.write_text(
        (ROOT / INPUTS).read_text().replace('kind = "assumed", from = "the plan"', 'kind = "sure", from = ""')
    )
    with pytest.raises(ValueError, match="tracks"):
        read(changed)


def test_the_rungs_have_to_be_all_that_is_heard(tmp_path: Path) -> None:
    """Shares of listening that do not sum to 1 are refused."""
    changed = tmp_path / "inputs.toml"
    changed.write_text((ROOT / INPUTS).read_text().replace("listened = 0.03", "listened = 0.3"))
    with pytest.raises(ValueError, match="sums to 1"):
        read(changed)


@pytest.mark.parametrize("row", SIMULATION["policies"], ids=lambda row: f"{row['exponent']}-{row['share']}")
def test_the_arithmetic_tells_what_the_simulation_found(row: dict[str, float]) -> None:
    """An LRU's hits are computed within half a point of libcachesim's."""
    tracks = SIMULATION["catalogue"]["tracks"]
    hits = through(zipf(tracks, row["exponent"]), row["share"] * tracks).hits
    assert hits == pytest.approx(row["LRU"], abs=0.005)
    assert hits == pytest.approx(row["Che"], abs=0.0001)


def test_a_cache_of_equals_finds_the_share_that_it_holds() -> None:
    """Where everything is asked for equally often, hits are the share that there is room for, behind a tier too."""
    equals = [Ranks(count=1_000, rate=0.001)]
    first, second = chain(equals, [250, 500])
    assert first.hits == pytest.approx(0.25)
    assert second.hits == pytest.approx(0.5)
    assert rate_of(second.passed) == pytest.approx(0.375)


def test_large_objects_take_the_room_of_many_small_ones() -> None:
    """Room is counted in sizes, not in objects."""
    small, large = [Ranks(count=100, rate=0.01)], [Ranks(count=100, rate=0.01, size=4.0)]
    assert through(large, 200).hits == pytest.approx(through(small, 50).hits)


def test_the_catalogue_bends_at_the_knee_and_sums_to_one() -> None:
    """Ranks taken together in groups lose nobody, and the tail is as steep as it was asked to be."""
    groups = zipf(1_000_000, 0.9, knee=10_000, tail=4.0)
    assert sum(group.count for group in groups) == 1_000_000
    assert rate_of(groups) == pytest.approx(1.0)
    assert groups[0].rate / groups[-1].rate == pytest.approx(10_000**0.9 * 100**4, rel=0.1)


def test_dearer_storage_makes_an_encode_worth_fewer_days(tmp_path: Path) -> None:
    """At twice the price of a byte, half as many days of keeping it pay for making it again."""
    changed = tmp_path / "inputs.toml"
    text = (ROOT / INPUTS).read_text()
    changed.write_text(text.replace("gb_month = { value = 0.021", "gb_month = { value = 0.042"))
    assert worth_days(read(changed), 0.0) == pytest.approx(worth_days(read(ROOT / INPUTS), 0.0) / 2)
