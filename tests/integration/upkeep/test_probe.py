"""What a store can do is found out, told, and cleaned up after."""

import re
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.s3_server import S3Server
from storage.base import ObjectInfo, ObjectStore
from storage.filesystem import FilesystemStore
from storage.s3 import S3Store
from tests.integration.upkeep.conftest import contents
from tests.support.faulty_store import FaultyStore
from upkeep.probe import Ability, probe

TRIED = ["write", "read", "ranges", "listing", "replace", "clock", "conditional", "latency", "delete"]


async def abilities(store: ObjectStore) -> dict[str, Ability]:
    """What was told, by name."""
    return {each.name: each async for each in probe(store)}


async def test_a_good_store_can_do_all(store: ObjectStore) -> None:
    """Each ability once, all good, and nothing stays behind. This S3 service does refuse to replace."""
    found = await abilities(store)
    assert list(found) == TRIED
    assert [each for each in found.values() if not each.good] == []
    assert await contents(store) == {}
    if isinstance(store, S3Store):
        assert "refused" in found["conditional"].detail


class Overwriting(S3Store):
    """As a service that knows no condition: it answers 200 and replaces."""

    async def put_if_absent(self, key: str, body: bytes, *, media_type: str, cache_control: str) -> bool:
        await self.put(key, body, media_type=media_type, cache_control=cache_control)
        return True


async def test_silent_overwriting_is_found_out(s3_server: S3Server) -> None:
    """Not needed, but told with what follows from it."""
    store = Overwriting(s3_server.address(f"upkeep/{uuid.uuid4().hex}"), s3_server.writer)
    found = (await abilities(store))["conditional"]
    assert (found.good, found.needed) == (False, False)
    assert "replaces" in found.detail and "twice" in found.hint
    assert await contents(store) == {}
    await store.close()


async def test_keys_that_may_only_read_are_told(s3_server: S3Server) -> None:
    """An origin has no others: no reason to complain."""
    store = S3Store(s3_server.address(f"upkeep/{uuid.uuid4().hex}"), s3_server.reader)
    found = await abilities(store)
    assert list(found) == ["write"]
    assert (found["write"].good, found["write"].needed) == (False, False)
    assert "serve" in found["write"].hint
    await store.close()


@pytest.mark.parametrize("kind", ["put", "read", "head", "walk", "delete"])
async def test_what_fails_is_told_and_nothing_is_raised(tmp_path: Path, kind: str) -> None:
    """Every call of a kind fails: an ability with the error's words, and the hint of the error."""
    inner = FilesystemStore(tmp_path)
    found = await abilities(FaultyStore(inner, kind=kind, fail_at=1, from_then_on=True))  # type: ignore[arg-type]
    bad = [each for each in found.values() if not each.good]
    assert bad and all("made to fail" in each.detail and each.hint for each in bad)
    await inner.close()


class Ahead(FilesystemStore):
    """A store whose clock is an hour ahead."""

    async def head(self, key: str) -> ObjectInfo:
        info = await super().head(key)
        return replace(info, modified_s=info.modified_s + 3600)


async def test_a_clock_that_differs_is_told(tmp_path: Path) -> None:
    """In seconds, with a hint."""
    store = Ahead(tmp_path)
    found = (await abilities(store))["clock"]
    assert not found.good and re.search(r"by 3[56]\d\d s", found.detail) and found.hint
    await store.close()


async def test_an_answer_that_is_lost_leaves_nothing_behind(tmp_path: Path) -> None:
    """Cleaning up does not depend on what was told."""
    inner = FilesystemStore(tmp_path)
    async for _ in probe(FaultyStore(inner, kind="put", fail_at=2, after=True)):
        pass
    assert await contents(inner) == {}
    await inner.close()
