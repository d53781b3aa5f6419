"""The only place that starts a process: confined, bounded, and always reaped."""

import asyncio
import logging
import os
import resource
import shlex
import signal
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from avtool.memory import give_back
from avtool.pump import Pump
from model.errors import ToolFailed, ToolMissing, ToolTimeout

log = logging.getLogger(__name__)

STDERR_TAIL_BYTES = 64 << 10
LINE_BYTES_MAX = 64 << 10
TERMINATE_GRACE_S = 3.0
CLEAN: Mapping[str, str] = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
REAP_S = 10.0  # a killed process ends at once, unless its disk does not answer
_Reader = Callable[[asyncio.subprocess.Process], Coroutine[None, None, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may use. `file_bytes` bounds each file it writes; past `stdout_bytes` nothing is kept."""

    timeout_s: float
    memory_bytes: int = 6 << 30  # address space, not use: every encoder thread maps its own arena
    file_bytes: int = 8 << 30
    stdout_bytes: int = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ended with exit status 0."""

    stdout: bytes
    stderr: str


async def run(
    argv: Sequence[str],
    *,
    limits: Limits,
    subject: str,
    environment: Mapping[str, str] = CLEAN,
    on_line: Callable[[str], None] | None = None,
    on_bytes: Callable[[bytes], None] | None = None,
) -> Completed:
    """Run a program to its end. With `on_line` or `on_bytes`, what it prints is handed over and not kept.

    `on_line` is called with each line; `on_bytes` with pieces of 512 KiB, in order, in a thread of its own. What
    they raise ends the program and comes through.

    The program gets its own process group, no standard input and the `environment` alone. Raises ToolMissing if it
    cannot be started, ToolTimeout, or ToolFailed with the tail of its messages. Whatever happens, also on
    cancellation, nothing of its group is left running, and nothing more is handed over.
    """
    if on_bytes is None:
        read = partial(_lines, on_line=on_line) if on_line else partial(_collect, bytes_max=limits.stdout_bytes)
        return await _supervised(argv, asyncio.subprocess.PIPE, read, limits, subject, environment)
    pump = Pump(on_bytes)
    try:
        return await _supervised(argv, pump.inlet, lambda _: pump.finished(), limits, subject, environment)
    finally:
        await asyncio.shield(pump.close())


async def _supervised(
    argv: Sequence[str], stdout: int, read: _Reader, limits: Limits, subject: str, environment: Mapping[str, str]
) -> Completed:
    log.debug("process started", extra={"argv": shlex.join(argv)})
    give_back()  # what decoders left behind would lie beside what the encoders need
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env=environment,
            limit=LINE_BYTES_MAX,
        )
    except OSError as error:
        hint = "run `segue doctor`"
        raise ToolMissing(f"cannot start the program ({error.strerror})", subject=argv[0], hint=hint) from error
    try:
        _confine(process.pid, limits)
        async with asyncio.timeout(limits.timeout_s):
            return await _finish(process, argv, read, subject=subject)
    except TimeoutError as error:
        message = f"{argv[0].rpartition('/')[2]} was stopped after {limits.timeout_s:.0f} s"
        raise ToolTimeout(
            message, subject=subject, hint="the file may be damaged, or the machine overloaded"
        ) from error
    finally:
        await asyncio.shield(_reap(process))


def _confine(pid: int, limits: Limits) -> None:
    most = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in most.items():
        with suppress(ProcessLookupError, PermissionError):  # it may have ended, or may do less than this anyway
            resource.prlimit(pid, kind, (value, value))
    with suppress(OSError):
        # Its threads hand frames to each other: who gets one shall not take the processor from who gives (sched(7)).
        if os.sched_getscheduler(pid) == os.SCHED_OTHER:
            os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))


async def _finish(
    process: asyncio.subprocess.Process, argv: Sequence[str], read: _Reader, *, subject: str
) -> Completed:
    assert process.stderr is not None
    try:
        async with asyncio.TaskGroup() as group:
            stdout = group.create_task(read(process))
            stderr = group.create_task(_tail(process.stderr))
    except ExceptionGroup as errors:  # what it printed is not what we can read
        raise errors.exceptions[0] from None
    status = await process.wait()
    if status != 0:
        raise ToolFailed(
            _last_line(stderr.result()) or f"exit status {status}",
            subject=subject,
            argv=tuple(argv),
            exit_status_of_tool=status,
            stderr_tail=stderr.result(),
        )
    return Completed(stdout=stdout.result(), stderr=stderr.result())


async def _lines(process: asyncio.subprocess.Process, *, on_line: Callable[[str], None]) -> bytes:
    assert process.stdout is not None
    while line := await _line(process.stdout):
        on_line(line.decode("utf-8", "replace").rstrip("\n"))
    return b""


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readline()
    except ValueError as error:
        raise ToolFailed("the program printed a line without end", hint="run `segue doctor`") from error


async def _collect(process: asyncio.subprocess.Process, *, bytes_max: int) -> bytes:
    assert process.stdout is not None
    data = bytearray()
    while piece := await process.stdout.read(1 << 16):
        data += piece[: bytes_max - len(data)]  # drain the rest, or the program would wait for us
    return bytes(data)


async def _tail(stream: asyncio.StreamReader) -> str:
    pieces: deque[bytes] = deque()
    kept = 0
    while piece := await stream.read(1 << 13):
        pieces.append(piece)
        kept += len(piece)
        while kept - len(pieces[0]) >= STDERR_TAIL_BYTES:
            kept -= len(pieces.popleft())
    return b"".join(pieces).decode("utf-8", "replace")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


async def _reap(process: asyncio.subprocess.Process) -> None:
    """End what is left of the process group: ask first, then insist."""
    try:
        if process.returncode is None:
            _signal_group(process.pid, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(TERMINATE_GRACE_S):
                    await process.wait()
    finally:  # also when the operator did not have the patience
        _signal_group(process.pid, signal.SIGKILL)
        await close_pipes(process)


async def close_pipes(process: asyncio.subprocess.Process) -> None:
    """Let go of a process that was killed: what nobody read would keep a pipe open for ever.

    Not before it was reaped: asyncio's transport would reap it by itself, and its watcher would miss it.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(REAP_S):
            while process.returncode is None:  # noqa: ASYNC110 - its watcher tells nobody
                await asyncio.sleep(0.002)
    process._transport.close()  # type: ignore[attr-defined]  # there is no public way
    await process.wait()


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
