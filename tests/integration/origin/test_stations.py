"""Stations as streams, on real sockets: the clock moves them."""

import asyncio
import re
import time
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from aiohttp import web

from manifests.parse import parse_media
from model.errors import ObjectNotFound
from model.rendition import Codec
from model.schedule import EPOCH_MS, SEGMENT_MS, SLOT_SEGMENTS, segment_start_ms
from origin.cache_status import Trace
from origin.joined import Gatherer, Programme
from origin.joined_handlers import add_joined_routes
from origin.state import LIBRARY, METRICS
from origin.stations import WINDOW_SEGMENTS, Stations
from protection.keys import NO_KEYS
from tests.integration.origin.conftest import Running, Start
from tests.integration.origin.joined_shelf import STATION, Shelf, shelve
from tests.integration.origin.test_joined import (
    ALONE,
    RUN,
    ask,
    continuous,
    good,
    lists,
    on_air,
    opened,
    origin,
    resolved,
)
from tests.integration.origin.watched_store import WatchedStore
from tests.support.framed import Framed, run_of

__all__ = ["lists", "on_air", "origin"]  # fixtures


async def test_a_station_is_a_window_that_the_clock_moves(origin: Running, on_air: str) -> None:
    """Segments of one length, numbered and dated by the clock, whole frames on one timeline across all joints."""
    listened = await opened(origin, f"{on_air}/index.m3u8")
    path, playlist = await listened.media("aac-64")
    now_ms = int(time.time() * 1000)
    assert playlist.playlist_type is None
    assert not playlist.ended
    assert {each.duration_us for each in playlist.segments} == {SEGMENT_MS * 1000}
    assert playlist.date_ms == EPOCH_MS + playlist.media_sequence * SEGMENT_MS
    end_ms = playlist.date_ms + len(playlist.segments) * SEGMENT_MS
    assert now_ms - 60_000 < end_ms <= now_ms
    segments = [await good(origin, resolved(path, each.uri)) for each in playlist.segments]
    times = continuous(segments)
    assert times[0][0] * 1000 == playlist.media_sequence * SEGMENT_MS * 48_000
    window, _ = await ask(origin, path)
    assert window.headers["Cache-Control"] == "public, max-age=2"
    ranges = playlist.date_ranges
    assert all(
        before.start_ms + (before.duration_us or 0) / 1000 == pytest.approx(after.start_ms, abs=1.1)
        for before, after in pairwise(ranges)
    )
    assert ranges[0].start_ms <= playlist.date_ms
    assert ranges[-1].start_ms + (ranges[-1].duration_us or 0) / 1000 >= end_ms - 1


async def test_every_origin_says_the_same_of_a_station(
    start: Start, store: WatchedStore, lists: Shelf, on_air: str
) -> None:
    """Two that share nothing but the store: the same segments under the same numbers, byte for byte."""

    def extend(app: web.Application) -> None:
        add_joined_routes(app, lists)

    async with start(extend) as one, start(extend) as other:
        async with asyncio.timeout(60):
            while True:  # until both were asked within one segment
                (path, first), (_, second) = [
                    await (await opened(each, f"{on_air}/index.m3u8")).media("aac-128") for each in (one, other)
                ]
                if first.media_sequence == second.media_sequence:
                    break
        assert first == second
        uri = resolved(path, first.segments[-1].uri)
        assert await good(one, uri) == await good(other, uri)


@dataclass
class Slots(Shelf):
    """A station that plays something else in every second slot, and not in all rungs."""

    programmes: tuple[Programme, ...] = ()

    async def station(self, station_id: str, slot: int) -> Programme:
        """One of the two."""
        return self.programmes[slot % 2]


async def test_a_programme_goes_over_into_the_next(start: Start, store: WatchedStore, lists: Shelf) -> None:
    """Where the slot ends, in the middle of a track: one timeline, also at a rung that the next one lacks."""
    low = [
        Framed(package=replace(each.package, renditions=each.package.of(Codec.AAC)[:1]), files=each.files)
        for each in run_of([100_000, 120_000], name="low", alone=True)
    ]
    programmes = [Programme(title="On air", tracks=await shelve(store, framed), loops=False) for framed in (RUN, low)]
    slot = 1000
    now_ms = segment_start_ms(slot * SLOT_SEGMENTS + 4)
    async with start(lambda app: add_joined_routes(app, lists)) as running:
        settings, metrics = running.settings, running.app[METRICS]
        gatherer = Gatherer(running.app[LIBRARY], settings, metrics, NO_KEYS)
        slots = Slots(programmes=(programmes[1], programmes[0]))
        stations = Stations(slots, gatherer, settings, metrics, clock=lambda: now_ms / 1000)
        made, lasts_s = await stations.media("any", "aac-128", Trace())
        playlist = parse_media(made.plain.body)
        segments = [await good(running, "/" + each.uri.removeprefix("../../")) for each in playlist.segments]
        with pytest.raises(ObjectNotFound):
            await stations.media("any", "aac-256", Trace())
        await asyncio.gather(stations.close(), gatherer.close())
    assert lasts_s == SEGMENT_MS / 1000
    continuous(segments)
    names = [set(re.findall("aac-[0-9]+", each.uri)) for each in playlist.segments]
    assert names == [{"aac-128"}] * 4 + [{"aac-64"}] * 4
    boundary = segment_start_ms(slot * SLOT_SEGMENTS)
    *_, cut = (each for each in playlist.date_ranges if each.start_ms < boundary)
    assert cut.start_ms + (cut.duration_us or 0) / 1000 == pytest.approx(boundary, abs=1.1)
    assert boundary in [each.start_ms for each in playlist.date_ranges]


@dataclass
class Reader:
    """Somebody who polls a station of two origins, and holds them to what any of them said before."""

    stations: list[Stations]
    said: dict[int, str] = field(default_factory=dict)
    last: int = 0

    async def poll(self, rendition_id: str) -> list[str]:
        """Every number that was there before has the URI that it had, and the window moves on; what is in it now."""
        windows = [
            parse_media((await each.media("any", rendition_id, Trace()))[0].plain.body) for each in self.stations
        ]
        for window in windows:
            assert window.media_sequence >= self.last
            self.last = window.media_sequence
            for number, segment in enumerate(window.segments, window.media_sequence):
                assert self.said.setdefault(number, segment.uri) == segment.uri
        assert len({tuple(window.segments) for window in windows}) == 1
        return [each.uri for each in windows[0].segments]


@pytest.mark.parametrize("rendition_id", ["aac-64", "opus-64"])
async def test_what_was_told_of_a_station_stays_when_its_list_changes(
    start: Start, store: WatchedStore, lists: Shelf, rendition_id: str
) -> None:
    """The new list begins with a segment that nobody was told of, at every origin with the same one, for it follows
    from when the list changed; if that cannot be known (something is gone), right behind what was told. An origin
    that begins after that says the same."""
    shelves = [await shelve(store, framed) for framed in (RUN, ALONE, run_of([90_000, 70_000], name="third"))]
    old, new, third = (Programme(title="On air", tracks=tracks, loops=True) for tracks in shelves)
    names = [{each.package_id for each in tracks} for tracks in shelves]
    now_ms, heard = 0, []
    async with start(lambda app: add_joined_routes(app, lists)) as running:
        settings = replace(running.settings, pointer_ttl_s=0.0, stale_wait_s=60.0, store_deadline_s=60.0)
        metrics = running.app[METRICS]
        gatherer = Gatherer(running.app[LIBRARY], settings, metrics, NO_KEYS)

        def fresh() -> Stations:
            return Stations(lists, gatherer, settings, metrics, clock=lambda: now_ms / 1000)

        reader = Reader([fresh(), fresh()])
        lists.stations["any"] = old
        for number in range(1_000_000, 1_000_030):
            now_ms = segment_start_ms(number) + 10
            if number == 1_000_002:
                lists.stations["any"] = replace(new, since_s=now_ms // 1000 + 1)
            if number == 1_000_010:
                lists.stations["any"] = third
            window = await reader.poll(rendition_id)
            heard.append({at for at, some in enumerate(names) if any(each in window[-1] for each in some)})
            if number == 1_000_022:
                reader.stations.append(fresh())
        await asyncio.gather(*(each.close() for each in reader.stations), gatherer.close())
    # What is told last, while a segment is on, is the one before it.
    assert heard == [{0}] * 5 + [{1}] * 5 + [{2}] * 20
    assert len(reader.said) == 30 + WINDOW_SEGMENTS - 1


async def test_a_station_whose_list_changes_goes_on(
    origin: Running, store: WatchedStore, lists: Shelf, on_air: str
) -> None:
    """Other music under the next numbers, on the same timeline."""
    listened = await opened(origin, f"{on_air}/index.m3u8")
    _, before = await listened.media("aac-64")
    lists.stations[STATION] = replace(lists.stations[STATION], tracks=await shelve(store, ALONE))
    new = {each.package_id for each in lists.stations[STATION].tracks}
    async with asyncio.timeout(60):
        while True:
            path, after = await listened.media("aac-64")
            if any(each in after.segments[-1].uri for each in new):
                break
            await asyncio.sleep(0.2)
    moved = after.media_sequence - before.media_sequence
    assert after.date_ms == (before.date_ms or 0) + moved * SEGMENT_MS
    continuous([await good(origin, resolved(path, each.uri)) for each in after.segments])
