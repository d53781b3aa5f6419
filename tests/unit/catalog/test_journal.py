"""What changed since when."""

from catalog.journal import KEPT, Journal


def test_a_journal_tells_what_changed_since() -> None:
    """Each track once; nothing, if nothing did."""
    journal = Journal()
    start, _ = journal.since(0)
    journal.note(["a", "b", "a"])
    middle, changed = journal.since(start)
    assert changed == frozenset("ab")
    journal.note(["c"])
    assert journal.since(middle) == (middle + 1, frozenset("c"))
    assert journal.since(middle + 1) == (middle + 1, frozenset())


def test_what_is_too_long_ago_is_not_known() -> None:
    """Nor is what never was: whoever asks reads everything."""
    journal = Journal()
    journal.note(str(number) for number in range(KEPT + 1))
    number, changed = journal.since(0)
    assert (number, changed) == (KEPT + 1, None)
    assert journal.since(1)[1] == frozenset(map(str, range(1, KEPT + 1)))
    assert journal.since(-1)[1] is None and journal.since(number + 1)[1] is None
