"""With `auth` on nobody hears anything without a token: in front of the path, in the query, in a cookie."""

import time
from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote

import pytest
from aiohttp import web
from yarl import URL

from catalog.listener_database import ListenerDatabase
from catalog.store import Catalog
from discovery.web import DiscoverySettings, add_routes
from origin.hot_path import HOT
from origin.metrics_table import CACHE_REQUESTS, Cache, Tier
from origin.settings import Auth
from origin.state import GATE, METRICS
from origin.tokens import Grant, TokenKey, mint, path_prefix
from tests.integration.origin.conftest import Running, Start
from tests.integration.origin.published import Published
from tests.integration.origin.watched_store import WatchedStore

KEY, WITHDRAWN = TokenKey(secret=b"signing key of tokens", key_id="b"), TokenKey(secret=b"one that leaked", key_id="a")
REFUSED = (403, b'{"error": "token-refused"}\n')
FOREVER = "max-age=31536000, immutable"


@pytest.fixture(params=[Auth.TOKEN, Auth.EDGE])
async def closed(
    request: pytest.FixtureRequest,
    start: Start,
    store: WatchedStore,
    catalog: Catalog,
    listeners: ListenerDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Running]:
    """An origin with all it can have, for those with a token."""
    page = tmp_path_factory.mktemp("page")
    (page / "index.html").write_text("<!doctype html>")

    def extend(app: web.Application) -> None:
        add_routes(app, catalog=catalog, listeners=listeners, store=store, settings=DiscoverySettings())

    async with start(extend, auth=request.param, token_keys=(KEY,), player_root=page) as running:
        yield running


def token(*acl: str, key: TokenKey = KEY, url: str = "", ip: str = "", seconds: int = 60) -> str:
    """A token for some paths, for all, or for one URL."""
    allowed = () if url else acl or ("/*",)
    return mint(Grant(acl=allowed, url=url, ip=ip, expires_s=int(time.time()) + seconds), key)


def heard(track: Published) -> list[str]:
    """Everything that a listener gets."""
    media, base = track.package_base, track.base
    return [
        *(f"{base}/{name}" for name in ("index.m3u8", "opus.m3u8", "lossless.m3u8", "index.mpd")),
        *(f"{base}/{name}" for name in ("package.json", "art.jpg", "art-160.jpg")),
        *(f"{media}/{name}" for name in ("aac-64.m3u8", "aac-64.mp4", "aac-64/init.mp4", "aac-64/0.mp4")),
        f"{track.art_base}/640.jpg",
        "/api/v1/tracks",
    ]


async def asked(running: Running, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """Status and body; and never a cookie, nor an answer that depends on one."""
    url = URL(running.url.rstrip("/") + path, encoded=True)
    async with running.client.get(url, headers=headers) as response:
        assert "Set-Cookie" not in response.headers
        assert response.headers.get("Vary", "Accept-Encoding") == "Accept-Encoding"
        return response.status, await response.read()


async def test_without_a_token_nothing_is_heard_nor_read(closed: Running, track: Published) -> None:
    """One refusal, also for what is not there; the store is asked for none of it."""
    reads = closed.store.reads.total()
    for path in [*heard(track), f"/keys{track.package_base.removeprefix('/recordings')}/aac-64/0", "/no/such/thing"]:
        assert await asked(closed, path) == REFUSED
    assert closed.store.reads.total() == reads


async def test_with_one_all_is_there_wherever_it_is_carried(closed: Running, track: Published) -> None:
    """The same bytes from each place, under both of Akamai's names, encoded or not."""
    good = token()
    for path in heard(track):
        ways: list[tuple[str, dict[str, str]]] = [
            (path_prefix(good) + path, {}),
            (f"/t/{quote(good, safe='')}{path}", {}),
            (f"{path}?hdnts={good}", {}),
            (f"{path}?CMCD=a&__token__={quote(good, safe='')}", {}),
            (path, {"Cookie": f"theme=dark; hdnts={good}"}),
            (path, {"Cookie": f"__token__={quote(good, safe='')}; x=y"}),
        ]
        answers = [await asked(closed, url, {"Accept-Encoding": "identity"} | more) for url, more in ways]
        assert answers[0][0] == 200
        assert len(set(answers)) == 1, path


async def test_the_first_token_counts(closed: Running, track: Published) -> None:
    """Path before query before cookie: a bad one is not mended by a good one behind it, a good one needs no second."""
    good, bad, path = token(), token(seconds=-1), f"{track.base}/index.m3u8"
    prefixes, queries = {None: "", good: path_prefix(good), bad: path_prefix(bad)}, {None: "", good: good, bad: bad}
    for front, query, cookie in ((good, bad, bad), (None, good, bad), (None, None, good)):
        asking = prefixes[front] + path + (f"?hdnts={queries[query]}" if query else "")
        assert (await asked(closed, asking, {"Cookie": f"hdnts={cookie}"}))[0] == 200
    for front, query, cookie in ((bad, good, good), (None, bad, good), (None, None, bad)):
        asking = prefixes[front] + path + (f"?hdnts={queries[query]}" if query else "")
        assert await asked(closed, asking, {"Cookie": f"hdnts={cookie}"}) == REFUSED
    assert await asked(closed, f"{path}?hdnts=", {"Cookie": f"hdnts={good}"}) == REFUSED


async def test_what_is_for_all_is_there_for_all(closed: Running) -> None:
    """The page, health and metrics; whatever cookies say. A preflight too: browsers send it without cookies."""
    for path in ("/", "/index.html", "/healthz", "/readyz", "/metrics"):
        assert (await asked(closed, path, {"Cookie": "hdnts=junk"}))[0] == 200
        assert (await asked(closed, path_prefix(token("/tracks/*")) + path))[0] == 200
    async with closed.client.options("/api/v1/tracks") as response:
        assert response.status == 204


@pytest.mark.parametrize("name", ["another path", "another key", "withdrawn", "expired", "another URL", "address"])
async def test_a_token_for_something_else_is_none(closed: Running, track: Published, name: str) -> None:
    """Wherever it is carried."""
    path = f"{track.base}/index.m3u8"
    bad = {
        "another path": token("/tracks/x/*"),
        "another key": token(key=TokenKey(secret=b"a key of somebody else", key_id="b")),
        "withdrawn": token(key=WITHDRAWN),
        "expired": token(seconds=-1),
        "another URL": token(url=f"{track.base}/opus.m3u8"),
        "address": token(ip="198.51.100.7"),
    }[name]
    assert await asked(closed, path_prefix(bad) + path) == REFUSED
    assert await asked(closed, f"{path}?hdnts={bad}") == REFUSED
    assert await asked(closed, path, {"Cookie": f"hdnts={bad}"}) == REFUSED


async def test_a_token_for_one_url_and_one_address(closed: Running, track: Published) -> None:
    """The URL is nowhere to be read in it; the address is the connection's."""
    path = f"{track.base}/opus.m3u8"
    for good in (token(url=path), token(path, ip="127.0.0.1")):
        assert (await asked(closed, path_prefix(good) + path))[0] == 200
        assert await asked(closed, path_prefix(good) + f"{track.base}/index.m3u8") == REFUSED


async def test_caches_are_told_who_may_keep_it(closed: Running, track: Published) -> None:
    """Where we alone check tokens a shared cache would hand it to anybody; where it checks them, it may keep it."""
    good = token()
    for path in heard(track):
        async with closed.client.get(path, headers={"Cookie": f"hdnts={good}"}) as response:
            kept, edge = response.headers["Cache-Control"], response.headers["CDN-Cache-Control"]
        shared = closed.settings.auth is Auth.EDGE
        assert kept.startswith("public, max-age=" if shared else "private, max-age=")
        assert edge.startswith("max-age=") if shared else edge == "no-store"
        if path.endswith(".mp4"):
            assert kept == f"{'public' if shared else 'private'}, {FOREVER}"
    async with closed.client.get("/") as response:
        assert response.headers["Cache-Control"] == "public, max-age=60"
        assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_ready_answers_are_let_in_by_the_path_alone(closed: Running, track: Published) -> None:
    """`admit` gives the path where the token in front is enough, and nothing where only a full look can tell."""
    admit, path, prefix = closed.app[GATE].admit, f"{track.base}/index.m3u8", path_prefix(token("/tracks/*"))
    assert admit(prefix + path) == path and admit("/healthz") == "/healthz"
    sent = [
        path,
        prefix + "/api/v1/tracks",
        path_prefix(token(seconds=-1)) + path,
        prefix + "/%74racks/x",
        "/%",
        "/t/x/",
    ]
    sent += [path_prefix(token(ip="127.0.0.1")) + path, f"/keys{track.base}"]
    assert [admit(each) for each in sent] == [None] * len(sent)


async def test_ready_answers_are_for_those_with_a_token(closed: Running, track: Published) -> None:
    """One answer for all tokens, sent from memory; and never to somebody without."""
    path = f"{track.package_base}/aac-64/0.mp4"

    def hits() -> float:
        closed.app[HOT].settle()
        return closed.app[METRICS].value(CACHE_REQUESTS, Tier.MEMORY, Cache.READY, "hit")

    answers = [await asked(closed, path_prefix(token("/recordings/*", seconds=60 + n)) + path) for n in range(4)]
    assert answers == [(200, track.segment_of("aac-64", 0))] * 4
    assert hits() >= 2
    before = hits()
    for bad in ("", path_prefix(token(seconds=-1)), path_prefix(token("/tracks/*")), "/t/junk"):
        assert await asked(closed, bad + path) == REFUSED
    assert hits() == before


async def test_one_spelling_for_each_url(origin: Running, track: Published) -> None:
    """A path with a percent sign is nothing here: else caches would keep copies, and checks could be led astray."""
    for path in (f"{track.base}/index%2Em3u8", f"/%74racks/{track.track_id}/index.m3u8", f"{track.base}%2Findex.m3u8"):
        assert await asked(origin, path) == (404, b'{"error": "object-not-found"}\n')
