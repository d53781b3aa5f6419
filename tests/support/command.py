"""The `segue` command, run as an operator runs it, with its JSON lines read back."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.support.forked import Forked, fork

CHECKOUT = Path(__file__).resolve().parents[2]
SHORT_LADDER = ("--aac", "64", "--opus", "64", "--jobs", "2")
TIMEOUT_S = 110


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it said."""

    status: int
    lines: list[dict[str, Any]]
    stderr: str

    @property
    def summary(self) -> dict[str, int]:
        """How many were done, skipped and failed."""
        (found,) = (line for line in self.lines if line["event"] == "summary")
        return {name: found[name] for name in ("done", "skipped", "failed")}

    @property
    def outcomes(self) -> dict[str, dict[str, Any]]:
        """The line of each source, by file name."""
        return {Path(line["source"]).name: line for line in self.lines if line["event"] == "track"}


def command(*arguments: str | Path, python: str | Path = sys.executable) -> list[str]:
    """The command line, of this checkout."""
    return [str(python), "-m", "segue.main", *map(str, arguments), "--json"]


def environment(home: Path, **more: str) -> Mapping[str, str]:
    """A clean environment whose state folder is under `home`."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(CHECKOUT), **more}


def segue(*arguments: str | Path, cwd: Path, **more: str) -> Ran:
    """Run the command in a folder, which is the home folder too, to its end."""
    return ran(*arguments, cwd=cwd, env=environment(cwd, **more))


def ran(*arguments: str | Path, cwd: Path, env: Mapping[str, str]) -> Ran:
    """Run the command in a folder and an environment to its end."""
    with TemporaryFile("w+") as out, TemporaryFile("w+") as errors:
        running = fork(*arguments, "--json", cwd=cwd, env=env, stdout=out, stderr=errors)
        try:
            status = running.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            running.kill()
            raise
        for file in (out, errors):
            file.seek(0)
        return Ran(status, [json.loads(line) for line in out], errors.read())


@contextmanager
def started(*arguments: str, cwd: Path) -> Iterator[Forked]:
    """The command in a process group of its own, its lines to be read from its stdout; nothing of it is left at the
    end."""
    with Path(os.devnull).open("wb") as nowhere:
        process = fork(*arguments, "--json", cwd=cwd, env=environment(cwd), stderr=nowhere)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def objects(store: Path) -> dict[str, bytes]:
    """All files of a store in a folder, by name, without the store's own notes and what is told of changes."""
    found = {path.relative_to(store): path.read_bytes() for path in store.rglob("*") if path.is_file()}
    return {str(name): data for name, data in found.items() if name.parts[0] not in (".segue", "changes")}
