"""The S3 service that tests use: one of their own, or the one that the environment names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.s3_server import S3Server, running_server
from storage.address import S3Address, S3Credentials, parse_address


@contextmanager
def s3_service() -> Iterator[S3Server]:
    """A real S3 service on loopback, or the one that TEST_S3_URL names: see docs/storage-compat.md."""
    if url := os.environ.get("TEST_S3_URL"):
        yield _named(url)
        return
    with running_server() as server:
        yield server


def _named(url: str) -> S3Server:
    address = parse_address(url)
    assert isinstance(address, S3Address)
    writer, reader = (
        S3Credentials(
            access_key=os.environ[f"TEST_S3_{who}ACCESS_KEY"],
            secret_key=os.environ[f"TEST_S3_{who}SECRET_KEY"],
        )
        for who in ("", "READER_")
    )
    return S3Server(endpoint=address.endpoint, bucket=address.bucket, writer=writer, reader=reader)
