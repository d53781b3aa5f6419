"""The search index follows the catalog: by what a sync tells, and by comparison when something was missed."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.schema import TrackRow
from catalog.search_postings import SearchRow
from catalog.search_sqlite import SqlitePostings
from catalog.store import Catalog
from discovery.search import RULES, SearchIndex
from discovery.search_follow import COMPARED_ROWS, Follower, compare, search_row
from model.errors import CatalogError
from model.track import derived_id, recording_id_of


def _row(number: int, title: str, *, live: bool = True) -> TrackRow:
    return TrackRow(
        track_id=f"t{number:06}", ingest_version="1", current_version="1", recording_id=recording_id_of(str(number)),
        package_id=derived_id("package") if live else None, art_id=derived_id("art"), title=title, artist="Somebody",
        album="Album", album_artist="", track_number=1, disc_number=None, duration_s=1.0, level_lufs=None, families="",
        protected=False,
    )  # fmt: skip


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    """An empty catalog in memory."""
    with Catalog() as made:
        yield made


@pytest.fixture
def postings() -> Iterator[SqlitePostings]:
    """An empty index in memory."""
    with SqlitePostings(None, RULES) as made:
        yield made


def _found(postings: SqlitePostings, text: str) -> list[str]:
    return sorted(found.track_id for found in SearchIndex(postings).search(text).tracks)


def test_only_live_tracks_are_found(catalog: Catalog, postings: SqlitePostings) -> None:
    """What was ingested and is not packaged yet is in nobody's way."""
    catalog.apply([_row(1, "Yellow"), _row(2, "Yellow", live=False)], [])
    compare(catalog, postings)
    assert _found(postings, "yellow") == ["t000001"]


def test_a_comparison_mends_whatever_is_different(catalog: Catalog, postings: SqlitePostings) -> None:
    """Names that changed, tracks that came and went, at the borders of what is compared at a time, and beyond."""
    count = 2 * COMPARED_ROWS + 1
    catalog.apply([_row(number, "Yellow") for number in range(count)], [])
    compare(catalog, postings)
    assert postings.count() == count
    last, borders = count - 1, (0, COMPARED_ROWS - 1, COMPARED_ROWS)
    catalog.apply([_row(number, "Blue") for number in borders], [f"t{last:06}", "t000003"])
    catalog.apply([_row(4, "Yellow", live=False), _row(last + 5, "Blue")], [])
    compare(catalog, postings)
    assert _found(postings, "blue") == sorted(f"t{number:06}" for number in (*borders, last + 5))
    assert postings.count() == count - 2
    states = postings.states_between("", None)
    assert not states.keys() & {f"t{last:06}", "t000003", "t000004"}


def test_the_whole_index_goes_with_the_last_track(catalog: Catalog, postings: SqlitePostings) -> None:
    """An emptied catalog is an emptied index."""
    catalog.apply([_row(1, "Yellow")], [])
    compare(catalog, postings)
    catalog.apply([], ["t000001"])
    compare(catalog, postings)
    assert postings.count() == 0


async def test_a_change_that_is_told_needs_no_comparison(catalog: Catalog, postings: SqlitePostings) -> None:
    """Rows new and again, tracks gone, and tracks that are live no more."""
    follower = Follower(catalog, postings)
    await follower.changed([_row(9, "Lost")], [])  # before the first comparison: that finds it, if it is true
    await follower.catch_up()
    assert postings.count() == 0
    await follower.changed([_row(1, "Yellow"), _row(2, "Yellow"), _row(3, "Yellow")], [])
    await follower.changed([_row(2, "Yellow", live=False), replace(_row(3, "Blue"))], ["t000001"])
    assert _found(postings, "yellow") == [] and _found(postings, "blue") == ["t000003"]


async def test_what_could_not_be_taken_up_is_mended_later(
    catalog: Catalog, postings: SqlitePostings, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing index is logged, and stops no sync."""
    follower = Follower(catalog, postings)
    await follower.catch_up()
    with SqlitePostings(None, RULES) as closed:
        broken = Follower(catalog, closed)
        await broken.catch_up()
    await broken.changed([_row(1, "Yellow")], [])
    await broken.catch_up()
    told = [record for record in caplog.records if record.message == "search index not brought up to date"]
    assert [record.__dict__["error_code"] for record in told] == ["catalog-error", "catalog-error"]


def test_names_that_no_database_takes_are_cleaned(catalog: Catalog, postings: SqlitePostings) -> None:
    """A NUL in a tag is a space, and does not make the track differ for ever."""
    catalog.apply([_row(1, "Yellow\0Sub")], [])
    compare(catalog, postings)
    assert [each.title for each in SearchIndex(postings).search("sub").tracks] == ["Yellow Sub"]


async def test_what_is_popular_comes_first(catalog: Catalog, postings: SqlitePostings) -> None:
    """When the index is filled; and when other tracks became popular, without a restart, while changes go on."""
    popularity = {"t000007": 3.0, "t000003": 5.0, "gone": 9.0}
    catalog.apply([_row(number, f"Song {number}") for number in range(9)], [])
    follower = Follower(catalog, postings, lambda: dict(popularity))
    await follower.catch_up()
    assert _first(postings, "so") == ["t000003", "t000007", "t000000"]
    assert not await follower.rank()  # nothing is different
    popularity["t000005"] = 4.0
    changed = asyncio.ensure_future(follower.rank())
    catalog.apply([_row(20, "Song 20")], [])
    await follower.changed([_row(20, "Song 20")], [])
    assert await changed
    assert _first(postings, "so") == ["t000003", "t000005", "t000007"]
    assert "t000020" in _found(postings, "song 20") and postings.count() == 10
    popularity.clear()
    assert await follower.rank()
    assert _first(postings, "so") == ["t000000", "t000001", "t000002"]


async def test_counts_that_cannot_be_read_leave_the_index_as_it_is(
    catalog: Catalog, postings: SqlitePostings, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the next time tries again."""
    catalog.apply([_row(1, "Yellow")], [])
    counts: list[dict[str, float]] = [{}]

    def popularity() -> dict[str, float]:
        if not counts:
            raise CatalogError("made to fail")
        return counts.pop()

    follower = Follower(catalog, postings, popularity)
    await follower.catch_up()
    assert not await follower.rank()
    assert [record.message for record in caplog.records] == ["search index not ranked"]
    assert _found(postings, "yellow") == ["t000001"]
    counts.append({"t000001": 1.0})
    assert await follower.rank()


def _first(postings: SqlitePostings, text: str) -> list[str]:
    return [found.track_id for found in SearchIndex(postings).search(text, limit=3).tracks]


def test_changes_go_on_while_the_index_is_filled(tmp_path: Path) -> None:
    """In a file or in memory they are found at once, and found still when the new index takes the place of the old."""
    for path in (None, tmp_path / "search.sqlite3"):
        with SqlitePostings(path, RULES) as postings:
            songs = [search_row(_row(number, "Yellow")) for number in range(4)]
            postings.fill(songs)

            def rows(postings: SqlitePostings = postings, songs: Sequence[SearchRow] = songs) -> Iterator[SearchRow]:
                yield from songs[:2]
                postings.apply([search_row(_row(9, "Yellow")), search_row(_row(0, "Blue"))], ["t000003"])
                assert _found(postings, "yellow") == ["t000001", "t000002", "t000009"]
                yield from songs[2:]

            postings.fill(rows())
            assert _found(postings, "yellow") == ["t000001", "t000002", "t000009"]
            assert _found(postings, "blue") == ["t000000"] and postings.count() == 4


def test_no_change_rewrites_the_whole_index(tmp_path: Path) -> None:
    """However many changes come one by one: what each writes has a bound, and that of a full merge is far above it."""
    path = tmp_path / "search.sqlite3"
    with SqlitePostings(path, RULES) as postings:
        postings.fill(search_row(_row(number, f"Song {number} word{number % 977}")) for number in range(70_000))
        written = []
        for number in range(20):
            before = _size(tmp_path / "search.sqlite3-wal")
            postings.apply([search_row(_row(90_000 + number, f"New {number}"))], [])
            written.append(_size(tmp_path / "search.sqlite3-wal") - before)
        (terms,) = postings.database.select("SELECT sum(length(block)) FROM track_terms_data")
    assert max(written) < 128 << 10 < terms[0] / 4


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
