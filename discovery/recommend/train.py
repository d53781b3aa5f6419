"""From plays to a model."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from discovery.recommend.content import Content, content_vectors, to_factors
from discovery.recommend.model import Model
from discovery.recommend.plays import Floats, Indices, Plays
from discovery.recommend.recipe import Kind, Known, TrainSettings
from discovery.recommend.scorers import Factors, Neighbours
from discovery.recommend.train_factors import als, ials
from discovery.recommend.train_neighbours import KEPT, cosine, ease, rp3beta
from model.errors import PlaysTooFew

LISTENERS_LEAST = 2  # one listener's plays say nothing of what else one could like
TRUSTED_LISTENERS = 3  # from so many on an item's factors tell what its sound is worth
WEIGHTS_MAX = 4_000_000  # of one table, 32 MB: with very many items each keeps fewer
KEPT_LEAST = 20


def train(plays: Plays, settings: TrainSettings, catalog: Mapping[str, Known]) -> Model:
    """A model of these plays. Tracks of the catalog that nobody played are in it if their sound is known.

    Takes seconds to minutes of one processor. Raises PlaysTooFew.
    """
    if plays.listeners < LISTENERS_LEAST:
        hint = "people have to agree that their plays are used, and listen; until then the popular is recommended"
        raise PlaysTooFew(f"plays of {plays.listeners} listeners, at least {LISTENERS_LEAST} are needed", hint=hint)
    played = set(plays.tracks)
    silent = sorted(track for track, known in catalog.items() if track not in played and known.sound is not None)
    wide = replace(plays, tracks=(*plays.tracks, *silent), popularity=_grown(plays.popularity, len(silent)))
    neighbours, factors = _parts(plays, settings)
    names = [catalog[track].artist if track in catalog else "" for track in wide.tracks]
    known_names = sorted(set(names) - {""})
    index = {name: place for place, name in enumerate(known_names)} | {"": -1}
    factors = factors and replace(factors, vectors=_grown(factors.vectors, len(silent)))
    listeners = wide.counts().astype(np.int32)
    return Model(
        tracks=wide.tracks,
        artists=np.array([index[name] for name in names], dtype=np.int32),
        artist_names=tuple(known_names),
        popularity=wide.popularity,
        listeners=listeners,
        neighbours=tuple(_widened(each, len(silent)) for each in neighbours),
        factors=factors,
        content=_content(wide, catalog, factors, listeners),
    )


def _parts(plays: Plays, settings: TrainSettings) -> tuple[list[Neighbours], Factors | None]:
    kept = int(np.clip(WEIGHTS_MAX // len(plays.tracks), KEPT_LEAST, KEPT))
    kind = settings.kind
    neighbours = []
    if kind in (Kind.BLEND, Kind.RP3BETA):
        neighbours.append(rp3beta(plays, half_life=settings.half_life, kept=kept))
    if kind is Kind.EASE:
        neighbours.append(ease(plays, ridge=settings.ease_ridge, half_life=settings.half_life, kept=kept))
    if kind is Kind.COSINE:
        neighbours.append(cosine(plays, half_life=settings.half_life, kept=kept))
    factors = None
    width = min(settings.factors, len(plays.tracks))
    if kind in (Kind.BLEND, Kind.IALS):
        factors = ials(plays, factors=width, ridge=settings.ridge, unseen=settings.unseen, seed=settings.seed)
    if kind is Kind.ALS:
        held, alpha = settings.regularisation, settings.alpha
        factors = als(plays, factors=width, regularisation=held, alpha=alpha, seed=settings.seed)
    return neighbours, factors


def _content(plays: Plays, catalog: Mapping[str, Known], factors: Factors | None, listeners: Indices) -> Content | None:
    sounds = [catalog[track].sound if track in catalog else None for track in plays.tracks]
    vectors = content_vectors(sounds)
    if not vectors.any():
        return None
    if factors is None:
        return Content(vectors, np.zeros((vectors.shape[1], 1), dtype=np.float32))
    return Content(vectors, to_factors(vectors, factors.vectors, listeners >= TRUSTED_LISTENERS))


def _grown(rows: Floats, more: int) -> Floats:
    return np.concatenate([rows, np.zeros((more, *rows.shape[1:]), dtype=rows.dtype)])


def _widened(table: Neighbours, more: int) -> Neighbours:
    return replace(table, starts=np.concatenate([table.starts, np.full(more, table.starts[-1])]))
