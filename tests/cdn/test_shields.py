"""A real CDN tier before the origin: nginx and Varnish, with the files that operators get, keep what the contract lets
them keep, and nothing else. What reaches the origin is counted by the origin."""

import asyncio
import gzip
import json
import random
import time
from collections import Counter
from math import ceil

import brotli

from origin.tokens import Grant, TokenKey, mint, path_prefix
from storage.keys import package_key
from tests.cdn.conftest import Shielded
from tests.cdn.served import TOKEN_KEY
from tests.integration.origin.published import Published, put

MIB = 1024 * 1024
ACCEPTED = {
    "br": ("br", "gzip, deflate, br, zstd", "br;q=0.9", "BR , gzip;q=0.2", "gzip;q=0, br"),
    "gzip": ("gzip", "deflate, gzip", "x-gzip", "gzip;q=0.8, br;q=0", "br;q=0.0, gzip"),
    "": ("identity", "deflate", "br;q=0, gzip;q=0", "brx, gzippy"),
}


async def test_each_url_reaches_the_origin_once(shielded: Shielded) -> None:
    """400 requests as players send them (any token, cookie, query, coding, range): the origin answers one for each URL
    and coding, so the hit ratio is what arithmetic says."""
    track = await shielded.publish()
    chance = random.Random(20)
    wanted = _urls(track)
    keys = set()
    hits = 0
    for _ in range(400):
        path = chance.choice(list(wanted))
        coding = chance.choice(list(ACCEPTED))
        asked = {"Accept_Encoding": chance.choice(ACCEPTED[coding]), "Cookie": f"session={chance.random()}"}
        keys.add((path, coding if path.endswith(".m3u8") else ""))
        answer = await shielded.get(_dressed(path, chance), User_Agent=f"player {chance.random()}", **asked)
        assert answer.status == 200 and "Set-Cookie" not in answer.headers
        assert answer.headers.get("Content-Encoding", "") == (coding if path.endswith(".m3u8") else "")
        assert path.endswith(".m3u8") or answer.body == wanted[path]
        hits += answer.hit
    asked_for = await shielded.asked()
    del asked_for["reads"]
    assert asked_for.total() == len(keys) == 400 - hits
    assert set(asked_for) == {"media 2xx", "playlist 2xx", "picture 2xx"}


async def test_many_at_once_are_one(shielded: Shielded) -> None:
    """500 listeners ask for the same cold segment before the origin has answered any: one request there, one storage
    read."""
    track = await shielded.publish()
    await shielded.get(f"{track.package_base}/aac-256.m3u8")  # what a player has read before its first segment
    await shielded.asked()
    path = f"{track.package_base}/aac-256/4.mp4"
    with shielded.origin.paused():
        asking = [asyncio.create_task(shielded.get(path)) for _ in range(500)]
        await asyncio.sleep(2)  # until all have been sent
    answers = await asyncio.gather(*asking)
    expected = track.segment_of("aac-256", 4)
    assert all(answer.status == 200 and answer.body == expected for answer in answers)
    assert await shielded.asked() == {"media 2xx": 1, "reads": 1}


async def test_a_playlist_is_revalidated_when_its_life_is_over(shielded: Shielded) -> None:
    """The first to ask then gets the old one at once, the origin is asked in the background whether it is still good,
    and answers 304: no body is sent twice."""
    track = await shielded.publish()
    path = f"{track.base}/index.m3u8"
    first = await shielded.get(path, Accept_Encoding="gzip")
    assert (await shielded.asked())["multivariant 2xx"] == 1
    await shielded.end_life(track)
    stale = await shielded.get(path, Accept_Encoding="gzip")
    assert (stale.status, stale.body, stale.headers["ETag"]) == (200, first.body, first.headers["ETag"])
    assert stale.hit
    seen = await _until_asked(shielded, "multivariant 3xx")
    assert seen["multivariant 2xx"] == 0
    again = await shielded.get(path, Accept_Encoding="gzip")
    assert (again.status, again.body, again.hit) == (200, first.body, True)
    assert (again.headers["Content-Encoding"], again.headers["Cache-Control"]) == (
        "gzip",
        first.headers["Cache-Control"],
    )
    assert not await shielded.asked()


async def test_what_is_kept_outlives_the_origin(shielded: Shielded) -> None:
    """Origin killed: media from the cache, playlists stale, and for what is not kept a 503 that nobody keeps. Once
    it is back, it is asked again."""
    track = await shielded.publish()
    playlist, segment = f"{track.base}/index.m3u8", f"{track.package_base}/aac-64/0.mp4"
    unseen = f"{track.package_base}/aac-64/1.mp4"
    known = await shielded.get(playlist)
    await shielded.get(segment)
    await shielded.end_life(track)
    shielded.origin.kill()
    try:
        for _ in range(3):
            stale = await shielded.get(playlist)
            assert (stale.status, stale.body, stale.hit) == (200, known.body, True)
        assert (await shielded.get(segment)).body == track.segment_of("aac-64", 0)
        failed = await shielded.get(unseen)
        assert (failed.status, failed.headers["Cache-Control"], failed.headers["Retry-After"]) == (503, "no-store", "2")
        assert failed.headers["Access-Control-Allow-Origin"] == "*"
    finally:
        await shielded.restarted()
    assert (await shielded.get(unseen)).body == track.segment_of("aac-64", 1)
    assert (await shielded.get(playlist)).status == 200


async def test_ranges_come_from_what_is_kept(shielded: Shielded) -> None:
    """A range of a segment that nobody has asked for fetches the whole; each other range is cut from that."""
    track = await shielded.publish()
    path, whole = f"{track.package_base}/aac-256/5.mp4", track.segment_of("aac-256", 5)
    for text, part in (("0-99", whole[:100]), ("100-", whole[100:]), ("-100", whole[-100:])):
        answer = await shielded.get(path, Range=f"bytes={text}")
        assert (answer.status, answer.body) == (206, part)
        assert answer.headers["Content-Range"].endswith(f"/{len(whole)}")
    past = await shielded.get(path, Range=f"bytes={len(whole)}-")
    assert (past.status, past.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    assert (await shielded.get(path)).body == whole
    assert (await shielded.asked())["media 2xx"] == 1


async def test_ranges_of_a_track_file_are_fetched_once(shielded: Shielded) -> None:
    """As a DASH player reads it, from front to back, twice: nginx asks for each slice once, Varnish for the whole."""
    track = await shielded.publish()
    path, whole = f"{track.package_base}/flac.mp4", track.media["flac"]
    assert len(whole) > 3 * MIB
    for _ in range(2):
        for at in range(0, len(whole), 300_000):
            answer = await shielded.get(path, Range=f"bytes={at}-{at + 299_999}")
            assert (answer.status, answer.body) == (206, whole[at : at + 300_000])
    assert (await shielded.asked())["media 2xx"] == (ceil(len(whole) / MIB) if shielded.kind == "nginx" else 1)
    assert (await shielded.get(path)).body == whole


async def test_codings_are_kept_apart(shielded: Shielded) -> None:
    """Each client gets the coding that it takes, with that coding's tag, whoever came before it; a known tag is
    answered by the shield itself."""
    track = await shielded.publish()
    path = f"{track.package_base}/aac-64.m3u8"
    decoded = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}
    tags, bodies = set(), set()
    for _ in range(2):
        for coding, accepted in ACCEPTED.items():
            for text in accepted:
                answer = await shielded.get(path, Accept_Encoding=text)
                assert answer.headers.get("Content-Encoding", "") == coding
                assert answer.headers["Vary"] == "Accept-Encoding"
                assert answer.headers["ETag"].startswith('"')  # strong still
                tags.add(answer.headers["ETag"])
                bodies.add(decoded[coding](answer.body))
                known = await shielded.get(path, Accept_Encoding=text, If_None_Match=answer.headers["ETag"])
                assert (known.status, known.body) == (304, b"")
    assert (len(tags), len(bodies)) == (3, 1)
    assert (await shielded.asked())["playlist 2xx"] == 3


async def test_not_found_is_kept_for_seconds(shielded: Shielded) -> None:
    """A storm of requests for what is not there ends at the shield, and a publish shows soon after."""
    track = await shielded.publish()
    await shielded.asked()
    path, started_s = f"{track.package_base}/aac-64/900.mp4", time.monotonic()
    assert {(await shielded.get(path)).status for _ in range(20)} == {404}
    reached = (await shielded.asked())["media 4xx"]
    assert 1 <= reached <= 1 + (time.monotonic() - started_s) // 4  # an answer is kept for five seconds
    async with asyncio.timeout(60):
        while not (await shielded.asked())["media 4xx"]:
            assert (await shielded.get(path)).status == 404
            await asyncio.sleep(0.5)


async def test_a_failure_is_never_kept(shielded: Shielded) -> None:
    """A damaged record is asked for each time, and is served as soon as it is mended."""
    track = await shielded.publish()
    key = package_key(track.package.recording_id, track.package.package_id, "package.json")
    good = (await shielded.store.read(key)).data
    path = f"{track.package_base}/aac-64.m3u8"
    await put(shielded.store, key, b"{}")
    for _ in range(3):
        failed = await shielded.get(path)
        assert failed.status >= 500 and failed.headers["Cache-Control"] == "no-store"
    assert (await shielded.asked())["playlist 5xx"] == 3
    await put(shielded.store, key, good)
    assert (await shielded.get(path)).status == 200


async def test_head_is_answered_from_get(shielded: Shielded) -> None:
    """The headers of GET, no body; whichever comes first, the origin sends the body once."""
    track = await shielded.publish()
    for index, methods in enumerate((("GET", "HEAD"), ("HEAD", "GET"))):
        path = f"{track.package_base}/aac-64/{index}.mp4"
        answers = {method: await shielded.get(path, method=method) for method in methods}
        described = ("Content-Length", "ETag", "Last-Modified", "Content-Type", "Accept-Ranges", "Surrogate-Key")
        head, got = ([answers[method].headers[name] for name in described] for method in ("HEAD", "GET"))
        assert head == got
        assert (answers["HEAD"].body, answers["GET"].body) == (b"", track.segment_of("aac-64", index))
        assert answers[methods[1]].hit
    assert (await shielded.asked())["media 2xx"] == 2


async def test_a_bad_token_spoils_nothing(shielded: Shielded) -> None:
    """Its 403 goes to the one who sent it and is kept for nobody."""
    track = await shielded.publish()
    path = f"{track.package_base}/aac-64/2.mp4"
    for _ in range(2):
        refused = await shielded.get(f"/t/exp=1~acl=*~hmac={'0' * 64}{path}")
        assert (refused.status, refused.headers["Cache-Control"]) == (403, "no-store")
    assert (await shielded.get(path)).body == track.segment_of("aac-64", 2)
    seen = await shielded.asked()
    assert (seen["media 4xx"], seen["media 2xx"]) == (2, 1)


async def test_what_must_not_be_kept_passes(shielded: Shielded) -> None:
    """Health, and what differs by more than a path, come from the origin each time, and say so."""
    mix = f"/my-mixes/{'a' * 20}/index.m3u8"
    for path in ("/healthz", "/readyz", "/rest/ping?c=one", "/rest/ping?c=two", mix, mix.replace("mixes", "playlists")):
        answer = await shielded.get(path)
        assert answer.headers.getall("Cache-Status")[-1].endswith("shield; fwd=bypass")


async def test_the_figures_are_not_for_the_world(shielded: Shielded) -> None:
    """Prometheus asks the origin; through the shield there are none, under a token neither."""
    for path in ("/metrics", "/metrics?x", _dressed("/metrics", random.Random(1))):
        answer = await shielded.get(path)
        assert answer.status == 404 and b"segue_" not in answer.body


async def test_a_listener_is_answered_by_the_origin(shielded: Shielded) -> None:
    """Each by its own key, never with what is kept; nor is what a listener got kept for others. Writing passes."""
    await shielded.publish()
    kept = "no-store"
    async with asyncio.timeout(60):
        while "no-store" in kept:  # it has just started
            await asyncio.sleep(0.1)
            kept = (await shielded.get("/api/v1/tracks")).headers["Cache-Control"]
    for _ in range(2):
        made = json.loads((await shielded.get("/api/v1/listeners", method="POST")).body)
        for _ in range(2):
            mine = await shielded.get("/api/v1/listeners/me", Authorization=f"Bearer {made['key']}")
            assert json.loads(mine.body)["listener_id"] == made["listener_id"] and not mine.hit
        assert (await shielded.get("/api/v1/listeners/me")).status == 401
    assert not (await shielded.get("/api/v1/tracks?limit=7", Authorization=f"Bearer {made['key']}")).hit
    assert not (await shielded.get("/api/v1/tracks?limit=7")).hit
    assert (await shielded.get("/api/v1/tracks?limit=7")).hit
    assert not (await shielded.get("/api/v1/tracks?limit=7", Authorization=f"Bearer {made['key']}")).hit


async def test_age_is_told(shielded: Shielded) -> None:
    """Varnish counts how old an answer is; nginx does not, and docs/operations/nginx.conf says so."""
    track = await shielded.publish()
    path = f"{track.package_base}/aac-64/3.mp4"
    began_s = time.monotonic()
    first = await shielded.get(path)
    await asyncio.sleep(2.1)
    kept = await shielded.get(path)
    assert (first.hit, kept.hit) == (False, True)
    if shielded.kind == "varnish":
        assert 2 <= int(kept.headers["Age"]) <= time.monotonic() - began_s + 1
    else:
        assert kept.headers.get("Age") == first.headers.get("Age")  # what the origin said, if it did


def _urls(track: Published) -> dict[str, bytes]:
    """What may be kept for ever of a track, and its bytes (playlists: none)."""
    found = {}
    for rendition_id in ("aac-64", "aac-256", "opus-96"):
        found[f"{track.package_base}/{rendition_id}.m3u8"] = b""
        for index in range(8):
            found[f"{track.package_base}/{rendition_id}/{index}.mp4"] = track.segment_of(rendition_id, index)
    return found | {f"{track.art_base}/{side}.jpg": data for side, data in track.art.items()}


def _dressed(path: str, chance: random.Random) -> str:
    """The path with what a listener has around it: a token of his own before it, a query behind it."""
    if chance.random() < 0.5:
        grant = Grant(acl=("/*",), expires_s=int(time.time()) + 60 + chance.randrange(1000))
        path = path_prefix(mint(grant, TokenKey(secret=bytes.fromhex(TOKEN_KEY)))) + path
    return path if chance.random() < 0.5 else f"{path}?CMCD=bl%3D{chance.randrange(1000)}"


async def _until_asked(shielded: Shielded, what: str) -> Counter[str]:
    """All that reached the origin until this did."""
    seen: Counter[str] = Counter()
    async with asyncio.timeout(60):
        while not seen[what]:
            seen += await shielded.asked()
            await asyncio.sleep(0.02)
    return seen
