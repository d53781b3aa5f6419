"""How text is compared: what counts as the same, and what a text is looked up by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from discovery.search_text import (
    QUERY_WORDS_MAX,
    WORD_CHARS_MAX,
    Term,
    folded,
    is_spelled,
    parsed,
    plain,
    spelling_keys,
    terms_of,
    words_of,
)

WORDS = st.text(alphabet="abcé", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Sigur Rós", "sigur ros"),
        ("Mötley Crüe", "MOTLEY CRUE"),
        ("Bjørk", "bjork"),
        ("Łódź", "lodz"),
        ("Đorđe", "dorde"),
        ("Straße", "strasse"),
        ("Ænima", "aenima"),
        ("Œuvre", "oeuvre"),
        ("Don't", "dont"),
        ("Don’t", "don't"),
        ("İstanbul", "istanbul"),
        ("Ёлка", "елка"),
        ("Beyonce\u0301", "Beyoncé"),
        ("ﬁre", "fire"),
        ("Ｗｉｄｅ", "wide"),
        ("R.E.M.", "rem"),
        ("r.e.m", "R.E.M."),
        ("Simon & Garfunkel", "simon and garfunkel"),
        ("AC/DC", "ac dc"),
        ("Ｐ！ｎｋ", "p!nk"),
    ],
)
def test_what_is_typed_plain_is_the_same(written: str, typed: str) -> None:
    """Case, marks, letters with strokes, apostrophes and punctuation do not count."""
    assert plain(written) == plain(typed)


@pytest.mark.parametrize(("one", "other"), [("が", "か"), ("कि", "क"), ("vingt et un", "vingtetun"), ("1.5", "15")])
def test_what_differs_stays_different(one: str, other: str) -> None:
    """Marks that make another letter count; gaps do, too."""
    assert plain(one) != plain(other)


def test_signs_alone_are_a_word() -> None:
    """A band called !!! can be found; signs beside words are gaps."""
    assert words_of("!!!") == ["！！！"]
    assert words_of("Hey!!!") == ["hey"]
    assert words_of(" \t") == []


def test_a_cjk_run_is_indexed_by_pairs() -> None:
    """Its last character ends it, so that each is the beginning of something."""
    assert terms_of("東京事変 Live") == ["東京", "京事", "事変", "変", "live"]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("love st", (Term("love"), Term("st", prefix=True))),
        ("love ", (Term("love"),)),
        ("京事", (Term("京事", prefix=True),)),
        ("京", (Term("京", prefix=True),)),
        ("東京事 live", (Term("東京"), Term("京事"), Term("live", prefix=True))),
        ("go go go", (Term("go"), Term("go", prefix=True))),
        ('"; DROP TABLE tracks', (Term("drop"), Term("table"), Term("tracks", prefix=True))),
        ("", ()),
    ],
)
def test_a_query_is_understood(text: str, terms: tuple[Term, ...]) -> None:
    """Every word has to match, the last one may go on; no sign of any query language is left."""
    assert parsed(text).terms == terms


@given(st.text())
def test_any_text_can_be_typed(text: str) -> None:
    """Whatever comes, terms are short words without spaces, and folding again changes nothing."""
    query = parsed(text)
    assert len(query.words) <= QUERY_WORDS_MAX
    for word in query.words:
        assert 0 < len(word) <= WORD_CHARS_MAX and not any(char.isspace() for char in word)
    for term in query.terms:
        term.text.encode()


@given(st.text(max_size=50))
def test_what_is_indexed_is_found_by_its_own_name(name: str) -> None:
    """Each term that a typed name asks for is one of those that it is indexed by, or the beginning of one."""
    terms = terms_of(name)
    for term in parsed(name).terms:
        assert any(each == term.text or (term.prefix and each.startswith(term.text)) for each in terms)


@given(st.text(max_size=50))
def test_a_copy_that_was_folded_is_the_same(name: str) -> None:
    """Folding is done once and for all."""
    assert plain(plain(name)) == plain(name)
    assert folded(name.lower()) == folded(name) or not name.isascii()


@given(WORDS, WORDS)
def test_one_edit_shares_a_key(one: str, other: str) -> None:
    """Whatever is one edit apart is found by the keys; the check of the distance comes after."""
    if OSA.distance(one, other) <= 1:
        assert spelling_keys(one) & spelling_keys(other)


def test_keys_fit_into_32_bits() -> None:
    """As PostgreSQL's integers do."""
    assert all(-(1 << 31) <= key < 1 << 31 for word in ("love", "größe", "любовь") for key in spelling_keys(word))


@pytest.mark.parametrize(
    ("term", "spelled"), [("love", True), ("it", False), ("1984", False), ("東京", False), ("a" * 30, False)]
)
def test_what_can_be_misspelt(term: str, spelled: bool) -> None:
    """Words of letters; what is too short, a number or a pair of CJK characters has no near ones."""
    assert is_spelled(term) is spelled
