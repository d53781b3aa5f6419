"""Playlists over a catalog: what is shown, what rules choose, what comes in from files and goes out again."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from catalog.listener_open import open_listeners
from catalog.playlists import EntryRow, PlaylistChange, Playlists
from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.playlists.entries import Entry, EntryList
from discovery.playlists.formats import FORMATS
from discovery.playlists.library import FRESH_S, WITHIN_MAX, Library
from discovery.playlists.match import LookUps
from discovery.playlists.nsp import rule_playlist
from model.errors import PlaylistRefused, PlaylistUnknown
from tests.unit.catalog.test_schema import ROW

ANN, BOB = "ann".ljust(20, "a"), "bob".ljust(20, "b")
TRACKS = [
    replace(ROW, track_id=f"{name * 20}", title=f"Title {name}", artist="Artist", album_artist="", duration_s=60.5)
    for name in "abcdef"
]
A, B, C, D, E, F = (row.track_id for row in TRACKS)


class _Heard:
    """Ann heard A twice, loves B and gave C four stars."""

    def heard(self, listener_id: str) -> Sequence[tuple[str, int, int]]:
        return [(A, 2, 1_000)] if listener_id == ANN else []

    def loved(self, listener_id: str) -> Sequence[tuple[str, int]]:
        return [(B, 1_000)] if listener_id == ANN else []

    def rated(self, listener_id: str) -> Sequence[tuple[str, int, int]]:
        return [(C, 4, 1_000)] if listener_id == ANN else []


class _Clock:
    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def library() -> Iterator[Library]:
    """Six tracks, the last one not live, and two listeners."""
    with open_listeners() as database, Catalog() as catalog:
        with database.writing() as db:
            db.executemany("INSERT INTO listeners VALUES (?, ?, '', 0)", [(ANN, b"a"), (BOB, b"b")])
        catalog.apply([*TRACKS[:-1], replace(TRACKS[-1], package_id=None)], [])
        yield Library(catalog=catalog, playlists=Playlists(database), listening=_Heard(), clock_s=_Clock())


def _look_ups(library: Library) -> LookUps:
    def of_artist(name: str) -> list[TrackRow]:
        return [row for row in library.catalog.page(0, 10) if row.artist == name]

    return LookUps(rows_of=library.catalog.rows_of, of_artist=of_artist, search=lambda text: ())


def _ruled(library: Library, *conditions: dict[str, Any], owner: str = ANN, public: bool = False) -> str:
    found = rule_playlist({"all": list(conditions), "public": public, "sort": "title"})
    return library.take_in_rules(owner, found).playlist_id


def test_a_track_that_is_gone_is_shown_as_missing(library: Library) -> None:
    """With what it was called; the others stay where they are, and it is there again when it is live again."""
    made = library.playlists.create(ANN, name="n", entries=library.entries_of([A, B, C]))
    library.catalog.remove(B)
    shown, total = library.shown(made)
    assert total == 3
    assert [(each.entry.entry_id, each.entry.title, bool(each.track)) for each in shown] == [
        (1, "Title a", True), (2, "Title b", False), (3, "Title c", True),
    ]  # fmt: skip
    before = library.track_choice(made.playlist_id, ANN)
    assert (before.name, before.track_ids) == ("n", (A, C))
    library.catalog.upsert(TRACKS[1])
    after = library.track_choice(made.playlist_id, ANN)
    assert after.track_ids == (A, B, C)
    assert after.version != before.version


def test_equal_lists_have_equal_versions(library: Library) -> None:
    """Whatever happened between."""
    made = library.playlists.create(ANN, name="n", public=True, entries=library.entries_of([A, B]))
    before = library.track_choice(made.playlist_id)
    library.playlists.move(made.playlist_id, ANN, 1, before=None)
    assert library.track_choice(made.playlist_id).version != before.version
    library.playlists.move(made.playlist_id, ANN, 2, before=None)
    assert library.track_choice(made.playlist_id) == before


def test_only_tracks_that_are_there_are_added(library: Library) -> None:
    """The error says which one is not."""
    with pytest.raises(PlaylistRefused, match=r"track_ids\[1\]"):
        library.entries_of([A, F])


def test_rules_ask_for_the_owners_plays(library: Library) -> None:
    """Whoever reads the playlist."""
    heard = _ruled(library, {"gt": {"playcount": 1}}, public=True)
    loved = _ruled(library, {"is": {"loved": True}}, public=True)
    assert library.track_choice(heard, BOB).track_ids == (A,)
    assert library.track_choice(loved).track_ids == (B,)
    assert library.track_choice(_ruled(library, {"gt": {"rating": 3}}, public=True)).track_ids == (C,)
    assert library.track_choice(_ruled(library, {"gt": {"playcount": 1}}, owner=BOB), BOB).track_ids == ()


def test_what_rules_choose_is_kept_for_a_moment(library: Library) -> None:
    """Not longer, and not past a change of the rules."""
    assert isinstance(library.clock_s, _Clock)
    ruled = _ruled(library, {"isNot": {"title": "Title a"}})
    assert library.track_choice(ruled, ANN).track_ids == (B, C, D, E)
    library.catalog.remove(B)
    shown, total = library.shown(library.playlists.get(ruled, ANN), offset=1, limit=2)
    assert total == 4
    assert [(each.entry.entry_id, each.track and each.track.track_id) for each in shown] == [(2, C), (3, D)]
    library.clock_s.now_s += FRESH_S
    assert library.shown(library.playlists.get(ruled, ANN))[1] == 3
    library.playlists.change(ruled, ANN, PlaylistChange(rules='{"all": [{"is": {"title": "title a"}}]}'))
    assert library.track_choice(ruled, ANN).track_ids == (A,)


def test_rules_name_playlists_that_their_owner_may_read(library: Library) -> None:
    """Own ones, public ones, other rules; from what they may not read comes nothing."""
    own = library.playlists.create(ANN, name="n", entries=library.entries_of([A, B])).playlist_id
    public = library.playlists.create(BOB, name="n", public=True, entries=library.entries_of([B, C])).playlist_id
    private = library.playlists.create(BOB, name="n", entries=library.entries_of([D])).playlist_id
    ruled = _ruled(library, {"inPlaylist": {"id": own}}, {"notInPlaylist": {"id": public}})
    assert library.track_choice(ruled, ANN).track_ids == (A,)
    again = _ruled(library, {"any": [{"inPlaylist": {"id": each}} for each in (ruled, private, "x" * 20)]})
    assert library.track_choice(again, ANN).track_ids == (A,)
    bobs = _ruled(library, {"inPlaylist": {"id": own}}, owner=BOB, public=True)
    mine = _ruled(library, {"inPlaylist": {"id": own}}, {"notInPlaylist": {"id": bobs}})
    assert library.track_choice(mine, ANN).track_ids == (A, B)  # Bob's own rules see nothing of Ann's


def test_rules_that_lead_back_to_themselves_are_refused(library: Library) -> None:
    """And those that lead too far."""
    first = _ruled(library, {"is": {"title": "x"}})
    second = _ruled(library, {"inPlaylist": {"id": first}})
    circle = rule_playlist({"all": [{"inPlaylist": {"id": second}}]}).text
    library.playlists.change(first, ANN, PlaylistChange(rules=circle))
    for each in (first, second):
        with pytest.raises(PlaylistRefused, match="made from itself"):
            library.track_choice(each, ANN)
    deep = _ruled(library, {"is": {"title": "x"}})
    for _ in range(WITHIN_MAX):
        deep = _ruled(library, {"inPlaylist": {"id": deep}})
    with pytest.raises(PlaylistRefused):
        library.track_choice(deep, ANN)


def test_nobody_hears_a_private_playlist(library: Library) -> None:
    """It is as unknown as what is not there."""
    made = library.playlists.create(ANN, name="n")
    for reader in (None, BOB):
        with pytest.raises(PlaylistUnknown):
            library.track_choice(made.playlist_id, reader)


def test_a_file_comes_in_and_loses_nothing(library: Library) -> None:
    """What is not found is told, and stays in its place with all that the file said."""
    strange = Entry(title="Strange", artist="Nobody", album="X", track_number=2, duration_s=3.0, uris=("file:///x",))
    known = Entry(title="title b", artist="Artist", duration_s=60)
    taken = library.take_in(ANN, EntryList(name="", comment="c", entries=(known, strange, known)), _look_ups(library))
    assert (taken.playlist.name, taken.playlist.comment, taken.missing) == ("Playlist", "c", {1: strange})
    shown, _ = library.shown(taken.playlist)
    assert [each.track and each.track.track_id for each in shown] == [B, None, B]
    wanted = EntryRow(
        entry_id=2, track_id="", title="Strange", artist="Nobody", album="X", track_number=2, duration_s=3.0,
        uris=("file:///x",),
    )  # fmt: skip
    assert shown[1].entry == wanted


@pytest.mark.parametrize("name", FORMATS)
def test_what_goes_out_comes_back_as_the_same_playlist(library: Library, name: str) -> None:
    """With tracks, with one that is gone, and with one that never was; elsewhere too, by names."""
    entries = [*library.entries_of([A, B]), EntryRow(track_id="", title="S", artist="N", uris=("file:///x",))]
    made = library.playlists.create(ANN, name="n - m", comment="c", entries=entries)
    library.catalog.remove(B)
    file = FORMATS[name].write(library.give_out(made, base_url="https://music.example"))
    taken = library.take_in(BOB, FORMATS[name].read(file), _look_ups(library))
    assert (taken.playlist.name, taken.playlist.comment) == ("n - m", "c")
    assert list(taken.missing) == [1, 2]
    library.catalog.upsert(TRACKS[1])
    shown, _ = library.shown(taken.playlist)
    assert [each.track and each.track.track_id for each in shown] == [A, B, None]
    assert shown[2].entry.uris == ("file:///x",)
    second = library.give_out(taken.playlist, base_url="https://music.example")
    assert FORMATS[name].read(FORMATS[name].write(second)).entries[2] == FORMATS[name].read(file).entries[2]


def test_what_rules_make_goes_out_with_the_tracks_of_now(library: Library) -> None:
    """As a list like any other, with paths where nobody said under which address."""
    ruled = library.playlists.get(_ruled(library, {"is": {"title": "title c"}}), ANN)
    entry = Entry(
        title="Title c",
        artist="Artist",
        album=ROW.album,
        track_number=ROW.track_number,
        duration_s=60.5,
        uris=(f"/tracks/{C}/index.m3u8", f"segue:track:{C}"),
    )
    assert library.give_out(ruled).entries == (entry,)
