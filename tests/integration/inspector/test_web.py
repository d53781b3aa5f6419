"""Over a real socket: what a good server gives, what others do, and what is never asked for."""

import asyncio
import gzip
import socket
import ssl
import subprocess
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from inspector.judge import Inspection, inspected
from inspector.limits import Budget, Limits
from inspector.reach import Reach
from inspector.web import opened_web
from model.errors import InspectionError, OutOfReach, ResourceUnavailable, UsageError
from tests.integration.inspector.conftest import Serve
from tests.support.bad_server import HANG, HANG_UP, bad_server
from tests.unit.inspector.streams import Files, in_ranges, in_segments, text

FIRST = "aac-1.m3u8"


async def one(target: str, limits: Limits | None = None) -> Inspection:
    """The one stream that a URL leads to."""
    async with aclosing(inspected(target, limits or Limits())) as found:
        (inspection,) = [each async for each in found]
    return inspection


def rules(inspection: Inspection) -> set[str]:
    """What was broken."""
    return {each.rule for each in inspection.findings}


@pytest.mark.parametrize("files", [in_segments(), in_ranges()], ids=["segments", "ranges"])
async def test_a_sound_stream_on_a_good_server(serve: Serve, files: Files) -> None:
    """Nothing found, nothing left out, gzip undone, ranges understood."""
    async with serve(files) as url:
        inspection = await one(f"{url}index.m3u8?token=x#there")
    assert (inspection.findings, inspection.unseen) == ((), ())
    assert len(inspection.stream.tracks) == 2


async def test_what_a_plain_web_server_lacks_is_found(serve: Serve) -> None:
    """No gzip, no CORS, octet-stream, no ranges: each told once for each kind."""

    async def plainly(request: web.Request) -> web.StreamResponse:
        return web.Response(body=files[request.match_info["name"]], content_type="application/octet-stream")

    files = in_ranges()
    async with serve(files, dict.fromkeys(files, plainly)) as url:
        inspection = await one(f"{url}index.m3u8")
    assert rules(inspection) == {"APPLE-10.1", "APPLE-10.4", "CLIENT-cors", "CLIENT-range"}
    assert any("from number" in each.reason for each in inspection.unseen)  # it is not asked for 7 files 7 times


async def test_redirected_media_is_found_and_followed(serve: Serve) -> None:
    """Apple 8.18."""

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/moved/2.mp4", headers={"Access-Control-Allow-Origin": "*"})

    files = in_segments()
    files["moved/2.mp4"] = files["aac-1/2.mp4"]
    async with serve(files, {"aac-1/2.mp4": elsewhere}) as url:
        inspection = await one(f"{url}index.m3u8")
    assert rules(inspection) == {"APPLE-8.18"}


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x", "http://[::1"])
async def test_redirects_and_playlists_lead_nowhere_else(serve: Serve, place: str) -> None:
    """Only http and https, however they are named."""

    async def away(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": place})

    files = text(in_segments(), FIRST, "aac-1/1.mp4", place)
    async with serve(files, {"aac-1/2.mp4": away}) as url:
        inspection = await one(f"{url}{FIRST}")
    told = [each for each in inspection.findings if each.rule == "CLIENT-scheme"]
    assert [each.line for each in told] == [10, 12]
    assert "root:" not in repr(inspection.findings)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::1]", "127。0。0。1", "１27.0.0.1"]
)
async def test_from_a_public_host_nothing_private_is_asked(host: str) -> None:
    """Neither by address nor by name, whether a playlist or a redirect leads there: no connection is made."""
    asked: list[object] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer.get_extra_info("peername"))
        writer.close()

    reach = Reach()
    reach.check("stream.example", ["93.184.215.14"])
    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with opened_web(Limits(), Budget(Limits()), reach) as source:
            with pytest.raises(InspectionError) as refused:
                await source.get(f"http://{host}:{port}/latest/meta-data", bytes_max=1_000)
    assert isinstance(refused.value, OutOfReach | ResourceUnavailable)
    assert asked == []


@dataclass(frozen=True)
class Certificate:
    """A server's certificate of itself, the ciphers that it offers, and what is said of them."""

    said: str
    key: tuple[str, ...] = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    ciphers: str = "ECDHE"
    trusted: bool = True

    def made(self, folder: Path) -> Path:
        """The file with key and certificate."""
        pem, certificate = folder / "server.pem", folder / "certificate.pem"
        usage = "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign"
        words = ["openssl", "req", "-x509", "-newkey", *self.key, "-nodes", "-days", "30", "-subj", "/CN=localhost"]
        words += ["-addext", "subjectAltName=DNS:localhost", "-addext", usage, "-keyout", str(pem)]
        subprocess.run([*words, "-out", certificate], check=True, capture_output=True, timeout=60)
        pem.write_bytes(pem.read_bytes() + certificate.read_bytes())
        return pem

    def context(self, pem: Path) -> ssl.SSLContext:
        """A server's, with what `made` made."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # its ciphers say how keys are agreed on
        context.set_ciphers(self.ciphers)
        context.load_cert_chain(pem)
        return context


@pytest.mark.parametrize(
    "certificate",
    [
        Certificate(""),
        Certificate("its certificate is refused: self", trusted=False),
        Certificate("its certificate is refused: EE", ("rsa:1024",), "ECDHE:@SECLEVEL=0"),
    ],
    ids=["sound", "of nobody", "too weak"],
)
async def test_tls_is_what_players_take(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: Certificate
) -> None:
    """Apple 12.1 to 12.3, on real connections."""
    pem = certificate.made(tmp_path)
    if certificate.trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    async with serve(in_segments(), tls=certificate.context(pem)) as url:
        inspection = await one(f"{url}index.m3u8")
    assert [each.rule for each in inspection.findings] == (["APPLE-12.1"] if certificate.said else [])
    assert certificate.said in "".join(each.message for each in inspection.findings)


async def test_tls_without_forward_secrecy_is_none(tmp_path: Path) -> None:
    """Apple 12.2: such a server is told why it is not asked."""
    certificate = Certificate("no TLS that players accept", ("rsa:2048",), "AES128-SHA256")
    context = certificate.context(certificate.made(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)

        def refuse() -> None:
            connection, _ = listening.accept()
            with connection, suppress(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)

        refused = asyncio.create_task(asyncio.to_thread(refuse))
        inspection = await one(f"https://localhost:{listening.getsockname()[1]}/x.m3u8")
        await refused
    assert rules(inspection) == {"APPLE-12.1"}
    assert certificate.said in inspection.findings[0].message


async def test_redirects_in_a_circle_end(serve: Serve) -> None:
    """After a few."""

    async def again(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(request.path)

    async with serve({}, {"index.m3u8": again}) as url:
        inspection = await one(f"{url}index.m3u8")
    assert rules(inspection) == {"RFC8216-6.2.1"}
    assert "redirects" in inspection.findings[0].message


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (gzip.compress(bytes(64 << 20)), None),
        (gzip.compress(b"#EXTM3U\n")[:-4], "RFC8216-6.2.1"),
        (b"no gzip at all", "RFC8216-6.2.1"),
    ],
    ids=["a bomb", "cut off", "none"],
)
async def test_a_coding_that_is_not_what_it_says(serve: Serve, body: bytes, rule: str | None) -> None:
    """Inflated only as far as a playlist goes."""

    async def coded(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async with serve({}, {"index.m3u8": coded}) as url:
        inspection = await one(f"{url}index.m3u8")
    assert rules(inspection) == ({rule} if rule else set())
    assert rule or "larger than" in inspection.unseen[0].reason


@pytest.mark.parametrize(
    "answer",
    [
        HANG,
        HANG_UP,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n#EXTM3U\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"SSH-2.0\r\n",
        b"HTTP/1.1 302 Found\r\n\r\n",
    ],
    ids=["hangs", "hangs up", "breaks off", "bad length", "other protocol", "redirect to nowhere"],
)
async def test_a_server_that_is_none(answer: bytes | None) -> None:
    """A finding, soon."""
    with bad_server(answer) as server:
        async with asyncio.timeout(30):
            inspection = await one(f"http://127.0.0.1:{server.port}/x.m3u8", Limits(request_s=1.0))
    assert rules(inspection) == {"RFC8216-6.2.1"}


async def test_a_range_that_is_not_what_was_asked_for_is_found(serve: Serve) -> None:
    """206 with other bytes."""
    files = in_ranges()

    async def other(request: web.Request) -> web.StreamResponse:
        headers = {"Content-Range": f"bytes 0-99/{len(files['aac-1.mp4'])}", "Access-Control-Allow-Origin": "*"}
        return web.Response(status=206, body=files["aac-1.mp4"][:100], content_type="audio/mp4", headers=headers)

    async with serve(files, {"aac-1.mp4": other}) as url:
        inspection = await one(f"{url}{FIRST}")
    assert "CLIENT-range" in rules(inspection)


@pytest.mark.parametrize(
    "limits", [Limits(requests_max=5), Limits(bytes_max=5_000), Limits(total_s=1e-9)], ids=["requests", "bytes", "time"]
)
async def test_an_inspection_ends_at_its_limits(serve: Serve, limits: Limits) -> None:
    """What is left is told, and nothing is held against it."""
    async with serve(in_segments()) as url:
        inspection = await one(f"{url}index.m3u8", limits)
    assert rules(inspection) == set()
    assert any("more than" in each.reason for each in inspection.unseen)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y.m3u8", "http://", "http://[::1/x"])
async def test_other_urls_are_usage(url: str) -> None:
    """Said before anything is opened."""
    with pytest.raises(UsageError):
        await one(url)
