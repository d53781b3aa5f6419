"""Answers that are ready: sent from the connection as soon as a plain request for one is read.

The application stays the only one to say what an answer is. What it once answered from memory to a plain request is
kept here as it was written, and sent again to the very same question; all else goes the normal way.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aiohttp import web

from origin.answers import Answers
from origin.cache_policy import ResourceClass, resource_class
from origin.cmcd import NOTHING
from origin.health import HealthState
from origin.hot_cache import HotCache
from origin.http_date import http_date
from origin.metrics_table import Cache
from origin.observe import Metrics
from origin.plain_request import PlainHeaders, plain_headers, plain_line, without_told
from origin.settings import Auth, OriginSettings

Admit = Callable[[bytes], bytes | None]

_HEAD_BYTES_MAX = 4096  # of a plain request: more than players and CDNs send
_UNDER_A_TOKEN = (b"GET /t/", b"HEAD /t/")
_GET, _VERSION = b"GET ", b" HTTP/1.1"
_OVERHEAD_BYTES = 700  # of an answer that is kept, beside its bytes: objects, and its place in the table
_BLOCKS_MAX = 1024  # header blocks that are remembered, each of at most _HEAD_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Allows an answer to be sent again as it is, to those who ask the very same.

    `held` gives its body for as long as the cache that it came from holds it; without it the body is kept with the
    answer. From `until_s` on, by the monotonic clock, it has to be made anew.
    """

    held: Callable[[], bytes | None] | None = None
    until_s: float = float("inf")


REPLAY = web.ResponseKey("replay", Replay)


Key = tuple[bytes, bytes]  # the line of a request, without query and token, and the variant that it wants
Asked = tuple[Key, PlainHeaders, str]  # a plain request; at last what the player tells of itself in its query


@dataclass(slots=True)
class _Tally:
    """Answers of one kind and status that were sent since the last `settle`."""

    kind: ResourceClass
    status: int
    answers: int = 0
    sent_bytes: int = 0


@dataclass(slots=True, kw_only=True)
class _Ready:
    """An answer as it was written, but for the date and the request id in its head."""

    method: str
    path: str
    until_s: float
    body: Callable[[], bytes | None]
    tally: "_Tally"
    head_parts: tuple[bytes, bytes, bytes]  # up to the date, up to the id, the rest
    date_s: int = 0
    dated: bytes = field(default=b"", repr=False)  # the head up to the id, as of `date_s`

    def head(self, now_s: int, request_id: str) -> bytes:
        if now_s != self.date_s:
            before, between, _ = self.head_parts
            self.date_s, self.dated = now_s, before + http_date(now_s).encode() + between
        return self.dated + request_id.encode() + self.head_parts[2]


class HotPath:
    """The answers that are ready, in bounded memory, and how a request finds its own.

    `admit` gives a request line without the token that let it in, or None if it cannot prove that the request may come
    in, which then goes the normal way. While `health` says that we drain, all requests do: clients are to be told to
    close.
    """

    def __init__(
        self,
        settings: OriginSettings,
        *,
        metrics: Metrics,
        answers: Answers,
        request_ids: Iterator[str],
        admit: Admit,
        health: HealthState,
        expect: Callable[[str], None],
    ) -> None:
        self._metrics = metrics
        self._answers = answers
        self._request_ids = request_ids
        self._admit = admit
        self._admit_all = settings.auth is not Auth.NONE
        self._health = health
        self._expect = expect
        self._headers_max = settings.headers_max
        self._head_bytes_max = min(_HEAD_BYTES_MAX, settings.line_bytes_max, settings.header_bytes_max)
        self._ready: HotCache[_Ready] = HotCache(settings.ready_cache_bytes)
        self._blocks: dict[bytes, PlainHeaders] = {}
        self._tallies: dict[tuple[ResourceClass, int], _Tally] = {}
        self._off = settings.ready_cache_bytes == 0

    @property
    def weight(self) -> int:
        """The bytes that it holds by itself."""
        return self._ready.weight

    def settle(self) -> None:
        """Tell the metrics what was sent: counted here first, for that is cheaper."""
        for tally in self._tallies.values():
            counts, tally.answers, tally.sent_bytes = (tally.answers, tally.sent_bytes), 0, 0
            self._metrics.requests_served_at_once(tally.kind, tally.status, answers=counts[0], sent_bytes=counts[1])

    def asked(self, data: bytes) -> Asked | None:
        """The plain request that these bytes are; None if they are anything else."""
        end = data.find(b"\r\n")
        if end < 0 or len(data) > self._head_bytes_max or self._off or self._health.draining:
            return None
        line, query, block = data[:end], "", data[end:]
        headers = self._blocks.get(block) or self._read(block)
        if headers is None:
            return None
        if b"?" in line:
            line, query = without_told(line)
        if self._admit_all or line.startswith(_UNDER_A_TOKEN):
            admitted = self._admit(line)
            return None if admitted is None else ((admitted, headers.variant), headers, query)
        return (line, headers.variant), headers, query

    def answer(self, asked: Asked, transport: asyncio.Transport) -> bool:
        """Send the answer if it is ready, count it, log it; False if it is not."""
        key, headers, query = asked
        now_s = time.monotonic()
        ready = self._ready.get(key)
        body = ready.body() if ready is not None and now_s < ready.until_s else None
        if ready is None or body is None:
            self._metrics.cache_asked(Cache.READY, hit=False)
            return False
        request_id = headers.request_id or next(self._request_ids)
        head = ready.head(int(time.time()), request_id)
        transport.writelines((head, body))
        sent_bytes = len(head) + len(body)
        ready.tally.answers += 1
        ready.tally.sent_bytes += sent_bytes
        tells = query or headers.cmcd
        if self._answers.wanted(ready.tally.status):
            self._answers.log(
                ready.tally.kind,
                ready.tally.status,
                method=ready.method,
                path=ready.path,
                sent_bytes=sent_bytes,
                duration_s=time.monotonic() - now_s,
                told=self._answers.heard(query, headers.cmcd) if tells else NOTHING,
                remote=transport.get_extra_info("peername"),
                request_id=request_id,
            )
        elif tells:
            self._answers.hear_later(query, headers.cmcd)
        return True

    def expect(self, asked: Asked) -> None:
        """Have what a plain request asks for got ready, while it is on its way to the application."""
        key, headers, _ = asked
        line = key[0]
        if not headers.conditional and line.startswith(_GET) and line.endswith(_VERSION):
            self._expect(line[len(_GET) : -len(_VERSION)].decode("latin-1"))

    def keep(self, asked: Asked, response: web.StreamResponse) -> None:
        """Take what the application answered to this very request, if it may be sent again."""
        line, variant = asked[0]
        replay, named = response.get(REPLAY), plain_line(line)
        head_parts = _head_parts(response)
        if replay is None or named is None or head_parts is None or not response.keep_alive:
            return
        method, path = named
        assert isinstance(response, web.Response)
        body = b"" if method == "HEAD" or response.status == 304 else response.body
        assert isinstance(body, bytes)
        held = replay.held if body else None
        ready = _Ready(
            method=method,
            path=path,
            until_s=replay.until_s,
            body=held or (lambda: body),
            tally=self._tally(resource_class(path), response.status),
            head_parts=head_parts,
        )
        sizes = len(line), len(variant), *map(len, head_parts), 0 if held else len(body)
        self._ready.put((line, variant), ready, weight=_OVERHEAD_BYTES + sum(sizes))

    def _tally(self, kind: ResourceClass, status: int) -> _Tally:
        return self._tallies.setdefault((kind, status), _Tally(kind, status))

    def _read(self, block: bytes) -> PlainHeaders | None:
        headers = plain_headers(block, headers_max=self._headers_max)
        if headers is not None and headers.lasting:
            if len(self._blocks) >= _BLOCKS_MAX:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[block] = headers
        return headers


HOT = web.AppKey("hot", HotPath)


def _head_parts(response: web.StreamResponse) -> tuple[bytes, bytes, bytes] | None:
    """The head as aiohttp writes it, cut where the date and the request id stand."""
    shown = {"Date": "\0", "X-Request-Id": "\0"}
    fields = "".join(f"{name}: {shown.get(name, value)}\r\n" for name, value in response.headers.items())
    parts = f"HTTP/1.1 {response.status} {response.reason}\r\n{fields}\r\n".encode().split(b"\0")
    if len(parts) != 3 or list(response.headers).index("Date") > list(response.headers).index("X-Request-Id"):
        return None
    return parts[0], parts[1], parts[2]
