"""`segue train`: learn from plays what to recommend, and put the new model in use."""

import argparse
import asyncio
import time
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

from catalog.plays import Plays as PlayTables
from catalog.store import Catalog
from discovery.recommend.files import current_id, model_ids, read_about, read_model, set_current, write_model
from discovery.recommend.judge import Judged, leave_last
from discovery.recommend.plays import Plays, gathered
from discovery.recommend.recipe import Kind, Known, TrainSettings
from discovery.sync import sync
from model.errors import ModelError, UsageError
from segue.config import Config
from segue.engine import Engaged, engagement
from segue.loop import run_loop
from segue.opened import opened_catalog, opened_listeners, opened_store
from segue.output import Output
from segue.progress import Progress

HELP = "learn from plays what to recommend, and put the new model in use"
SETTINGS = ("store", "catalog", "features", "listeners", "models", "engine", "scheduler", "jobs")
EXAMPLE = "segue train --store file:store"
TRIED = (
    TrainSettings(),
    TrainSettings(ridge=0.01),
    TrainSettings(half_life=0.0),
    TrainSettings(half_life=5.0),
    TrainSettings(kind=Kind.IALS),
    TrainSettings(kind=Kind.EASE),
    TrainSettings(kind=Kind.RP3BETA),
)
JUDGED_LEAST = 20  # listeners: with fewer, which settings are best is luck


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, or back to the one before."""
    parser.add_argument("--model", choices=[*Kind], default=Kind.BLEND.value, help="what it is made of [%(default)s]")
    parser.add_argument("--tune", action="store_true", help="hide each listener's last track, try several models, "
                        "take the one that finds most of them")  # fmt: skip
    parser.add_argument("--back", action="store_true", help="train nothing: put the model before the current in use")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Train and write a model. Whoever serves takes it up by itself."""
    if arguments.back:
        return _back(config, output)
    if config["engine"] != "local" and not config["store"]:
        raise UsageError("no store", hint="workers are told of one: say --store, or train with --engine local")
    if arguments.tune and arguments.model != Kind.BLEND:
        raise UsageError("--tune chooses the model itself", hint="leave out --model or --tune")
    return run_loop(_run(config, arguments, output))


def _back(config: Config, output: Output) -> int:
    folder = config.models_path
    current = current_id(folder)
    before = [each for each in model_ids(folder) if current and each < current]
    if not before:
        raise ModelError("there is no model before the current one", subject=str(folder), hint="run `segue train`")
    read_model(folder, before[0])  # raises for one that is damaged
    set_current(folder, before[0])
    about = read_about(folder, before[0])
    output.data({"event": "model", "model_id": about.model_id, "kind": about.kind, **about.facts})
    output.text(f"in use: {about.model_id} ({about.kind})")
    return 0


async def _run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    async with opened_catalog(config) as catalog, opened_listeners(config) as listeners:
        if config["store"]:
            async with opened_store(config) as store:
                await sync(store, catalog)
        plays = await asyncio.to_thread(lambda: gathered(PlayTables(listeners).all_plays()))
        known = await asyncio.to_thread(_known, catalog)
    settings = TrainSettings(kind=Kind(arguments.model))
    started = time.monotonic()
    async with engagement(config, Progress(output)) as engaged:
        if arguments.tune:
            settings = await _tuned(engaged, plays, output)
        model = await engaged.engine.submit(_steps().trained, plays, settings, known)
    facts = {
        "listeners": plays.listeners,
        "tracks": len(model.tracks),
        "plays": len(plays.items),
        "took_s": round(time.monotonic() - started, 1),
    }
    about = await asyncio.to_thread(
        write_model, config.models_path, model, made_ms=time.time_ns() // 1_000_000, kind=settings.kind, facts=facts
    )
    output.data({"event": "model", "model_id": about.model_id, "kind": about.kind, **facts})
    output.text(f"in use: {about.model_id} ({about.kind}, {facts['tracks']} tracks, {facts['listeners']} listeners)")
    return 0


def _known(catalog: Catalog) -> Mapping[str, Known]:
    sounds = dict(catalog.live_features())
    return {row.track_id: Known(row.artist, sounds.get(row.track_id)) for row in catalog.iterate() if row.live}


async def _tuned(engaged: Engaged, plays: Plays, output: Output) -> TrainSettings:
    """The best of those that are tried, by nDCG@10."""
    split = leave_last(plays)
    if split.plays.listeners < JUDGED_LEAST:
        output.say(f"{split.plays.listeners} listeners with two tracks or more are too few to try models on")
        return TrainSettings()
    free = asyncio.Semaphore(engaged.jobs)

    async def tried(settings: TrainSettings) -> Judged:
        async with free:
            judged: Judged = await engaged.engine.submit(_steps().tried, split, settings)
            return judged

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(tried(settings)) for settings in TRIED]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors  # the first; the others were cancelled
    worth = [task.result() for task in tasks]
    for settings, judged in zip(TRIED, worth, strict=True):
        figures = {"ndcg10": round(judged.ndcg10, 4), "recall20": round(judged.recall20, 4)}
        said = {"kind": settings.kind, "half_life": settings.half_life, "ridge": settings.ridge}
        output.data({"event": "tried", **said, **figures})
        output.say(f"{settings.kind} half-life {settings.half_life:g} ridge {settings.ridge:g}: {figures['ndcg10']}")
    return max(zip(worth, TRIED, strict=True), key=lambda each: each[0].ndcg10)[1]


def _steps() -> ModuleType:
    """Loaded when something is trained: what it needs takes longer to load than other commands take."""
    return import_module("discovery.recommend.steps")
