"""The origin behind the shields: `segue serve` over a folder, on one port through kills and restarts."""

import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from tests.cdn.shields import free_port
from tests.support.command import environment
from tests.support.forked import fork
from tests.support.served_album import STOP_TIMEOUT_S, announced_url

TOKEN_KEY = "5e" * 32
_SERIES = re.compile(r"(\w+)\{([^}]*)\} (\d+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


class Origin:
    """A running `segue serve`, and what it has counted."""

    def __init__(self, store: Path, home: Path, *, auth: str = "none") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments = ("serve", "--store", f"file:{store}", "--port", str(self.port), "--json")
        self._home, self._auth = home, auth
        self.start()

    def start(self) -> None:
        """Start it, and wait until it serves."""
        variables = environment(self._home, SEGUE_TOKEN_KEY=TOKEN_KEY, SEGUE_AUTH=self._auth)
        self._process = fork(*self._arguments, cwd=self._home, env=variables)
        announced_url(self._process)

    def kill(self) -> None:
        """SIGKILL: as if the machine had gone."""
        self._process.kill()
        self._forget()

    def stop(self) -> None:
        """End it as an operator does."""
        self._process.terminate()
        self._forget()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let it stand still for a while: it accepts connections, and answers nobody."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    async def counted(self, client: aiohttp.ClientSession) -> Counter[str]:
        """Answers since its start, by class of resource and of status (`media 2xx`), and `reads` of the store."""
        async with client.get(f"{self.url}/metrics") as response:
            text = await response.text()
        found: Counter[str] = Counter()
        for name, labels, value in _SERIES.findall(text):
            by = dict(_LABEL.findall(labels))
            if name == "segue_requests_total" and by["resource"] != "operations":
                found[f"{by['resource']} {by['status'][0]}xx"] += int(value)
            elif name == "segue_storage_reads_total":
                found["reads"] += int(value)
        return found

    def _forget(self) -> None:
        self._process.wait(STOP_TIMEOUT_S)
        self._process.stdout.close()


@contextmanager
def running_origin(store: Path, home: Path, *, auth: str = "none") -> Iterator[Origin]:
    """An origin over a folder."""
    origin = Origin(store, home, auth=auth)
    try:
        yield origin
    finally:
        origin.stop()
