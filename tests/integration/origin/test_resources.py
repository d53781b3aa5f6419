"""Every resource of the origin: what it is, byte for byte, and how it is described."""

import gzip
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import product
from pathlib import Path

import aiohttp
import brotli
import m3u8
import pytest

from model.errors import UsageError
from model.package import Package
from model.records import from_json, to_json
from storage.keys import current_key, package_key, track_key
from tests.integration.origin.conftest import Running, Start
from tests.integration.origin.published import Published, publish, put
from tests.integration.origin.watched_store import WatchedStore

# RFC 9110 §15.4.5, and what tells a cache how long and under which keys.
OF_304 = ("ETag", "Cache-Control", "CDN-Cache-Control", "Vary", "Surrogate-Key", "Cache-Tag", "Edge-Cache-Tag")
NOT_OF_304 = (
    "Content-Type", "Content-Length", "Content-Encoding", "Content-Range", "Last-Modified", "Accept-Ranges",
    "Transfer-Encoding",
)  # fmt: skip
MPD = "{urn:mpeg:dash:schema:mpd:2011}"
pytestmark = pytest.mark.usefixtures("track")


async def test_a_client_reaches_every_byte_from_the_multivariant_playlist(origin: Running, track: Published) -> None:
    """index.m3u8 leads to each AAC rendition; its init section and segments are the track file's own bytes."""
    master = m3u8.loads(await _text(origin, f"{track.base}/index.m3u8"))
    assert {playlist.uri for playlist in master.playlists} == {
        f"../..{track.package_base}/aac-64.m3u8",
        f"../..{track.package_base}/aac-256.m3u8",
    }
    for variant in master.playlists:
        media = m3u8.loads(await _text(origin, variant.uri.removeprefix("../..")))
        assert media.is_endlist and media.segment_map[0].byterange is None
        rendition_id = variant.uri.rpartition("/")[2].removesuffix(".m3u8")
        uris = [media.segment_map[0].uri, *(segment.uri for segment in media.segments)]
        parts = [await _body(origin, f"{track.package_base}/{uri}") for uri in uris]
        whole = track.media[rendition_id]
        assert parts[0] + whole[len(parts[0]) : len(parts[0]) + 200] + b"".join(parts[1:]) == whole


async def test_opus_is_a_family_of_its_own(origin: Running, track: Published) -> None:
    """opus.m3u8 names Opus only."""
    master = m3u8.loads(await _text(origin, f"{track.base}/opus.m3u8"))
    assert [playlist.stream_info.codecs for playlist in master.playlists] == ["Opus"]


async def test_a_family_that_the_package_lacks_is_not_there(start: Start, store: WatchedStore) -> None:
    """404, and nothing of it in the MPD."""
    track = await publish(store, "lossy")
    lossy = replace(track.package, renditions=track.package.renditions[:2])
    await put(store, package_key(lossy.recording_id, lossy.package_id, "package.json"), to_json(lossy))
    async with start() as origin:
        for name in ("opus.m3u8", "lossless.m3u8"):
            async with origin.client.get(f"{track.base}/{name}") as response:
                assert response.status == 404
        assert [each for each, _ in await _representations(origin, track)] == ["aac-64", "aac-256"]


async def test_a_lossless_rendition_is_served_from_the_mezzanine(origin: Running, track: Published) -> None:
    """lossless.m3u8 leads to it and to AAC under it. Init section, segments and the whole file are the mezzanine's
    bytes, under the package's URLs: the mezzanine itself has none."""
    master = m3u8.loads(await _text(origin, f"{track.base}/lossless.m3u8"))
    assert [playlist.stream_info.codecs for playlist in master.playlists] == ["fLaC", "mp4a.40.2", "mp4a.40.2"]
    media = m3u8.loads(await _text(origin, f"{track.package_base}/flac.m3u8"))
    uris = [media.segment_map[0].uri, *(segment.uri for segment in media.segments)]
    assert {uri.partition("/")[0] for uri in uris} == {"flac"}
    parts = [await _body(origin, f"{track.package_base}/{uri}") for uri in uris]
    whole = track.media["flac"]
    assert parts[0] + whole[len(parts[0]) : len(parts[0]) + 200] + b"".join(parts[1:]) == whole
    assert await _body(origin, f"{track.package_base}/flac.mp4") == whole
    mezzanine_key = f"{track.recording_base}/mezzanine/{track.package.mezzanine_id}.mp4".removeprefix("/")
    assert {key for key in origin.store.reads if key.endswith(".mp4")} == {mezzanine_key}


async def test_a_dash_player_finds_every_file_and_its_index(origin: Running, track: Published) -> None:
    """The MPD of a live track leads to the track files of its package, the lossless one too, by ranges."""
    found = await _representations(origin, track)
    assert [each for each, _ in found] == ["aac-64", "aac-256", "opus-96", "flac"]
    for rendition_id, representation in found:
        url = representation.findtext(f"{MPD}BaseURL") or ""
        assert url == f"../..{track.package_base}/{rendition_id}.mp4"
        base = representation.find(f"{MPD}SegmentBase")
        assert base is not None and base.get("indexRange") == "800-999"
        async with origin.client.get(url.removeprefix("../.."), headers={"Range": "bytes=800-999"}) as response:
            assert (response.status, await response.read()) == (206, track.media[rendition_id][800:1000])


async def test_an_mpd_names_the_track(origin: Running, track: Published) -> None:
    """Its title, and its own media type."""
    async with origin.client.get(f"{track.base}/index.mpd", headers={"Accept-Encoding": "identity"}) as response:
        assert response.content_type == "application/dash+xml"
        assert b"<Title>Song one</Title>" in await response.read()


async def test_the_multivariant_playlist_names_the_track(start: Start, store: WatchedStore) -> None:
    """Title, artist and album of this track, not of another one of its recording; a new name makes a new tag."""
    single, album = await publish(store, "named", release="Single"), await publish(store, "named", release="Best of")
    async with start(pointer_ttl_s=0.0) as origin:
        for track, name in ((single, "Single"), (album, "Best of")):
            found = m3u8.loads(await _text(origin, f"{track.base}/index.m3u8")).session_data
            assert {each.data_id: each.value for each in found} == {
                "org.segue.title": "Song named", "org.segue.artist": "Somebody", "org.segue.album": name,
                "org.segue.art": f"../..{track.art_base}/640.jpg",
            }  # fmt: skip
        before = await _text(origin, f"{single.base}/index.m3u8")
        renamed = replace(single.track, tags=replace(single.track.tags, title="Renamed"))
        await put(store, track_key(single.track_id), to_json(renamed))
        assert await _text(origin, f"{single.base}/index.m3u8") == before.replace("Song named", "Renamed")


async def test_art_has_three_sizes_and_a_name_that_lasts(origin: Running, track: Published) -> None:
    """Each size by the track (briefly kept) and by its content (for ever): the same bytes under the same tag."""
    for side, data in track.art.items():
        assert await _body(origin, f"{track.art_base}/{side}.jpg") == data
        async with origin.client.get(f"{track.art_base}/{side}.jpg") as lasting:
            assert lasting.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert lasting.headers["Surrogate-Key"] == f"art-{track.track.art_id}"
        async with origin.client.get(f"{track.base}/art-{side}.jpg") as response:
            assert (response.content_type, await response.read()) == ("image/jpeg", data)
            assert "immutable" not in response.headers["Cache-Control"]
            assert f"track-{track.track_id}" in response.headers["Surrogate-Key"].split()
            assert response.headers["ETag"] == lasting.headers["ETag"]
    assert await _body(origin, f"{track.base}/art.jpg") == track.art[640]


async def test_what_is_private_is_not_there(origin: Running, track: Published, store: WatchedStore) -> None:
    """Mezzanine, analysis, the operator's file names and the stored playlists lie in the store, and are no URLs."""
    walked = [entry.key async for entry in store.walk("")]
    mezzanine = f"{track.recording_base}/mezzanine/{track.track.mezzanine.mezzanine_id}"
    private = [f"{mezzanine}.mp4", f"{mezzanine}.json", f"{track.recording_base}/analysis.json"]
    private += [f"{track.package_base}/{name}" for name in ("package.json", "index.m3u8", "lossless.m3u8", "index.mpd")]
    private += [f"{track.base}/{name}" for name in ("track.json", "current.json")]
    for path in private:
        assert path.removeprefix("/") in walked
        async with origin.client.get(path) as response:
            assert (response.status, response.headers["Cache-Control"]) == (404, "public, max-age=5"), path
    assert "#EXT-X-BYTERANGE" not in await _text(origin, f"{track.package_base}/aac-64.m3u8")


async def test_media_is_described_exactly(origin: Running, track: Published) -> None:
    """Type, length, a strong tag, a date, for ever; never chunked, coded or varying, no cookie."""
    for path in ("aac-64/init.mp4", "aac-64/0.mp4", "aac-64.mp4"):
        async with origin.client.get(f"{track.package_base}/{path}", headers={"Accept-Encoding": "gzip"}) as response:
            body, headers = await response.read(), response.headers
        assert response.status == 200
        assert headers["Content-Type"] == "audio/mp4"
        assert headers["Content-Length"] == str(len(body))
        assert headers["ETag"].startswith('"') and "Last-Modified" in headers and "Date" in headers
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert headers["Accept-Ranges"] == "bytes"
        package = track.package
        keys = f"recording-{package.recording_id} package-{package.package_id} rendition-aac-64"
        assert headers["Surrogate-Key"] == keys
        assert not {"Transfer-Encoding", "Content-Encoding", "Vary", "Set-Cookie"} & set(headers)


async def test_every_part_has_a_tag_of_its_own(origin: Running, track: Published) -> None:
    """No two byte ranges share a tag, and each is that of its bytes on every node."""
    tags = set()
    paths = ["aac-64.mp4", "aac-256.mp4", *(f"aac-64/{name}.mp4" for name in ("init", 0, 1, 2))]
    for path in paths:
        async with origin.client.head(f"{track.package_base}/{path}") as response:
            tags.add(response.headers["ETag"])
    assert len(tags) == len(paths)


async def test_two_nodes_agree_on_every_header(start: Start, store: WatchedStore, track: Published) -> None:
    """Two origins over one store differ in nothing but the date and the request id."""
    seen = []
    for _ in range(2):
        async with start() as node:
            answers = []
            for path in _one_of_each(track):
                async with node.client.get(path, headers={"Accept-Encoding": "gzip"}) as response:
                    answers.append((_lasting(response), await response.read()))
            seen.append(answers)
    assert seen[0] == seen[1]


async def test_head_is_get_without_a_body(origin: Running, track: Published) -> None:
    """The same headers, for every class of resource."""
    for path in (*_one_of_each(track), f"{track.package_base}/aac-64.mp4"):
        async with origin.client.get(path) as got, origin.client.head(path) as head:
            assert (head.status, await head.read()) == (200, b"")
            assert _lasting(got) == _lasting(head)


async def test_head_of_media_reads_none_of_it(origin: Running, track: Published) -> None:
    """What the package record says is enough to describe a segment."""
    async with origin.client.head(f"{track.package_base}/aac-64/3.mp4") as response:
        assert response.headers["Content-Length"] == str(len(track.segment_of("aac-64", 3)))
    assert [key for key in origin.store.reads if key.endswith(".mp4")] == []


@pytest.mark.parametrize("name", ["aac-64/3.mp4", "aac-64/init.mp4", "aac-64.mp4"])
@pytest.mark.parametrize("wanted", ["0-0", "10-99", "500-", "-7", "0-99999999"])
async def test_ranges_are_relative_to_the_resource(origin: Running, track: Published, name: str, wanted: str) -> None:
    """206 with the slice of that resource's own body."""
    whole = await _body(origin, f"{track.package_base}/{name}")
    first, last = wanted.split("-")
    expected = whole[-int(last) :] if not first else whole[int(first) : int(last) + 1 if last else None]
    async with origin.client.get(f"{track.package_base}/{name}", headers={"Range": f"bytes={wanted}"}) as response:
        assert (response.status, await response.read()) == (206, expected)
        assert response.headers["Content-Length"] == str(len(expected))
        assert response.headers["Content-Range"].endswith(f"/{len(whole)}")


async def test_a_range_past_the_end_tells_the_size(origin: Running, track: Published) -> None:
    """416 with the size of the resource that was asked for, which no cache keeps."""
    size = len(track.segment_of("aac-64", 0))
    asked = {"Range": f"bytes={size}-"}
    async with origin.client.get(f"{track.package_base}/aac-64/0.mp4", headers=asked) as response:
        assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{size}")
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.json() == {"error": "range-not-satisfiable"}


async def test_a_stale_if_range_gets_the_whole(origin: Running, track: Published) -> None:
    """And a fresh one its range."""
    url = f"{track.package_base}/aac-64/0.mp4"
    async with origin.client.head(url) as response:
        etag = response.headers["ETag"]
    for condition, status in ((etag, 206), ('"other"', 200)):
        async with origin.client.get(url, headers={"Range": "bytes=0-9", "If-Range": condition}) as response:
            assert response.status == status


async def test_repeated_range_lines_are_several_ranges(origin: Running, track: Published) -> None:
    """Two Range lines are one list of two, which gets the whole: nobody can smuggle a second range past a cache."""
    lines = [("Range", "bytes=0-1"), ("Range", "bytes=5-6")]
    async with origin.client.get(f"{track.package_base}/aac-64/0.mp4", headers=lines) as response:
        assert response.status == 200


async def test_a_known_tag_is_not_sent_again(origin: Running, track: Published) -> None:
    """304 for every class of resource, in every coding, with what RFC 9110 §15.4.5 asks of the 200 and what purges it:
    nothing that describes the body."""
    for path, accept in product(_one_of_each(track), ("identity", "gzip", "br")):
        async with origin.client.get(path, headers={"Accept-Encoding": accept}) as got:
            modified, kept = got.headers["Last-Modified"], {name: got.headers.getall(name, []) for name in OF_304}
        for asked in ({"If-None-Match": kept["ETag"][0]}, {"If-Modified-Since": modified}):
            async with origin.client.get(path, headers=asked | {"Accept-Encoding": accept}) as response:
                assert (response.status, await response.read()) == (304, b"")
                assert {name: response.headers.getall(name, []) for name in OF_304} == kept
                assert "Date" in response.headers
                assert not [name for name in NOT_OF_304 if name in response.headers]


async def test_playlists_and_json_are_coded_for_those_who_want_it(origin: Running, track: Published) -> None:
    """Each coding has its own tag, its own length, and says that it varies; a tag of another coding is no match."""
    of_track = (f"{track.base}/{name}" for name in ("index.m3u8", "index.mpd", "package.json"))
    for url in (*of_track, f"{track.package_base}/aac-64.m3u8"):
        async with origin.client.get(url, headers={"Accept-Encoding": "identity"}) as plain:
            body = await plain.read()
        tags = {plain.headers["ETag"]}
        for coding, decompress in (("gzip", gzip.decompress), ("br", brotli.decompress)):
            async with origin.client.get(url, headers={"Accept-Encoding": coding}) as packed:
                assert decompress(await packed.read()) == body
            assert (plain.headers.get("Content-Encoding"), packed.headers["Content-Encoding"]) == (None, coding)
            assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
            tags.add(packed.headers["ETag"])
            asked = {"Accept-Encoding": f"{coding};q=0", "If-None-Match": packed.headers["ETag"]}
            async with origin.client.get(url, headers=asked) as response:
                assert (response.status, await response.read()) == (200, body)
        assert len(tags) == 3


async def test_accept_encoding_may_come_in_several_lines(origin: Running, track: Published) -> None:
    """RFC 9110 §5.3: they are one list."""
    lines = [("Accept-Encoding", "deflate"), ("Accept-Encoding", "gzip;q=0.5")]
    async with origin.client.get(f"{track.base}/index.m3u8", headers=lines) as response:
        assert response.headers["Content-Encoding"] == "gzip"


async def test_the_live_package_is_the_one_the_pointer_names(start: Start, store: WatchedStore) -> None:
    """A new publish shows once the pointer's time is over; the old package's URLs still work."""
    async with start(pointer_ttl_s=0.0) as origin:
        old = await publish(store, "two", edition=1)
        assert await _live(origin, old) == old.package
        new = await publish(store, "two", edition=2)
        assert await _live(origin, new) == new.package
        assert await _body(origin, f"{new.base}/art.jpg") == new.art[640]
        assert await _body(origin, f"{old.package_base}/aac-64/0.mp4") == old.segment_of("aac-64", 0)


async def test_a_query_does_not_change_the_answer(origin: Running, track: Published) -> None:
    """One cache key, one body: CMCD and friends in the query are ignored."""
    assert await _body(origin, f"{track.package_base}/aac-64/0.mp4?CMCD=bl%3D1") == track.segment_of("aac-64", 0)


async def test_a_track_that_is_not_live_shows_nothing(origin: Running, store: WatchedStore) -> None:
    """What was ingested but not published has no playlist, no record and no cover."""
    track = await publish(store, "withdrawn")
    await store.delete(current_key(track.track_id))
    for name in ("index.m3u8", "index.mpd", "package.json", "art.jpg", "art-160.jpg"):
        async with origin.client.get(f"{track.base}/{name}") as response:
            assert (response.status, response.headers["Cache-Control"]) == (404, "public, max-age=5")


async def test_a_preflight_allows_what_players_send(origin: Running, track: Published) -> None:
    """OPTIONS: 204, methods, headers, a day, also where nothing is: the player shall see the 404 that follows."""
    for path in (f"{track.package_base}/aac-64/0.mp4", f"{track.base}/nothing.m3u8", "/no/such/thing"):
        async with origin.client.options(path, headers={"Origin": "https://a.example"}) as response:
            assert (response.status, await response.read()) == (204, b"")
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
            assert response.headers["Access-Control-Max-Age"] == "86400"
            assert set(response.headers["Access-Control-Allow-Headers"].split(", ")) >= {
                "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
                "CMCD-Object", "CMCD-Request", "CMCD-Session", "CMCD-Status", "X-Request-Id",
            }  # fmt: skip
            assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
        async with origin.client.get(path) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]


async def test_the_player_is_served_from_memory(start: Start, tmp_path: Path) -> None:
    """Its page, scripts and vendor folder by name; nothing else of the folder, and nothing after a file changed."""
    root = _player(tmp_path)
    async with start(player_root=root) as origin:
        (root / "index.html").write_text("changed")
        assert await _body(origin, "/") == await _body(origin, "/index.html") == b"<title>player</title>"
        assert await _body(origin, "/vendor/hls.min.js") == b"hls()"
        async with origin.client.get("/player.js") as response:
            assert response.content_type == "text/javascript"
            assert response.headers["Cache-Control"] == "public, max-age=60"
        for hidden in ("/__init__.py", "/.secret.js", "/link.js", "/vendor", "/vendor/", "/other/x.js", "/x.json"):
            async with origin.client.get(hidden) as response:
                assert response.status == 404, hidden


async def test_a_player_without_a_page_stops_the_start(start: Start, tmp_path: Path) -> None:
    """A wrong folder is told at once, not found out by a listener."""
    from_nowhere = start(player_root=tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"no index\.html"):
        async with from_nowhere:
            pass


def _player(tmp_path: Path) -> Path:
    root = tmp_path / "player"
    (root / "vendor").mkdir(parents=True)
    (root / "other").mkdir()
    files = {
        "index.html": "<title>player</title>",
        "player.js": "play()",
        "vendor/hls.min.js": "hls()",
        "other/x.js": "no",
        "x.json": "{}",
        "__init__.py": "",
        ".secret.js": "no",
    }
    for name, text in files.items():
        (root / name).write_text(text)
    (tmp_path / "outside.js").write_text("no")
    (root / "link.js").symlink_to(tmp_path / "outside.js")
    return root


def _lasting(response: aiohttp.ClientResponse) -> dict[str, str]:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return {
        name: value for name, value in headers.items() if name not in ("date", "x-request-id", "age", "cache-status")
    }


def _one_of_each(track: Published) -> tuple[str, ...]:
    """A URL of every class of resource that a track has."""
    of_track = (f"{track.base}/{name}" for name in ("index.m3u8", "index.mpd", "package.json", "art.jpg"))
    of_package = (f"{track.package_base}/{name}" for name in ("aac-64.m3u8", "aac-64/1.mp4"))
    return (*of_track, *of_package, f"{track.art_base}/160.jpg")


async def _body(origin: Running, path: str) -> bytes:
    async with origin.client.get(path) as response:
        assert response.status == 200, path
        return await response.read()


async def _text(origin: Running, path: str) -> str:
    async with origin.client.get(path, headers={"Accept-Encoding": "identity"}) as response:
        assert (response.status, response.content_type) == (200, "application/vnd.apple.mpegurl")
        return (await response.read()).decode()


async def _representations(origin: Running, track: Published) -> "list[tuple[str, ElementTree.Element[str]]]":
    """The representations of a track's MPD, in order, by their ids."""
    async with origin.client.get(f"{track.base}/index.mpd", headers={"Accept-Encoding": "identity"}) as response:
        root = ElementTree.fromstring(await response.read())
    return [(each.get("id", ""), each) for each in root.iter(f"{MPD}Representation")]


async def _live(origin: Running, track: Published) -> Package:
    async with origin.client.get(f"{track.base}/package.json", headers={"Accept-Encoding": "identity"}) as response:
        body = await response.read()
    return from_json(Package, body, subject="test")
