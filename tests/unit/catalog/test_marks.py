"""Names and records on disk for one run."""

import pytest

from catalog.marks import Marks
from model.errors import CatalogError


def test_the_latest_moment_stays() -> None:
    """Whatever the order of marks; a name that was never marked has none."""
    with Marks() as marks:
        for since_s in (5, 9, 7):
            marks.mark("a", since_s)
        assert (marks.since("a"), marks.since("b")) == (9, None)


def test_a_version_is_the_last_that_was_noted() -> None:
    """Another key, another version, or none: not known."""
    with Marks() as marks:
        marks.note_version("a", "1")
        marks.note_version("a", "2")
        found = [marks.has_version(*each) for each in (("a", "2"), ("a", "1"), ("b", "2"))]
        assert found == [True, False, False]


def test_all_that_is_held_comes_back_in_order() -> None:
    """Also while records are replaced, and more of them than are read at a time."""
    with Marks() as marks:
        names = [f"{number:04}" for number in range(1000)]
        for name in reversed(names):
            marks.hold(name, b"")
        seen = []
        for name, record in marks.held():
            seen.append((name, record))
            marks.hold(name, b"new")
        assert seen == [(name, b"") for name in names]
        assert {record for _, record in marks.held()} == {b"new"}
        assert (marks.record("0001"), marks.record("1")) == (b"new", None)


def test_closing_twice_is_no_error() -> None:
    """As every resource of ours."""
    marks = Marks()
    marks.close()
    marks.close()
    with pytest.raises(CatalogError):
        marks.since("a")
