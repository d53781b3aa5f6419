"""Albums, playlists and stations as streams, on real sockets."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from pathlib import Path

import pytest
from aiohttp import ClientResponse

from manifests.parse import parse_media, parse_multivariant
from manifests.playlist import MediaPlaylist, MultivariantPlaylist
from model.errors import StorageUnavailable
from model.protection import Protection, ProtectionMethod
from origin.hot_path import HOT
from origin.joined import Programme, TrackList, list_id_of
from origin.joined_handlers import add_joined_routes
from origin.metrics_table import CACHE_REQUESTS, Cache, Tier
from origin.state import METRICS
from storage.keys import package_key
from tests.integration.origin.conftest import Running, Start
from tests.integration.origin.joined_shelf import ALBUM, STATION, Shelf, listener, shelve
from tests.integration.origin.joined_shelf import KEY as OWNERS_KEY
from tests.integration.origin.watched_store import WatchedStore
from tests.support.box_reader import read_boxes
from tests.support.framed import Framed, frames_in_segment, frames_of, run_of

RUN = run_of([130_001, 99_999, 150_000])
ALONE = run_of([100_000, 120_000], name="alone", alone=True)
FOREVER = "public, max-age=31536000, immutable"
PROTECTION = Protection(method=ProtectionMethod.AES_128, key_set="k" * 16, key_id="i" * 16)


def resolved(path: str, relative: str) -> str:
    """A relative URI as a player resolves it."""
    folder = path.rsplit("/", 1)[0].split("/")
    while relative.startswith("../"):
        folder, relative = folder[:-1], relative.removeprefix("../")
    return "/".join([*folder, relative])


async def ask(running: Running, path: str, method: str = "GET", **headers: str) -> tuple[ClientResponse, bytes]:
    """An answer and its body."""
    async with running.client.request(
        method, path, headers={"Accept-Encoding": "identity", **headers}, allow_redirects=False
    ) as response:
        return response, await response.read()


async def good(running: Running, path: str) -> bytes:
    """The body of a good answer."""
    response, body = await ask(running, path)
    assert response.status == 200, (path, body)
    return body


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as a player has it."""

    running: Running
    path: str
    multivariant: MultivariantPlaylist

    async def media(self, rendition_id: str) -> tuple[str, MediaPlaylist]:
        """The media playlist of a rung, and its path."""
        (uri,) = (each.uri for each in self.multivariant.variants if each.stable_variant_id == rendition_id)
        path = resolved(self.path, uri)
        return path, parse_media(await good(self.running, path))

    async def segments(self, rendition_id: str) -> list[bytes]:
        """All segments of a rung, in order."""
        path, playlist = await self.media(rendition_id)
        return [await good(self.running, resolved(path, each.uri)) for each in playlist.segments]


async def opened(running: Running, path: str) -> Stream:
    """A stream, opened."""
    return Stream(running, path, parse_multivariant(await good(running, path)))


@pytest.fixture
def lists() -> Shelf:
    """What the origin is told of lists; empty."""
    return Shelf()


@pytest.fixture
async def origin(start: Start, lists: Shelf) -> AsyncIterator[Running]:
    """An origin that joins."""
    async with start(lambda app: add_joined_routes(app, lists, listener), pointer_ttl_s=0.01) as running:
        yield running


async def album_of(store: WatchedStore, lists: Shelf, framed: Sequence[Framed], name: str = ALBUM) -> str:
    """Put an album on the shelf; its path."""
    lists.albums[name] = TrackList(title="Album", artist="Somebody", tracks=await shelve(store, framed))
    return f"/albums/{name}"


def continuous(segments: Sequence[bytes]) -> list[tuple[int, int]]:
    """Start and duration of each segment, as its boxes say them; each begins where the one before ended."""
    found = []
    for each in segments:
        moof, _ = read_boxes(each)
        default = moof.one("traf/tfhd")["duration"]
        ticks = sum(row.get("duration", default) for row in moof.one("traf/trun").rows)
        found.append((moof.one("traf/tfdt")["decode_time"], ticks))
    assert all(before[0] + before[1] == after[0] for before, after in pairwise(found))
    numbers = [read_boxes(each)[0].one("mfhd")["sequence"] for each in segments]
    assert all(before < after for before, after in pairwise(numbers))
    return found


@pytest.mark.parametrize(
    ("family", "rendition_id", "priming"),
    [("index", "aac-64", 1024), ("index", "aac-128", 1024), ("opus", "opus-64", 312), ("lossless", "flac", 0)],
)
async def test_an_album_is_the_encoding_that_it_was_cut_from(
    origin: Running, store: WatchedStore, lists: Shelf, family: str, rendition_id: str, priming: int
) -> None:
    """A run joined: every frame once, at its time, and as long as the music is."""
    listened = await opened(origin, f"{await album_of(store, lists, RUN)}/{family}.m3u8")
    segments = await listened.segments(rendition_id)
    times = continuous(segments)
    assert times[0][0] == 0
    assert sum(ticks for _, ticks in times) == priming + 380_000
    frames = [frame for each in segments for frame in frames_in_segment(each)]
    whole: list[bytes] = []
    for framed in RUN:
        rendition = framed.package.rendition(rendition_id)
        assert rendition is not None
        own = frames_of(framed.files[rendition_id], rendition)
        fresh = next((at for at in range(len(own)) if own[at] not in whole), len(own))
        whole += own if rendition_id == "flac" else own[fresh:]
    assert frames == whole
    path, playlist = await listened.media(rendition_id)
    assert playlist.init_map is not None
    (first, *_) = read_boxes(await good(origin, resolved(path, playlist.init_map.uri)))
    assert first.type == "ftyp"
    assert sum(each.duration_us for each in playlist.segments) == round((priming + 380_000) * 1e6 / 48_000)
    assert [each.texts[1] for each in playlist.date_ranges] == [("X-TITLE", f"Song {number}") for number in range(3)]


async def test_tracks_by_themselves_follow_each_other_whole(origin: Running, store: WatchedStore, lists: Shelf) -> None:
    """In a playlist, too: all frames of each, on one timeline, in one family; the ranges say where each begins."""
    tracks = await shelve(store, [*ALONE, RUN[1]])
    lists.playlists[ALBUM] = TrackList(title="Mine", tracks=tracks)
    listened = await opened(origin, f"/playlists/{ALBUM}/opus.m3u8")
    segments = await listened.segments("opus-64")
    continuous(segments)
    frames = [frame for each in segments for frame in frames_in_segment(each)]
    own = []
    for framed in (*ALONE, RUN[1]):
        rendition = framed.package.rendition("opus-64")
        assert rendition is not None
        own.append(frames_of(framed.files["opus-64"], rendition))
    assert frames == [*own[0], *own[1], *own[2][4:]]  # the last is a piece out of its run: four frames are not its own
    _, playlist = await listened.media("opus-64")
    starts = [each.start_ms - playlist.date_ranges[0].start_ms for each in playlist.date_ranges]
    assert starts == [0, len(own[0]) * 20, (len(own[0]) + len(own[1])) * 20]


async def test_lossless_has_aac_under_it(origin: Running, store: WatchedStore, lists: Shelf) -> None:
    """As a track by itself has; on the timeline of the lossless one, whatever was encoded apart."""
    lists.playlists[ALBUM] = TrackList(title="Mine", tracks=await shelve(store, [*ALONE, RUN[1], *ALONE]))
    listened = await opened(origin, f"/playlists/{ALBUM}/lossless.m3u8")
    names = [each.stable_variant_id for each in listened.multivariant.variants]
    assert names == ["flac", "flac-aac-128", "flac-aac-64"]
    assert [each.score for each in listened.multivariant.variants] == [3, 2, 1]
    rungs = [await listened.media(name) for name in names if name]
    assert {len(playlist.segments) for _, playlist in rungs} == {10}
    assert len({playlist.date_ranges for _, playlist in rungs}) == 1
    lossless, high, low = [continuous(await listened.segments(name)) for name in names if name]
    assert high == low
    assert all(abs(one[0] - other[0]) <= 3 * 1024 for one, other in zip(lossless, low, strict=True))
    path, playlist = rungs[1]
    assert playlist.init_map is not None and playlist.init_map.uri.endswith("/joined/init/aac-1024.mp4")
    await good(origin, resolved(path, playlist.init_map.uri))


async def test_a_mix_is_the_tracks_that_its_path_names(origin: Running, store: WatchedStore, lists: Shelf) -> None:
    """In that order, as far as they are there; a stream like any other, also under the name that it has for ever."""
    await album_of(store, lists, ALONE)
    first, second = (each.track_id for each in lists.albums[ALBUM].tracks)
    listened = await opened(origin, f"/mixes/{second}-{'n' * 20}-{first}/index.m3u8")
    path, playlist = await listened.media("aac-64")
    assert [dict(each.texts)["X-TRACK-ID"] for each in playlist.date_ranges] == [second, first]
    continuous(await listened.segments("aac-64"))
    media, _ = await ask(origin, path)
    assert media.headers["Cache-Control"] == FOREVER
    for name in ("n" * 20, "-".join([first] * 61), f"{first}-", f"{first}-x"):
        assert (await ask(origin, f"/mixes/{name}/index.m3u8"))[0].status == 404


async def test_answers_say_who_may_keep_them(origin: Running, store: WatchedStore, lists: Shelf) -> None:
    """The list as it is now: for moments. What is named by what it holds: for ever, with tags, types and ranges."""
    path = await album_of(store, lists, RUN)
    index, _ = await ask(origin, f"{path}/index.m3u8")
    assert index.headers["Cache-Control"].startswith("public, max-age=10,")
    assert index.headers["Surrogate-Key"] == f"album-{ALBUM}"
    media_path, playlist = await (await opened(origin, f"{path}/index.m3u8")).media("aac-64")
    media, _ = await ask(origin, media_path)
    assert media.headers["Cache-Control"] == FOREVER
    assert media.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    segment_path = resolved(media_path, playlist.segments[1].uri)
    segment, whole = await ask(origin, segment_path)
    assert segment.headers["Cache-Control"] == FOREVER
    assert segment.headers["Content-Type"] == "audio/mp4"
    assert segment.headers["CMSD-Static"] == "br=64,d=1749,ot=a,sf=h,st=v"
    assert f"package-{RUN[0].package.package_id}" in segment.headers["Surrogate-Key"].split()
    part, body = await ask(origin, segment_path, Range="bytes=5-9")
    assert (part.status, body) == (206, whole[5:10])
    same, _ = await ask(origin, segment_path, **{"If-None-Match": segment.headers["ETag"]})
    assert same.status == 304
    head, nothing = await ask(origin, segment_path, "HEAD")
    assert (head.headers["Content-Length"], nothing) == (str(len(whole)), b"")


KEPT = {
    "live": ("public, max-age=10, stale-while-revalidate=60, stale-if-error=86400",) * 2,
    "for ever": (FOREVER, "max-age=31536000, immutable"),
    "for 2 s": ("public, max-age=2", "max-age=2"),
    "never": ("private, no-store", "no-store"),
}


def documented() -> list[list[str]]:
    """The rows of the table of joined tracks in docs/http-contract.md, as cells without code marks."""
    lines = (Path(__file__).parents[3] / "docs/http-contract.md").read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("| joined |"))
    rows = takewhile(lambda line: line.startswith("|"), lines[at + 2 :])
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.parametrize("row", documented(), ids=lambda row: row[0])
async def test_the_contract_is_kept(
    origin: Running, store: WatchedStore, lists: Shelf, on_air: str, row: list[str]
) -> None:
    """Path, type, who may keep it how long, and the key by which a CDN forgets it; all with tags and ranges."""
    await album_of(store, lists, RUN)
    lists.playlists[ALBUM] = lists.private[ALBUM] = lists.albums[ALBUM]
    package = RUN[0].package
    ids = {
        "album_id": ALBUM, "playlist_id": ALBUM, "station_id": STATION, "list_id": list_id_of(lists.albums[ALBUM]),
        "recording_id": package.recording_id, "package_id": package.package_id,
        "track_id": lists.albums[ALBUM].tracks[0].track_id, "any_id": "a" * 20,
    }  # fmt: skip
    _, path, media_type, kept, purge_key = (cell.format(**ids) for cell in row)
    told = {"Authorization": f"Bearer {OWNERS_KEY}", "Segue-Tracks": ids["track_id"]} if "/my-" in path else {}
    response, _ = await ask(origin, path, **told)
    assert (response.status, response.headers["Content-Type"]) == (200, media_type)
    browser, cdn = KEPT[kept]
    assert response.headers["Cache-Control"] == browser
    assert response.headers["CDN-Cache-Control"] == (cdn.replace("public, max-age=10", "max-age=60"))
    assert (purge_key == "none") == ("Surrogate-Key" not in response.headers)
    assert purge_key == "none" or purge_key in response.headers["Surrogate-Key"].split()
    assert response.headers["ETag"].startswith('"')
    assert response.headers["Accept-Ranges"] == "bytes"


async def test_what_was_answered_is_ready_to_be_sent_again(origin: Running, store: WatchedStore, lists: Shelf) -> None:
    """A segment, an init section and a media playlist; the bytes are the same."""

    def sent_at_once() -> float:
        origin.app[HOT].settle()
        return origin.app[METRICS].value(CACHE_REQUESTS, Tier.MEMORY, Cache.READY, "hit")

    media_path, playlist = await (await opened(origin, f"{await album_of(store, lists, RUN)}/index.m3u8")).media(
        "aac-64"
    )
    assert playlist.init_map is not None
    for path in (media_path, *(resolved(media_path, each.uri) for each in (playlist.init_map, playlist.segments[2]))):
        bodies = {await good(origin, path) for _ in range(3)}
        before = sent_at_once()
        bodies.add(await good(origin, path))
        assert sent_at_once() == before + 1
        assert len(bodies) == 1
    assert origin.app[HOT].weight > 0


@pytest.mark.parametrize(
    "path",
    [
        "/joined/0/{r}/{p}/aac-64/0-46.mp4",  # the first segment has 45 frames, the file less than 400 beyond
        "/joined/1023/{r}/{p}/aac-64/0-45.mp4",
        "/joined/00/{r}/{p}/aac-64/0-45.mp4",
        "/joined/0-00/{r}/{p}/aac-64/0-45.mp4",
        "/joined/0-1024/{r}/{p}/aac-64/0-45.mp4",
        "/joined/0-0/{r}/{p}/flac/0-34.mp4",
        "/joined/0/{r}/{q}/aac-64/0-45.mp4",
        "/joined/0/{r}/{p}/aac-65/0-45.mp4",
        "/joined/0/{r}/{p}/aac-64/45-45.mp4",
        "/joined/0/{r}/{p}/aac-64/0-100000.mp4",
        "/joined/0/{r}/{p}/aac-64/9999-end.mp4",
        "/joined/0/{r}/{p}/aac-64/0-45/{r}/{p}/opus-64/0-45.mp4",
        "/joined/0/{r}/{p}/flac/0-34/{r}/{p}/flac/0-1.mp4",
        "/joined/0/{r}/{p}/aac-64/0-45.m4s",
        "/joined/init/aac-100000.mp4",
        "/joined/init/mp3-0.mp4",
        "/albums/none2none2none2none2/index.m3u8",
        "/albums/" + ALBUM + "/index.mpd",
        "/stations/nothing/index.m3u8",
    ],
)
async def test_urls_of_nonsense_are_refused(origin: Running, store: WatchedStore, lists: Shelf, path: str) -> None:
    """What no playlist of ours says: off the grid, unknown, out of bounds, mixed. But for the first, which is right."""
    await album_of(store, lists, RUN)
    package = RUN[0].package
    asked = path.format(r=package.recording_id, p=package.package_id, q="q" * 16)
    response, body = await ask(origin, asked)
    if asked.endswith("0-46.mp4"):
        assert response.status == 200
        return
    assert (response.status, body) in ((404, b'{"error": "not-found"}\n'), (404, b'{"error": "object-not-found"}\n'))
    assert response.headers["Cache-Control"] == "public, max-age=5"


async def test_a_list_that_changes_changes_no_stream_that_has_begun(
    origin: Running, store: WatchedStore, lists: Shelf
) -> None:
    """The media playlists of the list as it was stay; new listeners get the list as it is now."""
    path = await album_of(store, lists, RUN)
    before = await opened(origin, f"{path}/index.m3u8")
    await album_of(store, lists, RUN[:2])
    async with asyncio.timeout(20):
        while (after := await opened(origin, f"{path}/index.m3u8")).multivariant == before.multivariant:
            pass  # as a listener who asks again and again
    assert len((await before.media("aac-64"))[1].date_ranges) == 3
    assert len((await after.media("aac-128"))[1].date_ranges) == 2


async def test_a_list_that_nobody_remembers_is_played_as_it_is_now(
    origin: Running, store: WatchedStore, lists: Shelf
) -> None:
    """By the asking player alone: no cache keeps it under that name."""
    path = await album_of(store, lists, RUN)
    response, body = await ask(origin, f"{path}/qrstuvwxyz234567/aac-64.m3u8")
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    assert response.headers["CDN-Cache-Control"] == "no-store"
    assert body == await good(origin, (await (await opened(origin, f"{path}/index.m3u8")).media("aac-64"))[0])
    missing, _ = await ask(origin, f"{path}/qrstuvwxyz234567/mp3-64.m3u8")
    assert missing.status == 404


async def test_what_cannot_be_joined_is_left_out(origin: Running, store: WatchedStore, lists: Shelf) -> None:
    """A package of a key that is not here, and one that is gone; how many is told. Of a family that one of the others
    lacks there is no stream."""
    protected = replace(
        ALONE[0].package,
        package_id="protected2222222",
        renditions=tuple(replace(each, protection=PROTECTION) for each in ALONE[0].package.renditions),
    )
    no_opus = replace(ALONE[1].package, package_id="noopus2222222222", renditions=ALONE[1].package.renditions[:2])
    gone = replace(RUN[2].package, package_id="gone222222222222")
    framed = [Framed(package=each, files=ALONE[0].files) for each in (protected, no_opus, gone)]
    tracks = await shelve(store, [*framed, RUN[0]])
    await store.delete(package_key(gone.recording_id, gone.package_id, "package.json"))
    lists.playlists[ALBUM] = TrackList(title="Mine", tracks=tracks)
    listened = await opened(origin, f"/playlists/{ALBUM}/index.m3u8")
    _, playlist = await listened.media("aac-64")
    assert [dict(each.texts)["X-TITLE"] for each in playlist.date_ranges] == ["Song 1", "Song 3"]
    told = {each.data_id: each.value for each in listened.multivariant.session_data}
    assert (told["org.segue.title"], told["org.segue.left-out"]) == ("Mine", "2")
    for family in ("opus", "lossless"):
        assert (await ask(origin, f"/playlists/{ALBUM}/{family}.m3u8"))[0].status == 404
    lists.playlists["p" * 20] = TrackList(title="Mine", tracks=tracks[:1])
    assert (await ask(origin, f"/playlists/{'p' * 20}/index.m3u8"))[0].status == 404
    recording_id, package_id = protected.recording_id, protected.package_id
    assert (await ask(origin, f"/joined/0/{recording_id}/{package_id}/aac-64/0-45.mp4"))[0].status == 404


async def test_a_long_list_costs_one_gathering_and_has_an_end(start: Start, store: WatchedStore, lists: Shelf) -> None:
    """Each package is read once for all who ask at the same time; what comes after the limit is left out."""
    path = await album_of(store, lists, RUN)
    lists.albums[ALBUM] = replace(lists.albums[ALBUM], tracks=lists.albums[ALBUM].tracks * 400)
    store.reads.clear()
    async with start(lambda app: add_joined_routes(app, lists), joined_tracks_max=50) as running:
        streams = await asyncio.gather(*(opened(running, f"{path}/index.m3u8") for _ in range(20)))
        _, playlist = await streams[0].media("aac-64")
    assert len(playlist.date_ranges) == 50
    records = [count for key, count in store.reads.items() if key.endswith("package.json")]
    assert records == [1, 1, 1]
    async with start(lambda app: add_joined_routes(app, lists), joined_seconds_max=9) as running:
        _, playlist = await (await opened(running, f"{path}/index.m3u8")).media("aac-64")
    assert len(playlist.date_ranges) == 3


async def test_a_store_that_fails_is_said_so(start: Start, store: WatchedStore, lists: Shelf) -> None:
    """Not as if there were nothing; and the next who asks finds it well."""
    path = await album_of(store, lists, RUN)
    async with start(lambda app: add_joined_routes(app, lists)) as running:
        store.error = StorageUnavailable("down")
        response, _ = await ask(running, f"{path}/index.m3u8")
        assert (response.status, response.headers["Cache-Control"]) == (503, "no-store")
        store.error = None
        await opened(running, f"{path}/index.m3u8")


async def test_a_damaged_track_file_is_no_good_answer(start: Start, store: WatchedStore, lists: Shelf) -> None:
    """Frames are cut only out of what the package says the file is."""
    package = replace(RUN[0].package, package_id="damaged222222222")
    files = {name: bytes(len(data)) for name, data in RUN[0].files.items()}
    await shelve(store, [Framed(package=package, files=files)])
    async with start(lambda app: add_joined_routes(app, lists)) as running:
        response, _ = await ask(running, f"/joined/0/{package.recording_id}/{package.package_id}/aac-64/0-45.mp4")
    assert response.status == 502 or response.status == 500
    assert response.headers["Cache-Control"] == "no-store"


@pytest.fixture
async def on_air(store: WatchedStore, lists: Shelf) -> str:
    """A station that loops over a run and two tracks by themselves; its path."""
    lists.stations[STATION] = Programme(title="On air", tracks=await shelve(store, [*RUN, *ALONE]), loops=True)
    return f"/stations/{STATION}"


async def test_media_of_joined_tracks_has_no_secrets(origin: Running, store: WatchedStore, lists: Shelf) -> None:
    """Playlists name ids, titles and covers; nothing of the store or of sources."""
    path = await album_of(store, lists, RUN)
    media_path, _ = await (await opened(origin, f"{path}/index.m3u8")).media("aac-64")
    text = (await good(origin, media_path)).decode()
    assert not re.search(r"secret|mezzanine|package\.json|file:", text)
