"""The memory cache's policy against others, on plays of a Zipf catalogue that crawlers scan; how far to read ahead.

    python -m benchmarks.bench_cache > cache.json

JSON on stdout, in about two minutes, from one seed: the hit ratios are the same on every machine. `policies` has hit
ratio and CPU per look of an LRU, of ours and, if the package `libcachesim` is installed (it is no dependency), of its
policies; theirs are C++ behind a call of Python. `read_ahead` plays through our cache as the origin does, with blocks
read ahead, and counts reads of the store and bytes read per byte served.
"""

import heapq
import importlib
import json
import platform
import random
import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from itertools import accumulate
from typing import Protocol

from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from origin.blocks import first_pieces, piece_after, piece_at, piece_before, rest_of_block
from origin.hot_cache import HotCache
from storage.base import ByteRange

MIB = 1 << 20
SEED = 5
CACHE_BYTES = 256 * MIB
TRACKS = 2_000
SEGMENT_BYTES = 194_000  # 6.08 s at 256 kbit/s
SEGMENT_S = 6.08
TICKS = 291_840
ZIPF = 0.9
PLAYS = 2_000
SCAN_TRACKS = 100  # by each crawler: rare tracks, to their ends, as fast as they come
SCANS = 4
LEAVE = (0.24, 0.35, 0.49)  # a quarter leaves at once, a third within half a minute, half before the end

Look = Callable[[Hashable, int], bool]


class Lru:
    """The policy that was before."""

    def __init__(self, weight_max: int) -> None:
        self._weight_max = weight_max
        self._weight = 0
        self._entries: OrderedDict[Hashable, int] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def get(self, key: Hashable) -> int | None:
        weight = self._entries.get(key)
        if weight is not None:
            self._entries.move_to_end(key)
        return weight

    def put(self, key: Hashable, value: int, *, weight: int, ahead: bool = False) -> None:
        self._weight += weight - self._entries.pop(key, 0)
        self._entries[key] = weight
        while self._weight > self._weight_max:
            self._weight -= self._entries.popitem(last=False)[1]

    def went_unused(self, key: Hashable) -> bool:
        return False


class Memory(Protocol):
    """What a policy has to offer."""

    def __contains__(self, key: Hashable) -> bool: ...
    def get(self, key: Hashable) -> int | None: ...
    def put(self, key: Hashable, value: int, *, weight: int, ahead: bool = False) -> None: ...
    def went_unused(self, key: Hashable) -> bool: ...


def rendition_of(chance: random.Random) -> SegmentedRendition:
    """A track of two to six minutes."""
    offset, segments = 1_000, []
    for _ in range(chance.randrange(20, 60)):
        segments.append(Segment(duration_ticks=TICKS, offset_bytes=offset, size_bytes=SEGMENT_BYTES))
        offset += SEGMENT_BYTES
    return SegmentedRendition(
        rendition=Rendition(rendition_id="aac-256", codec=Codec.AAC, bitrate_bps=256_000), timescale=48_000,
        priming_ticks=1_024, init_size_bytes=800, index_size_bytes=200, segments=tuple(segments), sha256="0" * 64,
        loudness=LoudnessReport(integrated_lufs=-14.0),
    )  # fmt: skip


def requests(listeners: int, *, scans: int) -> Iterator[tuple[int, SegmentedRendition, int]]:
    """Requests in order of time, as track, its rendition, and where a piece starts: so many listen at a time."""
    chance = random.Random(SEED)
    tracks = [rendition_of(chance) for _ in range(TRACKS)]
    weights = list(accumulate((rank + 1) ** -ZIPF for rank in range(TRACKS)))
    moments: list[tuple[float, int, int, int, float, float]] = []  # when, a serial number, track, start, left, pace
    serial = 0

    def begin(at_s: float, track: int, share: float, pace: float) -> None:
        nonlocal serial
        serial += 1
        left = max(1.0, share * len(tracks[track].segments))
        heapq.heappush(moments, (at_s, serial, track, 0, left, pace))

    begun = 0
    play_s = 0.65 * 40 * SEGMENT_S  # the mean; with this spacing so many listen together
    for begun in range(PLAYS):
        at_s = begun * play_s / listeners + chance.random()
        track = bisect_left(weights, chance.random() * weights[-1])
        luck = chance.random()
        share = 0.05 if luck < LEAVE[0] else 0.15 if luck < LEAVE[1] else 0.6 if luck < LEAVE[2] else 1.0
        begin(at_s, track, share, SEGMENT_S)
    for scan in range(scans):
        for number in range(SCAN_TRACKS):
            at_s = (scan + 0.5) / scans * PLAYS * play_s / listeners + number * 2.0
            begin(at_s, chance.randrange(TRACKS // 2, TRACKS), 1.0, 0.05)
    while moments:
        at_s, number, track, start, left, pace = heapq.heappop(moments)
        rendition = tracks[track]
        yield track, rendition, start
        following = piece_at(rendition, start).end
        if start == 0:
            following = piece_at(rendition, following).end  # players skip the index
        wait_s = pace if start else 0.0
        if left >= 1 and following < rendition.size_bytes:
            heapq.heappush(moments, (at_s + wait_s, number, track, following, left - (start > 0), pace))


def hit_ratio(asked: list[tuple[Hashable, int]], look: Look) -> tuple[float, float]:
    """Share of hits, and microseconds of CPU per look (a put on a miss included)."""
    began_s = time.process_time()
    hits = sum(look(key, size) for key, size in asked)
    return hits / len(asked), (time.process_time() - began_s) / len(asked) * 1e6


def looking(cache: Memory) -> Look:
    """A look that fills the cache when it misses."""

    def look(key: Hashable, size: int) -> bool:
        if cache.get(key) is not None:
            return True
        cache.put(key, size, weight=size)
        return False

    return look


def foreign(asked: list[tuple[Hashable, int]]) -> dict[str, Look]:
    """Policies of libcachesim, where it is installed."""
    try:
        library = importlib.import_module("libcachesim")
    except ImportError:
        return {}
    numbers = {key: number for number, key in enumerate(dict(asked))}

    def of(cache: object) -> Look:
        request = library.Request()

        def look(key: Hashable, size: int) -> bool:
            request.obj_id = numbers[key]
            request.obj_size = size
            return bool(cache.get(request))  # type: ignore[attr-defined]

        return look

    names = ("LRU", "S3FIFO", "WTinyLFU")
    return {f"libcachesim {name}": of(getattr(library, name)(CACHE_BYTES)) for name in names}


def policies() -> dict[str, dict[str, float]]:
    """Hit ratio and cost of each policy, of single pieces, with scans and without."""
    report: dict[str, dict[str, float]] = {}
    for label, scans in (("plays", 0), ("plays and scans", SCANS)):
        asked: list[tuple[Hashable, int]] = [
            ((track, start), piece_at(rendition, start).size_bytes)
            for track, rendition, start in requests(50, scans=scans)
        ]
        looks = {"LRU": looking(Lru(CACHE_BYTES)), "ours": looking(HotCache(CACHE_BYTES))}
        for name, look in (looks | foreign(asked)).items():
            ratio, cost_us = hit_ratio(asked, look)
            report.setdefault(name, {})[f"hits, {label}"] = round(ratio, 4)
            report[name]["us per look"] = round(cost_us, 3)
    return report


def play(cache: Memory, listeners: int, bytes_max: int) -> dict[str, float]:
    """What the store is asked for by so many listeners at a time."""
    reads = read_bytes = served_bytes = looks = hits = 0

    def near(track: int, piece: ByteRange | None) -> bool:
        return piece is not None and (track, piece.start) in cache

    def read(track: int, wanted: list[ByteRange], *, ahead: bool) -> int:
        alone = cache.went_unused((track, wanted[0].start))
        size = 0
        for number, each in enumerate(wanted[:1] if alone else wanted):
            if number and near(track, each):
                break
            size += each.size_bytes
            cache.put((track, each.start), 1, weight=each.size_bytes, ahead=ahead or number > 0)
        return size

    for track, rendition, start in requests(listeners, scans=0):
        piece = piece_at(rendition, start)
        looks += 1
        served_bytes += piece.size_bytes
        plays_on = near(track, piece_before(rendition, piece))
        if cache.get((track, start)) is not None:
            hits += 1
        else:
            reads += 1
            read_bytes += read(track, first_pieces(rendition, piece), ahead=False)
        following = piece_after(rendition, piece)
        if following is None or not plays_on or near(track, following):
            continue
        if not cache.went_unused((track, following.start)):
            reads += 1
            read_bytes += read(track, rest_of_block(rendition, following.start, bytes_max=bytes_max), ahead=True)
    return {
        "reads per play": round(reads / PLAYS, 2),
        "bytes read per byte served": round(read_bytes / served_bytes, 3),
        "hits": round(hits / looks, 4),
    }


def read_ahead() -> dict[str, dict[str, float]]:
    """Reads and bytes by policy, block size and number of listeners."""
    report = {}
    for listeners in (10, 50, 200):
        for mib in (4, 16):
            caches: dict[str, Memory] = {
                "LRU": Lru(CACHE_BYTES),
                "ours": HotCache[int](CACHE_BYTES),
                "ours, 0.25 for what is ahead": HotCache[int](CACHE_BYTES, ahead_share=0.25),
            }
            for name, cache in caches.items():
                report[f"{listeners} listeners, blocks of {mib} MiB, {name}"] = play(cache, listeners, mib * MIB)
    return report


if __name__ == "__main__":
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    print(json.dumps({"machine": machine, "policies": policies(), "read_ahead": read_ahead()}, indent=2))
