"""One S3 service for the session, and a store of each kind for every test."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.s3 import S3Store
from storage.s3_limits import S3Limits
from tests.support.seaweed import Seaweed, running_seaweed

READ_BYTES_MAX = 1 << 20


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """A real S3 service on loopback."""
    with running_seaweed() as server:
        yield server


@pytest.fixture(params=["filesystem", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    """An empty store of each kind, which refuses to read more than READ_BYTES_MAX at once."""
    made = _filesystem(tmp_path) if request.param == "filesystem" else _s3(request.getfixturevalue("seaweed"))
    yield made
    await made.close()


def _filesystem(tmp_path: Path) -> ObjectStore:
    return FilesystemStore(tmp_path / "store", read_bytes_max=READ_BYTES_MAX)


def _s3(seaweed: Seaweed) -> ObjectStore:
    limits = S3Limits(read_bytes_max=READ_BYTES_MAX, part_bytes=5 << 20, page_entries=7)
    address = seaweed.address(f"of-one-test/{uuid.uuid4().hex}")
    return S3Store(address, seaweed.credentials, limits=limits)
