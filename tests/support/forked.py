"""The `segue` command without its start: a process that has loaded all commands forks for each that is asked for.

What is forked is as much a process as one that was started, with its own folder, environment, streams, session and exit
status. What a test wants of the start itself (how long it takes, PYTHONHASHSEED) it has to start.
"""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import dask.config

from segue.main import COMMANDS, main

CHECKOUT = Path(__file__).resolve().parents[2]
QUESTION_BYTES_MAX = 1 << 17
ANSWER_BYTES_MAX = 32
STDERR = 2
_ONE_AT_A_TIME = threading.Lock()  # starts the process that forks


class Forked:
    """A command that runs: what a `subprocess.Popen` can, by the same names."""

    def __init__(self, pid: int, told: socket.socket, stdout: IO[Any]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout = stdout
        self._told = told

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status. Raises subprocess.TimeoutExpired if it has not ended in `timeout` seconds."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(ANSWER_BYTES_MAX))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("segue", timeout or 0) from None
            self._told.close()
        return self.returncode

    def poll(self) -> int | None:
        """Its exit status if it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Tell it something, if it has not ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def fork(
    *arguments: str | Path,
    cwd: Path,
    env: Mapping[str, str],
    stdout: IO[Any] | None = None,
    stderr: IO[Any] | None = None,
) -> Forked:
    """Run `segue` with these arguments and nothing on its stdin. Without files for them its stdout is a pipe to be read
    from, and its stderr that of the tests."""
    told, telling = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ExitStack() as stack:
        stack.enter_context(telling)
        if stdout is None:
            read, write = os.pipe()
            stdout = os.fdopen(read, "rb")
            stack.callback(os.close, write)
        else:
            write = stdout.fileno()
        question = json.dumps({"arguments": [*map(str, arguments)], "cwd": str(cwd), "env": {**env}}).encode()
        streams = [write, stderr.fileno() if stderr else STDERR]
        with _ONE_AT_A_TIME:
            forker = _forker()
        socket.send_fds(forker, [question], [telling.fileno(), *streams])
    return Forked(int(told.recv(ANSWER_BYTES_MAX)), told, stdout)


@cache
def _forker() -> socket.socket:
    """The way to the process that forks, which ends with this one."""
    asking, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with asked:
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked", str(asked.fileno())],
            cwd=CHECKOUT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)},
            pass_fds=[asked.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        ).returncode = 0  # nobody waits for it
    return asking


def _serve(asked: socket.socket) -> None:
    """Fork for each question, until nobody is left who might ask."""
    for name in COMMANDS:
        assert COMMANDS[name]
    import_module("distributed")  # half of the start of a scheduler or a worker
    gc.freeze()  # what all share stays where it is
    while True:
        question, passed, _, _ = socket.recv_fds(asked, QUESTION_BYTES_MAX, 3)
        if not question:
            return
        if not os.fork():
            asked.close()
            _attend(json.loads(question), passed)
        for each in passed:
            os.close(each)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _attend(question: dict[str, object], passed: Sequence[int]) -> None:
    """Fork the command, wait for its end and tell it; returns in the forked process only."""
    telling = socket.socket(fileno=passed[0])
    pid = os.fork()
    if not pid:
        _become(question, passed[1:])
        telling.send(str(os.getpid()).encode())
        telling.close()
        arguments = question["arguments"]
        assert isinstance(arguments, list)
        sys.exit(main(arguments))
    for each in passed[1:]:
        os.close(each)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):  # who asked may have gone
        telling.send(str(status).encode())
    os._exit(0)


def _become(question: dict[str, object], streams: Sequence[int]) -> None:
    """Be in the place and session that were asked for, with these streams."""
    os.setsid()
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(str(question["cwd"]))
    environment = question["env"]
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    dask.config.refresh()  # it has read the environment of its own start


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        _serve(listening)
