"""What is told of changes is taken up at once, however long it takes to list a store; the rest is found later."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.search_sqlite import SqlitePostings
from catalog.store import Catalog
from discovery.following import Following
from discovery.search import RULES, SearchIndex
from model.errors import StorageUnavailable
from model.records import to_json
from storage.base import ObjectEntry
from storage.changes import KEPT_MS, WINDOW_MS, changes_since, now_ms, signal
from storage.filesystem import FilesystemStore
from storage.keys import CHANGES, TRACKS, Change, change_key, current_key, track_key
from tests.integration.origin.published import Published, publish, put
from tests.integration.origin.watched_store import WatchedStore
from tests.support.faulty_store import FaultyStore

INTERVAL_S = 0.01


class SlowToList(WatchedStore):
    """A store whose listing of all tracks stands still while `held`; all else goes on."""

    def __init__(self, store: FilesystemStore) -> None:
        super().__init__(store)
        self.held = False
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.listed: list[str] = []

    async def walk(self, prefix: str, *, after: str = "") -> AsyncIterator[ObjectEntry]:
        """Entries of all tracks come when they may; the first one is looked up at once."""
        self.listed.append(prefix)
        found = [entry async for entry in super().walk(prefix, after=after)]
        if prefix == TRACKS and self.held:
            self.reached.set()
            await self.go_on.wait()
        for entry in found:
            yield entry


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SlowToList]:
    """An empty store."""
    files = FilesystemStore(tmp_path / "store")
    yield SlowToList(files)
    await files.close()


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    """An empty catalog in memory."""
    with Catalog() as made:
        yield made


@pytest.fixture
def indexes() -> list[SearchIndex]:
    """The search index, once it is open."""
    return []


@pytest.fixture
def following(store: SlowToList, catalog: Catalog, indexes: list[SearchIndex]) -> Following:
    """That looks again and again, and lists everything as often as it may."""
    return Following(
        store,
        catalog,
        interval_s=INTERVAL_S,
        rest=1,
        postings=lambda: SqlitePostings(None, RULES),
        opened=lambda postings: indexes.append(SearchIndex(postings)),
        synced=lambda: None,
    )


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            if true():
                return
            await asyncio.sleep(INTERVAL_S)


async def _until_total(catalog: Catalog, count: int) -> None:
    await _until(lambda: catalog.count() == count)


async def _rename(store: WatchedStore, track: Published, title: str) -> None:
    renamed = replace(track.track, tags=replace(track.track.tags, title=title))
    await put(store, track_key(track.track_id), to_json(renamed))


async def test_a_change_that_is_told_needs_no_listing_of_all(
    store: SlowToList, catalog: Catalog, following: Following, indexes: list[SearchIndex]
) -> None:
    """New, renamed and withdrawn tracks, in list and search, while a listing of all takes for ever."""
    old = await publish(store, "old")
    async with following.running():
        store.held = True
        await store.reached.wait()
        new = await publish(store, "new")
        await signal(store, new.track_id)
        await _until(lambda: [found.title for found in indexes[0].search("new").tracks] == ["Song new"])
        assert catalog.count() == 2
        await _rename(store, old, "Renamed")
        await signal(store, old.track_id)
        await _until(lambda: [found.title for found in indexes[0].search("renamed").tracks] == ["Renamed"])
        await store.delete(current_key(old.track_id))
        await signal(store, old.track_id)
        await _until_total(catalog, 1)
        assert not store.go_on.is_set()


async def test_a_listing_that_began_before_a_change_does_not_undo_it(
    store: SlowToList, catalog: Catalog, following: Following
) -> None:
    """A track that came, one that was renamed and one that went while all were listed."""
    renamed, gone = await publish(store, "renamed"), await publish(store, "gone")
    async with following.running():
        store.held = True
        await store.reached.wait()  # it has seen what there is, and goes on later
        new = await publish(store, "new")
        await _rename(store, renamed, "Renamed")
        await store.delete(track_key(gone.track_id))
        for track in (new, renamed, gone):
            await signal(store, track.track_id)
        await _until(lambda: catalog.get(new.track_id) is not None and catalog.get(gone.track_id) is None)
        seen: list[list[str]] = []
        before = store.listed.count(TRACKS)
        store.go_on.set()
        while store.listed.count(TRACKS) == before:
            seen.append(sorted(row.title for row in catalog.page(0, 9)))
            await asyncio.sleep(0)
        seen.append(sorted(row.title for row in catalog.page(0, 9)))
        assert all(titles == ["Renamed", "Song new"] for titles in seen), seen


async def test_what_nobody_told_is_found_by_listing(store: SlowToList, catalog: Catalog, following: Following) -> None:
    """As when a publisher died before it told, or is older."""
    async with following.running():
        await publish(store, "untold")
        await _until_total(catalog, 1)


@pytest.mark.parametrize("off_ms", [-WINDOW_MS + 60_000, 0, 24 * 3_600_000])
async def test_clocks_may_differ(store: SlowToList, catalog: Catalog, following: Following, off_ms: int) -> None:
    """By some time backwards, by any time forwards; and what comes from another clock after it is not missed."""
    async with following.running():
        store.held = True
        await store.reached.wait()
        for count, (name, off) in enumerate((("one", off_ms), ("two", 0), ("three", off_ms)), 1):
            track = await publish(store, name)
            await signal(store, track.track_id, at_ms=now_ms() + off)
            await _until_total(catalog, count)


async def test_a_change_is_read_once(tmp_path: Path, catalog: Catalog) -> None:
    """However long it is listed; and again if it could not be read."""
    files = FilesystemStore(tmp_path / "store")
    track = await publish(files, "one")
    failing = FaultyStore(files, kind="read", fail_at=1)
    following = Following(
        failing, catalog, interval_s=1, rest=1, postings=lambda: SqlitePostings(None, RULES),
        opened=lambda _: None, synced=lambda: None,
    )  # fmt: skip
    await signal(files, track.track_id)
    with pytest.raises(StorageUnavailable):
        await following.told_once()
    await following.told_once()
    assert catalog.count() == 1
    walked = failing.counts["walk"]
    for _ in range(3):
        await following.told_once()
    assert failing.counts["walk"] == walked + 3 and {key for kind, key in failing.calls[-3:]} == {CHANGES}
    await files.close()


async def test_old_changes_are_cleared_by_new_ones(store: SlowToList) -> None:
    """Now and then, and never more than are old; one that cannot be deleted is no harm."""
    track_id, now = "a" * 20, now_ms() // 32 * 32
    for number in range(40):
        key = change_key(Change(track_id, now - KEPT_MS - 1 - number))
        await store.put(key, b"", media_type="text/plain", cache_control="no-cache")
    await signal(store, track_id, at_ms=now + 1)
    assert len(await changes_since(store, 0)) == 41
    await signal(store, track_id, at_ms=now)
    assert [change.at_ms - now for change in await changes_since(store, 0)] == [0, 1]
    denying = FaultyStore(store, kind="delete", fail_at=1, from_then_on=True)
    await put(store, change_key(Change(track_id, 5)), b"")
    await signal(denying, track_id, at_ms=now)
    assert denying.counts["delete"] == 1


async def test_a_change_that_cannot_be_told_is_a_change_all_the_same(
    store: SlowToList, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and nothing is raised."""
    await signal(FaultyStore(store, kind="put", fail_at=1), "a" * 20)
    assert [record.message for record in caplog.records] == ["change not told"]
