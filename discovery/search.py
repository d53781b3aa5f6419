"""Search: what a listener types, looked up in the index, corrected where it is misspelt, and put in order.

One pass looks for tracks that have every word, the last one as a beginning. A second pass, for misspelt words, is made
only if nothing was found, or nothing that looks like what was typed. Both give the most popular CANDIDATES; the order
among them is made here, by likeness, popularity, and what the listener plays.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from catalog.search_postings import NO_FILTERS, Filters, Found, Group, Postings, SearchRow, TextRules
from discovery.search_marks import marked
from discovery.search_rank import SURE, Ranked, nearest, ranked
from discovery.search_text import (
    QUERY_CHARS_MAX,
    RULES_VERSION,
    Query,
    Term,
    is_spelled,
    parsed,
    plain,
    spelling_keys,
    terms_of,
)
from model.errors import UsageError

RULES = TextRules(version=RULES_VERSION, terms_of=terms_of, is_spelled=is_spelled, spelling_keys=spelling_keys)
CANDIDATES = 100
NAMES = 40  # candidates among artists, and among albums
NEAR_MAX = 12  # other spellings of one word that are tried
ALL_NEAR_MAX = 100  # and if none of them leads anywhere
OWN_MAX = 500  # tracks of the listener's that are looked through
LIMIT_MAX = 50
SUGGESTIONS_MAX = 20
NOTHING_OWN: Mapping[str, float] = MappingProxyType({})
EVERYTHING = frozenset(Group)
_NAME_AT = {Group.TRACK: 0, Group.ALBUM: 1, Group.ARTIST: 2}


class SearchInvalid(UsageError):
    """What was typed, or how much was asked for, is more than a search takes."""

    code = "search-invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was found in each group, what is meant first. `corrected`: what was typed was taken for a misspelling.
    `terms` is all that was looked for, other spellings too, and `words` what was typed."""

    terms: tuple[Term, ...] = ()
    words: tuple[str, ...] = ()
    artists: list[Found] = field(default_factory=list)
    albums: list[Found] = field(default_factory=list)
    tracks: list[Found] = field(default_factory=list)
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A name that begins with, or looks like, what was typed."""

    text: str
    group: Group


class SearchIndex:
    """An index of tracks, and of their artists and albums, over either kind of postings.

    Every call blocks for a moment: call it through asyncio.to_thread. Safe to use from several threads at once.
    Raises CatalogError; SearchInvalid for what cannot be asked.
    """

    def __init__(self, postings: Postings) -> None:
        """Over postings, which stay the caller's to close."""
        self.postings = postings

    def index(self, rows: Iterable[SearchRow]) -> int:
        """Replace all that is indexed by these tracks, the most popular first; how many there were."""
        return self.postings.fill(rows)

    def search(
        self,
        text: str,
        *,
        limit: int = 10,
        filters: Filters = NO_FILTERS,
        groups: frozenset[Group] = EVERYTHING,
        own: Mapping[str, float] = NOTHING_OWN,
    ) -> Results:
        """The best `limit` of each group for what was typed; nothing for a text without words.

        `own` are tracks that the listener plays, with how much: at most OWN_MAX of them are looked at, the most played.
        """
        _check(text, limit, LIMIT_MAX)
        query = parsed(text)
        if not query.terms:
            return Results()
        search = _Search(self.postings, query, _clean(filters), own)
        rows = search.ranked(groups)
        best = {group: [row.found for row in each[:limit]] for group, each in rows.items()}
        return Results(
            terms=search.terms,
            words=query.words,
            artists=best.get(Group.ARTIST, []),
            albums=best.get(Group.ALBUM, []),
            tracks=best.get(Group.TRACK, []),
            corrected=search.corrected,
        )

    def suggest(self, prefix: str, *, limit: int = 8, own: Mapping[str, float] = NOTHING_OWN) -> list[Suggestion]:
        """Names to complete what was typed with: each has a word of it and comes once, whatever it is the name of; what
        is meant comes first."""
        _check(prefix, limit, SUGGESTIONS_MAX)
        query = parsed(prefix)
        if not query.terms:
            return []
        search = _Search(self.postings, query, NO_FILTERS, own)
        rows = search.ranked(EVERYTHING)
        names: dict[str, Suggestion] = {}
        for group, row in sorted(
            ((group, row) for group, each in rows.items() for row in each), key=lambda pair: -pair[1].score
        ):
            text = (row.found.title, row.found.album, row.found.artist)[_NAME_AT[group]]
            if len(names) == limit:
                break
            if any(piece.match for piece in marked(text, search.terms, query.words)):
                names.setdefault(plain(text), Suggestion(text, group))
        return list(names.values())


def _check(text: str, limit: int, most: int) -> None:
    if len(text) > QUERY_CHARS_MAX:
        raise SearchInvalid(f"more than {QUERY_CHARS_MAX} characters", subject="text", hint="search for fewer words")
    if not 1 <= limit <= most:
        raise SearchInvalid(f"must be from 1 to {most}", subject="limit")


def _clean(filters: Filters) -> Filters:
    """Without what no database takes for text."""
    artist, album = (
        text.encode("utf-8", "replace").decode().replace("\0", " ") for text in (filters.artist, filters.album)
    )
    return Filters(artist=artist, album=album)


Lookups = list[list[Term]]


class _Search:
    """One search under way."""

    def __init__(self, postings: Postings, query: Query, filters: Filters, own: Mapping[str, float]) -> None:
        self._postings = postings
        self._query = query
        self._filters = filters
        self._own = own
        self.terms = query.terms
        self.corrected = False
        self._own_found = self._matching_own() if own else []

    def ranked(self, groups: frozenset[Group]) -> dict[Group, list[Ranked]]:
        """All that is found in each group, what is meant first."""
        exact = [[term] for term in self._query.terms]
        open_groups = [group for group in Group if group in groups - self._shut]
        found = {group: self._find(group, exact) for group in open_groups}
        rows = {group: self._rank(group, found[group]) for group in open_groups}
        before = _likest(rows)
        if before >= SURE:
            return rows
        for lookups in self._respelt():
            more = {group: self._find(group, lookups) for group in open_groups}
            if any(more.values()):
                break
        else:
            return rows
        rows = {group: self._rank(group, found[group] | more[group]) for group in open_groups}
        if _likest(rows) > before:
            self.corrected = True
            self.terms = tuple(dict.fromkeys(term for each in lookups for term in each))
        return rows

    @property
    def _shut(self) -> set[Group]:
        """The groups in which nothing can be found: no artist is on an album, and no album on another."""
        shut = {Group.ARTIST, Group.ALBUM} if self._filters.album else set()
        return shut | {Group.ARTIST} if self._filters.artist else shut

    def _find(self, group: Group, lookups: Lookups) -> dict[int, Found]:
        limit = CANDIDATES if group is Group.TRACK else NAMES
        found = self._postings.find(group, lookups, limit=limit, filters=self._filters)
        if group is Group.TRACK:
            found += self._own_found
        return {each.rank: each for each in found}

    def _rank(self, group: Group, found: Mapping[int, Found]) -> list[Ranked]:
        return ranked(self._query, list(found.values()), own=self._own if group is Group.TRACK else NOTHING_OWN)

    def _matching_own(self) -> list[Found]:
        """Those of the listener's tracks that have every word, however unpopular they are."""
        most = sorted(self._own, key=lambda track_id: -self._own[track_id])[:OWN_MAX]
        return [each for each in self._postings.tracks(most) if self._matches(each)]

    def _matches(self, found: Found) -> bool:
        if self._filters.artist not in ("", found.artist) or self._filters.album not in ("", found.album):
            return False
        terms = {term for name in (found.title, found.artist, found.album) for term in terms_of(name)}
        return all(
            any(each.startswith(term.text) if term.prefix else each == term.text for each in terms)
            for term in self._query.terms
        )

    def _respelt(self) -> Iterator[Lookups]:
        """What may have been meant: first only unknown words are taken for misspelt, then every one may be, as one of
        the words that are used most, then as any."""
        terms = self._query.terms
        spelt = [term for term in terms if is_spelled(term.text)]
        if not spelt:
            return
        known = self._postings.terms_by_keys({key for term in spelt for key in spelling_keys(term.text)})
        near = {term: [Term(each) for each in nearest(term.text, known)] for term in spelt}
        strange = {term for term in spelt if term.text not in known}
        if strange and any(near[term] for term in strange):
            # A strange word that is like no other helps nobody, if enough is left without it.
            lost = {term for term in strange if not near[term] and not term.prefix}
            kept = [term for term in terms if term not in lost]
            if 2 * sum(len(term.text) for term in kept) >= sum(len(term.text) for term in terms):
                terms = tuple(kept)
            yield [[term, *near[term][:NEAR_MAX]] if term in strange else [term] for term in terms]
        for limit in (NEAR_MAX, ALL_NEAR_MAX):
            yield [list(dict.fromkeys([term, *near.get(term, [])[:limit]])) for term in terms]


def _likest(rows: Mapping[Group, list[Ranked]]) -> float:
    return max((row.likeness for each in rows.values() for row in each), default=0.0)
