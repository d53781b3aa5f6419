"""Keys are for those with a token; what is under a token's path is let in or refused, whatever it is."""

import logging
import re
import time
from collections.abc import AsyncIterator
from urllib.parse import quote, urljoin

import pytest
from yarl import URL

from model.protection import Protection, ProtectionMethod
from origin.tokens import Grant, TokenKey, mint, path_prefix
from protection.keys import KeyRing, MasterKey
from tests.integration.origin.conftest import Running, Start
from tests.integration.origin.published import Published, publish
from tests.integration.origin.watched_store import WatchedStore

MASTER, UNKNOWN = MasterKey(bytes(range(32))), MasterKey(bytes(32))
SIGNING, OLDER = TokenKey(secret=b"signing key of tokens"), TokenKey(secret=b"the one before that")
PROTECTION = Protection(
    method=ProtectionMethod.AES_128, key_set=MASTER.key_set, key_id=MASTER.key_id_of("ab" * 32), rotation_segments=3
)
REFUSED = (403, "no-store", b'{"error": "token-refused"}\n')


@pytest.fixture
async def secret(store: WatchedStore) -> Published:
    """A track with keys that rotate every three of its eight segments."""
    return await publish(store, "secret", protection=PROTECTION)


@pytest.fixture
async def guarded(start: Start) -> AsyncIterator[Running]:
    """An origin with a key store and two keys of tokens."""
    async with start(keys=KeyRing((MASTER,)), token_keys=(SIGNING, OLDER)) as running:
        yield running


def token(*acl: str, key: TokenKey = SIGNING, seconds: int = 60) -> str:
    """A token for some paths, or all of them."""
    return mint(Grant(acl=acl or ("/*",), expires_s=int(time.time()) + seconds), key)


def key_path(track: Published, number: int | str = 0, rendition_id: str = "aac-64") -> str:
    """Where a key of the track is."""
    return f"/keys/{track.track.recording_id}/{track.package.package_id}/{rendition_id}/{number}"


async def asked(running: Running, path: str) -> tuple[int, str, bytes]:
    """Status, Cache-Control and body."""
    async with running.client.get(_as_it_is(running, path)) as response:
        return response.status, response.headers["Cache-Control"], await response.read()


def _as_it_is(running: Running, path: str) -> URL:
    return URL(running.url.rstrip("/") + path, encoded=True)


@pytest.mark.parametrize("key", [SIGNING, OLDER])
async def test_a_token_opens_the_keys(guarded: Running, secret: Published, key: TokenKey) -> None:
    """16 bytes for each period, kept by nobody; before the path or in the query."""
    for period in (0, 1, 2):
        path = key_path(secret, period)
        wanted = MASTER.content_key(PROTECTION.key_id, period)
        for url in (path_prefix(token(key=key)) + path, f"{path}?hdnts={quote(token(key=key))}"):
            async with guarded.client.get(_as_it_is(guarded, url)) as response:
                assert (response.status, await response.read()) == (200, wanted)
                assert response.headers["Content-Type"] == "application/octet-stream"
                assert response.headers["Content-Length"] == "16"
                assert response.headers["Cache-Control"] == response.headers["CDN-Cache-Control"] == "no-store"
                assert response.headers["Access-Control-Allow-Origin"] == "*"
                assert "ETag" not in response.headers


@pytest.mark.parametrize("name", ["none", "forged", "expired", "another path", "another key", "junk", "empty"])
async def test_without_a_token_that_fits_no_key_is_told(guarded: Running, secret: Published, name: str) -> None:
    """One refusal for all, also for what is not there; the store is not asked."""
    tokens = {
        "forged": token()[:-1] + "x",
        "expired": token(seconds=-1),
        "another path": token("/tracks/*", "/keys/other/*"),
        "another key": token(key=TokenKey(secret=b"a key of somebody else")),
        "junk": "exp=1",
        "empty": "",
    }
    path = key_path(secret)
    urls = [path, key_path(secret, 99)] if name == "none" else []
    if name != "none":
        urls = [path_prefix(tokens[name]) + path, f"{path}?hdnts={quote(tokens[name])}"]
    reads = len(guarded.store.reads)
    for url in urls:
        assert await asked(guarded, url) == REFUSED
    assert len(guarded.store.reads) == reads


async def test_whatever_is_under_a_token_is_the_same_as_without(guarded: Running, secret: Published) -> None:
    """Playlists, media, art: byte for byte, tag for tag; so relative URIs go on working."""
    prefix = path_prefix(token())
    paths = [
        f"{secret.base}/index.m3u8",
        f"{secret.package_base}/aac-64.m3u8",
        f"{secret.package_base}/aac-64/0.mp4",
        f"{secret.package_base}/aac-64.mp4",
        f"{secret.base}/art.jpg",
        "/healthz",
        "/no/such/thing",
    ]
    for path in paths:
        async with guarded.client.get(path) as plain, guarded.client.get(_as_it_is(guarded, prefix + path)) as under:
            assert (under.status, await under.read()) == (plain.status, await plain.read())
            left_out = ("date", "x-request-id", "age", "cache-status")
            headers = [{k: v for k, v in each.headers.items() if k.lower() not in left_out} for each in (plain, under)]
            assert headers[0] == headers[1]
    async with guarded.client.get(_as_it_is(guarded, prefix + paths[2]), headers={"Range": "bytes=5-9"}) as some:
        assert (some.status, await some.read()) == (206, secret.segment_of("aac-64", 0)[5:10])


@pytest.mark.parametrize("path", ["/tracks/x", "/healthz", "/", ""])
async def test_whatever_is_under_a_bad_token_is_refused(guarded: Running, path: str) -> None:
    """Whether it is there or not."""
    for bad in ("/t/exp=1~acl=%2F*~hmac=00", "/t/", path_prefix(token(seconds=-1))):
        assert await asked(guarded, bad + path) == REFUSED


async def test_what_is_for_all_needs_no_more_than_a_good_token(guarded: Running) -> None:
    """The page and health, under a token that is for other paths; what it is not for stays refused."""
    prefix = path_prefix(token("/keys/*"))
    assert (await asked(guarded, prefix + "/healthz"))[0] == 200
    assert await asked(guarded, prefix + "/tracks/x") == REFUSED


async def test_the_playlist_leads_to_the_keys(guarded: Running, secret: Published) -> None:
    """Each key's URI, resolved against the playlist's under a token, answers."""
    playlist = _as_it_is(guarded, path_prefix(token()) + f"{secret.package_base}/opus-96.m3u8")
    async with guarded.client.get(playlist, headers={"Accept-Encoding": "identity"}) as response:
        text = await response.text()
    uris = re.findall(r'#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)"', text)
    assert len(uris) == 3
    for period, uri in enumerate(uris):
        url = urljoin(str(playlist), uri)
        async with guarded.client.get(URL(url, encoded=True)) as response:
            assert await response.read() == MASTER.content_key(PROTECTION.key_id, period)


async def test_there_is_no_key_of_what_has_none(guarded: Running, secret: Published, track: Published) -> None:
    """A period after the last, an unknown rendition, a track in the clear."""
    prefix = path_prefix(token())
    for path in (key_path(secret, 3), key_path(secret, 0, "aac-65"), key_path(track), key_path(secret, "00")):
        assert (await asked(guarded, prefix + path))[0] == 404


async def test_an_origin_without_the_master_key_says_so_to_its_operator(
    start: Start, secret: Published, caplog: pytest.LogCaptureFixture
) -> None:
    """500 for the player, the name of the key set in the log."""
    async with start(keys=KeyRing((UNKNOWN,)), token_keys=(SIGNING,)) as running:
        status, kept, body = await asked(running, path_prefix(token()) + key_path(secret))
    assert (status, kept, body) == (500, "no-store", b'{"error": "key-missing"}\n')
    (record,) = (each for each in caplog.records if each.levelno >= logging.ERROR)
    assert MASTER.key_set in vars(record)["error"] and vars(record)["hint"]


async def test_no_log_line_has_a_token(guarded: Running, secret: Published, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever reads logs could play what others paid for; also where a proxy decoded it, or it was refused."""
    good, path = token(), key_path(secret)
    with caplog.at_level(logging.DEBUG):
        for prefix in (path_prefix(good), f"/t/{good}", f"/t/{quote(good, safe='')}", path_prefix(token("/x"))):
            await asked(guarded, prefix + path)
        await asked(guarded, f"{path}?hdnts={good}")
        async with guarded.client.get(path, headers={"Cookie": f"hdnts={good}", "Referer": f"/t/{good}/"}) as response:
            await response.read()
    served = [vars(each) for each in caplog.records if each.message == "request served"]
    assert [each["status"] for each in served] == [200, 200, 200, 403, 200, 200]
    assert {(each["url_path"], each["resource"]) for each in served} == {(path, "key")}
    assert "hmac" not in " ".join(str(vars(each)) for each in caplog.records if each.name.startswith("origin"))


async def test_no_log_line_has_a_token_that_stands_in_the_wrong_place(
    guarded: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """Behind another one, as where an edge puts its own before the listener's, or in a URL that was put together
    wrongly: such a path is 404, and what makes the token good is not in the log."""
    good = token()
    odd = (path_prefix(good) * 2, f"/{path_prefix(good)}", f"/x/{good}", f"/x/{quote(quote(good, safe=''), safe='')}")
    with caplog.at_level(logging.DEBUG):
        for path in odd:
            assert (await asked(guarded, path + "/index.m3u8"))[0] == 404
    served = [vars(each)["url_path"] for each in caplog.records if each.message == "request served"]
    assert len(served) == len(odd) and all("hmac" in path for path in served)
    told = " ".join(str(vars(each)) for each in caplog.records if each.name.startswith("origin"))
    assert good[-64:] not in told
