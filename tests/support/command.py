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
from typing import Any

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


def segue(*arguments: str | Path, cwd: Path, python: str | Path = sys.executable, **more: str) -> Ran:
    """Run the command in a folder, which is the home folder too, to its end."""
    done = subprocess.run(
        command(*arguments, python=python),
        cwd=cwd,
        env=environment(cwd, **more),
        timeout=TIMEOUT_S,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return Ran(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)


@contextmanager
def started(*arguments: str, cwd: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The command in a process group of its own, its lines to be read from its stdout; nothing of it is left at the
    end."""
    process = subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env=environment(cwd),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def objects(store: Path) -> dict[str, bytes]:
    """All files of a store in a folder, by name, without the store's own notes and what is told of changes."""
    found = {path.relative_to(store): path.read_bytes() for path in store.rglob("*") if path.is_file()}
    return {str(name): data for name, data in found.items() if name.parts[0] not in (".segue", "changes")}
