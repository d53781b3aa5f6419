"""The cold part of benchmarks.bench_origin: time to first byte of what no cache of the origin has, beside the store's.

Each sample of ours has one of the store's beside it: a signed GET of the same place in the track file of another
package, so that what the store itself keeps helps neither. They take turns in being first, and before each all reads of
the store have ended. Both are asked over one connection that is kept, for a CDN keeps those to its origin, and the
origin those to its store.

SeaweedFS takes twice as long for some places in a file (its first 8 MB) as for others. Places are not mixed: each has
its median, and what is told is the mean of those. The median of all together lies at the edge between quick places and
slow ones, and whoever is a little later there is found among the slow.
"""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from statistics import fmean, median, quantiles
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from benchmarks.origin_load import Kept, settle
from model.segment import SegmentedRendition
from scripts.s3_server import BUCKET, S3Server

REST_S = 0.005
LATER = (200, 160, 120, 80, 40)  # segments that a listener jumps to: backwards, for what follows each is read ahead

Times = dict[str, dict[int, list[float]]]  # in seconds, by kind of sample and segment
_Way = tuple[Times, Callable[[str, int], float], str]  # to a segment of a package, and where its times are kept


class Cold:
    """Times first bytes of packages that lie on an S3 server, by way of the origin at `port` and straight.

    `base_of` gives the path of a package's rendition.
    """

    def __init__(
        self, port: int, seaweed: S3Server, rendition: SegmentedRendition, base_of: Callable[[str], str]
    ) -> None:
        self._port = port
        self._sign = seaweed.client().presigned_get_object
        self._rendition = rendition
        self._base_of = base_of
        self._origin = Kept(port)
        self._store = Kept(int(seaweed.endpoint.rpartition(":")[2]))
        self._ours: Times = {}
        self._straight: Times = {}

    def listen(self, package_id: str, beside: str, *, first: bool) -> None:
        """Jumps in a track whose record is known, with the segment after each; then, for what a play from the start
        has read ahead is no jump, the playlist and at once the first segment. The store is asked for the same segments
        of the package `beside`; `first` says who begins."""
        urlopen(Request(f"http://127.0.0.1:{self._port}{self._base_of(package_id)}/0.mp4", method="HEAD"), timeout=10)
        straight = (self._straight, self._straight_s, beside)
        for number in LATER:
            self._in_turn([(self._ours, self._segment_s, package_id), straight], ("later", "next"), number, first=first)
        self._in_turn([(self._ours, self._start_s, package_id), straight], ("start",), 0, first=first)

    def listen_unprepared(self, package_id: str, beside: str, *, first: bool) -> None:
        """The first segment when not even the record of its package was read, beside both read from the store."""
        ways = [(self._ours, self._segment_s, package_id), (self._straight, self._both_s, beside)]
        self._in_turn(ways, ("unprepared",), 0, first=first)

    def close(self) -> None:
        """End the connections."""
        self._origin.close()
        self._store.close()

    def figures(self) -> dict[str, float]:
        """By kind of sample: medians in milliseconds, the mean of all places, and their ratio; the same of lower
        quartiles and of least times, which a busy machine disturbs less."""
        figures: dict[str, float] = {}
        for word, ours in self._ours.items():
            straight = self._straight[word]
            figures |= {f"{word}_samples": sum(map(len, ours.values()))}
            for name, of in (("", median), ("_p25", _lower_quartile), ("_min", min)):
                origin_ms, direct_ms = (1000 * fmean(map(of, times.values())) for times in (ours, straight))
                figures |= {f"{word}_origin_ms{name}": round(origin_ms, 2)}
                figures |= {f"{word}_direct_ms{name}": round(direct_ms, 2)}
                figures |= {f"{word}_ratio{name}": round(origin_ms / direct_ms, 3)}
        return figures

    def _in_turn(self, ways: Sequence[_Way], words: Sequence[str], number: int, *, first: bool) -> None:
        """Ask both for a segment and those after it, one for each kind of sample."""
        for times, way, wanted in ways if first else reversed(ways):
            self._rest()
            for at, word in enumerate(words):
                times.setdefault(word, {}).setdefault(number, []).append(way(wanted, number + at))

    def _rest(self) -> None:
        """Let all reads of the store end, and the answer that tells of it."""
        settle(self._port)
        time.sleep(REST_S)

    def _start_s(self, package_id: str, number: int) -> float:
        """A segment as soon as the playlist is here."""
        self._origin_s(f"{self._base_of(package_id)}.m3u8")
        return self._segment_s(package_id, number)

    def _segment_s(self, package_id: str, number: int) -> float:
        return self._origin_s(f"{self._base_of(package_id)}/{number}.mp4")

    def _origin_s(self, path: str) -> float:
        return self._origin.times_s(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())[0]

    def _both_s(self, package_id: str, number: int) -> float:
        """The record of a package, all of it, for it says where the segment is; and the segment."""
        record = f"{self._base_of(package_id).rpartition('/')[0]}/package.json"
        return self._get_s(record)[1] + self._straight_s(package_id, number)

    def _straight_s(self, package_id: str, number: int) -> float:
        segment = self._rendition.segments[number]
        end = segment.offset_bytes + segment.size_bytes - 1
        return self._get_s(f"{self._base_of(package_id)}.mp4", f"Range: bytes={segment.offset_bytes}-{end}\r\n")[0]

    def _get_s(self, path: str, header: str = "") -> tuple[float, float]:
        signed = urlsplit(self._sign(BUCKET, path.strip("/"), expires=timedelta(hours=1)))
        asked = f"GET {signed.path}?{signed.query} HTTP/1.1\r\nHost: {signed.netloc}\r\n{header}\r\n"
        return self._store.times_s(asked.encode())


def _lower_quartile(times: list[float]) -> float:
    return quantiles(times, n=4)[0]
