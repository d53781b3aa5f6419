"""Playlists over HTTP: a listener keeps them, shares them, loses no update; as files they come in and go out."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from catalog.listener_database import ListenerDatabase
from catalog.listeners import Listeners
from catalog.playlists import Playlists
from catalog.store import Catalog
from discovery.playlists.formats import read_playlist
from discovery.playlists.library import Library
from discovery.playlists.listening import KeptListening
from discovery.web import DiscoverySettings, add_routes
from storage.filesystem import FilesystemStore
from tests.integration.origin.conftest import Running, Start
from tests.integration.origin.published import Published, publish
from tests.integration.origin.watched_store import WatchedStore

ALL = "/api/v1/playlists"
NAMES = ("One", "Two", "Three")


@pytest.fixture
def files(tmp_path: Any) -> FilesystemStore:
    """A store with this test's tracks alone."""
    return FilesystemStore(tmp_path / "store")


@pytest.fixture
async def tracks(store: WatchedStore) -> list[Published]:
    """Three live tracks."""
    return [await publish(store, name, segments=1) for name in NAMES]


class Client:
    """A listener, or nobody, who asks."""

    def __init__(self, origin: Running, key: str, listener_id: str) -> None:
        self.listener_id = listener_id
        self._origin = origin
        self._sent = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})

    async def ask(
        self, method: str, path: str, body: Any = None, *, status: int = 200, **headers: str
    ) -> tuple[Any, Mapping[str, str]]:
        """The answer, JSON read, and its headers; the status is as expected."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()} | self._sent
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self._origin.client.request(method, path, data=data, headers=sent) as response:
            read = await response.read()
            assert response.status == status, (response.status, read)
            is_json = response.content_type == "application/json" and "Content-Disposition" not in response.headers
            return (json.loads(read) if is_json and read else read), response.headers.copy()

    async def titles(self, playlist_id: str) -> list[str]:
        """Of the entries, in their order."""
        answer, _ = await self.ask("GET", f"{ALL}/{playlist_id}/tracks")
        return [entry["title"] for entry in answer["entries"]]


Clients = Callable[[], Any]


@pytest.fixture
def clients(
    start: Start, store: WatchedStore, catalog: Catalog, listeners: ListenerDatabase, tracks: list[Published]
) -> Clients:
    """Start an origin: Ann, Bob, and one without a key."""
    accounts = Listeners(listeners)
    known = [accounts.add(name) for name in ("ann", "bob")]
    playlists = Library(catalog=catalog, playlists=Playlists(listeners), listening=KeptListening(listeners))
    settings = DiscoverySettings(sync_interval_s=0.05)

    @asynccontextmanager
    async def starting() -> AsyncIterator[tuple[Client, Client, Client]]:
        async with start(
            lambda app: add_routes(
                app, catalog=catalog, listeners=listeners, store=store, settings=settings, playlists=playlists
            )
        ) as origin:
            ann, bob = (Client(origin, key, listener.listener_id) for listener, key in known)
            yield ann, bob, Client(origin, "", "")

    return starting


async def test_a_playlist_is_kept_and_put_in_order(clients: Clients, tracks: list[Published]) -> None:
    """Each step answers the next version, as entity tag too, for nobody else's cache."""
    one, two, three = (track.track_id for track in tracks)
    async with clients() as (ann, _, _):
        made, headers = await ann.ask("POST", ALL, {"name": "Mine", "track_ids": [one, two]}, status=201)
        assert (made["name"], made["entries"], made["version"]) == ("Mine", 2, 1)
        assert (made["own"], made["public"], made["by_rules"]) == (True, False, False)
        assert headers["ETag"] == '"1"' and headers["Cache-Control"] == "private, no-store"
        path = f"{ALL}/{made['playlist_id']}"
        added, headers = await ann.ask("POST", f"{path}/tracks", {"track_ids": [three], "before": 1}, status=201)
        assert added == {"version": 2, "entry_ids": [3]} and headers["ETag"] == '"2"'
        await ann.ask("PATCH", f"{path}/tracks/2", {"before": 3})
        assert await ann.titles(made["playlist_id"]) == ["Song Two", "Song Three", "Song One"]
        page, _ = await ann.ask("GET", f"{path}/tracks?offset=1&limit=1")
        assert (page["total"], page["version"], len(page["entries"])) == (3, 3, 1)
        assert page["entries"][0]["track"]["playlists"]["aac"] == f"/tracks/{three}/index.m3u8"
        await ann.ask("DELETE", f"{path}/tracks/3")
        await ann.ask("PATCH", path, {"name": "Yours", "public": True})
        await ann.ask("PUT", path, {"name": "Whole", "comment": "c", "track_ids": [three]})
        read, _ = await ann.ask("GET", path)
        assert (read["name"], read["comment"], read["public"], read["entries"]) == ("Whole", "c", False, 1)
        listed, _ = await ann.ask("GET", f"{ALL}?limit=1")
        assert listed == {"playlists": [read], "total": 1}
        await ann.ask("DELETE", path, status=204)
        await ann.ask("GET", path, status=404)


async def test_a_lost_update_is_refused(clients: Clients) -> None:
    """412 for whoever names an older version, whatever they want to do; what is named rightly is done."""
    async with clients() as (ann, _, _):
        made, headers = await ann.ask("POST", ALL, {"name": "Mine"}, status=201)
        path, first = f"{ALL}/{made['playlist_id']}", headers["ETag"]
        _, headers = await ann.ask("PATCH", path, {"name": "Second"}, If_Match=first)
        for method, where, body in (
            ("PATCH", path, {"name": "Third"}),
            ("PUT", path, {"name": "Third"}),
            ("POST", f"{path}/tracks", {"track_ids": []}),
            ("DELETE", path, None),
        ):
            for tag in (first, "nonsense", '"x"', 'W/"2"', '""'):
                refused, _ = await ann.ask(method, where, body, status=412, If_Match=tag)
                assert refused["error"] == "playlist-changed"
        assert (await ann.ask("GET", path))[0]["name"] == "Second"
        await ann.ask("PATCH", path, {"name": "Third"}, If_Match=headers["ETag"])
        await ann.ask("DELETE", path, status=204, If_Match="*")


async def test_a_private_playlist_is_nobody_elses(clients: Clients, tracks: list[Published]) -> None:
    """404 as if it were not there, until another is invited, or all are."""
    async with clients() as (ann, bob, nobody):
        made, _ = await ann.ask("POST", ALL, {"name": "Mine", "track_ids": [tracks[0].track_id]}, status=201)
        path = f"{ALL}/{made['playlist_id']}"
        for other in (bob, nobody):
            for where in (path, f"{path}/tracks", f"{path}/export.xspf"):
                refused, _ = await other.ask("GET", where, status=404)
                assert refused["error"] == "playlist-unknown"
        await bob.ask("PUT", f"{path}/followed", status=404)
        await bob.ask("PATCH", f"{path}/readers", {"invite": [bob.listener_id]}, status=404)
        await ann.ask("PATCH", f"{path}/readers", {"invite": ["a" * 20]}, status=422)
        await ann.ask("PATCH", f"{path}/readers", {"invite": [bob.listener_id]}, status=204)
        assert await bob.titles(made["playlist_id"]) == ["Song One"]
        listed, _ = await bob.ask("GET", ALL)
        assert [(each["name"], each["own"]) for each in listed["playlists"]] == [("Mine", False)]
        await bob.ask("PATCH", path, {"name": "Bob's"}, status=404)
        await ann.ask("PATCH", f"{path}/readers", {"remove": [bob.listener_id]}, status=204)
        await bob.ask("GET", path, status=404)
        await ann.ask("PATCH", path, {"public": True})
        read, headers = await nobody.ask("GET", path)
        assert not read["own"] and "private" not in headers["Cache-Control"] and "Authorization" in headers["Vary"]
        await bob.ask("PUT", f"{path}/followed", status=204)
        assert (await bob.ask("GET", ALL))[0]["total"] == 1
        await bob.ask("DELETE", f"{path}/followed", status=204)
        assert (await bob.ask("GET", ALL))[0]["total"] == 0


async def test_who_is_nobody_keeps_nothing(clients: Clients) -> None:
    """401 for lists and changes."""
    async with clients() as (_, _, nobody):
        await nobody.ask("GET", ALL, status=401)
        await nobody.ask("POST", ALL, {"name": "x"}, status=401)


async def test_rules_choose(clients: Clients) -> None:
    """The owner sees the rules, others what they choose; what is wrong with them is named."""
    async with clients() as (ann, _, nobody):
        rules = {"all": [{"contains": {"title": "t"}}], "sort": "-title"}
        made, _ = await ann.ask("POST", ALL, {"name": "T", "public": True, "rules": rules}, status=201)
        path = f"{ALL}/{made['playlist_id']}"
        assert made["by_rules"] and made["rules"] == rules
        assert await nobody.titles(made["playlist_id"]) == ["Song Two", "Song Three"]
        assert (await nobody.ask("GET", path))[0]["rules"] is None
        await ann.ask("PATCH", path, {"rules": {"any": [{"is": {"title": "song one"}}]}})
        assert await ann.titles(made["playlist_id"]) == ["Song One"]
        refused, _ = await ann.ask("PATCH", path, {"rules": {"all": [{"is": {"colour": 1}}]}}, status=422)
        assert refused["error"] == "rule-invalid" and "colour" in refused["where"]
        await ann.ask("POST", f"{path}/tracks", {"track_ids": []}, status=422)


@pytest.mark.parametrize("form", ["m3u8", "xspf", "jspf"])
async def test_files_go_out_and_come_in(clients: Clients, tracks: list[Published], form: str) -> None:
    """The same tracks in the same order for another listener; what is not found is told and kept."""
    async with clients() as (ann, bob, _):
        track_ids = [track.track_id for track in tracks]
        made, _ = await ann.ask("POST", ALL, {"name": "Müne", "track_ids": [*track_ids, track_ids[0]]}, status=201)
        file, headers = await ann.ask("GET", f"{ALL}/{made['playlist_id']}/export.{form}")
        assert f'filename="{made["playlist_id"]}.{form}"' in headers["Content-Disposition"]
        assert len(read_playlist(file, form).entries) == 4
        taken, _ = await bob.ask(
            "POST", f"{ALL}/import", file, status=201, Content_Type=headers["Content-Type"].partition(";")[0]
        )
        assert taken["missing"] == [] and taken["playlist"]["name"] == "Müne"
        assert await bob.titles(taken["playlist"]["playlist_id"]) == ["Song One", "Song Two", "Song Three", "Song One"]


async def test_a_file_from_elsewhere_finds_tracks_by_name(clients: Clients) -> None:
    """With a slip of a finger, through the search index; a strange one is told, with its place."""
    file = b"#EXTM3U\n#EXTINF:-1,Somebody - Song Two\na.mp3\n#EXTINF:-1,Nobody - Nothing\nb.mp3\n"
    async with clients() as (ann, _, _):
        taken, _ = await ann.ask("POST", f"{ALL}/import?name=Found", file, status=201, Content_Type="audio/x-mpegurl")
        assert taken["playlist"]["name"] == "Found" and taken["playlist"]["entries"] == 2
        assert taken["missing"] == [{"entry": 2, "title": "Nothing", "artist": "Nobody", "uri": "b.mp3"}]
        answer, _ = await ann.ask("GET", f"{ALL}/{taken['playlist']['playlist_id']}/tracks")
        assert [(each["title"], each["track"] is None) for each in answer["entries"]] == [
            ("Song Two", False), ("Nothing", True),
        ]  # fmt: skip


async def test_rule_files_come_in_as_json(clients: Clients) -> None:
    """As Navidrome has them, with comments."""
    async with clients() as (ann, _, _):
        file = b'{"name": "N", // as it is\n "all": [{"is": {"title": "song two"}}]}'
        taken, _ = await ann.ask("POST", f"{ALL}/import", file, status=201)
        assert taken["playlist"]["by_rules"]
        assert await ann.titles(taken["playlist"]["playlist_id"]) == ["Song Two"]


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("application/xspf+xml", b'<!DOCTYPE p [<!ENTITY a "b">]><playlist>&a;</playlist>', "playlist-file-invalid"),
        ("application/json", b"{", "playlist-file-invalid"),
        ("application/json", b'{"all": [{"is": {"colour": 1}}]}', "rule-invalid"),
        ("audio/x-mpegurl", b"#EXTM3U\n#EXT-X-ENDLIST\n", "playlist-file-invalid"),
    ],
)
async def test_what_is_no_playlist_is_refused(clients: Clients, kind: str, data: bytes, code: str) -> None:
    """422, with what is wrong."""
    async with clients() as (ann, _, _):
        refused, _ = await ann.ask("POST", f"{ALL}/import", data, status=422, Content_Type=kind)
        assert refused["error"] == code


async def test_a_long_playlist_is_kept(clients: Clients, tracks: list[Published]) -> None:
    """Ten thousand entries in one request, and one of them moved; one more is refused."""
    async with clients() as (ann, _, _):
        track_ids = [track.track_id for track in tracks] * 3334
        made, _ = await ann.ask("POST", ALL, {"name": "Long", "track_ids": track_ids[:10_000]}, status=201)
        path = f"{ALL}/{made['playlist_id']}/tracks"
        await ann.ask("PATCH", f"{path}/10000", {"before": 1})
        page, _ = await ann.ask("GET", f"{path}?limit=2")
        assert page["total"] == 10_000 and [each["entry_id"] for each in page["entries"]] == [10_000, 1]
        refused, _ = await ann.ask("POST", path, {"track_ids": track_ids[:1]}, status=422)
        assert refused["error"] == "playlist-refused"
