"""The models that ours are compared with: how each is made, and the settings that it may choose from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from discovery.recommend.judge import Recommend, Split, judge, unheard_best
from discovery.recommend.model import Model
from discovery.recommend.plays import Floats, Plays, Row
from discovery.recommend.recipe import TrainSettings
from discovery.recommend.scorers import Neighbours, Popular, Scorer
from discovery.recommend.train import train
from discovery.recommend.train_factors import als, ials
from discovery.recommend.train_neighbours import cosine, ease, rp3beta

DENSE_BYTES_MAX = 300_000_000

Grid = Mapping[str, Sequence[float]]
Settings = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Maker:
    """How a model is made of plays, whether chance has a part in that, and what it may choose from."""

    make: Callable[..., Scorer]
    grid: Grid
    by_chance: bool = False

    def made(self, plays: Plays, settings: Settings, seed: int) -> Scorer:
        """A model with these settings."""
        if self.by_chance:
            return self.make(plays, seed=seed, **settings)
        return self.make(plays, **settings)


@dataclass(frozen=True, slots=True)
class Whole:
    """A table as one matrix: for many rows at once that takes a fraction of what it takes row by row."""

    matrix: csr_array | NDArray[np.float32]
    half_life: float

    def lines(self, rows: Sequence[Row]) -> Floats:
        """As the table has it."""
        starts = np.cumsum([0, *(len(row.items) for row in rows)])
        strengths = np.concatenate([row.strengths(self.half_life) for row in rows])
        items = np.concatenate([row.items for row in rows])
        found = csr_array((strengths, items, starts), shape=(len(rows), self.matrix.shape[0])) @ self.matrix
        return np.asarray(found.toarray() if isinstance(found, csr_array) else found)


def lists_of(scorer: Scorer) -> Recommend:
    """The lists of a model for many rows at once: ours as they are served, others as the best that a row has not."""
    if isinstance(scorer, Model):
        return scorer.all_recommended
    if isinstance(scorer, Neighbours):
        items = len(scorer.starts) - 1
        table = csr_array((scorer.weights, scorer.targets, scorer.starts), shape=(items, items))
        dense = 4 * items * items <= DENSE_BYTES_MAX
        return unheard_best(Whole(table.toarray() if dense else table, scorer.half_life))
    return unheard_best(scorer)


def list_of(scorer: Scorer) -> Recommend:
    """The lists of a model as one request after another has them."""
    return scorer.all_recommended if isinstance(scorer, Model) else unheard_best(scorer)


def popular(plays: Plays) -> Scorer:
    """Popularity."""
    return Popular(plays.popularity)


def _all_kept(make: Callable[..., Neighbours]) -> Callable[..., Scorer]:
    return lambda plays, **settings: make(plays, kept=len(plays.tracks), **settings)


def peers(*, in_time: bool) -> dict[str, Maker]:
    """Each model by its name. Where the order of time is known, older plays may count for less."""
    half_lives: Grid = {"half_life": (0, 20)} if in_time else {}
    return {
        "popularity": Maker(popular, {}),
        "item cosine": Maker(_all_kept(cosine), half_lives),
        "RP3beta": Maker(_all_kept(rp3beta), {"alpha": (0.6, 1.0), "beta": (0.4, 0.6), **half_lives}),
        "EASE": Maker(_all_kept(ease), {"ridge": (50, 200, 800), **half_lives}),
        "ALS (implicit)": Maker(als, {"regularisation": (10, 30, 50, 100)}, by_chance=True),
        "iALS": Maker(ials, {"ridge": (0.01, 0.03), "unseen": (0.05, 0.1)}, by_chance=True),
    }


def ours(plays: Plays, *, seed: int = 0) -> Model:
    """What is served."""
    return train(plays, TrainSettings(seed=seed), {})


OURS = Maker(ours, {}, by_chance=True)


def chosen(maker: Maker, validation: Split) -> Settings:
    """The settings with the best nDCG@10 on what was hidden for that."""
    if not any(len(values) > 1 for values in maker.grid.values()):
        return {name: values[0] for name, values in maker.grid.items()}
    tried = [(judge(lists_of(model), validation).ndcg10, settings) for model, settings in _each(maker, validation)]
    return max(tried, key=lambda each: each[0])[1]


def _each(maker: Maker, validation: Split) -> Iterator[tuple[Scorer, Settings]]:
    """A model for all settings. What is older counts less when a model is asked: one is trained for all half-lives."""
    names = [name for name in maker.grid if name != "half_life"]
    for values in product(*(maker.grid[name] for name in names)):
        settings = dict(zip(names, values, strict=True))
        model = maker.made(validation.plays, settings, 0)
        half_lives = maker.grid.get("half_life", ())
        if not half_lives:
            yield model, settings
        for half_life in half_lives:
            assert isinstance(model, Neighbours), "nothing else knows of it"
            yield replace(model, half_life=half_life), {**settings, "half_life": half_life}
