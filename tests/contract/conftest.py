"""One PostgreSQL server for the session, and a store of each kind for every test."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest

from scripts.s3_server import S3Server
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.s3 import S3Store
from storage.s3_limits import S3Limits
from tests.support.limited_loop import limited_event_loop
from tests.support.postgres import running_postgres

READ_BYTES_MAX = 1 << 20


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Batch jobs run on Python's own event loop; what serves listeners is tried on its own, too."""
    if item.path.name == "test_s3_serving.py":
        return {"asyncio": asyncio.new_event_loop, "served": limited_event_loop}
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a database on a real server on loopback."""
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["filesystem", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    """An empty store of each kind, which refuses to read more than READ_BYTES_MAX at once."""
    made = _filesystem(tmp_path) if request.param == "filesystem" else _s3(request.getfixturevalue("s3_server"))
    yield made
    await made.close()


def _filesystem(tmp_path: Path) -> ObjectStore:
    return FilesystemStore(tmp_path / "store", read_bytes_max=READ_BYTES_MAX)


def _s3(s3_server: S3Server) -> ObjectStore:
    limits = S3Limits(read_bytes_max=READ_BYTES_MAX, part_bytes=5 << 20, page_entries=7)
    address = s3_server.address(f"of-one-test/{uuid.uuid4().hex}")
    return S3Store(address, s3_server.writer, limits=limits)
