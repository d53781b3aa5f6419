"""A scheduler and workers on loopback, as an operator starts them; each a process of its own that a test may end."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

from imageio_ffmpeg import get_ffmpeg_exe

from tests.support.command import command, environment
from tests.support.forked import Forked, fork

READY_S = 90.0
AWAY_S = float(
    os.environ.get("AWAY_S", "0")
)  # how long a store is away at least; `make bench-scale` has a whole minute
QUICK = {  # what shortens waiting; the same settings serve an operator in another measure
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "20s",
}


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], object], *, seconds: float = 90.0, what: str = "it") -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        time.sleep(0.02)


@dataclass
class Process:
    """A running command. `stop` ends it well, `kill` with all its children and at once."""

    process: "Forked | subprocess.Popen[bytes]"
    log: Path

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def kill(self) -> None:
        """As a power cut does it: the whole process group."""
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and all its children."""
        for pid in descendants(self.process.pid):
            _send(pid, number)
        _send(self.process.pid, number)

    def children(self, name: str) -> list[int]:
        """The ids of its descendants whose command line holds `name`."""
        return [pid for pid in descendants(self.process.pid) if name in _command_line(pid)]

    @property
    def lines(self) -> list[dict[str, object]]:
        """What it said on stdout so far."""
        found = [line for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [json.loads(line) for line in found if line.startswith("{")]


@dataclass(frozen=True)
class HungEncoder:
    """An ffmpeg for a worker whose encodes are done but do not end, until they are let go."""

    gate: Path
    program: str  # for SEGUE_FFMPEG

    @classmethod
    def made(cls, folder: Path) -> "HungEncoder":
        """One that hangs."""
        gate, program = folder / "hung", folder / "ffmpeg"
        gate.touch()
        real, hung = quote(get_ffmpeg_exe()), quote(str(gate))
        wait = f"while [ -e {hung} ] && kill -0 $PPID; do sleep 0.05; done"  # nothing outlives its worker
        encoding = f'case "$*" in *libopus*) {real} "$@"; ended=$?; {wait}; exit $ended;; esac'
        program.write_text(f'#!/bin/sh\n{encoding}\nexec {real} "$@"\n')
        program.chmod(0o755)
        return cls(gate, str(program))

    def let_go(self) -> None:
        """End what hangs; nothing hangs any more."""
        self.gate.unlink(missing_ok=True)


@dataclass
class Cluster:
    """Starts processes in `folder`, which is their home too; all are ended with it."""

    folder: Path
    environ: dict[str, str]
    stack: ExitStack
    protocol: str = "tcp"
    port: int = field(default_factory=free_port)
    host: str = "127.0.0.1"
    inside: tuple[str, ...] = ()  # begins the command line of every process

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return f"{self.protocol}://{self.host}:{self.port}"

    @property
    def engine(self) -> tuple[str, ...]:
        """The flags of a batch that works here."""
        return ("--engine", "dask", "--scheduler", self.address)

    def scheduler(self, **more: str) -> Process:
        """A scheduler that is ready."""
        return self._ready(self.start("scheduler", "--scheduler", self.address, prefix=(), **more))

    def worker(
        self, *arguments: str, slots: int = 1, port: int = 0, prefix: tuple[str, ...] = (), **more: str
    ) -> Process:
        """A worker that has joined, the scheduler at `port` if that is not where it really is."""
        address = f"{self.protocol}://{self.host}:{port or self.port}"
        words = ("worker", "--scheduler", address, "--jobs", str(slots), *arguments)
        return self._ready(self.start(*words, prefix=prefix, **more))

    def start(self, *arguments: str, prefix: tuple[str, ...] = (), **more: str) -> Process:
        """A command of ours."""
        log = self.folder / f"log-{len(list(self.folder.glob('log-*')))}"
        with log.open("wb") as output, log.with_name(f"err-{log.name}").open("wb") as errors:
            environ, before = {**environment(self.folder), **QUICK, **self.environ, **more}, (*self.inside, *prefix)
            where: Any = {"cwd": self.folder, "env": environ, "stdout": output, "stderr": errors}
            process: Forked | subprocess.Popen[bytes]
            if before:
                words = [*before, *command(*arguments)]
                process = subprocess.Popen(words, **where, stdin=subprocess.DEVNULL, start_new_session=True)
            else:
                process = fork(*arguments, "--json", **where)
        running = Process(process, log)
        self.stack.callback(running.kill)
        return running

    def _ready(self, process: Process) -> Process:
        def ready() -> bool:
            errors = process.log.with_name(f"err-{process.log.name}")
            assert process.process.poll() is None, errors.read_text()
            return any(line["event"] == "ready" for line in process.lines)

        until(ready, seconds=READY_S, what="the start of a process")
        return process


@contextmanager
def cluster(folder: Path, *, protocol: str = "tcp", **environ: str) -> Iterator[Cluster]:
    """Nothing runs yet; what is started is gone at the end."""
    with ExitStack() as stack:
        yield Cluster(folder, environ, stack, protocol)


def descendants(pid: int) -> list[int]:
    """All processes below this one, as they are now."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(each.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid:
            child = int(each.parent.name)
            found += [child, *descendants(child)]
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
