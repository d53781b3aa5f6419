"""Who may hear albums and playlists as streams: private ones, protected tracks in them, and tokens."""

import asyncio
import io
import time
from dataclasses import replace

from catalog.listener_database import ListenerDatabase
from catalog.listeners import Listeners
from discovery.frame import Frame
from discovery.rates import KEY_FAILURES, RATES, Rates
from manifests.parse import parse_media
from origin.joined import Programme, TrackList, list_id_of
from origin.joined_handlers import add_joined_routes
from origin.settings import Auth
from origin.tokens import Grant, TokenKey, mint, path_prefix
from packager.protect import protected
from protection.cipher import decrypt
from protection.keys import KeyRing, MasterKey
from tests.integration.origin.conftest import Running, Start
from tests.integration.origin.joined_shelf import ALBUM, STATION, Shelf, shelve
from tests.integration.origin.joined_shelf import KEY as OWNERS_KEY
from tests.integration.origin.test_joined import (
    ALONE,
    FOREVER,
    RUN,
    album_of,
    ask,
    continuous,
    good,
    lists,
    opened,
    origin,
    resolved,
)
from tests.integration.origin.watched_store import WatchedStore
from tests.support.framed import Framed

__all__ = ["lists", "origin"]  # fixtures

KEY = TokenKey(secret=b"signing key of tokens", key_id="b")
MASTER = MasterKey(bytes(range(32)))


async def test_a_private_playlist_is_a_stream_for_its_listeners_alone(
    origin: Running, store: WatchedStore, lists: Shelf
) -> None:
    """Both playlists need the key each time, nothing of them or their errors is kept, and who may not hear it is told
    that it is not there; media are those of everybody."""
    lists.private[ALBUM] = TrackList(title="Mine", tracks=await shelve(store, RUN))
    path, owner = f"/my-playlists/{ALBUM}", {"Authorization": f"Bearer {OWNERS_KEY}"}
    rung = f"{path}/{list_id_of(lists.private[ALBUM])}/aac-64.m3u8"
    for _ in range(2):  # what was answered once is not ready for those who come after
        for asked in (f"{path}/index.m3u8", f"{path}/opus.m3u8", rung, f"{path}/qrstuvwxyz234567/aac-64.m3u8"):
            for headers, status in ((owner, 200), ({}, 401), ({"Authorization": "Bearer sk_other"}, 404)):
                response, _ = await ask(origin, asked, **headers)
                assert response.status == status
                assert "no-store" in response.headers["Cache-Control"]
                assert response.headers["CDN-Cache-Control"] == "no-store"
    _, body = await ask(origin, rung, **owner)
    for segment in parse_media(body).segments:
        assert await good(origin, resolved(rung, segment.uri))
    assert (await ask(origin, f"/playlists/{ALBUM}/index.m3u8", **owner))[0].status == 404
    preflight, _ = await ask(origin, f"{path}/index.m3u8", "OPTIONS")
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]


async def test_a_mix_of_ones_own_is_named_in_a_header(origin: Running, store: WatchedStore, lists: Shelf) -> None:
    """The stream that the path of a mix gives, for the asking player alone; under one path another mix is another."""
    await album_of(store, lists, ALONE)
    ids = [each.track_id for each in lists.albums[ALBUM].tracks]
    path = f"/my-mixes/{'a' * 20}/index.m3u8"
    for mix in ("-".join(ids), "-".join(reversed(ids)), ids[0]):
        public, private = (
            await good(origin, f"/mixes/{mix}/index.m3u8"),
            await ask(origin, path, **{"Segue-Tracks": mix}),
        )
        assert private[1] == public
        rung = next(line for line in public.decode().splitlines() if line.endswith("aac-64.m3u8"))
        media, body = await ask(origin, resolved(path, rung), **{"Segue-Tracks": mix})
        assert body == await good(origin, resolved(f"/mixes/{mix}/index.m3u8", rung))
        assert media.headers["Cache-Control"] == "private, no-store"
    for wrong in ("", "x", "-".join(ids[:1] * 61), f"{ids[0]}-"):
        refused, _ = await ask(origin, path, **{"Segue-Tracks": wrong})
        assert refused.status == 404 and "no-store" in refused.headers["Cache-Control"]
    preflight, _ = await ask(origin, path, "OPTIONS")
    assert "Segue-Tracks" in preflight.headers["Access-Control-Allow-Headers"]


async def test_who_tries_keys_for_private_playlists_is_slowed_down(
    start: Start, lists: Shelf, listeners: ListenerDatabase
) -> None:
    """As at the API, with which these count together: after some wrong keys even a right one has to wait."""
    _, key = await asyncio.to_thread(Listeners(listeners).add)
    frame = Frame(Listeners(listeners), Rates(0.05))
    burst = int(0.05 * RATES[KEY_FAILURES].burst)
    path = f"/my-playlists/{ALBUM}/index.m3u8"
    async with start(lambda app: add_joined_routes(app, lists, frame.listener)) as running:
        right, wrong = {"Authorization": f"Bearer {key}"}, {"Authorization": "Bearer sk_wrong"}
        assert (await ask(running, path, **right))[0].status == 404
        assert [(await ask(running, path, **wrong))[0].status for _ in range(burst)] == [401] * burst
        refused, _ = await ask(running, path, **right)
        assert refused.status == 429 and int(refused.headers["Retry-After"]) > 1
        assert "no-store" in refused.headers["Cache-Control"]


async def test_a_private_playlist_that_is_taken_back_plays_no_more(
    origin: Running, store: WatchedStore, lists: Shelf
) -> None:
    """Who was invited and is not any more gets no playlist under any name that was good."""
    lists.private[ALBUM] = before = TrackList(title="Mine", tracks=await shelve(store, RUN))
    path, owner = f"/my-playlists/{ALBUM}/{list_id_of(before)}/aac-64.m3u8", {"Authorization": f"Bearer {OWNERS_KEY}"}
    _, begun = await ask(origin, path, **owner)
    lists.private[ALBUM] = TrackList(title="Mine", tracks=before.tracks[:2])
    assert (await ask(origin, path, **owner))[1] == begun  # a stream that somebody has begun goes on as it was
    del lists.private[ALBUM]
    assert (await ask(origin, path, **owner))[0].status == 404


def locked(framed: Framed) -> Framed:
    """The same package protected, under another id, with a key for each segment."""
    files, renditions = {}, []
    for rendition in framed.package.renditions:
        name, target = rendition.rendition.rendition_id, io.BytesIO()
        source = io.BytesIO(framed.files[name])
        renditions.append(protected(rendition, source, target, master=MASTER, rotation_segments=1))
        files[name] = target.getvalue()
    package = replace(framed.package, package_id="locked2222222222", renditions=tuple(renditions))
    return Framed(package=package, files=files)


async def test_a_protected_track_is_joined_under_its_own_keys(start: Start, store: WatchedStore, lists: Shelf) -> None:
    """Who has them gets what a stream of the same tracks in the clear is; of the others nobody needs a key. Segments
    that would need two keys, or mix what has one with what has none, are not there."""
    clear = [RUN[0], ALONE[0], RUN[1]]
    shut = locked(ALONE[0])
    path = await album_of(store, lists, clear)
    lists.playlists[ALBUM] = TrackList(title="Mine", tracks=await shelve(store, [RUN[0], shut, RUN[1]]))
    front = path_prefix(mint(Grant(acl=("/keys/*",), expires_s=int(time.time()) + 60), KEY))
    ring = KeyRing((MASTER,))
    async with start(lambda app: add_joined_routes(app, lists), keys=ring, token_keys=(KEY,)) as running:
        wanted = await (await opened(running, f"{path}/index.m3u8")).segments("aac-64")
        listened = await opened(running, f"/playlists/{ALBUM}/index.m3u8")
        assert "org.segue.left-out" not in [each.data_id for each in listened.multivariant.session_data]
        media_path, playlist = await listened.media("aac-64")
        got, names = [], set()
        for segment in playlist.segments:
            data = await good(running, resolved(media_path, segment.uri))
            if segment.key is not None:
                key_path = resolved(media_path, segment.key.uri)
                assert (await ask(running, key_path))[0].status == 403
                names.add(key_path)
                assert segment.key.iv is not None
                data = decrypt(data, await good(running, front + key_path), segment.key.iv)
            got.append(data)
        package = shut.package
        named = f"{package.recording_id}/{package.package_id}/aac-64"
        refused = (f"0/{named}/40-50", f"0/{named}/0-10/{named}/10-20")
        assert [(await ask(running, f"/joined/{each}.mp4"))[0].status for each in refused] == [404, 404]
    assert got == wanted
    keyed = [segment.key is not None for segment in playlist.segments]
    assert keyed.count(True) == len(names) == 2 and keyed.index(True) > 0 and not keyed[-1]
    lists.stations[STATION] = Programme(title="On air", tracks=lists.playlists[ALBUM].tracks, loops=True)
    async with start(lambda app: add_joined_routes(app, lists), keys=ring) as running:
        _, window = await (await opened(running, f"/stations/{STATION}/index.m3u8")).media("aac-64")
        assert not any(package.package_id in each.uri for each in window.segments)


async def test_tokens_ride_along(start: Start, store: WatchedStore, lists: Shelf) -> None:
    """Relative URIs inherit what stands in front; without it nobody gets anything."""
    path = await album_of(store, lists, RUN)
    front = path_prefix(mint(Grant(acl=("/*",), expires_s=int(time.time()) + 60), KEY))
    async with start(lambda app: add_joined_routes(app, lists), auth=Auth.TOKEN, token_keys=(KEY,)) as running:
        assert (await ask(running, f"{path}/index.m3u8"))[0].status == 403
        listened = await opened(running, f"{front}{path}/index.m3u8")
        media_path, playlist = await listened.media("aac-64")
        assert media_path.startswith(front)
        continuous(await listened.segments("aac-64"))
        segment = resolved(media_path, playlist.segments[0].uri)
        assert (await ask(running, segment))[0].headers["Cache-Control"] == FOREVER.replace("public", "private")
        assert (await ask(running, segment.removeprefix(front)))[0].status == 403
