"""A real PostgreSQL server on loopback, for as long as a test session: Debian's, one cluster in a folder of its own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

START_LIMIT_S = 40.0
USER = "segue"
_INSTALLED = Path("/usr/lib/postgresql")  # where Debian keeps one folder for each major version
_FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=64MB", "max_connections=40")


@contextmanager
def running_postgres() -> Iterator[str]:
    """The URL of a database on a server that ends with the block, and takes its folder with it."""
    with tempfile.TemporaryDirectory(prefix="segue-postgres-") as name:
        folder = Path(name)
        _give(folder)
        data, programs = folder / "data", find_postgres()
        _run(
            programs / "initdb",
            f"--pgdata={data}",
            f"--username={USER}",
            "--auth=trust",
            "--no-sync",
            "--locale=C.UTF-8",
        )
        port = _free_port()
        process = _started(programs, data, port)
        try:
            yield _ready(process, port)
        finally:
            process.send_signal(signal.SIGQUIT)  # at once; what it holds is thrown away anyway
            process.wait()


class OwnDatabase:
    """A database on a server, which can be taken away and given back."""

    def __init__(self, server: str, name: str) -> None:
        self._server = server
        self._name = name
        self.url = urlsplit(server)._replace(path=f"/{name}").geturl()

    def away(self) -> None:
        """Nobody is let in, and whoever is in is thrown out."""
        _do(self._server, f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self.cut()

    def back(self) -> None:
        """As it was."""
        _do(self._server, f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")

    def read_only(self, said: bool) -> None:
        """Whoever connects from now on may write, or not: as on the one of several servers that is not written to."""
        _do(self._server, f"ALTER DATABASE {self._name} SET default_transaction_read_only = {said}")

    def cut(self) -> None:
        """End all connections, as a restart does."""
        _do(
            self._server,
            f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{self._name}'",
        )


@contextmanager
def own_database(server: str, name: str) -> Iterator[OwnDatabase]:
    """An empty database on a server, gone at the end."""
    _do(server, f"CREATE DATABASE {name} STRATEGY file_copy")
    try:
        yield OwnDatabase(server, name)
    finally:
        _do(server, f"DROP DATABASE {name} WITH (FORCE)")


def _do(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(statement)


def find_postgres() -> Path:
    """The folder of the newest server's programs. Raises FileNotFoundError if there is none."""
    found = [path.parent for path in _INSTALLED.glob("*/bin/postgres")]
    if not found:
        raise FileNotFoundError("no PostgreSQL server: apt-get install postgresql")
    return max(found, key=lambda path: float(path.parent.name))


def _started(programs: Path, data: Path, port: int) -> subprocess.Popen[bytes]:
    settings = (f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", *_FAST)
    command: list[str | Path] = [programs / "postgres", "-D", data, *(f"--{each}" for each in settings)]
    log = (data.parent / "log").open("wb")
    with log:
        return subprocess.Popen(_as_nobody(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=data)


def _run(*command: str | Path) -> None:
    subprocess.run(_as_nobody(command), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/")


def _as_nobody(command: Sequence[str | Path]) -> list[str]:
    """The server refuses to be root; and where it can be said, it does not outlive a killed test run."""
    words = [str(word) for word in command]
    setpriv = shutil.which("setpriv")
    if os.geteuid():
        return [setpriv, "--pdeathsig=KILL", *words] if setpriv else words
    assert setpriv, "root needs setpriv (Debian's util-linux) to start a server as somebody else"
    owner = _owner()
    return [setpriv, f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--pdeathsig=KILL", *words]


def _give(folder: Path) -> None:
    if not os.geteuid():
        os.chown(folder, _owner().pw_uid, _owner().pw_gid)


def _owner() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(process: subprocess.Popen[bytes], port: int) -> str:
    url = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
    deadline_s = time.monotonic() + START_LIMIT_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return url
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
