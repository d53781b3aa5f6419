"""What is settled stays so only while everything is as it was."""

import pytest

from catalog.ledger import Ledger
from catalog.settled import Settled, SettledRow
from catalog.store import PointerVersions

NOW = PointerVersions("i1", "c1")


def row(name: str, track_id: str, *, wanted: str = "so") -> SettledRow:
    """A source that became a track."""
    return SettledRow(path=name.encode(), wanted=wanted, track_id=track_id, versions=NOW, outcome=f"told of {name}")


def test_a_group_is_settled_as_a_whole_and_as_it_was_asked_for() -> None:
    """Outcomes come in the order asked; one unknown source, or another wish, and there are none."""
    with Ledger() as ledger:
        settled = Settled(ledger)
        settled.settle([row("a", "ta"), row("b", "tb")])
        assert settled.outcomes([b"b", b"a"], "so") == ["told of b", "told of a"]
        assert settled.outcomes([b"a", b"c"], "so") is None
        assert settled.outcomes([b"a"], "otherwise") is None


@pytest.mark.parametrize(
    "found",
    [{}, {"tb": PointerVersions("i2", "c1")}, {"tb": PointerVersions("i1", "c2")}, {"tb": PointerVersions("i1", None)}],
    ids=["gone", "other report", "other package", "no package"],
)
def test_what_the_store_has_otherwise_is_forgotten(found: dict[str, PointerVersions]) -> None:
    """Within the stretch of ids that was listed, and nothing outside of it."""
    with Ledger() as ledger:
        settled = Settled(ledger)
        settled.settle([row("a", "ta"), row("b", "tb"), row("c", "tc")])
        settled.keep(found, after="ta", through="tb")
        assert settled.outcomes([b"a"], "so") is not None
        assert settled.outcomes([b"b"], "so") is None
        assert settled.outcomes([b"c"], "so") is not None
        settled.keep({"tc": NOW}, after="tb", through=None)
        assert settled.outcomes([b"c"], "so") is not None
        settled.keep({}, after="", through=None)
        assert settled.outcomes([b"a"], "so") is None
