"""Stored playlists keep their order, lose no update, and are read by whom they are meant for."""

import random
import threading
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.playlists import ENTRIES_MAX, EntryRow, PlaylistChange, PlaylistRow, Playlists
from model.errors import PlaylistChanged, PlaylistRefused, PlaylistUnknown
from model.track import TRACK_ID_LENGTH, is_id
from tests.contract.listeners.conftest import Opened, add_listener

ANN, BOB, CARL = "ann".ljust(20, "a"), "bob".ljust(20, "b"), "carl".ljust(20, "c")


@pytest.fixture
def database(database: ListenerDatabase) -> ListenerDatabase:
    """A database with three listeners."""
    add_listener(database, ANN, BOB, CARL)
    return database


@pytest.fixture
def kept(database: ListenerDatabase) -> Playlists:
    """Their playlists."""
    return Playlists(database)


def _tracks(*names: object) -> list[EntryRow]:
    return [EntryRow(track_id=str(name), title=f"title {name}") for name in names]


def _order(kept: Playlists, playlist: PlaylistRow) -> list[str]:
    return [entry.track_id for entry in kept.entries(playlist.playlist_id)]


def test_a_playlist_comes_back_as_it_was_made(kept: Playlists) -> None:
    """Names, entries with all that they say, and an id that nobody can guess."""
    entry = EntryRow(
        track_id="", title="t", artist="a", album="b", track_number=3, duration_s=1.5, uris=("file:///x", "urn:y")
    )
    made = kept.create(ANN, name="n", comment="c\nd", public=True, entries=[entry, *_tracks("a")])
    assert is_id(made.playlist_id) and len(made.playlist_id) == TRACK_ID_LENGTH
    assert made == kept.get(made.playlist_id, ANN)
    assert (made.name, made.comment, made.public, made.rules) == ("n", "c\nd", True, "")
    assert (made.version, made.entries) == (1, 2)
    assert kept.entries(made.playlist_id)[0] == replace(entry, entry_id=1)
    assert kept.entries(made.playlist_id, offset=1, limit=5) == [replace(_tracks("a")[0], entry_id=2)]


@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=5, max_size=5)
)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_taken_for_sql(emptied: Opened, texts: list[str]) -> None:
    """Quotes, semicolons, comments and marks for values are characters of a name."""
    with emptied() as database:
        add_listener(database, ANN)
        kept = Playlists(database)
        name, comment, title, artist, uri = texts
        entry = EntryRow(track_id=title, title=title, artist=artist, uris=(uri,))
        made = kept.create(ANN, name=name, comment=comment, entries=[entry])
        assert [(row.name, row.comment) for row in kept.listed(ANN)] == [(name, comment)]
        assert kept.entries(made.playlist_id) == [replace(entry, entry_id=1)]
        for known in (title, f"' OR 1=1 --{title}"):
            with pytest.raises(PlaylistUnknown):
                kept.get(known, known)


@given(data=st.data())
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_entries_stand_where_they_were_put(emptied: Opened, data: st.DataObject) -> None:
    """Added, moved and taken out in any way, the order is that of a list; ids stay, and are never given again."""
    with emptied() as database:
        add_listener(database, ANN)
        kept = Playlists(database)
        made = kept.create(ANN, name="n", entries=_tracks("a", "b"))
        model = [(1, "a"), (2, "b")]
        last = 2
        for step in range(data.draw(st.integers(1, 25))):
            ids = [entry_id for entry_id, _ in model]
            before = data.draw(st.sampled_from([None, *ids]))
            at = len(model) if before is None else ids.index(before)
            if not model or data.draw(st.booleans()):
                count = data.draw(st.integers(1, 3))
                names = [f"{step}-{n}" for n in range(count)]
                added, version = kept.add(made.playlist_id, ANN, _tracks(*names), before=before)
                assert added == list(range(last + 1, last + 1 + count))
                model[at:at] = zip(added, names, strict=True)
                last += count
            elif (entry_id := data.draw(st.sampled_from(ids))) and data.draw(st.booleans()):
                version = kept.move(made.playlist_id, ANN, entry_id, before=before)
                if entry_id != before:
                    moved = model.pop(ids.index(entry_id))
                    at = len(model) if before is None else [each for each, _ in model].index(before)
                    model.insert(at, moved)
            else:
                version = kept.remove(made.playlist_id, ANN, [entry_id])
                del model[ids.index(entry_id)]
            assert [(entry.entry_id, entry.track_id) for entry in kept.entries(made.playlist_id)] == model
            found = kept.get(made.playlist_id, ANN)
            assert (found.version, found.entries) == (version, len(model))
            assert version == step + 2


def test_one_place_takes_any_number_of_entries(kept: Playlists) -> None:
    """The gap there is used up again and again."""
    made = kept.create(ANN, name="n", entries=_tracks("a", "b"))
    ids = [1]
    for n in range(40):
        (added,), _ = kept.add(made.playlist_id, ANN, _tracks(n), before=2)
        ids.append(added)
    assert [entry.entry_id for entry in kept.entries(made.playlist_id)] == [*ids, 2]
    for _ in range(40):
        kept.move(made.playlist_id, ANN, kept.entries(made.playlist_id)[-1].entry_id, before=ids[0])
    assert len(set(_order(kept, made))) == 42


def test_the_end_of_the_numbers_is_not_the_end(kept: Playlists, database: ListenerDatabase) -> None:
    """After billions of moves to the end, entries are spread anew."""
    made = kept.create(ANN, name="n", entries=_tracks("a", "b"))
    with database.writing() as db:
        db.execute("UPDATE playlist_entries SET position = ? WHERE entry_id = 2", ((1 << 62) - 1,))
    kept.move(made.playlist_id, ANN, 1, before=None)
    assert _order(kept, made) == ["b", "a"]


def test_a_move_in_the_longest_playlist_writes_few_rows() -> None:
    """Whatever its length: the entry, and the playlist itself."""
    with open_listeners() as database:
        add_listener(database, ANN)
        _move_about(database, Playlists(database))


def _move_about(database: ListenerDatabase, kept: Playlists) -> None:
    made = kept.create(ANN, name="n", entries=_tracks(*range(ENTRIES_MAX)))
    chance = random.Random(1)
    model = list(range(1, ENTRIES_MAX + 1))
    before = database.select("SELECT total_changes()")[0][0]
    for _ in range(20):
        entry, other = chance.sample(model, 2)
        kept.move(made.playlist_id, ANN, entry, before=other)
        model.remove(entry)
        model.insert(model.index(other), entry)
    assert database.select("SELECT total_changes()")[0][0] - before <= 20 * 4
    assert [entry.entry_id for entry in kept.entries(made.playlist_id)] == model
    with pytest.raises(PlaylistRefused, match="10000 entries"):
        kept.add(made.playlist_id, ANN, _tracks("one more"))


def test_entries_are_replaced_and_keep_no_old_id(kept: Playlists) -> None:
    """An id that somebody still has in mind is not another entry's."""
    made = kept.create(ANN, name="n", entries=_tracks("a", "b"))
    assert kept.change(made.playlist_id, ANN, PlaylistChange(name="m"), entries=_tracks("c")) == 2
    assert kept.get(made.playlist_id, ANN).name == "m"
    assert [(entry.entry_id, entry.track_id) for entry in kept.entries(made.playlist_id)] == [(3, "c")]


def test_an_old_version_changes_nothing(kept: Playlists) -> None:
    """Whatever was to be done to it."""
    made = kept.create(ANN, name="n", entries=_tracks("a", "b"))
    known, by = made.playlist_id, ANN
    assert kept.change(known, by, PlaylistChange(name="m"), version=1) == 2
    for change in (
        lambda: kept.change(known, by, PlaylistChange(name="o"), version=1),
        lambda: kept.change(known, by, PlaylistChange(), entries=[], version=1),
        lambda: kept.add(known, by, _tracks("c"), version=1),
        lambda: kept.remove(known, by, [1], version=1),
        lambda: kept.move(known, by, 1, before=None, version=1),
        lambda: kept.delete(known, by, version=1),
    ):
        with pytest.raises(PlaylistChanged):
            change()
    assert (kept.get(known, by).name, kept.get(known, by).version) == ("m", 2)
    assert _order(kept, made) == ["a", "b"]


def test_of_many_who_saw_one_version_one_changes_it(address: str) -> None:
    """In threads with connections of their own, as processes have."""
    with open_listeners(address) as database:
        add_listener(database, ANN)
        made = Playlists(database).create(ANN, name="n")
    ready, won = threading.Barrier(4), []

    def add(name: str) -> None:
        with open_listeners(address) as own:
            kept = Playlists(own)
            ready.wait(60)
            try:
                kept.add(made.playlist_id, ANN, _tracks(name), version=1)
                won.append(name)
            except PlaylistChanged:
                pass

    threads = [threading.Thread(target=add, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with open_listeners(address) as database:
        assert _order(Playlists(database), made) == won
    assert len(won) == 1


def test_what_cannot_be_done_changes_nothing(kept: Playlists) -> None:
    """An entry that is not there, rules for what has entries, entries for what has rules."""
    made = kept.create(ANN, name="n", entries=_tracks("a", "b"))
    ruled = kept.create(ANN, name="r", rules='{"all": []}')
    known = made.playlist_id
    for change in (
        lambda: kept.move(known, ANN, 9, before=None),
        lambda: kept.move(known, ANN, 1, before=9),
        lambda: kept.remove(known, ANN, [1, 9]),
        lambda: kept.add(known, ANN, _tracks("c"), before=9),
        lambda: kept.change(known, ANN, PlaylistChange(rules="{}")),
        lambda: kept.change(ruled.playlist_id, ANN, PlaylistChange(rules="")),
        lambda: kept.add(ruled.playlist_id, ANN, _tracks("c")),
        lambda: kept.change(ruled.playlist_id, ANN, PlaylistChange(), entries=[]),
        lambda: kept.invite(known, ANN, "nobody"),
        lambda: kept.create("nobody", name="n"),
    ):
        with pytest.raises(PlaylistRefused):
            change()
    assert _order(kept, made) == ["a", "b"]
    assert (kept.get(known, ANN).version, kept.get(ruled.playlist_id, ANN).version) == (1, 1)


def test_a_private_playlist_is_its_owners(kept: Playlists) -> None:
    """For others it is not there: neither read nor changed nor listed."""
    made = kept.create(ANN, name="n", entries=_tracks("a"))
    for reader in (BOB, None, ""):
        with pytest.raises(PlaylistUnknown):
            kept.get(made.playlist_id, reader)
    with pytest.raises(PlaylistUnknown):
        kept.change(made.playlist_id, BOB, PlaylistChange(public=True))
    with pytest.raises(PlaylistUnknown):
        kept.follow(made.playlist_id, BOB)
    with pytest.raises(PlaylistUnknown):
        kept.invite(made.playlist_id, BOB, BOB)
    with pytest.raises(PlaylistUnknown):
        kept.part(made.playlist_id, BOB, CARL)
    assert (kept.listed(BOB), kept.count(BOB), kept.count(ANN)) == ([], 0, 1)


def test_a_public_playlist_is_read_by_all_and_changed_by_one(kept: Playlists) -> None:
    """Whoever has its id; it is listed by those who follow it."""
    made = kept.create(ANN, name="n", public=True)
    assert kept.get(made.playlist_id, None) == kept.get(made.playlist_id, BOB) == made
    with pytest.raises(PlaylistUnknown):
        kept.delete(made.playlist_id, BOB)
    assert kept.listed(BOB) == []
    kept.follow(made.playlist_id, BOB)
    kept.follow(made.playlist_id, BOB)
    assert kept.listed(BOB) == [made]
    kept.change(made.playlist_id, ANN, PlaylistChange(public=False))
    assert (kept.listed(BOB), kept.count(BOB)) == ([], 0)


def test_who_is_invited_reads_a_private_playlist(kept: Playlists) -> None:
    """Until they, or the owner, end it."""
    made = kept.create(ANN, name="n")
    for by in (ANN, BOB):
        kept.invite(made.playlist_id, ANN, BOB)
        kept.invite(made.playlist_id, ANN, BOB)
        assert kept.listed(BOB) == [kept.get(made.playlist_id, BOB)] == [made]
        with pytest.raises(PlaylistUnknown):
            kept.get(made.playlist_id, CARL)
        kept.part(made.playlist_id, by, BOB)
        with pytest.raises(PlaylistUnknown):
            kept.get(made.playlist_id, BOB)


def test_lists_are_by_name_and_in_pages(kept: Playlists) -> None:
    """Own ones and others' together."""
    for name in ("b", "D", "a"):
        kept.create(ANN, name=name)
    other = kept.create(BOB, name="c", public=True)
    kept.follow(other.playlist_id, ANN)
    assert [row.name for row in kept.listed(ANN)] == ["a", "b", "c", "D"]
    assert [row.name for row in kept.listed(ANN, offset=1, limit=2)] == ["b", "c"]
    assert kept.count(ANN) == 4


def test_a_listener_has_so_many_playlists(kept: Playlists, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is refused."""
    monkeypatch.setattr("catalog.playlists.PLAYLISTS_MAX", 20)
    for _ in range(20):
        kept.create(ANN, name="n")
    with pytest.raises(PlaylistRefused, match="20 playlists"):
        kept.create(ANN, name="n")
    kept.create(BOB, name="n")


def test_readers_have_a_limit(kept: Playlists, database: ListenerDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those who are invited to one playlist, and of those that one listener follows."""
    monkeypatch.setattr("catalog.playlists.READERS_MAX", 20)
    made = [kept.create(ANN, name="n", public=True) for _ in range(20)]
    readers = [f"r{n:019}" for n in range(20)]
    add_listener(database, *readers)
    for reader in readers:
        kept.invite(made[0].playlist_id, ANN, reader)
    with pytest.raises(PlaylistRefused):
        kept.invite(made[0].playlist_id, ANN, CARL)
    for each in made:
        kept.follow(each.playlist_id, CARL)
    with pytest.raises(PlaylistRefused):
        kept.follow(kept.create(BOB, name="m", public=True).playlist_id, CARL)


def test_playlists_go_with_their_listener(kept: Playlists, database: ListenerDatabase) -> None:
    """With entries and readers; what the listener was invited to stays."""
    made = kept.create(ANN, name="n", entries=_tracks("a"))
    other = kept.create(BOB, name="m", entries=_tracks("a"))
    kept.invite(made.playlist_id, ANN, BOB)
    kept.invite(other.playlist_id, BOB, ANN)
    with database.writing() as db:
        db.execute("DELETE FROM listeners WHERE listener_id = ?", (ANN,))
    assert kept.listed(BOB) == [other]
    for table, count in (("playlists", 1), ("playlist_entries", 1), ("playlist_readers", 0)):
        assert database.select(f"SELECT count(*) FROM {table}") == [(count,)]
    kept.delete(other.playlist_id, BOB)
    assert database.select("SELECT count(*) FROM playlist_entries") == [(0,)]
