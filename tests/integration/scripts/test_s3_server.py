"""`python -m scripts.s3_server` as a developer uses it: export what it prints, work, press Ctrl-C."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from storage.open import S3Credentials, open_store

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_what_it_prints_opens_a_store_and_a_signal_ends_it(ended_by: signal.Signals) -> None:
    """Three environment lines for a shell, a store that works, exit status 0, and nothing listens afterwards."""
    command = [sys.executable, "-m", "scripts.s3_server"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            said = dict(re.findall(r"^export (\w+)='?([^'\n]+)'?$", "".join(lines), re.MULTILINE))
            keys = S3Credentials(access_key=said["SEGUE_S3_ACCESS_KEY"], secret_key=said["SEGUE_S3_SECRET_KEY"])
            assert asyncio.run(_kept(said["SEGUE_STORE"], keys)) == b"1"
            process.send_signal(ended_by)
            assert process.wait(60) == 0
        finally:
            process.kill()
    host, port = said["SEGUE_STORE"].partition("http://")[2].split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)


async def _kept(url: str, keys: S3Credentials) -> bytes:
    store = open_store(url, s3_credentials=keys)
    await store.put("a/b", b"1", media_type="x/y", cache_control="no-cache")
    body = await store.read("a/b")
    await store.close()
    return body.data
