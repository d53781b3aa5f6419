"""Where a name has what was looked for: the name in pieces, each marked or not. Pure.

Pieces instead of positions, so that nobody has to count characters as we do, and nothing has to be put into HTML
unescaped.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from discovery.search_text import (
    INITIALS,
    TEXT_CHARS_MAX,
    WORD,
    Term,
    folded,
    is_cjk,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a name, and whether it is what was looked for. All pieces together are the name."""

    text: str
    match: bool


def marked(name: str, terms: Iterable[Term], words: Sequence[str] = ()) -> list[Piece]:
    """A name in pieces. Of a word that only begins with a term, the beginning is marked; of a Chinese, Japanese or
    Korean one, what was typed in `words`."""
    text, places = _folded_with_places(name[:TEXT_CHARS_MAX])
    looked_for = tuple(terms)
    typed = [word for word in words if is_cjk(word)]
    hits = sorted(hit for word in WORD.finditer(text) for hit in _hits(word.group(), word.start(), looked_for, typed))
    pieces: list[Piece] = []
    at = 0
    for start, end in hits:
        first, last = max(places[start], at), places[end]
        if last > first:
            pieces += [Piece(name[at:first], False), Piece(name[first:last], True)]
            at = last
    return [piece for piece in [*pieces, Piece(name[at:], False)] if piece.text]


def _folded_with_places(name: str) -> tuple[str, list[int]]:
    """The folded name, and for each of its characters, and its end, where that comes from."""
    dropped = {found.start() for found in INITIALS.finditer(name)}
    text: list[str] = []
    places: list[int] = []
    for place, char in enumerate(name):
        one = "" if place in dropped else folded(char)
        text.append(one)
        places += [place] * len(one)
    return "".join(text), [*places, len(name)]


def _hits(word: str, start: int, terms: Sequence[Term], typed: Sequence[str]) -> Iterator[tuple[int, int]]:
    if is_cjk(word):
        for run in typed:
            at = word.find(run)
            while at >= 0:
                yield start + at, start + at + len(run)
                at = word.find(run, at + len(run))
        return
    sizes = [len(term.text) for term in terms if word == term.text or (term.prefix and word.startswith(term.text))]
    if sizes:
        yield start, start + max(sizes)
