"""One cache key, one body: what a cache leaves out of its key changes nothing.

The key is the path and, where the contract says `coded`, the coding. Whatever else a client sends (but ranges and
conditions, which caches know how to answer, and the token) must not matter, for any resource of the contract.
"""

import random
import string
import time
from urllib.parse import quote

import pytest

from origin.tokens import Grant, mint
from tests.integration.origin.conftest import Running
from tests.integration.origin.published import Published
from tests.integration.origin.test_contract import (
    CODINGS,
    IDS,
    OF_THE_MOMENT,
    RESOURCES,
    SIGNING,
    Row,
    locked,
    named,
    shelf,
    whole,
)

__all__ = ["locked", "shelf", "whole"]  # fixtures
pytestmark = pytest.mark.asyncio(loop_scope="module")

TRIES = 40
HEADERS = (
    "User-Agent", "Cookie", "Origin", "Referer", "Accept", "Accept-Language", "Accept-Charset", "Authorization", "DNT",
    "Save-Data", "Sec-Fetch-Mode", "Sec-CH-UA", "Sec-GPC", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
    "X-Forwarded-Prefix", "Forwarded", "Via", "Host", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override",
    "Cache-Control", "Pragma", "TE", "Priority", "Viewport-Width", "CMCD-Request", "CMCD-Session", "CMCD-Object",
    "X-Requested-With", "From", "Max-Forwards", "Date", "Want-Digest", "Prefer", "X-Request-Id", "CDN-Loop",
)  # fmt: skip
LIKELY = (
    "no-cache", "max-age=0", "no-store", "only-if-cached", "gzip", "https://a.example", "null", "de-AT, de;q=0.9",
    "hdnts=exp=1~acl=*~hmac=0", "session=1; theme=dark", "Basic YTpi", "1", "?1", "example.org:81", "/healthz", "POST",
    "trailers", "u=1, i", "application/json", "application/dash+xml", "*/*;q=0", "utf-16", "bl=100,su",
)  # fmt: skip
VISIBLE = string.ascii_letters + string.digits + string.punctuation + " "
KEPT = [row for row in RESOURCES if row["kept"] != "never"]


@pytest.mark.parametrize("row", KEPT, ids=lambda row: row["resource"])
async def test_nothing_outside_the_key_matters(whole: Running, track: Published, locked: Published, row: Row) -> None:
    """Any headers but those that Vary names, any query, any token in front: the same status, headers and bytes."""
    url = named(row["path"], track, locked)
    chance = random.Random(url)
    expected = await _asked(whole, url, {})
    free = [name for name in HEADERS if name not in expected[1].get("vary", "")]
    for _ in range(TRIES):
        asked = {name: _value(chance) for name in chance.sample(free, chance.randint(1, 6))}
        assert await _asked(whole, _queried(url, chance), asked) == expected, asked


@pytest.mark.parametrize("row", KEPT, ids=lambda row: row["resource"])
async def test_only_what_is_coded_varies(whole: Running, track: Published, locked: Published, row: Row) -> None:
    """Accept-Encoding gives at most one body for each coding; and one alone where no Vary tells of more."""
    url = named(row["path"], track, locked)
    found: dict[str | None, tuple[int, dict[str, str], bytes]] = {}
    for each in CODINGS:
        status, headers, body = await _asked(whole, url, {"Accept-Encoding": each["Accept-Encoding"]})
        answer = (status, headers, body)
        assert found.setdefault(headers.get("content-encoding"), answer) == answer
    assert len(found) == (3 if row["coded"] == "yes" else 1)
    assert len({headers["etag"] for _, headers, _ in found.values()}) == len(found)
    assert all(("vary" in headers) == (row["coded"] == "yes") for _, headers, _ in found.values())


async def test_every_kept_resource_is_tried() -> None:
    """The table is read: it has media, playlists, pictures, the list and the player."""
    paths = " ".join(row["path"].format(token="t", **IDS) for row in KEPT)
    assert all(part in paths for part in ("0.mp4", "aac-64.m3u8", "index.mpd", "art.jpg", "/api/", "640.jpg"))


async def _asked(whole: Running, url: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    async with whole.client.get(url, headers={"Accept-Encoding": "identity"} | headers) as response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        lasting = {name: value for name, value in headers.items() if name not in OF_THE_MOMENT}
        return response.status, lasting, await response.read()


def _queried(url: str, chance: random.Random) -> str:
    """The URL with what a cache leaves out of its key: a token in front, a query behind."""
    if chance.random() < 0.3:
        grant = Grant(acl=("/*",), expires_s=int(time.time()) + 60)
        url = f"/t/{quote(mint(grant, SIGNING), safe='')}{url}"
    if "/api/" in url or chance.random() < 0.3:
        return url
    return f"{url}?{quote(_value(chance))}={quote(_value(chance))}&CMCD={quote(_value(chance))}"


def _value(chance: random.Random) -> str:
    if chance.random() < 0.6:
        return chance.choice(LIKELY)
    return "".join(chance.choices(VISIBLE, k=chance.randint(1, 60))).strip() or "x"
