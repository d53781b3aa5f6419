"""Rows that are kept until the catalog changes them."""

from catalog.store import Catalog
from discovery.recommend.rows import KnownRows
from tests.integration.discovery.recommend.world import track_row
from tests.support.listening import track_of

IDS = [track_of(0, number) for number in range(6)]


def test_rows_are_kept_until_they_change() -> None:
    """The very same ones; what was written, removed or is live no more is seen at once, also what is newest."""
    with Catalog() as catalog:
        catalog.apply([track_row(each, f"Song {number}", "Ann", number=number) for number, each in enumerate(IDS)], [])
        rows = KnownRows(catalog)
        before = rows.live([*IDS, IDS[0], "x" * 20])
        assert [row.track_id for row in before] == IDS and rows.newest() == tuple(reversed(IDS))
        assert all(one is other for one, other in zip(before, rows.live(IDS), strict=True))
        catalog.apply([track_row(IDS[1], "Other", "Ann", number=50)], [IDS[2]])
        catalog.upsert(track_row(IDS[3], "Song", "Ann", number=3, live=False))
        after = rows.live(IDS)
        assert [row.track_id for row in after] == [IDS[0], IDS[1], IDS[4], IDS[5]]
        assert after[0] is before[0] and after[1].title == "Other"
        assert rows.newest() == (IDS[1], IDS[5], IDS[4], IDS[0])
        assert rows.first(IDS, 2) == after[:2] and rows.first(IDS, 9) == after and rows.first([], 3) == []
