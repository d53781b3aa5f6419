"""A crew of workers as a process of its own, seen from outside."""

import subprocess
import sys
from pathlib import Path

PROGRAM = [sys.executable, "-m", "tests.integration.origin.worker_program"]


class Crew:
    """The supervising process and what it started."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen([*PROGRAM, str(folder), *arguments], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rstrip("/").rpartition(":")[2])

    def workers(self) -> list[int]:
        """The pids of its living workers."""
        try:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        except FileNotFoundError:
            return []
        return [int(pid) for pid in children if is_worker(int(pid))]


def is_worker(pid: int) -> bool:
    """Whether this is a living process that a supervisor started."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"spawn_main" in command and state != "Z"
