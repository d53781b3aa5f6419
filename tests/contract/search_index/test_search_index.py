"""What a search index promises, whatever keeps it."""

import random
import time
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.search_postings import Filters, Group, Postings
from discovery.search import LIMIT_MAX, SearchIndex, SearchInvalid
from tests.contract.search_index.conftest import Open
from tests.contract.search_index.songs import CJK, row, slipped, songs

TRACKS, KNOWN = 2000, 250
ANSWER_S = 5.0  # for 2,000 tracks, on a machine with too much to do
SHARED_INDEX = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def _titles(index: SearchIndex, text: str, **narrowed: str) -> list[str]:
    return [found.title for found in index.search(text, filters=Filters(**narrowed)).tracks]


def test_an_empty_index_finds_nothing(index: SearchIndex) -> None:
    """No tracks, no results, no error."""
    assert index.search("love").tracks == []
    assert index.suggest("lo") == []
    assert index.postings.count() == 0


def test_what_is_meant_comes_first(index: SearchIndex) -> None:
    """Artist and title, with and without a slip; titles with a slip; accents typed plain; inside of CJK."""
    rows = songs(TRACKS)
    assert index.index(rows) == TRACKS
    luck = random.Random(3)
    known = luck.sample(rows, KNOWN)
    accented = [each for each in rows if each.title != _plain(each.title)][:KNOWN]
    cjk = [each for each in rows if each.title[0] in CJK]

    def success(queries: list[tuple[str, tuple[str, str]]]) -> float:
        first = [index.search(text).tracks[:1] for text, _ in queries]
        meant = [names for _, names in queries]
        right = [
            bool(found) and (found[0].title, found[0].artist if artist else "") == (title, artist)
            for found, (title, artist) in zip(first, meant, strict=True)
        ]
        return sum(right) / len(right)

    assert success([(f"{each.artist} {each.title}", (each.title, each.artist)) for each in known]) == 1.0
    assert (
        success([(slipped(f"{each.title} {each.artist}", luck), (each.title, each.artist)) for each in known]) >= 0.98
    )
    assert success([(slipped(each.title, luck), (each.title, "")) for each in known]) >= 0.89
    assert success([(_plain(f"{each.title} {each.artist}"), (each.title, each.artist)) for each in accented]) >= 0.99
    assert success([(each.title[1:4], (each.title, "")) for each in cjk]) >= 0.9


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    return "".join(char for char in apart if not unicodedata.combining(char)).translate(str.maketrans("øłæØŁ", "olaOL"))


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8])
def test_a_beginning_finds_the_most_popular(index: SearchIndex, length: int) -> None:
    """From the first letter on; the popular ones lead where so much matches."""
    rows = songs(TRACKS)
    index.index(rows)
    start = "yellow highway"[:length]
    found = index.search(start, limit=LIMIT_MAX).tracks
    assert len(found) == LIMIT_MAX
    assert all(
        any(word.startswith(start.split()[0]) for word in f"{each.title} {each.artist} {each.album}".lower().split())
        for each in found
    )
    if length <= 3:
        assert [each.rank for each in found] == sorted(each.rank for each in found)


def test_words_in_any_order_from_any_field(index: SearchIndex) -> None:
    """Title, artist and album in one query; all of its words have to be there."""
    index.index([row(1, "Waterloo", "ABBA", "Arrival"), row(2, "Waterloo Sunset", "The Kinks", "Something Else")])
    assert _titles(index, "arrival waterloo abba") == ["Waterloo"]
    assert _titles(index, "kinks water") == ["Waterloo Sunset"]
    assert _titles(index, "waterloo kinks abba") == []


def test_artists_albums_and_tracks_are_groups(index: SearchIndex) -> None:
    """Each has its own hits; an album is told from another by its artist; filters narrow all of them down."""
    index.index(
        [
            row(1, "Gold", "Prince", "The Gold Experience"),
            row(2, "Golden Years", "David Bowie", "Gold"),
            row(3, "Dancing Queen", "ABBA", "Gold"),
            row(4, "Waterloo", "ABBA", "Gold"),
            row(5, "Song", "Golden Earring", "Various Gold", "Various Artists"),
        ]
    )
    found = index.search("gold")
    assert [(each.artist, each.tracks) for each in found.artists] == [("Golden Earring", 1)]
    albums = {(each.album, each.artist): each.tracks for each in found.albums}
    assert albums == {
        ("Gold", "David Bowie"): 1, ("Gold", "ABBA"): 2, ("The Gold Experience", "Prince"): 1,
        ("Various Gold", "Various Artists"): 1,
    }  # fmt: skip
    assert [each.title for each in found.tracks][:2] == ["Gold", "Golden Years"]
    assert sorted(_titles(index, "gold", artist="ABBA")) == ["Dancing Queen", "Waterloo"]
    assert sorted(_titles(index, "gold", album="Gold")) == ["Dancing Queen", "Golden Years", "Waterloo"]
    assert _titles(index, "gold", artist="ABBA", album="Nothing") == []
    of_abba = index.search("gold", filters=Filters(artist="ABBA"))
    assert [each.album for each in of_abba.albums] == ["Gold"] and of_abba.artists == []
    only = index.search("gold", groups=frozenset([Group.ALBUM]))
    assert only.tracks == [] and only.artists == [] and len(only.albums) == 4


def test_ones_own_comes_first_on_short_queries(index: SearchIndex) -> None:
    """However unpopular it is: it need not be among the popular candidates."""
    rows = songs(TRACKS)
    index.index([*rows, row(TRACKS * 10, "Love in the Attic")])
    own = {f"t{TRACKS * 10:06}": 7.0, rows[0].track_id: 1.0, "unknown": 1.0}
    assert index.search("lo", own=own).tracks[0].title == "Love in the Attic"
    assert index.search("lo").tracks[0].title != "Love in the Attic"
    assert index.suggest("l", own=own)[0].text == "Love in the Attic"


def test_suggestions_are_names_once(index: SearchIndex) -> None:
    """Artists, albums and titles that begin so; one name is suggested once, whatever has it."""
    index.index(
        [
            row(1, "Yellow", "Coldplay", "Parachutes"),
            row(2, "Yellow", "Somebody", "Yellow"),
            row(3, "Yes", "Yes", "Yes"),
        ]
    )
    assert sorted(each.text for each in index.suggest("ye")) == ["Yellow", "Yes"]
    assert [each.text for each in index.suggest("yelow")] == ["Yellow"]
    assert [each.text for each in index.suggest("para")] == ["Parachutes"]  # and no title on it
    assert [each.text for each in index.suggest("coldplay yel")] == ["Yellow"]


def test_a_change_is_found_at_once_and_keeps_its_rank(index: SearchIndex, postings: Postings) -> None:
    """Under the new name, no more under the old; new tracks come last; who has no track left is gone."""
    index.index([row(1, "Yellow", "Coldplay", "Parachutes"), row(2, "Yellow", "Kesha", "Rainbow")])
    postings.apply([row(1, "Blue", "Coldplay", "Parachutes"), row(3, "Yellow", "Newcomer", "First")], ["t000002"])
    assert _titles(index, "blue") == ["Blue"]
    assert [(each.rank, each.artist) for each in index.search("yellow").tracks] == [(3, "Newcomer")]
    assert index.search("coldplay").artists[0].rank == 1
    assert index.search("kesha").artists == [] and index.search("rainbow").albums == []
    assert _titles(index, "newcomr") == ["Yellow"]
    assert postings.count() == 2
    postings.apply([], ["t000001", "t000003", "never there"])
    assert index.search("yellow").tracks == [] and index.search("first").albums == [] and postings.count() == 0


def test_an_artist_keeps_a_track_that_is_there(index: SearchIndex, postings: Postings) -> None:
    """When the track that stood for an artist or album goes, another does."""
    index.index([row(1, "One", "Coldplay", "Parachutes"), row(2, "Two", "Coldplay", "Parachutes")])
    postings.apply([], ["t000001"])
    found = index.search("coldplay")
    assert [(each.track_id, each.tracks) for each in (*found.artists, *found.albums)] == [("t000002", 1)] * 2


def test_states_tell_what_is_to_be_taken_up(postings: Postings) -> None:
    """By track id, between bounds; a state changes with each of the names."""
    rows = [row(number, "Song") for number in range(5)]
    postings.fill(rows)
    assert postings.states_between("", None) == {each.track_id: each.state for each in rows}
    assert set(postings.states_between("t000001", "t000003")) == {"t000002", "t000003"}
    others = [
        row(1, "Song", "Other"),
        row(1, "Other"),
        row(1, "Song", "Somebody", "Other"),
        row(1, "Song", album_artist="X"),
    ]
    assert len({rows[1].state, *(each.state for each in others)}) == 5


def test_filling_replaces_all_and_lasts(reopened: Open) -> None:
    """For whoever has it open, and whoever opens it later."""
    first, other = reopened(), reopened()
    first.fill([row(1, "Old")])
    for _ in range(5):  # what was asked again and again is still asked anew
        assert _titles(SearchIndex(other), "old") == ["Old"]
    first.fill([row(2, "New")])
    first.apply([row(3, "Newest")], [])
    for postings in (first, other, reopened()):
        assert sorted(_titles(SearchIndex(postings), "new")) == ["New", "Newest"]
        assert _titles(SearchIndex(postings), "old") == []


def test_a_fill_that_breaks_off_changes_nothing(reopened: Open) -> None:
    """The old index stays."""
    postings = reopened()
    postings.fill([row(1, "Old")])

    def breaking() -> list[object]:
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        postings.fill(each for each in [row(2, "New"), breaking()])  # type: ignore[misc]
    assert _titles(SearchIndex(postings), "old") == ["Old"] and _titles(SearchIndex(reopened()), "new") == []


@pytest.mark.parametrize(
    "name", ["'", '"', "\\", "a' OR 1=1 --", "x'; DROP TABLE tracks", "a:* & !b", "NEAR(a b)", "%s", "{", "😀 mood"]
)
def test_hostile_names_are_names(index: SearchIndex, name: str) -> None:
    """In rows, in queries and in filters: nothing of it is taken for syntax."""
    index.index([row(1, name, name, name), row(2, "Plain", "Singer")])
    index.search(name, filters=Filters(artist=name, album=name))
    assert _titles(index, "plain", artist="Singer") == ["Plain"]
    assert {each.title for each in index.search(name, filters=Filters(artist=name)).tracks} <= {name}
    index.postings.apply([], ["t000001"])
    assert index.postings.count() == 1


@pytest.mark.parametrize(("text", "limit"), [("x" * 201, 10), ("love", 0), ("love", LIMIT_MAX + 1), ("love", -1)])
def test_too_much_is_refused(index: SearchIndex, text: str, limit: int) -> None:
    """By an error of its own."""
    with pytest.raises(SearchInvalid):
        index.search(text, limit=limit)


@SHARED_INDEX
@given(text=st.text(max_size=200), artist=st.text(max_size=30))
def test_any_text_has_an_answer_in_time(index: SearchIndex, text: str, artist: str) -> None:
    """Results, perhaps none, whatever is typed and filtered by."""
    if not index.postings.count():
        index.index(songs(200))
    started = time.monotonic()
    index.search(text, filters=Filters(artist=artist))
    index.search(text)
    index.suggest(text)
    assert time.monotonic() - started < 3 * ANSWER_S


@SHARED_INDEX
@given(name=st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=40))
def test_any_name_can_be_indexed_and_forgotten(index: SearchIndex, name: str) -> None:
    """Found by its own name if there is a word in it; gone when it is removed."""
    index.postings.apply([row(1, name, name, name)], [])
    found = index.search(name).tracks
    assert [each.title for each in found] == ([name] if index.search(name).terms else [])
    index.postings.apply([], ["t000001"])
    assert index.search(name).tracks == []
