"""The servers of benchmarks.bench_origin: ours and its peers, each on one core, all with the same bytes."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SEGMENT, PLAYLIST = "/0.mp4", "/p.m3u8"  # what each peer has
BENCH_PYTHON = Path(".cache/bench-venv/bin/python")
ENVIRONMENT = (
    "python3 -m venv .cache/bench-venv && .cache/bench-venv/bin/pip install starlette uvicorn uvloop httptools"
)
_NGINX = """
daemon off; pid nginx.pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    access_log off; sendfile on; keepalive_requests 100000000;
    types {{ audio/mp4 mp4; application/vnd.apple.mpegurl m3u8; }}
    client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
    proxy_cache_path cache keys_zone=c:1m; proxy_http_version 1.1;
    server {{ listen 127.0.0.1:{port}; root www; {locations} }}
}}
"""
_NGINX_PROXIED = """
    location = {path} {{
        proxy_pass {url}; proxy_set_header Host {host};
        proxy_cache c; proxy_cache_key $uri; proxy_cache_valid 200 1h;
    }}
"""
_VCL = """vcl 4.1;
backend s3 {{ .host = "127.0.0.1"; .port = "{port}"; }}
sub vcl_recv {{ return (hash); }}
sub vcl_backend_fetch {{
    {rewrites}
    set bereq.http.host = "127.0.0.1:{port}";
    unset bereq.http.accept-encoding;
}}
sub vcl_backend_response {{ set beresp.ttl = 1h; unset beresp.http.set-cookie; return (deliver); }}
"""
_AIOHTTP = """
import sys
import uvloop
from aiohttp import web

async def get(request):
    return web.FileResponse("www/" + request.match_info["name"])

app = web.Application()
app.router.add_get("/{name}", get)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, loop=uvloop.new_event_loop(), print=None)
"""
_STARLETTE = """
import sys
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

app = Starlette(routes=[Mount("/", app=StaticFiles(directory="www"))])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="error", loop="uvloop")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that runs: its processes begin with `pid`; where it has the segment and the playlist."""

    port: int
    pid: int
    segment: str = SEGMENT
    playlist: str = PLAYLIST


def cores() -> tuple[int, int]:
    """One core for the server, one for the client; the same if there is but one."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[0], mine[-1]


@contextmanager
def origin(
    store: str, base: str = "", environment: Mapping[str, str] | None = None, *, pinned: bool = True
) -> Iterator[Server]:
    """`segue serve` over a store; `base` is the path of a rendition. Unless it is `pinned` it has all cores."""
    command = [sys.executable, "-m", "segue.main", "serve", "--json", "--port", "0", "--store", store]
    with subprocess.Popen(
        _pinned(command) if pinned else command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    ) as process:
        try:
            assert process.stdout is not None
            port = int(json.loads(process.stdout.readline())["url"].rstrip("/").rpartition(":")[2])
            yield Server(port=port, pid=process.pid, segment=f"{base}/0.mp4", playlist=f"{base}.m3u8")
        finally:
            process.terminate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """What the peers serve: as files in `folder`/www, and signed URLs of the same on an S3 server, by path."""

    folder: Path
    s3_port: int
    signed: Mapping[str, str]

    def named(self, name: str) -> Path:
        """A folder for one peer, with the files in it."""
        folder = self.folder / name
        (folder / "www").mkdir(parents=True)
        for path in self.signed:
            shutil.copy(self.folder / "www" / path.strip("/"), folder / "www")
        for each in (folder, *folder.rglob("*")):
            each.chmod(0o755)  # its worker may run as another user
        return folder


Peer = Callable[[Bytes], tuple[list[str], Path, int]]  # what to run, where, and its port


def nginx_static(has: Bytes) -> tuple[list[str], Path, int]:
    """nginx with the bytes as files, each with the setting that is quicker for it."""
    # With tcp_nopush a segment waits some 40 ms for its last bytes now and then; a playlist goes out in one packet.
    return _nginx(has, "nginx-static", f"location = {PLAYLIST} {{ tcp_nopush on; }}")


def nginx_proxy_cache(has: Bytes) -> tuple[list[str], Path, int]:
    """nginx as a cache of the S3 server."""
    host = f"127.0.0.1:{has.s3_port}"
    locations = "".join(_NGINX_PROXIED.format(path=path, url=url, host=host) for path, url in has.signed.items())
    return _nginx(has, "nginx-proxy-cache", locations)


def varnish(has: Bytes) -> tuple[list[str], Path, int]:
    """Varnish as a cache of the S3 server."""
    folder, port = has.named("varnish"), free_port()
    rewrites = "\n".join(
        f'if (bereq.url == "{path}") {{ set bereq.url = "/{url.split("/", 3)[3]}"; }}'
        for path, url in has.signed.items()
    )
    (folder / "v.vcl").write_text(_VCL.format(port=has.s3_port, rewrites=rewrites))
    command = ["varnishd", "-F", "-j", "none", "-n", str(folder / "v"), "-f", str(folder / "v.vcl")]
    return [*command, "-a", f"127.0.0.1:{port}", "-s", "malloc,64m"], folder, port


def aiohttp_file_response(has: Bytes) -> tuple[list[str], Path, int]:
    """aiohttp's own handler of files, on uvloop."""
    return _python(has, "aiohttp", _AIOHTTP, sys.executable)


def starlette_static_files(has: Bytes) -> tuple[list[str], Path, int]:
    """Starlette's, on uvicorn and uvloop."""
    return _python(has, "starlette", _STARLETTE, str(BENCH_PYTHON.absolute()))


PEERS: Mapping[str, tuple[Peer, str]] = {  # and what has to be there
    "nginx": (nginx_static, "nginx"),
    "nginx proxy_cache": (nginx_proxy_cache, "nginx"),
    "varnish": (varnish, "varnishd"),
    "aiohttp FileResponse": (aiohttp_file_response, sys.executable),
    "starlette StaticFiles": (starlette_static_files, str(BENCH_PYTHON)),
}


def missing(program: str) -> str | None:
    """Why a peer cannot be measured."""
    if shutil.which(program):
        return None
    hint = "see the head of benchmarks/bench_origin.py" if program == str(BENCH_PYTHON) else "install it"
    return f"{program} is not there: {hint}"


@contextmanager
def peer(make: Peer, has: Bytes) -> Iterator[Server]:
    """A peer that answers."""
    command, folder, port = make(has)
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(_pinned(command), cwd=folder, stdout=said, stderr=said)
        try:
            wait_for(lambda: socket.create_connection(("127.0.0.1", port)).close(), process)
            yield Server(port=port, pid=process.pid)
        finally:
            process.terminate()
            process.wait(10)


def free_port() -> int:
    """A port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def wait_for(attempt: Callable[[], None], process: "subprocess.Popen[bytes]") -> None:
    """Repeat until it works, for at most fifteen seconds."""
    end = time.monotonic() + 15
    while True:
        try:
            return attempt()
        except OSError:
            if time.monotonic() > end or process.poll() is not None:
                raise
            time.sleep(0.02)


def _nginx(has: Bytes, name: str, locations: str) -> tuple[list[str], Path, int]:
    folder, port = has.named(name), free_port()
    (folder / "nginx.conf").write_text(_NGINX.format(port=port, locations=locations))
    return ["nginx", "-p", str(folder), "-c", "nginx.conf"], folder, port


def _python(has: Bytes, name: str, program: str, interpreter: str) -> tuple[list[str], Path, int]:
    folder, port = has.named(name), free_port()
    (folder / "serve.py").write_text(program)
    return [interpreter, "serve.py", str(port)], folder, port


def _pinned(command: list[str]) -> list[str]:
    return ["taskset", "-c", str(cores()[0]), *command]
