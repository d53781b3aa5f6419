"""Stores of both kinds, and what lies in them."""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from scripts.s3_server import S3Server
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.keys import CHANGES
from storage.s3 import S3Store
from tests.integration.packager.conftest import ingested, published  # noqa: F401 - fixtures: a real track, live
from tests.support.forked import fork
from tests.support.served_album import CHECKOUT


@pytest.fixture(params=["filesystem", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    """An empty store of each kind."""
    made: ObjectStore
    if request.param == "filesystem":
        made = FilesystemStore(tmp_path / "store")
    else:
        server: S3Server = request.getfixturevalue("s3_server")
        made = S3Store(server.address(f"upkeep/{uuid.uuid4().hex}"), server.writer)
    yield made
    await made.close()


@dataclass(frozen=True, slots=True)
class Said:
    """What a command ended with, and its JSON lines."""

    status: int
    lines: list[dict[str, Any]]

    @property
    def last(self) -> dict[str, Any]:
        """The last line: the summary, or the error."""
        return self.lines[-1]

    def of(self, event: str) -> list[dict[str, Any]]:
        """The lines of one kind."""
        return [line for line in self.lines if line["event"] == event]


async def segue(*words: str, **environment: str) -> Said:
    """Run the command line in a process of its own, with --json."""
    with TemporaryFile() as out:
        process = fork(*words, "--json", cwd=CHECKOUT, env={**os.environ, **environment}, stdout=out)
        status = await asyncio.to_thread(process.wait, 60)
        out.seek(0)
        return Said(status, [json.loads(line) for line in out])


async def contents(store: ObjectStore) -> dict[str, str]:
    """Key and content hash of everything in a store, but for what is told of changes, which is named after a moment."""
    keys = [entry.key async for entry in store.walk("") if not entry.key.startswith(CHANGES)]
    return {key: (await store.head(key)).sha256 for key in keys}
