"""The plan of a batch: albums together, in their order, the longest started in time."""

from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.plan import Album, Line, Looked, PlanTable
from model.errors import CatalogError
from segue.schedule import before_its_turn, work_order

MOST = 3


def place(number: int) -> bytes:
    """Where a source stands."""
    return number.to_bytes(8, "big")


def filled(
    table: PlanTable,
    albums: Sequence[str],
    *,
    seconds: Sequence[float | None] = (),
    unwanted: Sequence[int] = (),
    together: bool = True,
) -> tuple[int, float | None]:
    """One source for each, looked at; what is to be done."""
    found = range(len(albums))
    table.add(Line(place=place(number), path=place(number), source=place(number)) for number in reversed(found))
    table.looked(
        Looked(
            place=place(number),
            album=albums[number],
            together=together,
            seconds=seconds[number] if seconds else None,
            wanted=False if number in unwanted else None,
        )
        for number in found
    )
    return table.group(MOST)


def taken(table: PlanTable) -> list[list[int]]:
    """All that is to be done, as it was found."""
    return [numbers(each) for each in table.take(100, lambda longest, left: False)]


def numbers(album: Album) -> list[int]:
    """Its sources."""
    return [int.from_bytes(source, "big") for source, _ in album.members]


def test_an_album_is_one_group_and_comes_where_its_first_track_was() -> None:
    """Singles between its tracks do not break it; nothing is taken twice."""
    with PlanTable() as table:
        assert filled(table, ["x", "s", "x", "t"], seconds=[0.0, 1.0, 2.0, 3.0]) == (4, 6.0)
        assert taken(table) == [[0, 2], [1], [3]]
        assert taken(table) == []


def test_what_is_too_large_for_an_album_falls_apart() -> None:
    """ "Unknown Album" must not be held in memory as one; of it only what is wanted is worked on."""
    with PlanTable() as table:
        assert filled(table, ["u", "x", "u", "u", "x", "u"], unwanted=[2]) == (5, None)
        albums = table.take(100, lambda longest, left: False)
        assert [numbers(each) for each in albums] == [[0], [1, 4], [3], [5]]
        assert [each.album for each in albums] == [None, "x", None, None]


@pytest.mark.parametrize(("together", "expected"), [(True, [[0, 2, 4]]), (False, [[2]])])
def test_only_what_is_wanted_is_worked_on_and_its_album_where_that_has_one_level(
    together: bool, expected: list[list[int]]
) -> None:
    """Albums that nobody wants anything of are left alone."""
    with PlanTable() as table:
        count, _ = filled(table, ["x", "y", "x", "y", "x"], unwanted=[0, 1, 3, 4], together=together)
        assert count == len(expected[0])
        assert taken(table) == expected


def test_of_sources_with_one_path_the_first_stays() -> None:
    """A folder, and a file in it that is named as well."""
    with PlanTable() as table:
        table.add([Line(place=b"1", path=b"a", source=b"first")])
        table.add([Line(place=b"0", path=b"a", source=b"second"), Line(place=b"2", path=b"b", source=b"other")])
        assert table.after(b"", 10) == [(b"1", b"first"), (b"2", b"other")]
        assert table.after(b"1", 10) == [(b"2", b"other")]
        assert table.count() == 2


def test_folders_are_taken_once_the_first_first() -> None:
    """What is found in one of them comes before the next."""
    with PlanTable() as table:
        table.add_folders([(b"2", b"two"), (b"1", b"one")])
        assert table.take_folder() == (b"1", b"one")
        table.add_folders([(b"11", b"one/one")])
        assert [table.take_folder() for _ in range(3)] == [(b"11", b"one/one"), (b"2", b"two"), None]


def test_a_closed_plan_says_what_it_was() -> None:
    """Errors of SQLite are ours, with a hint."""
    with PlanTable() as table:
        pass
    with pytest.raises(CatalogError):
        table.count()


@given(st.lists(st.integers(0, 1000).map(float), max_size=40), st.integers(1, 8))
def test_the_order_is_that_of_the_schedule(costs: list[float], jobs: int) -> None:
    """One source in each album: as if all were in memory."""
    with PlanTable() as table:
        filled(table, [str(number) for number in range(len(costs))], seconds=costs)
        order = []
        while albums := table.take(3, partial(before_its_turn, jobs=jobs)):
            order += [numbers(each)[0] for each in albums]
    assert order == work_order(costs, jobs)
