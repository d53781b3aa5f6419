"""Recommendations on real listening data: what ours are worth beside the models that they are made of.

Two protocols. `next`: of each listener the last item is hidden and has to be found among all that it has not had, as in
the papers (only data in the order of time). `fifth`: a random fifth of each listener's items is hidden; three times.
Settings of every other model are chosen on a part of the training data that was hidden in the same way, never on what
is tested. So are the weights of ours (`WEIGHTS`): `--choose` does that again, and looks at no test item. All models
are tested once, on the same listeners.

Figures are means with the standard deviation over seeds; `against_the_best` is, for nDCG@10 and for Recall@20, the
difference to the best other model, listener by listener (the mean over seeds), with its 95 % interval by bootstrap over
listeners: ours is as good as the best within noise where the interval does not end below 0. Tracks that nobody played
(`cold`) need sounds, which no listening data have: they are made up.

CPU of a request is that of one list, with all that it takes, for REQUESTS listeners one after another. BLAS has one
thread. What each model found goes to stderr as it comes, and into the file that --keep names: started with it again,
the benchmark goes on where it was (for the same data and code). Data: see benchmarks/listening_data.py.

    nice python -m benchmarks.bench_recommend FOLDER [--keep FILE] [--markdown | --choose] > result.json

All of it takes about three minutes of one processor with 1,090 listeners and 3,646 items, `--choose` half a minute.
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
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.listening_data import counts, made_up, made_up_sounds, sequences
from benchmarks.recommend_models import OURS, Maker, Settings, chosen, list_of, lists_of, ours, peers, popular
from discovery.recommend.judge import LONG, TOP, Recommend, Split, hold_out, judge, leave_last
from discovery.recommend.plays import Plays, Row, gathered, rows_joined
from discovery.recommend.recipe import Known, TrainSettings
from discovery.recommend.scorers import Scorer
from discovery.recommend.train import train
from discovery.recommend.train_factors import ials
from discovery.recommend.train_neighbours import ease
from model.features import Features

SEEDS = (0, 1, 2)
FIFTH, VALIDATION = 0.2, 0.15
NEW_LISTENERS, NEW_ROW_LEAST = 200, 15
GIVEN = (0, 1, 2, 3, 5, 10)  # items that a new listener has played
REQUESTS = 300  # of which the time is taken
P99_MS_MAX = 10.0
WEIGHTS: Mapping[str, Sequence[float]] = {  # of ours, by the names that Model has for them: what may be chosen from
    "say": (0.25, 0.5, 1.0, 2.0),
    "long_row": (1, 10, 20, 40),
    "more_head": (0.0, 0.1, 0.2, 1.0),
    "ease": (0, 1),  # whether neighbours are those of EASE, too, with half of the say
}
DRAWS = 2000  # of the bootstrap
COLD_TRACKS, COLD_LISTENERS, COLD_PART = 2000, 600, 0.1
FIGURES = ("ndcg10", "ndcg10_error", "hit10", "recall20", "coverage10", "novelty", "popularity")
COMPARED = {"ndcg10": "each", "recall20": "each_recall"}

Figures = dict[str, object]
Sounding = Callable[[Mapping[str, str], Mapping[str, int]], Mapping[str, Features]]


class Findings:
    """What was found so far, by its name, in a file of JSON lines if one is named."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_text("utf-8").splitlines() if path is not None and path.exists() else []
        self._known: dict[str, object] = dict(json.loads(line) for line in lines)

    def of(self, name: str, find: Callable[[], object]) -> object:
        """What is found under this name; looked for only if it is not known."""
        if name not in self._known:
            self._known[name] = json.loads(json.dumps(find()))  # as it will be when it is read again
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([name, self._known[name]]) + "\n")
        found = self._known[name]
        said = (
            {each: found[each] for each in ("ndcg10", "recall20") if each in found} if isinstance(found, dict) else {}
        )
        print(f"{time.process_time():6.0f} s of CPU: {name} {said or ''}", file=sys.stderr, flush=True)
        return found


def compared(
    findings: Findings, name: str, tests: Sequence[Split], validation: Split, *, in_time: bool
) -> list[Figures]:
    """A row of figures for each model, over the splits; ours at the end. Where all splits are one, what has nothing of
    chance in it is tested on it once."""

    def found(model: str, maker: Maker) -> Figures:
        settings = chosen(maker, validation)
        asked = tests if maker.by_chance or len({id(test) for test in tests}) > 1 else tests[:1]
        return {"model": model, "settings": settings} | _figures(maker, settings, asked)

    rows = []
    for model, maker in {**peers(in_time=in_time), "ours": OURS}.items():
        row = findings.of(f"{name}, {model}", partial(found, model, maker))
        assert isinstance(row, dict)
        rows.append(row)
    return rows


def _figures(maker: Maker, settings: Settings, tests: Sequence[Split]) -> Figures:
    found, trained_s = [], []
    for seed, test in zip(SEEDS, tests, strict=False):
        started = time.process_time()
        model = maker.made(test.plays, settings, seed)
        trained_s.append(time.process_time() - started)
        found.append(asdict(judge(lists_of(model), test)))
    spent_ms = _spent_ms(list_of(model), test)
    figures: Figures = {
        name: [round(statistics.mean(each[name] for each in found), 4), _deviation([each[name] for each in found])]
        for name in FIGURES
    }
    return figures | {
        **{each: np.mean([judged[each] for judged in found], axis=0).round(6).tolist() for each in COMPARED.values()},
        "train_cpu_s": round(statistics.mean(trained_s), 2),
        "p50_ms": round(spent_ms[len(spent_ms) // 2], 2),
        "p99_ms": round(spent_ms[int(len(spent_ms) * 0.99)], 2),
        "model_mb": round(_bytes(model) / 1e6, 1),
    }


def _deviation(values: Sequence[float]) -> float:
    return round(statistics.stdev(values), 4) if len(values) > 1 else 0.0


def _spent_ms(recommend: Recommend, test: Split) -> list[float]:
    """What lists take, in order."""
    spent = []
    for listener in range(min(REQUESTS, test.plays.listeners)):
        row = test.plays.row(listener)
        started = time.thread_time_ns()
        recommend([row], LONG)
        spent.append((time.thread_time_ns() - started) / 1e6)
    return sorted(spent)


def _bytes(part: object) -> int:
    """Of the arrays in it."""
    if isinstance(part, np.ndarray):
        return part.nbytes
    if isinstance(part, tuple):
        return sum(map(_bytes, part))
    names = getattr(part, "__dataclass_fields__", ())
    return sum(_bytes(getattr(part, name)) for name in names)


def newcomers(plays: Plays, seed: int) -> Iterator[Figures]:
    """nDCG@10 for listeners whom no model was trained with, after their first plays."""
    luck = np.random.default_rng(seed)
    rows = list(plays.rows())
    picked = luck.permutation(len(rows))[:NEW_LISTENERS].tolist()
    known = rows_joined([row for place, row in enumerate(rows) if place not in set(picked)], plays.tracks)
    models: dict[str, Scorer] = {
        "popularity": popular(known), "EASE": ease(known), "iALS": ials(known), "ours": ours(known)
    }  # fmt: skip
    makers = {name: lists_of(model) for name, model in models.items()}
    mixed = [luck.permutation(rows[place].items) for place in picked if len(rows[place].items) >= NEW_ROW_LEAST]
    for given in GIVEN:
        first = [Row(items[:given], np.ones(given, dtype=np.float32)) for items in mixed]
        # A list is measured by how the trained listeners play: the newcomers are no part of the counts.
        split = Split(rows_joined(first, plays.tracks), tuple(items[given:] for items in mixed))
        usable = {name: make for name, make in makers.items() if given or name in ("popularity", "ours")}
        yield {"given": given} | {name: round(judge(make, split).ndcg10, 4) for name, make in usable.items()}


def against_the_best(rows: Sequence[Figures]) -> Figures:
    """How much better ours is than the best other model, by each figure; takes what there is of each listener out of
    rows."""
    *others, own = rows
    result: Figures = {}
    for name, each in COMPARED.items():
        best = max(others, key=lambda row: _mean(row, name))
        gained = np.asarray(own[each], np.float64) - np.asarray(best[each], np.float64)
        # The same listeners are asked in every seed: what is drawn anew are they, not what each of them got thrice.
        drawn = np.random.default_rng(0).multinomial(len(gained), np.full(len(gained), 1 / len(gained)), DRAWS)
        low, high = np.percentile(drawn @ gained / len(gained), (2.5, 97.5)).round(4).tolist()
        result[name] = {
            "best_other": best["model"],
            "gained": round(float(gained.mean()), 4),
            "interval": [low, high],
            "at_least_equal": bool(high >= 0),
        }
    for row in rows:
        for each in COMPARED.values():
            del row[each]
    return result


def weighed(findings: Findings, name: str, plays: Plays, *, in_time: bool) -> Figures:
    """nDCG@10 and Recall@20 of the blend on what is hidden for validation, by each weight while the others are as they
    are, and which is best in the sum of all, each as part of its best: test items are in nobody's sight."""
    tests = {"fifth": hold_out(hold_out(plays, FIFTH, 0).plays, VALIDATION, 0)}
    if in_time:
        tests["next"] = leave_last(leave_last(plays).plays)
    models = {name: ours(test.plays) for name, test in tests.items()}

    def worth(test: str, weight: str, value: float) -> tuple[float, float]:
        model, plays = models[test], tests[test].plays
        if weight != "ease":
            model = replace(model, **{weight: value})  # type: ignore[arg-type]  # by name
        elif value:
            model = replace(model, neighbours=(*model.neighbours, ease(plays, half_life=TrainSettings().half_life)))
        judged = judge(lists_of(model), tests[test])
        return round(judged.ndcg10, 4), round(judged.recall20, 4)

    def found(weight: str, values: Sequence[float]) -> Figures:
        each = {test: [worth(test, weight, value) for value in values] for test in tests}
        shares = np.sum([np.array(row) / np.max(row, axis=0) for row in each.values()], axis=(0, 2))
        return {"values": list(values), **each, "best_of_all": values[int(shares.argmax())]}

    return {
        weight: findings.of(f"{name}, validation, {weight}", partial(found, weight, values))
        for weight, values in WEIGHTS.items()
    }


def cold(
    tracks: int = COLD_TRACKS, listeners: int = COLD_LISTENERS, sounds_of: Sounding = made_up_sounds
) -> dict[str, float]:
    """nDCG@10 for tracks that no model saw a play of, among each other, by what they sound like; on made-up tastes."""
    artist_of, scene_of, played = made_up(tracks, listeners)
    sounds = sounds_of(artist_of, scene_of)
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


def measured(findings: Findings, name: str, plays: Plays, *, in_time: bool) -> Figures:
    """All tables of one set of data."""
    tests = [hold_out(plays, FIFTH, seed) for seed in SEEDS]
    hidden = hold_out(tests[0].plays, VALIDATION, 0)
    tables = {"fifth": compared(findings, f"{name}, fifth", tests, hidden, in_time=False)}
    if in_time:
        test = leave_last(plays)
        each = [test] * len(SEEDS)
        tables["next"] = compared(findings, f"{name}, next", each, leave_last(test.plays), in_time=True)
    p99_ms = [float(str(rows[-1]["p99_ms"])) for rows in tables.values()]
    return {
        "listeners": plays.listeners,
        "items": len(plays.tracks),
        "plays": len(plays.items),
        "against_the_best": {table: against_the_best(rows) for table, rows in tables.items()},
        **tables,
        "newcomers": findings.of(f"{name}, newcomers", lambda: list(newcomers(plays, 0))),
        "held": {"p99_ms": max(p99_ms) <= P99_MS_MAX},
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
    options.add_argument("--keep", type=Path, metavar="FILE", help="what was found, to go on from")
    options.add_argument("--markdown", action="store_true", help="tables, on stderr")
    options.add_argument("--choose", action="store_true", help="only the weights of ours, on validation data")
    asked = options.parse_args()
    found = {} if asked.folder is None else {"sequences": sequences(asked.folder), "counts": counts(asked.folder)}
    load_before = os.getloadavg()[0]
    findings = Findings(asked.keep)
    result: Figures = {"benchmark": "recommend"}
    for name, plays in found.items():
        if plays is not None and asked.choose:
            result[name] = weighed(findings, name, plays, in_time=name == "sequences")
        elif plays is not None:
            figures = measured(findings, name, plays, in_time=name == "sequences")
            result[name] = figures
            for table in ("next", "fifth"):
                if asked.markdown and isinstance(rows := figures.get(table), list):
                    print(f"{name}, {table}\n{markdown(rows)}\n", file=sys.stderr)
    if len(result) == 1:
        result["missing"] = "FOLDER with listening data; --help says which"
    if not asked.choose:
        result["cold"] = findings.of("made up, cold", cold)
    result["cpu_s"] = round(time.process_time())
    result["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
    result["machine"] = {
        "cpus": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "load": [round(load_before, 1), round(os.getloadavg()[0], 1)],
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    with threadpool_limits(1, "blas"):
        main()
