"""The catalog keeps rows and source hashes, survives damage, and can be shared."""

import asyncio
import logging
import os
import random
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.schema import SCHEMA_VERSION, TrackRow, sort_key
from catalog.store import ITERATE_ROWS, Catalog, PointerVersions
from model.errors import CatalogError
from tests.unit.catalog.test_schema import ROW


@pytest.fixture(params=["memory", "file"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog of each kind."""
    with Catalog(tmp_path / "new" / "catalog.sqlite" if request.param == "file" else None) as opened:
        yield opened


def _numbered(count: int) -> list[TrackRow]:
    return [
        replace(ROW, track_id=f"t{n:05}", track_number=n, package_id="b" * 16 if n % 3 else None) for n in range(count)
    ]


def test_a_row_comes_back_as_it_was_written(catalog: Catalog) -> None:
    """Every field survives, None included; a second write replaces the first; an unknown id gives None."""
    bare = replace(
        ROW, ingest_version=None, current_version=None, package_id=None, track_number=None, level_lufs=None,
        title="Mañana \U0001f3b5 '\"; DROP TABLE tracks",
    )  # fmt: skip
    catalog.upsert(ROW)
    assert catalog.get(ROW.track_id) == ROW
    catalog.upsert(bare)
    assert catalog.get(ROW.track_id) == bare
    assert catalog.count(live_only=False) == 1
    assert catalog.get("nobody") is None


def test_a_removed_track_is_gone_and_removing_it_again_is_no_error(catalog: Catalog) -> None:
    """Removal is idempotent."""
    catalog.upsert(ROW)
    catalog.remove(ROW.track_id)
    catalog.remove(ROW.track_id)
    assert catalog.get(ROW.track_id) is None
    assert catalog.count(live_only=False) == 0


@pytest.mark.parametrize("live_only", [True, False])
def test_pages_together_are_the_sorted_list(catalog: Catalog, live_only: bool) -> None:
    """Walking the pages shows every track once, in order; past the end there is nothing."""
    rows = _numbered(100)
    catalog.apply(random.sample(rows, len(rows)), [])
    wanted = sorted((row for row in rows if row.live or not live_only), key=sort_key)
    pages = [catalog.page(offset, 7, live_only=live_only) for offset in range(0, 120, 7)]
    assert [row for page in pages for row in page] == wanted
    assert catalog.count(live_only=live_only) == len(wanted)
    with pytest.raises(ValueError):
        catalog.page(-1, 10)


def test_iterating_shows_all_rows_by_id_while_others_are_written(catalog: Catalog) -> None:
    """Rows that stay are shown once each, though the table changes meanwhile."""
    rows = _numbered(2 * ITERATE_ROWS + 1)
    catalog.apply(reversed(rows), [])
    seen = []
    for row in catalog.iterate():
        seen.append(row)
        if row.track_id in ("t00000", "t00700"):
            catalog.upsert(replace(ROW, track_id="a-before"))
    assert seen == rows


def test_versions_are_found_between_bounds(catalog: Catalog) -> None:
    """The lower bound is left out, the upper one is in; without an upper bound it goes to the end."""
    catalog.apply(_numbered(5), [])
    assert list(catalog.versions_between("t00001", "t00003")) == ["t00002", "t00003"]
    assert catalog.versions_between("t00003", None) == {"t00004": PointerVersions("1", "2")}


def test_rows_and_removals_of_one_call_are_one_transaction(catalog: Catalog) -> None:
    """A row that cannot be written takes the whole call with it, and the catalog goes on working."""
    catalog.upsert(ROW)
    broken = replace(ROW, track_id="x")
    object.__setattr__(broken, "duration_s", None)
    with pytest.raises(CatalogError):
        catalog.apply([replace(ROW, track_id="y"), broken], [ROW.track_id])
    assert [row.track_id for row in catalog.iterate()] == [ROW.track_id]


def test_a_file_keeps_its_rows_between_openings(tmp_path: Path) -> None:
    """What was written is there for the next process."""
    path, row = tmp_path / "catalog.sqlite", replace(ROW, year=1998, genres=("Dub", "Trip Hop"), published_s=9)
    with Catalog(path) as catalog:
        catalog.apply([row, replace(ROW, track_id="other")], [])
    with Catalog(path) as catalog:
        assert catalog.get(row.track_id) == row
        assert catalog.get("other") == replace(ROW, track_id="other")


def test_another_schema_version_means_an_empty_catalog(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An index is made again, not migrated, and the log says so."""
    path = tmp_path / "catalog.sqlite"
    with Catalog(path) as catalog:
        catalog.upsert(ROW)
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with caplog.at_level(logging.WARNING), Catalog(path) as catalog:
        assert catalog.count(live_only=False) == 0
        catalog.upsert(ROW)
    assert "another version" in caplog.text
    with Catalog(path) as catalog:
        assert catalog.count() == 1


def test_a_file_that_is_no_database_is_moved_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Damage costs the index, not the command; the old bytes are kept for whoever wants to know."""
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"this is not a database at all, not even close" * 200)
    with caplog.at_level(logging.WARNING), Catalog(path) as catalog:
        catalog.upsert(ROW)
        assert catalog.count() == 1
    (aside,) = tmp_path.glob("catalog.sqlite.damaged-*")
    assert aside.read_bytes().startswith(b"this is not")
    assert "damaged" in caplog.text


def test_damage_found_later_starts_afresh_too(tmp_path: Path) -> None:
    """The call that meets the damage fails with a hint; the next one finds an empty catalog that works."""
    path = tmp_path / "catalog.sqlite"
    Catalog(path).close()
    empty = path.stat().st_size  # the tables, and where each begins
    with Catalog(path) as catalog:
        catalog.apply(_numbered(2000), [])
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(empty)
        file.write(b"\xff" * (size - empty))
    with Catalog(path) as catalog:
        with pytest.raises(CatalogError) as caught:
            list(catalog.iterate())
        assert "moved aside" in caught.value.hint
        assert catalog.count(live_only=False) == 0
        catalog.upsert(ROW)
        assert catalog.get(ROW.track_id) == ROW


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A wrong path in the configuration must not empty somebody's database."""
    path = tmp_path / "photos.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE photos (name TEXT)")
        db.execute("INSERT INTO photos VALUES ('cat')")
    db.close()
    before = path.read_bytes()
    with pytest.raises(CatalogError) as caught:
        Catalog(path)
    assert "another file" in caught.value.hint
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_a_typed_error(tmp_path: Path) -> None:
    """A folder in the way, or a file where a folder should be: CatalogError with a hint."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path, tmp_path / "file" / "catalog.sqlite"):
        with pytest.raises(CatalogError) as caught:
            Catalog(path)
        assert "may write" in caught.value.hint


def test_a_closed_catalog_says_so(catalog: Catalog) -> None:
    """Closing is idempotent; using it afterwards is an error of ours, not of SQLite."""
    catalog.close()
    catalog.close()
    with pytest.raises(CatalogError, match="closed"):
        catalog.count()


async def test_many_threads_share_one_catalog(catalog: Catalog) -> None:
    """Reads and writes from many threads at once neither fail nor lose a row."""
    rows = _numbered(64)
    await asyncio.gather(
        *(asyncio.to_thread(catalog.upsert, row) for row in rows),
        *(asyncio.to_thread(catalog.page, 0, 10) for _ in range(64)),
    )
    assert list(catalog.iterate()) == rows


def test_two_openings_of_one_file_both_write(tmp_path: Path) -> None:
    """Two processes' worth of connections take turns instead of failing."""
    path = tmp_path / "catalog.sqlite"

    def fill(start: int) -> None:
        with Catalog(path) as mine:
            for row in _numbered(200)[start::4]:
                mine.upsert(row)

    threads = [threading.Thread(target=fill, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Catalog(path) as catalog:
        assert catalog.count(live_only=False) == 200
