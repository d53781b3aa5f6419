"""What listeners do with plays, favourites and consent, over a real database."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.listener_database import ListenerDatabase
from catalog.listener_open import open_listeners
from catalog.plays import DAY_MS, Heard, PlayRow
from catalog.store import Catalog
from discovery.listening.events import EventInvalid, read_batch
from discovery.listening.operations import Consent, Events, Kept, Mark, TooManyFavourites
from discovery.listening.service import Listening, play_row
from discovery.listening.writer import EVENTS_WAITING_MAX, PlayWriter
from model.errors import CatalogError, ConsentMissing, ListeningUnavailable, ResourceUnknown
from tests.integration.discovery.listening.played import NOW, add_listener, event, track_id, track_row


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    """Tracks 1 and 2 are live, 3 is not."""
    with Catalog() as made:
        made.apply([track_row(1), track_row(2), track_row(3, live=False)], [])
        yield made


@pytest.fixture
def database(tmp_path: Path) -> Iterator[ListenerDatabase]:
    """Anna and Bert."""
    with open_listeners(tmp_path / "listeners") as opened:
        add_listener(opened, "anna")
        add_listener(opened, "bert")
        yield opened


@pytest.fixture
def listening(database: ListenerDatabase, catalog: Catalog) -> Listening:
    """At a moment that stands still; Anna agreed."""
    made = Listening(database, catalog, retention_days=30, clock=lambda: NOW)
    made.migrate()
    made.plays.consent("anna", at_ms=NOW)
    return made


async def test_a_batch_is_kept_and_told(listening: Listening) -> None:
    """As often as it comes; it counts once."""
    batch = Events(sent_at_ms=NOW, events=[event(1), event(2, "skip", played_ms=1000, track_id=track_id(2))])
    for _ in range(2):
        assert await listening.take("anna", batch) == Kept(kept=2, refused=[])
    assert {each.track_id: (each.listens, each.skips) for each in listening.plays.heard("anna")} == {
        track_id(1): (1, 0), track_id(2): (0, 1),
    }  # fmt: skip


async def test_bad_events_are_told_in_the_order_of_the_batch(listening: Listening) -> None:
    """Malformed, of a track that is not live, and too old; the good one is kept."""
    old = NOW - 31 * DAY_MS
    events = [event(1, at_ms=old), event(2, "pause"), event(3, track_id=track_id(3)), event(4), event(5, track_id="?")]
    answer = await listening.take("anna", Events(events=events))
    assert answer.kept == 1
    assert [(each.index, each.event_id, each.error, each.where) for each in answer.refused] == [
        (0, "event-000001", "event-too-old", "at_ms"), (1, "event-000002", "event-invalid", "kind"),
        (2, "event-000003", "track-unknown", "track_id"), (4, "event-000005", "event-invalid", "track_id"),
    ]  # fmt: skip
    with pytest.raises(EventInvalid):
        await listening.take("anna", Events(events=[]))


async def test_without_consent_a_batch_is_refused(listening: Listening) -> None:
    """Whether its events are good or bad; and after consent was withdrawn."""
    for events in ([event(1)], [event(1, "pause")]):
        with pytest.raises(ConsentMissing):
            await listening.take("bert", Events(events=events))
    assert await listening.set_consent("anna", history=False) == Consent(history=False)
    with pytest.raises(ConsentMissing):
        await listening.take("anna", Events(events=[event(1)]))
    assert await listening.set_consent("bert", history=True) == Consent(history=True, since_ms=NOW)
    assert (await listening.take("bert", Events(events=[event(1)]))).kept == 1


async def test_history_shows_only_what_is_live(listening: Listening, catalog: Catalog) -> None:
    """A track that went is shown again when it comes back."""
    await listening.take("anna", Events(events=[event(1), event(2, at_ms=NOW - 5000, track_id=track_id(2))]))
    catalog.apply([track_row(1, live=False)], [])
    answer = await listening.history("anna", limit=2)
    assert [(play.track.track_id, play.began_ms) for play in answer.plays] == [(track_id(2), NOW - 5000)]
    assert not answer.more
    catalog.apply([track_row(1)], [])
    answer = await listening.history("anna", limit=1)
    assert [play.track.track_id for play in answer.plays] == [track_id(1)] and answer.more
    assert (await listening.history("bert", limit=9)).plays == []


async def test_favourites_need_no_consent(listening: Listening) -> None:
    """They are what the listener asked for; but the track has to be there."""
    assert (await listening.mark("bert", track_id(1))).favourite
    with pytest.raises(ResourceUnknown):
        await listening.mark("bert", track_id(3))
    answer = await listening.favourite_tracks("bert", offset=0, limit=9)
    assert answer.total == 1 and [each.track.title for each in answer.favourites] == ["Song 1"]
    none = Mark(track_id=track_id(1), favourite=False, since_ms=None)
    assert await listening.unmark("bert", track_id(1)) == await listening.favourite("bert", track_id(1)) == none


async def test_one_favourite_too_many_is_refused(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an error of its own."""
    monkeypatch.setattr("catalog.favourites.FAVOURITES_MAX", 1)
    await listening.mark("anna", track_id(1))
    with pytest.raises(TooManyFavourites):
        await listening.mark("anna", track_id(2))


async def test_ones_own_are_what_was_heard_and_marked(listening: Listening) -> None:
    """What was only skipped is not."""
    skip = event(3, "skip", played_ms=1, track_id=track_id(3))
    await listening.take("anna", Events(events=[event(1), event(2), skip]))
    await listening.mark("anna", track_id(2))
    assert await listening.own("anna") == {track_id(1): 2.0, track_id(2): 1.0}
    assert await listening.own("bert") == {}


async def test_pruning_goes_by_the_retention(
    listening: Listening, database: ListenerDatabase, catalog: Catalog
) -> None:
    """What is older than it goes, its counts stay."""
    await listening.take("anna", Events(events=[event(1), event(2, at_ms=NOW - 30 * DAY_MS)]))
    assert await listening.prune() == 0
    later = Listening(database, catalog, retention_days=29, clock=lambda: NOW)
    assert await later.prune() == 1
    assert later.plays.heard("anna") == [Heard("anna", track_id(1), 2, 0, NOW - 1000)]


async def test_batches_of_many_are_written_together_and_each_is_told_its_own(listening: Listening) -> None:
    """A hundred requests at once, some twice, some without consent."""
    batches = [("anna", Events(events=[event(2 * n), event(2 * n + 1)])) for n in range(60)]
    results = await asyncio.gather(
        *(listening.take(*each) for each in [*batches, *batches[:20], *(("bert", each[1]) for each in batches[:20])]),
        return_exceptions=True,
    )
    assert results[:80] == [Kept(kept=2, refused=[])] * 80
    assert all(isinstance(each, ConsentMissing) for each in results[80:])
    assert [each.listens for each in listening.plays.heard("anna")] == [120]
    await listening.writer.close()


async def test_a_full_queue_says_so_and_takes_again_when_it_is_written(listening: Listening) -> None:
    """Nothing that was taken is lost, nothing that was refused is kept."""
    (row,) = _rows(1)
    waiting = [asyncio.ensure_future(listening.writer.add([row] * 500)) for _ in range(EVENTS_WAITING_MAX // 500)]
    await asyncio.sleep(0)  # all of them are in the queue, none is written
    with pytest.raises(ListeningUnavailable):
        await listening.writer.add([row])
    assert all(await asyncio.gather(*waiting))
    assert await listening.writer.add([row])
    assert [each.listens for each in listening.plays.heard("anna")] == [1]


async def test_a_write_that_fails_is_told_to_all_who_wait(tmp_path: Path, catalog: Catalog) -> None:
    """And the next one is tried anew."""
    database = open_listeners(tmp_path / "closed")
    add_listener(database, "anna")
    listening = Listening(database, catalog, clock=lambda: NOW)
    listening.migrate()
    listening.plays.consent("anna", at_ms=NOW)
    rows = _rows(2)
    database.close()
    writer = PlayWriter(listening.plays)
    results = await asyncio.gather(writer.add(rows[:1]), writer.add(rows[1:]), return_exceptions=True)
    assert all(isinstance(each, CatalogError) for each in results)
    with pytest.raises(CatalogError):
        await writer.add(rows)


async def test_who_waits_no_more_loses_nothing(listening: Listening) -> None:
    """A client that hangs up: what it sent is kept, and the others are answered."""
    first, second = _rows(2)
    gone = asyncio.ensure_future(listening.writer.add([first]))
    stays = asyncio.ensure_future(listening.writer.add([second]))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays
    await listening.writer.close()
    assert [each.listens for each in listening.plays.heard("anna")] == [2]


def _rows(count: int) -> list[PlayRow]:
    """Rows of so many listens of Anna's."""
    batch = read_batch({"events": [event(n) for n in range(count)]})
    return [play_row("anna", each, each.at_ms, 200.0) for _, each in batch.events]
