"""What was found is marked in the name as it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.search_marks import marked
from discovery.search_text import parsed


def _shown(name: str, typed: str) -> str:
    query = parsed(typed)
    return "".join(f"[{piece.text}]" if piece.match else piece.text for piece in marked(name, query.terms, query.words))


@pytest.mark.parametrize(
    ("name", "typed", "shown"),
    [
        ("Yellow Submarine", "yel", "[Yel]low Submarine"),
        ("Yellow Submarine", "submarine yellow", "[Yellow] [Submarine]"),
        ("Yellow Submarine", "low", "Yellow Submarine"),
        ("Sigur Rós", "ros", "Sigur [Rós]"),
        ("Ros\u0301", "ro", "[Ro]s\u0301"),
        ("Ro\u0301s", "ro", "[Ro\u0301]s"),
        ("Straße", "strass", "[Straß]e"),
        ("Don't Stop", "dont", "[Don't] Stop"),
        ("R.E.M.", "rem", "[R.E.M]."),
        ("東京事変", "京事", "東[京事]変"),
        ("東京東京", "東", "[東]京[東]京"),
        ("<b>Bold</b>", "bold", "<b>[Bold]</b>"),
        ("", "a", ""),
    ],
)
def test_what_was_typed_is_marked(name: str, typed: str, shown: str) -> None:
    """Whole words or the beginnings of them, with their marks, and CJK wherever it is."""
    assert _shown(name, typed) == shown


@given(st.text(), st.text())
def test_the_pieces_are_the_name(name: str, typed: str) -> None:
    """Nothing is lost, whatever is in it."""
    query = parsed(typed)
    pieces = marked(name, query.terms, query.words)
    assert "".join(piece.text for piece in pieces) == name
    assert all(piece.text for piece in pieces)
