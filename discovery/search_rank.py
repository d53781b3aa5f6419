"""Which of the candidates is meant: likeness of text first, then what is popular, and one's own. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import OSA
from rapidfuzz.fuzz import ratio

from catalog.search_postings import Found
from discovery.search_text import Query, is_cjk, plain

SURE = 88.0  # a text this like what was typed is what was meant
_WHOLE_BONUS = 6.0  # for a name that is typed to its end
_UNPOPULAR = 0.7  # a tenth of the likeness between the first and the millionth
_ALL = 0.12  # what likeness to a whole name adds to likeness as far as it was typed
_ALL_CJK = 0.3  # in a run without gaps a few characters stand in many names: the one that is little else is meant
_ENDED = 6.0  # for a name that is typed to its end
_INSIDE = 90.0  # likeness of a title that has what was typed further on
_OWN = 12.0
_OWN_SHORT = 1000.0  # before all others
_OWN_PLAYS = 20.0  # between those, by how much they are played
_ALBUM_NAMED = 0.97  # a title is meant before an album


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with how like it is to what was typed (0 to 100), and the number to order by."""

    found: Found
    likeness: float
    score: float


def nearest(term: str, known: Mapping[str, int]) -> list[str]:
    """Of some known terms those that are at most one edit from this one, the most used first."""
    near = [(-uses, each) for each, uses in known.items() if OSA.distance(term, each, score_cutoff=1) <= 1]
    return [each for _, each in sorted(near)]


def ranked(query: Query, candidates: Sequence[Found], *, own: Mapping[str, float]) -> list[Ranked]:
    """The candidates, what is meant first. `own` says how much the listener plays a track: those come first on short
    queries, and before equals on longer ones."""
    rows = [_ranked(query, each, own) for each in candidates]
    return sorted(rows, key=lambda row: (-row.score, row.found.rank))


def _ranked(query: Query, found: Found, own: Mapping[str, float]) -> Ranked:
    likeness, bonus = (100.0, 0.0) if query.is_short else _likeness(query.plain, found)
    score = likeness + bonus - _UNPOPULAR * math.log1p(found.rank)
    if found.track_id in own:
        plays = math.log1p(max(own[found.track_id], 0.0))
        score += _OWN_SHORT + _OWN_PLAYS * plays if query.is_short else _OWN + plays
    return Ranked(found, likeness, score)


def _likeness(typed: str, found: Found) -> tuple[float, float]:
    """How like the names are to what was typed, as far as it was typed; and a bonus for how much of them that is."""
    size = len(typed)
    best = (0.0, 0.0)
    for weight, name in _names(found):
        begun = ratio(typed, name[:size])
        whole = ratio(typed, name) if len(name) > size else begun
        ended = _ENDED if len(name) <= size and begun == 100.0 else 0.0
        best = max(best, (weight * begun, weight * (ended + _ALL * whole)), key=sum)
    title = plain(found.title)
    if typed in title:
        share = size / len(title)
        inside = (100.0, _ALL_CJK * 100 * share) if is_cjk(typed) else (_INSIDE, 8.0 * share)
        best = max(best, inside, key=sum)
    return best


def _names(found: Found) -> list[tuple[float, str]]:
    """The orders in which people type names, each with its weight."""
    title, artist, album = plain(found.title), plain(found.artist), plain(found.album)
    if not title:
        both = [(1.0, f"{artist} {album}"), (1.0, f"{album} {artist}")] if album and artist else []
        return [(1.0, album or artist), *both]
    names = [(1.0, title)]
    if artist:
        names += [(1.0, f"{title} {artist}"), (1.0, f"{artist} {title}")]
    if album:
        names += [(_ALBUM_NAMED, f"{album} {title}"), (_ALBUM_NAMED, f"{title} {album}")]
    if artist and album:
        names += [(_ALBUM_NAMED, f"{artist} {album} {title}"), (_ALBUM_NAMED, f"{title} {artist} {album}")]
    return names
