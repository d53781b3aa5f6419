"""SQLite and PostgreSQL give the same answers: the one can be left for the other without anybody noticing."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.search_postgres import PostgresPostings
from catalog.search_postings import SearchRow
from catalog.search_ranks import Sizes
from catalog.search_sqlite import SqlitePostings
from discovery.search import RULES, Results, SearchIndex
from model.errors import CatalogError, UsageError
from tests.contract.search_index.songs import row, slipped, songs

QUERIES = 50
SMALL = Sizes(row=20, heads=(50, 200), many=4)


def _queries() -> list[str]:
    luck = random.Random(9)
    rows = songs(2000)
    names = [f"{each.title} {each.artist}" for each in luck.choices(rows, k=QUERIES)]
    return [*(name[: luck.randint(1, 20)] for name in names), *(slipped(name, luck) for name in names)]


def test_all_answers_are_equal(postgres: str, tmp_path: Path) -> None:
    """As typed, letter by letter and with slips; after a fill, and after changes; of words that are rare and not."""
    with (
        SqlitePostings(tmp_path / "s", RULES) as one,
        PostgresPostings(postgres, RULES, schema="alike", sizes=SMALL) as other,
    ):
        rows = songs(2000)
        changes = [row(number, f"Changed {each.title}", each.artist) for number, each in enumerate(rows[:50])]
        for postings in (one, other):
            postings.fill(rows)
            postings.apply(changes, [each.track_id for each in rows[100:150]])
        for text in _queries():
            assert _answer(one, text) == _answer(other, text), text


def _answer(postings: SqlitePostings | PostgresPostings, text: str) -> Results:
    return SearchIndex(postings).search(text)


def test_a_rare_beginning_is_found_behind_the_popular_ones(postgres: str) -> None:
    """What the most popular rows do not have is looked for in all."""
    with PostgresPostings(postgres, RULES, schema="rare", sizes=SMALL) as postings:
        postings.fill(
            [*(row(number, f"Song {number}") for number in range(SMALL.heads[-1])), row(SMALL.heads[-1], "Zebra")]
        )
        assert [each.title for each in SearchIndex(postings).search("z").tracks] == ["Zebra"]


def test_searches_and_changes_go_on_while_an_index_is_filled(postgres: str) -> None:
    """In every process; what was changed meanwhile is in the new index too, and not in one that is filled later."""
    with (
        PostgresPostings(postgres, RULES, schema="meanwhile_filled") as one,
        PostgresPostings(postgres, RULES, schema="meanwhile_filled") as other,
    ):

        def rows() -> Iterator[SearchRow]:
            yield from (row(1, "Old"), row(2, "Gone"))
            other.apply([row(3, "New"), row(1, "Changed")], ["t000002"])
            one.apply([row(4, "Newer")], [])
            assert [each.title for each in _answer(one, "changed").tracks] == ["Changed"]

        one.fill(rows())
        for postings in (one, other):
            assert sorted(each.title for each in _answer(postings, "somebody").tracks) == ["Changed", "New", "Newer"]
        other.fill([row(5, "Only")])
        assert one.states_between("", None) == {"t000005": row(5, "Only").state}


def test_a_connection_that_was_cut_is_made_anew(postgres: str) -> None:
    """The server may be restarted: one call fails, the next one goes."""
    with (
        PostgresPostings(postgres, RULES, schema="cut") as postings,
        PostgresPostings(postgres, RULES, schema="cut") as other,
    ):
        postings.fill([row(1, "Yellow")])
        with other._writing() as db:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            db.execute(f"{others} AND datname = 'postgres'")
        with pytest.raises(CatalogError):
            postings.count()
        assert postings.count() == 1


@pytest.mark.parametrize("url", ["postgresql://segue:secret@127.0.0.1/x", "postgresql://h/x?nonsense=1"])
def test_a_url_with_a_password_or_none_at_all_is_refused(url: str) -> None:
    """Before anything is connected to."""
    with pytest.raises(UsageError):
        PostgresPostings(url, RULES)


def test_no_server_is_an_error_of_the_catalog() -> None:
    """With a hint."""
    with pytest.raises(CatalogError, match="search index failed") as raised:
        PostgresPostings("postgresql://nobody@127.0.0.1:1/none", RULES)
    assert raised.value.hint
