"""Recommendations on real listening data: what ours are worth beside the models that they are made of.

Two protocols. `next`: of each listener the last item is hidden and has to be found among all that it has not had, as in
the papers (only data in the order of time). `fifth`: a random fifth of each listener's items is hidden; three times.
Settings of every other model are chosen on a part of the training data that was hidden in the same way, never on what
is tested. So are the three weights of ours (`WEIGHTS`): `--choose` does that again, and looks at no test item.

Figures are means with the standard deviation over seeds; `against_the_best` is the difference to the best other model,
listener by listener (the mean over seeds), with its 95 % interval by bootstrap over listeners. Tracks that nobody
played (`cold`) need sounds, which no listening data have: they are made up.

CPU is that of one request, with all that a list takes. Data: see benchmarks/listening_data.py.

    nice python -m benchmarks.bench_recommend FOLDER [--markdown | --choose] > result.json
"""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.listening_data import counts, made_up, made_up_sounds, sequences
from discovery.recommend.judge import TOP, Recommend, Split, hold_out, judge, leave_last, unheard_best
from discovery.recommend.model import Model
from discovery.recommend.plays import Plays, Row, gathered, rows_joined
from discovery.recommend.recipe import Known, TrainSettings
from discovery.recommend.scorers import Popular, Scorer
from discovery.recommend.train import train
from discovery.recommend.train_factors import als, ials
from discovery.recommend.train_neighbours import cosine, ease, rp3beta

SEEDS = (0, 1, 2)
FIFTH, VALIDATION = 0.2, 0.15
NEW_LISTENERS, NEW_ROW_LEAST = 200, 15
GIVEN = (0, 1, 2, 3, 5, 10)  # items that a new listener has played
P99_MS_MAX = 10.0
WEIGHTS: Mapping[str, Sequence[float]] = {  # of ours, by the names that Model has for them: what may be chosen from
    "say": (0.25, 0.5, 1.0, 2.0),
    "long_row": (1, 10, 20, 40),
    "more_head": (0.0, 0.1, 0.2, 1.0),
}
DRAWS = 2000  # of the bootstrap
COLD_TRACKS, COLD_LISTENERS, COLD_PART = 2000, 600, 0.1
FIGURES = ("ndcg10", "ndcg10_error", "hit10", "recall20", "coverage10", "novelty", "popularity")

Maker = Callable[..., Scorer]
Grid = Mapping[str, Sequence[float]]


def popular(plays: Plays, *, seed: int = 0) -> Scorer:
    """Popularity."""
    del seed
    return Popular(plays.popularity)


def _seedless(make: Callable[..., Scorer]) -> Maker:
    def made(plays: Plays, *, seed: int = 0, **settings: float) -> Scorer:
        del seed
        return make(plays, kept=len(plays.tracks), **settings)

    return made


def _models(*, in_time: bool) -> dict[str, tuple[Maker, Grid]]:
    """Each model with the settings that it may choose from. Where the order of time is known, older plays may count
    for less."""
    half_lives: Grid = {"half_life": (0, 20)} if in_time else {}
    return {
        "popularity": (popular, {}),
        "item cosine": (_seedless(cosine), half_lives),
        "RP3beta": (_seedless(rp3beta), {"alpha": (0.6, 1.0), "beta": (0.4, 0.6), **half_lives}),
        "EASE": (_seedless(ease), {"ridge": (50, 200, 800), **half_lives}),
        "ALS (implicit)": (als, {"regularisation": (10, 30, 50, 100)}),
        "iALS": (ials, {"ridge": (0.01, 0.03), "unseen": (0.05, 0.1)}),
    }


def _ours(plays: Plays, *, seed: int = 0) -> Model:
    return train(plays, TrainSettings(seed=seed), {})


def _listing(model: Model) -> Recommend:
    return lambda row, limit: model.recommended(row, limit)


def chosen(make: Maker, grid: Grid, validation: Split) -> dict[str, float]:
    """The settings with the best nDCG@10 on what was hidden for that."""
    tried = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    if len(tried) == 1:
        return tried[0]
    worth = [judge(unheard_best(make(validation.plays, **each)), validation).ndcg10 for each in tried]
    return tried[int(np.argmax(worth))]


def compared(tests: Sequence[Split], validation: Split, *, in_time: bool) -> Iterator[dict[str, object]]:
    """A row of figures for each model, over the splits; ours at the end."""
    for name, (make, grid) in _models(in_time=in_time).items():
        settings = chosen(make, grid, validation)
        makers = [_partial(make, settings, seed) for seed in SEEDS]
        yield {"model": name, "settings": settings} | _figures(makers, tests, unheard_best)
    makers = [_partial(_ours, {}, seed) for seed in SEEDS]
    yield {"model": "ours", "settings": {}} | _figures(makers, tests, _listing)


def _partial(make: Maker, settings: Mapping[str, float], seed: int) -> Callable[[Plays], Scorer]:
    return lambda plays: make(plays, seed=seed, **settings)


def _figures(
    makers: Sequence[Callable[[Plays], Scorer]], tests: Sequence[Split], listing: Callable[..., Recommend]
) -> dict[str, object]:
    found, trained_s = [], []
    spent_ms: list[float] = []
    for make, test in zip(makers, tests, strict=True):
        started = time.process_time()
        model = make(test.plays)
        trained_s.append(time.process_time() - started)
        found.append(asdict(judge(_timed(listing(model), spent_ms), test)))
    each = [value for judged in found for value in judged.pop("each")]
    figures: dict[str, object] = {
        name: [round(statistics.mean(each[name] for each in found), 4), _deviation([each[name] for each in found])]
        for name in FIGURES
    }
    spent_ms.sort()
    return figures | {
        "each": each,
        "train_cpu_s": round(statistics.mean(trained_s), 2),
        "p50_ms": round(spent_ms[len(spent_ms) // 2], 2),
        "p99_ms": round(spent_ms[int(len(spent_ms) * 0.99)], 2),
        "model_mb": round(_bytes(model) / 1e6, 1),
    }


def _deviation(values: Sequence[float]) -> float:
    return round(statistics.stdev(values), 4) if len(values) > 1 else 0.0


def _timed(recommend: Recommend, spent_ms: list[float]) -> Recommend:
    def timed(row: Row, limit: int) -> Sequence[int]:
        started = time.thread_time_ns()
        items = recommend(row, limit)
        spent_ms.append((time.thread_time_ns() - started) / 1e6)
        return items

    return timed


def _bytes(part: object) -> int:
    """Of the arrays in it."""
    if isinstance(part, np.ndarray):
        return part.nbytes
    if isinstance(part, tuple):
        return sum(map(_bytes, part))
    names = getattr(part, "__dataclass_fields__", ())
    return sum(_bytes(getattr(part, name)) for name in names)


def newcomers(plays: Plays, seed: int) -> Iterator[dict[str, object]]:
    """nDCG@10 for listeners whom no model was trained with, after their first plays."""
    luck = np.random.default_rng(seed)
    rows = list(plays.rows())
    picked = luck.permutation(len(rows))[:NEW_LISTENERS].tolist()
    known = rows_joined([row for place, row in enumerate(rows) if place not in set(picked)], plays.tracks)
    model = _ours(known)
    makers = {"popularity": unheard_best(Popular(known.popularity)), "EASE": unheard_best(ease(known)),
              "iALS": unheard_best(ials(known)), "ours": _listing(model)}  # fmt: skip
    mixed = [luck.permutation(rows[place].items) for place in picked if len(rows[place].items) >= NEW_ROW_LEAST]
    for given in GIVEN:
        first = [Row(items[:given], np.ones(given, dtype=np.float32)) for items in mixed]
        # A list is measured by how the trained listeners play: the newcomers are no part of the counts.
        split = Split(rows_joined(first, plays.tracks), tuple(items[given:] for items in mixed))
        usable = {name: make for name, make in makers.items() if given or name in ("popularity", "ours")}
        yield {"given": given} | {name: round(judge(make, split).ndcg10, 4) for name, make in usable.items()}


def at_least_the_best(rows: Sequence[Mapping[str, object]]) -> bool:
    """Whether ours is at least the best of the others, within one standard error of a mean over listeners."""
    *others, ours = rows
    return all(_mean(ours, "ndcg10") >= _mean(each, "ndcg10") - _mean(each, "ndcg10_error") for each in others)


def against_the_best(rows: Sequence[dict[str, object]]) -> dict[str, object]:
    """How much better ours is than the best other model, listener by listener; takes `each` out of rows."""
    *others, ours = rows
    best = max(others, key=lambda each: _mean(each, "ndcg10"))
    # The same listeners are asked in every seed: what is drawn anew are they, not what each of them got thrice.
    over_seeds = [np.asarray(row["each"], np.float64).reshape(len(SEEDS), -1).mean(axis=0) for row in (ours, best)]
    gained = over_seeds[0] - over_seeds[1]
    drawn = np.random.default_rng(0).multinomial(len(gained), np.full(len(gained), 1 / len(gained)), DRAWS)
    for row in rows:
        del row["each"]
    low, high = np.percentile(drawn @ gained / len(gained), (2.5, 97.5)).round(4).tolist()
    return {"best_other": best["model"], "ndcg10_gained": round(float(gained.mean()), 4), "interval": [low, high]}


def weighed(plays: Plays, *, in_time: bool) -> dict[str, object]:
    """nDCG@10 of the blend on what is hidden for validation, by each weight while the others are as they are: test
    items are in nobody's sight."""
    tests = {"fifth": hold_out(hold_out(plays, FIFTH, 0).plays, VALIDATION, 0)}
    if in_time:
        tests["next"] = leave_last(leave_last(plays).plays)
    models = {name: _ours(test.plays) for name, test in tests.items()}

    def worth(name: str, weight: str, value: float) -> float:
        model = replace(models[name], **{weight: value})  # type: ignore[arg-type]  # by name
        return round(judge(_listing(model), tests[name]).ndcg10, 4)

    result: dict[str, object] = {}
    for weight, values in WEIGHTS.items():
        found = {name: {value: worth(name, weight, value) for value in values} for name in tests}
        shares = {value: sum(each[value] / max(each.values()) for each in found.values()) for value in values}
        result[weight] = {**found, "best_of_all": max(shares, key=shares.__getitem__)}
    return result


def cold() -> dict[str, float]:
    """nDCG@10 for tracks that no model saw a play of, among each other, by what they sound like; on made-up tastes."""
    artist_of, scene_of, played = made_up(COLD_TRACKS, COLD_LISTENERS)
    sounds = made_up_sounds(artist_of, scene_of)
    known = {track_id: Known(artist, sounds[track_id]) for track_id, artist in artist_of.items()}
    luck = np.random.default_rng(0)
    hidden = {each for each in sorted(artist_of) if luck.random() < COLD_PART}
    model = train(gathered(each for each in played if each[1] not in hidden), TrainSettings(), known)
    content, factors = model.content, model.factors
    assert content is not None and factors is not None
    among = np.array([item for item, track in enumerate(model.tracks) if track in hidden])
    wanted: dict[str, set[int]] = {}
    heard: dict[str, list[tuple[int, str, int]]] = {}
    for listener, track, listens, at in played:
        if track in hidden:
            wanted.setdefault(listener, set()).add(model.items[track])
        else:
            heard.setdefault(listener, []).append((at, track, listens))
    found: dict[str, list[float]] = {}
    for listener, items in wanted.items():
        row = model.row((track, listens) for _, track, listens in sorted(heard.get(listener, []), reverse=True))
        if not len(row.items):
            continue
        scores = {
            "by chance": luck.random(len(model.tracks), np.float32),
            "likeness of sound": content.vectors @ (row.strengths() @ content.vectors[row.items]),
            "ridge regression": content.vectors @ (content.to_factors @ factors.folded([row])[0]),
            "ours": model.scores(row),
        }
        for name, each in scores.items():
            best = among[np.argsort(-each[among], kind="stable")[:TOP]]
            discounts = 1 / np.log2(np.arange(2, TOP + 2))
            found.setdefault(name, []).append(
                float(discounts[: len(best)] @ np.isin(best, list(items)) / discounts[: len(items)].sum())
            )
    return {name: round(statistics.mean(values), 4) for name, values in found.items()}


def _mean(row: Mapping[str, object], name: str) -> float:
    pair = row[name]
    assert isinstance(pair, list)
    return float(pair[0])


def measured(plays: Plays, *, in_time: bool) -> dict[str, object]:
    """All tables of one set of data."""
    tests = [hold_out(plays, FIFTH, seed) for seed in SEEDS]
    tables = {"fifth": list(compared(tests, hold_out(tests[0].plays, VALIDATION, 0), in_time=False))}
    if in_time:
        test = leave_last(plays)
        tables["next"] = list(compared([test] * len(SEEDS), leave_last(test.plays), in_time=True))
    ours = [rows[-1] for rows in tables.values()]
    against = {name: against_the_best(rows) for name, rows in tables.items()}
    return {
        "listeners": plays.listeners,
        "items": len(plays.tracks),
        "plays": len(plays.items),
        **tables,
        "against_the_best": against,
        "newcomers": list(newcomers(plays, 0)),
        "held": {
            **{f"{name}_at_least_the_best": at_least_the_best(rows) for name, rows in tables.items()},
            "p99_ms": all(float(str(each["p99_ms"])) <= P99_MS_MAX for each in ours),
        },
    }


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """A table of figures as the documents have it."""
    names = (*FIGURES, "train_cpu_s", "p99_ms", "model_mb")
    lines = [f"| model | {' | '.join(names)} | settings |", "| --- " * (len(names) + 2) + "|"]
    for row in rows:
        cells = [f"{each[0]} ± {each[1]}" if isinstance(each := row[name], list) else str(each) for name in names]
        settings = row["settings"]
        assert isinstance(settings, dict)
        said = ", ".join(f"{key} {value}" for key, value in settings.items())
        lines.append(f"| {row['model']} | {' | '.join(cells)} | {said} |")
    return "\n".join(lines)


def main() -> None:
    """Print the result as JSON, and with --markdown tables on stderr."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, nargs="?", help="where the data are")
    options.add_argument("--markdown", action="store_true", help="tables, on stderr")
    options.add_argument("--choose", action="store_true", help="only the weights of ours, on validation data")
    asked = options.parse_args()
    found = {} if asked.folder is None else {"sequences": sequences(asked.folder), "counts": counts(asked.folder)}
    load_before = os.getloadavg()[0]
    result: dict[str, object] = {"benchmark": "recommend"}
    for name, plays in found.items():
        if plays is not None and asked.choose:
            result[name] = weighed(plays, in_time=name == "sequences")
        elif plays is not None:
            figures = measured(plays, in_time=name == "sequences")
            result[name] = figures
            for table in ("next", "fifth"):
                if asked.markdown and isinstance(rows := figures.get(table), list):
                    print(f"{name}, {table}\n{markdown(rows)}\n", file=sys.stderr)
    if len(result) == 1:
        result["missing"] = "FOLDER with listening data; --help says which"
    if not asked.choose:
        result["cold"] = cold()
    result["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
    result["machine"] = {
        "cpus": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "load": [round(load_before, 1), round(os.getloadavg()[0], 1)],
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
