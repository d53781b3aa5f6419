"""Plays: whatever is sent twice, late or in another order gives the same counts; without consent nothing is kept."""

import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.listener_data import export_listener
from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.plays import DAY_MS, IMPORTED, Heard, PlayRow, Plays
from model.errors import CatalogError
from tests.contract.listeners.conftest import Opened, add_listener

NOW = 1_790_000_000_000
PAGE = 30  # rows at a time
ROW = PlayRow(
    listener_id="anna", play_id="play-0001", event_id="event-0001", track_id="one", kind="progress", at_ms=NOW,
    position_ms=0, played_ms=0, source="", reason="", listened=False, skipped=False,
)  # fmt: skip


def _made(database: ListenerDatabase, *listeners: str) -> Plays:
    """Tables with listeners who agreed."""
    plays = Plays(database)
    for each in listeners:
        add_listener(database, each)
        plays.consent(each, at_ms=NOW)
    return plays


def _listen(number: int, *, listener_id: str = "anna", track_id: str = "one", at_ms: int = NOW) -> PlayRow:
    """One listen, told by one event."""
    row = replace(ROW, play_id=f"play-{number:05}", event_id=f"event-{number:05}", played_ms=100, listened=True)
    return replace(row, listener_id=listener_id, track_id=track_id, at_ms=at_ms)


def test_a_play_counts_once_however_many_events_tell_of_it(database: ListenerDatabase) -> None:
    """Half, three quarters and all of it are one listen, in one batch or in several."""
    plays = _made(database, "anna")
    told = [replace(ROW, event_id=f"event-{n}", at_ms=NOW + n, played_ms=n, listened=n >= 2) for n in range(5)]
    assert plays.add(told[:3]) == plays.add(told[1:]) == frozenset()
    assert len(export_listener(database, "anna")["play_events"]) == 5
    assert plays.heard("anna") == [Heard("anna", "one", 1, 0, NOW + 4)]
    (play,) = plays.history("anna", limit=9)
    assert (play.began_ms, play.last_ms, play.played_ms, play.listened, play.skipped) == (NOW, NOW + 4, 4, True, False)


def test_a_skip_that_was_a_listen_after_all_is_no_skip(database: ListenerDatabase) -> None:
    """Whichever of the two events comes first."""
    skip = replace(ROW, event_id="event-skip", kind="skip", skipped=True)
    listen = replace(ROW, event_id="event-listen", listened=True)
    plays = _made(database, "anna", "bert")
    for listener_id, order in (("anna", [skip, listen]), ("bert", [listen, skip])):
        for row in order:
            plays.add([replace(row, listener_id=listener_id)])
        assert plays.heard(listener_id) == [Heard(listener_id, "one", 1, 0, NOW)]
        assert [(play.listened, play.skipped) for play in plays.history(listener_id, limit=9)] == [(True, False)]
    plays.add([replace(skip, play_id="play-0002")])
    assert plays.heard("anna") == [Heard("anna", "one", 1, 1, NOW)]


def _session(luck: random.Random) -> list[PlayRow]:
    """What a player may tell of a few plays."""
    rows = []
    for play, track_id in itertools.product(("play-a", "play-b", "play-c"), ("one", "two")):
        for number in range(luck.randint(0, 4)):
            row = replace(ROW, event_id=f"event-{track_id}-{number}", play_id=play, track_id=track_id)
            row = replace(row, listened=luck.random() < 0.3, skipped=luck.random() < 0.3)
            rows.append(replace(row, at_ms=NOW + luck.randint(-9, 9), played_ms=luck.randint(0, 9)))
    return rows


@given(luck=st.randoms(use_true_random=False))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_repetition_and_cutting_into_batches_do_not_matter(emptied: Opened, luck: random.Random) -> None:
    """All that is kept is the same."""
    rows = _session(luck)
    kept = []
    for _ in range(2):
        with emptied() as database:
            plays = _made(database, "anna")
            sent = [*rows, *luck.choices(rows, k=5)] if rows else []
            luck.shuffle(sent)
            while sent:
                size = luck.randint(1, 6)
                plays.add(sent[:size])
                sent = sent[size:]
            kept.append(export_listener(database, "anna"))
            assert len(kept[-1]["play_events"]) == len(rows)
    assert kept[0] == kept[1]


def test_an_event_cannot_be_told_again_with_other_words(database: ListenerDatabase) -> None:
    """What is there stays, whatever comes under its id: nobody makes a track popular by sending one event often."""
    plays = _made(database, "anna")
    plays.add([ROW])
    for track_id in ("one", "two", "one"):
        again = replace(ROW, track_id=track_id, listened=True, played_ms=9)
        plays.add([again, again])
    assert plays.heard("anna") == []
    assert [play.played_ms for play in plays.history("anna", limit=9)] == [0]


def test_without_consent_nothing_is_kept(database: ListenerDatabase) -> None:
    """Not even counted; and one who did not agree keeps nobody else from it."""
    plays = _made(database, "anna")
    add_listener(database, "bert")
    rows = [_listen(n, listener_id="bert") for n in range(3)]
    assert plays.add([*rows, _listen(1)]) == {"bert"}
    assert plays.add([]) == frozenset()
    kept = export_listener(database, "bert")
    assert not (kept["play_events"] or kept["heard"] or kept["consents"])
    assert list(plays.all_plays()) == [("anna", "one", 1, NOW)]
    assert plays.consented_at_ms("bert") is None


def test_the_first_consent_counts(database: ListenerDatabase) -> None:
    """Saying it again changes nothing."""
    plays = _made(database, "anna")
    plays.consent("anna", at_ms=NOW + 5)
    assert plays.consented_at_ms("anna") == NOW


def test_nobody_agrees_who_is_not_there(database: ListenerDatabase) -> None:
    """A consent belongs to a listener."""
    with pytest.raises(CatalogError):
        Plays(database).consent("nobody", at_ms=NOW)


def test_with_the_consent_all_goes(database: ListenerDatabase) -> None:
    """Events, counts, and with them what is popular; others keep theirs, and a new consent begins with nothing."""
    plays = _made(database, "anna", "bert")
    for listener_id in ("anna", "bert"):
        plays.add([_listen(1, listener_id=listener_id)])
    plays.withdraw("anna")
    kept = export_listener(database, "anna")
    assert not (kept["play_events"] or kept["heard"] or kept["consents"])
    assert list(plays.all_plays()) == [("bert", "one", 1, NOW)]
    assert plays.add([_listen(2)]) == {"anna"}
    plays.consent("anna", at_ms=NOW)
    assert plays.heard("anna") == [] and plays.history("anna", limit=9) == []
    plays.withdraw("nobody")


def test_with_the_listener_all_goes(database: ListenerDatabase) -> None:
    """Whoever deletes a listener need not know of these tables."""
    plays = _made(database, "anna")
    plays.add([_listen(1)])
    with database.writing() as db:
        db.execute("DELETE FROM listeners WHERE listener_id = 'anna'")
    assert not any(export_listener(database, "anna").values())
    assert list(plays.all_plays()) == []


def test_what_was_withdrawn_is_not_in_the_files_any_more(tmp_path: Path) -> None:
    """Neither in the database nor in its log, not even as bytes that nothing points to."""
    path = tmp_path / "listeners"
    with open_listeners(path) as database:
        plays = _made(database, "anna", "bert")
        plays.add([replace(_listen(n), source="station:hers") for n in range(500)])
        plays.add([_listen(1, listener_id="bert")])
        assert b"station:hers" in b"".join(file.read_bytes() for file in tmp_path.iterdir())
        plays.withdraw("anna")
        assert b"station:hers" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert [each[0] for each in plays.all_plays()] == ["bert"]


def test_history_is_the_latest_first_page_by_page(database: ListenerDatabase) -> None:
    """By when a play began; each page goes on where the last one ended."""
    plays = _made(database, "anna", "bert")
    plays.add([_listen(n, at_ms=NOW + (7 * n) % 10) for n in range(10)])
    plays.add([_listen(1, listener_id="bert")])
    first = plays.history("anna", limit=4)
    rest = plays.history("anna", limit=99, offset=4)
    assert [play.began_ms - NOW for play in (*first, *rest)] == list(range(9, -1, -1))


@pytest.fixture
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.plays.PAGE", PAGE)


@pytest.mark.usefixtures("_small_pages")
def test_what_is_old_is_dropped_and_counts_stay(database: ListenerDatabase) -> None:
    """More than one page of events; the younger ones stay."""
    plays = _made(database, "anna")
    plays.add([_listen(n, at_ms=NOW - DAY_MS * (n % 3)) for n in range(PAGE + 6)])
    assert plays.prune(before_ms=NOW - DAY_MS) == (PAGE + 6) // 3
    assert plays.prune(before_ms=NOW - DAY_MS) == 0
    assert min(play.began_ms for play in plays.history("anna", limit=2 * PAGE)) == NOW - DAY_MS
    assert plays.heard("anna") == [Heard("anna", "one", PAGE + 6, 0, NOW)]


def test_what_was_imported_is_kept_however_old(database: ListenerDatabase) -> None:
    """So that importing it again changes nothing."""
    plays = _made(database, "anna")
    row = replace(_listen(1, at_ms=NOW - 999 * DAY_MS), kind=IMPORTED)
    for _ in range(2):
        plays.add([row])
        assert plays.prune(before_ms=NOW) == 0
    assert plays.heard("anna") == [Heard("anna", "one", 1, 0, row.at_ms)]


@pytest.mark.usefixtures("_small_pages")
def test_all_listens_come_once_and_skips_do_not(database: ListenerDatabase) -> None:
    """Over more than a page, by listener and track."""
    plays = _made(database, "anna", "bert")
    for listener_id in ("bert", "anna"):
        plays.add([_listen(n, listener_id=listener_id, track_id=f"t{n:05}") for n in range(PAGE // 2 + 5)])
    plays.add([replace(ROW, play_id="play-skip", track_id="skipped", skipped=True)])
    found = [(listener_id, track_id) for listener_id, track_id, listens, _ in plays.all_plays() if listens == 1]
    assert found == [(name, f"t{n:05}") for name in ("anna", "bert") for n in range(PAGE // 2 + 5)]


def test_what_many_hear_is_more_popular_than_what_one_hears_often(database: ListenerDatabase) -> None:
    """And what was heard a half-life ago counts half; what was heard ages ago does not count."""
    plays = _made(database, "anna", "bert", "cora")
    plays.add([_listen(n, track_id="loved") for n in range(6)])
    for listener_id in ("anna", "bert", "cora"):
        plays.add([_listen(100, listener_id=listener_id, track_id="known")])
    plays.add([_listen(200, track_id="older", at_ms=NOW - 30 * DAY_MS)])
    plays.add([_listen(300, track_id="forgotten", at_ms=NOW - 500 * DAY_MS)])
    weights = plays.popularity(now_ms=NOW, half_life_days=30)
    assert weights.keys() == {"loved", "known", "older"}
    assert weights["known"] > weights["loved"] > weights["older"]
    assert weights["older"] == pytest.approx(weights["known"] / 6)
