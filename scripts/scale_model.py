"""The tables of docs/scale.md, computed from benchmarks/scale_inputs.toml.

    python -m scripts.scale_model [--inputs FILE]     # print them
    python -m scripts.scale_model --write             # and put them into docs/scale.md

A table stands in the document between `<!-- NAME -->` and `<!-- end -->`; a test fails when one is not what is
computed.
"""

import argparse
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from scripts.scale_inputs import INPUTS, Inputs, read
from scripts.scale_serving import caches, measured_caches, serving, tiers_simulated
from scripts.scale_storage import encoding, layouts, limits, on_demand, storage
from scripts.scale_tables import table

DOCUMENT = Path("docs/scale.md")
SIMULATION = Path("benchmarks/scale_simulation.json")
_MARK = re.compile(r"(<!-- (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def inputs_table(inputs: Inputs) -> str:
    """Every input, where it is from, and how sure it is."""
    rows = [(f"`{name}`", f"{each.value:,}", each.kind, each.origin) for name, each in inputs.all.items()]
    return table(("input", "value", "kind", "from"), rows)


def tables(inputs: Inputs, simulation: Mapping[str, object]) -> dict[str, str]:
    """All tables by name, each in Markdown."""
    made: dict[str, Callable[[Inputs], str]] = {
        "inputs": inputs_table,
        "storage": storage,
        "layouts": layouts,
        "encoding": encoding,
        "serving": serving,
        "caches": caches,
        "on-demand": on_demand,
        "limits": limits,
    }
    found = {name: make(inputs) for name, make in made.items()}
    return {**found, "policies": measured_caches(simulation), "tiers": tiers_simulated(simulation)}


def filled(document: str, made: Mapping[str, str]) -> str:
    """The document with its tables replaced. Raises KeyError for a table that nobody computes."""
    return _MARK.sub(lambda found: f"{found[1]}\n{made[found['name']]}\n\n{found[3]}", document)


def main() -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=Path, default=INPUTS)
    parser.add_argument("--write", action="store_true", help=f"put them into {DOCUMENT}")
    asked = parser.parse_args()
    made = tables(read(asked.inputs), json.loads(SIMULATION.read_text()))
    if asked.write:
        DOCUMENT.write_text(filled(DOCUMENT.read_text(), made))
    else:
        print("\n\n".join(f"{name}\n\n{text}" for name, text in made.items()))


if __name__ == "__main__":
    main()
