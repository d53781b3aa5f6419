"""Run the installed `segue` as an operator would, in processes of its own."""

import json
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STOP_TIMEOUT_S = 20
STATUS_INTERRUPTED = 130


class CommandFailed(Exception):
    """A `segue` command did not do what it should; the text says which and how it ended."""


@contextmanager
def child(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A program that is gone when the block ends: terminated, and killed if it does not go in time.

    It has a session of its own, so that a Ctrl-C reaches us alone and everybody is stopped once, in order.
    """
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, start_new_session=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def publish(segue: Path, sources: Sequence[Path], store: str, *, jobs: int) -> list[dict[str, Any]]:
    """Publish and show the progress on stderr; the outcome of every source. Raises CommandFailed if there is none."""
    command = [str(segue), "publish", *map(str, sources), "--store", store, "--jobs", str(jobs), "--json"]
    with child(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [json.loads(line) for line in process.stdout]
        status = process.wait()
    outcomes = [line for line in lines if line["event"] == "track"]
    if status not in (0, 1) or not outcomes:
        raise CommandFailed(f"segue publish ended with status {status}")
    return outcomes


@contextmanager
def serving(segue: Path, store: str, *, port: int, log: Path, cwd: Path | None = None) -> Iterator[str]:
    """An origin on 127.0.0.1 while the block runs; its base URL. What it logs goes to `log`. Raises CommandFailed."""
    command = [str(segue), "serve", "--store", store, "--host", "127.0.0.1", "--port", str(port), "--json"]
    with log.open("w", encoding="utf-8") as errors:
        with child(command, stdout=subprocess.PIPE, stderr=errors, cwd=cwd) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise CommandFailed(f"segue serve ended with status {process.wait()}, see {log}")
            yield json.loads(line)["url"]
        if process.returncode not in (0, STATUS_INTERRUPTED, -signal.SIGTERM):
            raise CommandFailed(f"segue serve ended with status {process.returncode}, see {log}")
