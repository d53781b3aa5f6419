"""Streams on the network, over http and https: asked for as a browser's player would."""

import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

from inspector.limits import Budget, Limits
from inspector.reach import Reach
from inspector.source import Answer
from manifests.playlist import PlaylistByteRange
from model.errors import InsecureServer, InspectionLimit, OutOfReach, ResourceUnavailable

ORIGIN = "http://player.example"  # a page of another site: does the server let it play?
URL_MAX = 8_192
_CONNECT_S = 10.0
_PIECE_BYTES = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFLATED = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Web:
    """A Source over HTTP. Locations are absolute URLs."""

    remote = True

    def __init__(self, session: aiohttp.ClientSession, limits: Limits, budget: Budget) -> None:
        self._session, self._limits, self._budget = session, limits, budget

    def resolve(self, base: str, uri: str) -> str:
        """The URL that a URI leads to. Raises OutOfReach for anything but http and https."""
        return reachable(_joined(base, uri))

    async def get(
        self, location: str, *, bytes_max: int, byte_range: PlaylistByteRange | None = None, playlist: bool = False
    ) -> Answer:
        """Ask for a resource; redirects are followed, a few, and counted."""
        here = location
        headers = {"Origin": ORIGIN, "Accept-Encoding": "gzip" if playlist else "identity"}
        if byte_range:
            headers["Range"] = f"bytes={byte_range.offset_bytes}-{byte_range.end_bytes - 1}"
        for redirects in range(self._limits.redirects_max + 1):
            self._budget.request()
            try:
                async with self._session.get(here, headers=headers, allow_redirects=False) as response:
                    if response.status not in _REDIRECTS:
                        return await self._answer(response, location, redirects, bytes_max, byte_range)
                    here = self.resolve(here, response.headers.get("Location", ""))
            except aiohttp.ClientSSLError as error:
                raise InsecureServer(_refused(error), subject=error.host, hint="is it meant for the public?") from error
            except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
                reason = f"no answer: {type(error).__name__}"
                raise ResourceUnavailable(reason, subject=location, hint="is the server there?") from error
        raise ResourceUnavailable(f"more than {self._limits.redirects_max} redirects", subject=location)

    async def _answer(
        self,
        response: aiohttp.ClientResponse,
        location: str,
        redirects: int,
        bytes_max: int,
        byte_range: PlaylistByteRange | None,
    ) -> Answer:
        if response.status == 416 and byte_range:
            data, size_bytes = b"", _size_in(response.headers.get("Content-Range", ""))
        elif response.status not in (200, 206):
            raise ResourceUnavailable(f"status {response.status}", subject=location)
        else:
            data = await self._body(response, location, bytes_max, byte_range)
            size_bytes = _size_in(response.headers.get("Content-Range", "")) if byte_range else len(data)
        ignored = byte_range is not None and response.status == 200
        if ignored and byte_range:
            size_bytes, data = len(data), data[byte_range.offset_bytes : byte_range.end_bytes]
        elif byte_range and response.status == 206:
            began = response.headers.get("Content-Range", "")
            ignored = not began.startswith(f"bytes {byte_range.offset_bytes}-") or len(data) > byte_range.length_bytes
            data = data[: byte_range.length_bytes]
        return Answer(
            location=str(response.url),
            data=data,
            size_bytes=size_bytes,
            redirects=redirects,
            range_ignored=ignored,
            headers={name.lower(): value for name, value in response.headers.items()},
        )

    async def _body(
        self,
        response: aiohttp.ClientResponse,
        location: str,
        bytes_max: int,
        byte_range: PlaylistByteRange | None,
    ) -> bytes:
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        inflate = zlib.decompressobj(_DEFLATED[coding]) if coding in _DEFLATED else None
        most = max(bytes_max, byte_range.end_bytes if byte_range and response.status == 200 else 0)
        most = min(most, self._limits.segment_bytes_max + bytes_max)
        pieces: list[bytes] = []
        size_bytes = 0
        try:
            async for raw in response.content.iter_chunked(_PIECE_BYTES):
                self._budget.took(len(raw))
                piece = inflate.decompress(raw, most + 1 - size_bytes) if inflate else raw
                size_bytes += len(piece)
                if size_bytes > most:
                    raise InspectionLimit(f"larger than {most} bytes", subject=location)
                pieces.append(piece)
        except zlib.error as error:
            raise ResourceUnavailable("not the content coding that it says", subject=location) from error
        if inflate and not inflate.eof:
            raise ResourceUnavailable("the content coding breaks off", subject=location)
        return b"".join(pieces)


class _Resolver(AbstractResolver):
    """Looks up hosts, and gives only addresses that are within reach: what it gives is what is connected to."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._names = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As aiohttp asks. Raises OutOfReach."""
        found = await self._names.resolve(host, port, family)
        self._reach.check(host, [each["host"] for each in found])
        return found

    async def close(self) -> None:
        """As aiohttp asks."""
        await self._names.close()


def _sockets(reach: Reach) -> Callable[[AddrInfoType], socket.socket]:
    """Sockets to addresses within reach. An address in a URL is never looked up, and may be written in many ways."""

    def socket_to(found: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = found
        reach.check(str(address[0]), [str(address[0])])
        return socket.socket(family, kind, protocol)

    return socket_to


def _tls() -> ssl.SSLContext:
    """What Apple's players take: TLS 1.2 or later with forward secrecy, RSA keys of 2048 bits or EC keys as hard."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Python 3.13 sets it; players do not
    context.set_ciphers("ECDHE:DHE:!aNULL:!eNULL:!aDSS:@SECLEVEL=2")
    return context


def _refused(error: aiohttp.ClientSSLError) -> str:
    """Why there is no connection, in OpenSSL's words."""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {cause.verify_message}"
    reason = cause.reason if isinstance(cause, ssl.SSLError) else ""
    return f"no TLS that players accept: {(reason or 'the handshake failed').lower().replace('_', ' ')}"


@asynccontextmanager
async def opened_web(limits: Limits, budget: Budget, reach: Reach) -> AsyncIterator[Web]:
    """A Web with its connections, which are closed at the end."""
    timeout = aiohttp.ClientTimeout(total=limits.request_s, sock_connect=_CONNECT_S)
    connector = aiohttp.TCPConnector(
        limit=limits.parallel, resolver=_Resolver(reach), socket_factory=_sockets(reach), ssl=_tls()
    )
    async with aiohttp.ClientSession(
        timeout=timeout,
        connector=connector,
        auto_decompress=False,  # by us, with a limit
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield Web(session, limits, budget)


def reachable(url: str) -> str:
    """The URL, if it is one that an HLS client follows. Raises OutOfReach."""
    try:
        parts = urlsplit(url)
        hostname = parts.hostname
    except ValueError as error:
        raise OutOfReach("not a URL", subject=url[:200]) from error
    if parts.scheme not in ("http", "https") or not hostname or len(url) > URL_MAX:
        raise OutOfReach("not an http or https URL that a client follows", subject=url[:200])
    return parts._replace(fragment="").geturl()


def _joined(base: str, uri: str) -> str:
    try:
        return urljoin(base, uri)
    except ValueError as error:
        raise OutOfReach("not a URI", subject=uri[:200]) from error


def _size_in(content_range: str) -> int | None:
    """The whole size in `bytes 0-99/1000`."""
    text = content_range.rpartition("/")[2]
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None
