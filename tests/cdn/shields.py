"""nginx and Varnish in front of an origin, with the files that operators get, those of docs/operations.

Only addresses and folders are filled in. Each shield starts empty, listens on loopback and is ended by its pid.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

OPERATIONS = Path(__file__).parents[2] / "docs/operations"
START_LIMIT_S = 30.0
STARTS = 3  # somebody may take a port between our look and its start
STOP_LIMIT_S = 10.0
_NGINX = """\
daemon off;
pid {folder}/pid;
error_log stderr;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    include {folder}/segue.conf;
}}
"""

Argv = Callable[[Path, int], list[str]]


def find_shields() -> None:
    """Raises RuntimeError, with what to install, unless nginx, Varnish and its module for keys are there."""
    for name in ("nginx", "varnishd"):
        _program(name)
    if not list(Path("/usr/lib").glob("*/varnish/vmods/libvmod_xkey.so")):
        raise RuntimeError("Varnish's xkey is missing; install Debian's varnish-modules")


@contextmanager
def nginx(origin_port: int, home_port: int = 0) -> Iterator[str]:
    """nginx before an origin, and perhaps another that has the listeners' database; gives its URL."""

    def argv(folder: Path, port: int) -> list[str]:
        _fill("nginx.conf", folder / "segue.conf", {
            "server 127.0.0.1:8080;  # home": f"server 127.0.0.1:{home_port or origin_port};",
            "server 127.0.0.1:8080;": f"server 127.0.0.1:{origin_port};",
            "listen 80;": f"listen 127.0.0.1:{port} backlog=1024;",
            "/var/cache/nginx/segue": str(folder / "cache"),
        })  # fmt: skip
        return _nginx(folder)

    with _running(argv) as url:
        yield url


@contextmanager
def web_server(site: Path) -> Iterator[str]:
    """nginx over a folder, with nothing set but where it is and what Debian calls its files; gives its URL."""

    def argv(folder: Path, port: int) -> list[str]:
        types = "include /etc/nginx/mime.types;"
        (folder / "segue.conf").write_text(f"{types} server {{ listen 127.0.0.1:{port}; root {site}; }}")
        return _nginx(folder)

    with _running(argv) as url:
        yield url


@contextmanager
def varnish(origin_port: int, home_port: int = 0, *, grace: str = "60s") -> Iterator[str]:
    """The same with Varnish. `grace` in place of a minute: how long stale-while-revalidate goes."""

    def argv(folder: Path, port: int) -> list[str]:
        _fill("varnish.vcl", folder / "segue.vcl", {
            '.port = "8080";  # home': f'.port = "{home_port or origin_port}";',
            '.port = "8080";': f'.port = "{origin_port}";',
            "set req.grace = 60s;": f"set req.grace = {grace};",
        })  # fmt: skip
        return [
            _program("varnishd"), "-F", "-j", "none", "-n", str(folder / "run"), "-f", str(folder / "segue.vcl"),
            "-a", f"127.0.0.1:{port}", "-T", "none", "-s", "malloc,64m",
            "-p", "http_gzip_support=off", "-p", "thread_pools=1", "-p", "thread_pool_min=20",
        ]  # fmt: skip

    with _running(argv) as url:
        yield url


def free_port() -> int:
    """A port on loopback that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(argv: Argv) -> Iterator[str]:
    said = ""
    with ExitStack() as stack:
        for _ in range(STARTS):
            # Short: the paths of Varnish's sockets are in it.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cdn-", ignore_cleanup_errors=True)))
            port = free_port()
            with (folder / "log").open("wb") as log:
                process = subprocess.Popen(
                    argv(folder, port), cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True,
                )  # fmt: skip
            stack.callback(_stop, process)
            if _answers(process, port):
                yield f"http://127.0.0.1:{port}"
                return
            said = (folder / "log").read_text(errors="replace")
        raise RuntimeError(f"the shield did not start: {said}")


def _nginx(folder: Path) -> list[str]:
    """nginx with the `segue.conf` of this folder."""
    # As root its workers would be others, who may not read this folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(user + _NGINX.format(folder=folder))
    return [_program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


def _fill(name: str, target: Path, values: Mapping[str, str]) -> None:
    text = (OPERATIONS / name).read_text(encoding="utf-8")
    for placeholder, value in values.items():
        assert placeholder in text, placeholder
        text = text.replace(placeholder, value)
    target.write_text(text, encoding="utf-8")


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError(f"{name} is missing; `make test` installs it")
    return found


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    end_s = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end_s and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        except OSError:
            time.sleep(0.05)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # a session of its own: the program and its workers
        process.wait()
