"""`segue doctor`: whether this machine and this store can do the work, and what to do where not."""

import argparse
import platform
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files
from pathlib import Path

from avtool.argv import CONTAINERS
from avtool.locate import locate
from ingest.metadata.reader import Reader
from ingest.scan import Source
from model.errors import ObjectNotFound, PipelineError
from segue.config import Config
from segue.loop import run_loop
from segue.opened import key_ring, opened_store
from segue.output import Output
from storage.address import FileAddress, parse_address
from storage.keys import current_key
from storage.open import describe
from upkeep.probe import probe

HELP = "check this machine and the store, and say how to mend what is wrong"
SETTINGS = ("store", "key_store", "scratch", "ffmpeg")
EXAMPLE = "segue doctor --store file:store"
FREE_BYTES_LEAST = 1 << 30
PACKAGES = (
    "segue", "ingest", "packager", "origin", "discovery", "avtool", "manifests", "storage", "catalog", "cmaf",
    "meter", "protection", "model", "player_demo", "upkeep", "inspector",
)  # fmt: skip
_NO_TRACK = "a" * 20


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `needed` is False where Segue works without it."""

    name: str
    good: bool
    detail: str
    hint: str = ""
    needed: bool = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has settings only."""


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Check everything; 3 if something that is needed is missing."""
    return run_loop(_run(config, output))


async def _run(config: Config, output: Output) -> int:
    missing = 0
    async for check in _checks(config):
        status = "ok" if check.good else "missing" if check.needed else "note"
        missing += status == "missing"
        output.data(
            {"event": "check", "name": check.name, "status": status, "detail": check.detail, "hint": check.hint}
        )
        output.text(f"{status:8}{check.name:12}{check.detail}")
        if check.hint:
            output.text(f"{'':20}hint: {check.hint}")
    return 3 if missing else 0


async def _checks(config: Config) -> AsyncIterator[Check]:
    python = sys.version_info[:2] >= (3, 11)
    yield Check("python", python, platform.python_version(), "" if python else "Segue needs Python 3.11 or newer")
    yield _owners()
    try:
        tool = await locate(config["ffmpeg"] or None)
        yield Check("ffmpeg", True, f"{tool.version} at {tool.path}")
        yield Check("formats", True, CONTAINERS.replace(",", " "))
    except PipelineError as error:
        yield Check("ffmpeg", False, str(error), error.hint)
    yield await _tags()
    free = shutil.disk_usage(config["scratch"] or tempfile.gettempdir()).free
    enough = free >= FREE_BYTES_LEAST
    yield Check("scratch", enough, f"{free >> 20} MiB free", "" if enough else "name a larger folder with --scratch")
    vendor = files("player_demo").joinpath("vendor/hls.mjs").is_file()
    yield Check(
        "player", vendor, "hls.js is there" if vendor else "no hls.js", "" if vendor else "make setup", needed=False
    )
    async for check in _store(config):
        yield check
    if config["key_store"]:
        yield _keys(config)


def _owners() -> Check:
    """Our folders have everyday names: another distribution that installs one of them would shadow it."""
    owners = metadata.packages_distributions()
    shared = [name for name in PACKAGES if set(owners.get(name, ["segue"])) - {"segue"}]
    hint = "install Segue into a virtual environment of its own" if shared else ""
    return Check("names", not shared, ", ".join(shared) or "every package is ours", hint)


async def _tags() -> Check:
    """Tags and pictures are read in a process of their own, which has to start."""
    try:
        async with Reader() as reader:
            await reader.describe(Source(path=Path("none")))
    except PipelineError as error:
        return Check("tags", False, str(error), "look at the limits of this user: ulimit -a")
    return Check("tags", True, "the reading process starts")


def _keys(config: Config) -> Check:
    try:
        names = [each.key_set for each in key_ring(config).masters]
    except PipelineError as error:
        return Check("keys", False, str(error), error.hint)
    return Check("keys", True, f"{len(names)} master keys; {names[-1]} is for new packages")


async def _store(config: Config) -> AsyncIterator[Check]:
    """Whether the store answers, and what it can do."""
    if not config["store"]:
        yield Check("store", False, "none named", "say --store file:PATH, or set SEGUE_STORE", needed=False)
        return
    address = parse_address(config["store"])
    if isinstance(address, FileAddress) and not address.path.exists():
        yield Check("store", True, f"{address} is not there yet; the first publish makes it")
        return
    try:
        async with opened_store(config) as store:
            with suppress(ObjectNotFound):
                await store.head(current_key(_NO_TRACK))
            yield Check("store", True, f"{describe(config['store'])} answers")
            async with aclosing(probe(store)) as abilities:
                async for each in abilities:
                    yield Check(each.name, each.good, each.detail, each.hint, each.needed)
    except PipelineError as error:
        yield Check("store", False, str(error), error.hint)
