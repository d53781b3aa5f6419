"""A confined Python process that lives on and answers one question after the other. The other place that starts one."""

import asyncio
import os
import resource
import signal
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from pathlib import Path

from avtool.run import close_pipes
from model.errors import ToolFailed, ToolMissing, ToolTimeout

START_SECONDS_MAX = 60.0
MEMORY_BYTES_MAX = 1 << 30  # address space
OPEN_FILES_MAX = 32
ANSWER_BLOCKS_MAX = 16
ANSWER_BYTES_MAX = 64 << 20
_ROOT = Path(__file__).resolve().parents[1]
_HINT = "run `segue doctor`"


class Worker:
    """A child that runs one of our modules, which answers as `ingest.metadata.reading_child` does.

    It has its own process group, a clean environment, no files that it could write and no way to more memory than
    MEMORY_BYTES_MAX; its input ends when we do. What it answers is not to be trusted once it has read untrusted bytes.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self.asked = 0

    @classmethod
    async def start(cls, module: str) -> "Worker":
        """Start a child and wait until it is ready. Raises ToolMissing, ToolFailed or ToolTimeout."""
        flags = ("-P", "-s", "-B", "-X", "utf8", "-W", "ignore")
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *flags, "-m", module,
                stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONPATH": os.fspath(_ROOT)},
            )  # fmt: skip
        except OSError as error:
            raise ToolMissing(f"cannot start Python ({error.strerror})", subject=module, hint=_HINT) from error
        worker = cls(process)
        try:
            _confine(process.pid)
            await worker._answer(START_SECONDS_MAX, subject=module)
        except BaseException:
            await worker.stop()
            raise
        return worker

    async def ask(self, question: bytes, *, timeout_s: float, subject: str) -> list[bytes]:
        """The blocks of the answer: one at least. Raises ToolTimeout, or ToolFailed if the child ended.

        After an error, or if it was cancelled, the child must be stopped: what it says next answers nothing.
        """
        assert self._process.stdin is not None
        self.asked += 1
        self._process.stdin.write(struct.pack(">I", len(question)) + question)
        return await self._answer(timeout_s, subject=subject)

    async def _answer(self, timeout_s: float, *, subject: str) -> list[bytes]:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._blocks(subject)
        except TimeoutError as error:
            message = f"reading was stopped after {timeout_s:.0f} s"
            raise ToolTimeout(message, subject=subject, hint="the file may be damaged, or the machine busy") from error
        except (asyncio.IncompleteReadError, OSError) as error:
            message = "the process that reads tags and pictures ended"
            raise ToolFailed(message, subject=subject, hint=_HINT) from error

    async def _blocks(self, subject: str) -> list[bytes]:
        read = self._process.stdout
        assert read is not None
        (count,) = await read.readexactly(1)
        sizes = struct.unpack(f">{count}I", await read.readexactly(4 * count))
        if not 0 < count <= ANSWER_BLOCKS_MAX or sum(sizes) > ANSWER_BYTES_MAX:
            raise ToolFailed("the answer is none of ours", subject=subject, hint=_HINT)
        return [await read.readexactly(size) for size in sizes]

    async def stop(self) -> None:
        """End the child and reap it. It holds nothing that is worth a farewell."""
        await asyncio.shield(self._reap())

    async def _reap(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await close_pipes(self._process)


def _confine(pid: int) -> None:
    most = {
        resource.RLIMIT_AS: MEMORY_BYTES_MAX,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES_MAX,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in most.items():
        with suppress(ProcessLookupError, PermissionError):  # it may have ended, or may do less than this anyway
            resource.prlimit(pid, kind, (value, value))
