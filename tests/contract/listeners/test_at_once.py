"""Many who write for one listener at once lose nothing, and pass no limit: each as if alone."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from catalog.app_passwords import AppPasswords
from catalog.favourites import Favourites
from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.playlists import EntryRow, Playlists
from catalog.plays import Heard, Plays
from model.errors import UsageError
from tests.contract.listeners.conftest import add_listener
from tests.contract.listeners.test_plays import NOW, ROW

WRITERS, ROUNDS, LIMIT = 4, 8, 10


def _at_once(address: str, work: Callable[[ListenerDatabase, int], None]) -> None:
    """Do the same in threads with databases of their own, as processes and machines have."""
    ready, failed = threading.Barrier(WRITERS), list[BaseException]()

    def run(number: int) -> None:
        with open_listeners(address) as own:
            ready.wait(60)
            try:
                work(own, number)
            except BaseException as error:  # noqa: BLE001 - told below
                failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_every_change_of_a_playlist_is_one_version_and_one_place(address: str) -> None:
    """All add before the same entry, and move what they added to the end."""
    with open_listeners(address) as database:
        add_listener(database, "anna")
        made = Playlists(database).create("anna", name="n", entries=[EntryRow(track_id="first")])

    def add(own: ListenerDatabase, number: int) -> None:
        kept = Playlists(own)
        for at in range(ROUNDS):
            (entry_id,), _ = kept.add(made.playlist_id, "anna", [EntryRow(track_id=f"{number}-{at}")], before=1)
            kept.move(made.playlist_id, "anna", entry_id, before=None)

    _at_once(address, add)
    with open_listeners(address) as database:
        kept = Playlists(database)
        found, entries = kept.get(made.playlist_id, "anna"), kept.entries(made.playlist_id)
    added = [f"{number}-{at}" for number in range(WRITERS) for at in range(ROUNDS)]
    assert (found.version, found.entries) == (1 + 2 * len(added), 1 + len(added))
    assert entries[0].track_id == "first"
    assert sorted(each.track_id for each in entries[1:]) == sorted(added)
    assert sorted(each.entry_id for each in entries) == list(range(1, 2 + len(added)))


def test_nobody_gets_past_a_limit(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted before it is added stays true until then."""
    monkeypatch.setattr("catalog.favourites.FAVOURITES_MAX", LIMIT)
    monkeypatch.setattr("catalog.app_passwords.OF_ONE_MAX", LIMIT)
    with open_listeners(address) as database:
        add_listener(database, "anna")

    def add(own: ListenerDatabase, number: int) -> None:
        favourites, passwords = Favourites(own), AppPasswords(own)
        for at in range(ROUNDS):
            favourites.add("anna", f"{number}-{at}", at_ms=NOW)
            try:
                passwords.add("anna", f"{number}-{at}", "set")
            except UsageError:
                continue

    _at_once(address, add)
    with open_listeners(address) as database:
        assert (Favourites(database).count("anna"), len(AppPasswords(database).of("anna"))) == (LIMIT, LIMIT)


def test_a_play_that_several_tell_of_counts_once(address: str) -> None:
    """Of several listeners in one batch, in any order, while they agree again and others withdraw."""
    with open_listeners(address) as database:
        add_listener(database, "anna", "bert", "cora")
        for each in ("anna", "bert", "cora"):
            Plays(database).consent(each, at_ms=NOW)
    rows = [
        replace(ROW, listener_id=each, play_id=f"play-{at}", event_id=f"event-{at}-{told}", listened=True)
        for each in ("anna", "bert", "cora")
        for at in range(ROUNDS)
        for told in range(2)
    ]

    def tell(own: ListenerDatabase, number: int) -> None:
        plays = Plays(own)
        for at in range(0, len(rows), 5):
            plays.add((rows if number % 2 else rows[::-1])[at : at + 5])
        if number == 0:
            plays.withdraw("cora")

    _at_once(address, tell)
    with open_listeners(address) as database:
        plays = Plays(database)
        assert [plays.heard(each) for each in ("anna", "bert")] == [
            [Heard(each, "one", ROUNDS, 0, NOW)] for each in ("anna", "bert")
        ]
        assert plays.heard("cora") == [] == plays.history("cora", limit=9)


def test_listeners_invite_each_other(address: str) -> None:
    """Neither waits for the other for ever."""
    names = [f"listener-{number}" for number in range(WRITERS)]
    with open_listeners(address) as database:
        add_listener(database, *names)
        owned = [Playlists(database).create(name, name="n").playlist_id for name in names]

    def invite(own: ListenerDatabase, number: int) -> None:
        kept = Playlists(own)
        for name in (*names, *reversed(names)):
            kept.invite(owned[number], names[number], name)

    _at_once(address, invite)
    with open_listeners(address) as database:
        assert [Playlists(database).count(name) for name in names] == [WRITERS] * WRITERS
