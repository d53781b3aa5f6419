"""A trained model: what it takes to recommend tracks, and nothing of who played them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from discovery.recommend.choose import Shelf, chosen, head_of
from discovery.recommend.content import Content
from discovery.recommend.plays import ROW_MAX, Floats, Indices, Row, row_of
from discovery.recommend.scorers import Factors, Neighbours, to_scale

NEIGHBOURS_SAY = 0.5  # where factors have 1
NEIGHBOURS_ROW = 20  # for rows of so many items or more; for shorter ones it is less: there factors know better
CONTENT_SHARE = 0.5  # of the say on an item with few listeners
CONTENT_LISTENERS = 10  # so many are few; with more, the share of content falls
FAMILIAR_HEAD = 0.1  # how much more of the head a list may have than the listener's own plays


@dataclass(frozen=True, kw_only=True, eq=False)  # one is equal to itself alone: tables are not compared
class Model:
    """What is known of each track that was played or whose sound is known. Its items are the indices of `tracks`.

    `artists` are indices of `artist_names`. Tables of `neighbours` have equal parts of one say.
    """

    tracks: Sequence[str]
    artists: Indices
    artist_names: Sequence[str]
    popularity: Floats
    listeners: Indices
    neighbours: tuple[Neighbours, ...]
    factors: Factors | None
    content: Content | None
    # Kept in no file: they were chosen once, for all models (docs/recommend.md).
    say: float = NEIGHBOURS_SAY
    long_row: float = NEIGHBOURS_ROW
    more_head: float = FAMILIAR_HEAD

    @cached_property
    def items(self) -> Mapping[str, int]:
        """The item of each track."""
        return {track: item for item, track in enumerate(self.tracks)}

    @cached_property
    def artist_items(self) -> Mapping[str, Indices]:
        """The items of each artist."""
        order = np.argsort(self.artists, kind="stable").astype(np.int32)
        bounds = np.searchsorted(self.artists[order], np.arange(len(self.artist_names) + 1))
        return {name: order[bounds[at] : bounds[at + 1]] for at, name in enumerate(self.artist_names)}

    @cached_property
    def by_listeners(self) -> Indices:
        """All items, those with the most listeners first."""
        return np.argsort(-self.listeners, kind="stable").astype(np.int32)

    def prepare(self) -> None:
        """Work out what is worked out once, so that nobody waits for it."""
        if self.artist_items:
            self.recommended(row_of([0]), 1)

    @cached_property
    def shelf(self) -> Shelf:
        """What lists are chosen by."""
        return Shelf(artists=self.artists, head=head_of(self.popularity))

    @cached_property
    def _sounds(self) -> Floats:
        """For each item, from above: its vector times the share that content has of the say, that share, and the rest
        of it."""
        assert self.content is not None, "asked of models with sounds only"
        falling = CONTENT_LISTENERS / np.maximum(self.listeners, CONTENT_LISTENERS)
        share = (CONTENT_SHARE * falling * self.content.known).astype(np.float32)
        return np.concatenate([self.content.vectors.T * share, [share, 1 - share]])

    @cached_property
    def _factors_across(self) -> Floats:
        """The vectors of the items that can be known by plays, side by side: so a product of few rows takes less."""
        assert self.factors is not None, "asked of models with factors only"
        return np.ascontiguousarray(self.factors.vectors[: self._played].T)

    def row(self, played: Iterable[tuple[str, int]]) -> Row:
        """The row of these tracks and their listens, the last played first; those that the model has."""
        known = [(self.items[track], listens) for track, listens in played if track in self.items and listens > 0]
        latest = known[:ROW_MAX][::-1]
        return row_of([item for item, _ in latest], [listens for _, listens in latest])

    def scores(self, row: Row) -> Floats:
        """How well each item suits a row; how popular it is, if the row is empty."""
        return self.lines([row])[0] if len(row.items) else self.popularity

    def lines(self, rows: Sequence[Row]) -> Floats:
        """How well each item suits each of some rows, none of them empty: a line for each. To ask about several at
        once takes less than to ask about one after another."""
        folded = None if self.factors is None else self.factors.folded(rows)
        says = [self.say * min(1.0, len(row.items) / self.long_row) if self.factors else 1.0 for row in rows]
        by_plays, means, scales = self._by_plays(rows, folded, says)
        played = by_plays.shape[1]
        if self.content is None:
            lines = np.repeat(-means[:, None], len(self.tracks), axis=1)
            lines[:, :played] += by_plays
            return lines
        ways = self.content.ways(rows, folded)
        lines = np.column_stack([ways, -ways @ self.content.spread.mean, -means * scales]) @ self._sounds
        rest = self._sounds[-1, :played]
        for line, own, scale in zip(lines, by_plays, scales, strict=True):  # one after another: each fits the cache
            own *= rest
            own *= scale
            line[:played] += own
        return lines

    def together(self, row: Row) -> Floats:
        """How much each item is played by those who play what is in a row; what nobody has played suits nothing.

        As `scores`, but neighbours have their whole say however short the row is: it is asked what goes with these
        items, not what a listener will like of whom no more is known.
        """
        folded = None if self.factors is None else self.factors.folded([row])
        [by_plays], [mean], _ = self._by_plays([row], folded, [self.say])
        suited = np.full(len(self.tracks), -np.inf, dtype=np.float32)
        suited[: len(by_plays)] = np.where(self.listeners[: len(by_plays)] > 0, by_plays - mean, -np.inf)
        return suited

    def _by_plays(
        self, rows: Sequence[Row], folded: Floats | None, says: Sequence[float]
    ) -> tuple[Floats, Floats, Floats]:
        """How well each item suits each row that can be known by plays; all others have 0. For each row, over all
        items: the mean of that, and what gives it deviation 1. Each part of the say has deviation 1 times its weight.
        """
        count, played = np.float32(len(self.tracks)), self._played
        lines = np.zeros((len(rows), played), dtype=np.float32)
        means, squares = np.zeros(len(rows), dtype=np.float32), np.empty(len(rows), dtype=np.float32)
        if self.factors is not None and folded is not None:
            ways = self.factors.spread.even(folded)
            np.matmul(ways, self._factors_across, out=lines)
            means = ways @ self.factors.spread.mean
        for at, (line, row, say) in enumerate(zip(lines, rows, says, strict=True)):
            for part in self.neighbours:
                said = part.line(row, played)
                mean = said.sum() / count
                weight = to_scale(mean, said @ said / count) * say / len(self.neighbours)
                said *= weight
                line += said
                means[at] += mean * weight
            squares[at] = line @ line / count
        return lines, means, to_scale(means, squares)

    @cached_property
    def _played(self) -> int:
        """The items before this one can be known by plays. Those of which only the sound is known come last."""
        known = self.listeners > 0
        if self.factors is not None:
            known = known | self.factors.vectors.any(axis=1)
        targets = [int(part.targets.max(initial=-1)) for part in self.neighbours]
        return 1 + max(int(np.flatnonzero(known).max(initial=-1)), *targets, -1)

    def recommended(
        self, row: Row, limit: int, *, seen: bool = False, artist_max: int = 0, scores: Floats | None = None
    ) -> list[int]:
        """The best for a row, the best first; what is in it only if `seen`. `scores` are those of the row, if known.

        How much of the head a list may have follows from how much of it the row has: who plays what everybody plays is
        given more of it. An empty row gets the popular.
        """
        without = () if seen else row.items.tolist()
        return chosen(
            self.scores(row) if scores is None else scores,
            limit,
            self.shelf,
            without=without,
            artist_max=artist_max,
            head_max=self.head_max(row, limit),
        )

    def all_recommended(self, rows: Sequence[Row], limit: int) -> list[list[int]]:
        """What `recommended` has for each row, asked for all at once."""
        lines = self.lines(rows) if all(len(row.items) for row in rows) else map(self.scores, rows)
        return [self.recommended(row, limit, scores=scores) for row, scores in zip(rows, lines, strict=True)]

    def head_max(self, row: Row, limit: int) -> int | None:
        """How many of the head a list for a row may have; None if any."""
        if not len(row.items):
            return None
        own = np.count_nonzero(self.shelf.head[row.items]) / len(row.items)
        return min(limit, int(np.ceil((own + self.more_head) * limit)))

    def reasons(self, row: Row, items: Sequence[int], limit: int) -> list[list[int]]:
        """Which items of a row speak most for each of these, at most `limit`, the strongest first."""
        said = np.zeros((len(items), len(row.items)), dtype=np.float32)
        for part in self.neighbours:
            each = part.said(row, items)
            said += each / np.maximum(np.abs(each).max(axis=1, initial=0.0), np.float32(1e-9))[:, None]
        best = np.argsort(-said, axis=1, kind="stable")[:, :limit]
        return [
            [int(row.items[place]) for place in places if own[place] > 0]
            for own, places in zip(said, best, strict=True)
        ]
