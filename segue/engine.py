"""`--engine`: who does the heavy steps of a batch, and how many of them are under way at the same time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from model.engine import Engine, InProcess
from model.errors import UsageError
from model.events import Observer
from segue.config import Config

SETTINGS = ("engine", "scheduler")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engaged:
    """An engine, and how many tracks are worked on at the same time: the window that bounds the coordinator."""

    engine: Engine
    jobs: int


@asynccontextmanager
async def engagement(config: Config, observer: Observer, *, again: bool = False) -> AsyncIterator[Engaged]:
    """The engine that was asked for; let go afterwards.

    Raises UsageError, EngineUnavailable, or EngineMismatch where a worker's versions are not ours.
    """
    if config["engine"] == "local":
        yield Engaged(engine=InProcess(), jobs=config["jobs"])
        return
    dask = dask_module("engine_dask")
    said = config["jobs"] if config.values["jobs"].origin != "default" else None
    async with dask.connected(config, observer, again=again, jobs=said) as engine:
        yield Engaged(engine=engine, jobs=engine.window)


def dask_module(name: str) -> ModuleType:
    """A module of ours that needs Dask. Raises UsageError if that is not installed."""
    try:
        return import_module(f"segue.{name}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("dask", "distributed"):
            raise
        raise UsageError("Dask is not installed", hint="pip install 'segue[dask]'") from error


def scheduler_address(config: Config) -> str:
    """Where the scheduler is. Raises UsageError if nobody said."""
    address: str = config["scheduler"]
    if not address:
        raise UsageError("no scheduler", hint="say --scheduler tcp://HOST:8786, or set SEGUE_SCHEDULER")
    return address
