"""`--engine dask` and sources in a bucket: other places to work and to read from, the same bytes in the store."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from PIL import Image

from model.track import ART_SIDES
from scripts.s3_server import S3Server, running_server
from storage.keys import CHANGES
from tests.e2e.test_batches import song
from tests.support.cluster import AWAY_S, HungEncoder, cluster, until
from tests.support.command import SHORT_LADDER, Ran, objects, segue
from tests.support.faulty_proxy import faulty_proxy

STORE = ("--store", "file:store", "--catalog", "catalog.sqlite3")
LADDER = SHORT_LADDER[:-2]
FOLDER = "Sigur Rós – live, & more"


def music(folder: Path) -> None:
    """Two songs of an album, and one that has nothing but its name; named as people name them."""
    for number in (1, 2):
        path = folder / "music" / FOLDER / f"0{number} Ágætis.flac"
        song(path, seed=number, title=f"Song {number}", album="Album", artist="A", tracknumber=str(number))
    song(folder / "music" / "Some Artist - A Song.flac", seed=3)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A service whose bucket holds the music below `music`, and what is none."""
    folder = tmp_path_factory.mktemp("masters")
    music(folder)
    with running_server() as server:
        client = server.client()
        for path in sorted((folder / "music").rglob("*.flac")):
            client.fput_object(server.bucket, f"music/{path.relative_to(folder / 'music')}", str(path))
        client.fput_object(server.bucket, "music/notes.txt", __file__)
        yield server


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the same music in a folder gives."""
    folder = tmp_path_factory.mktemp("published")
    music(folder)
    done = segue("publish", "music", *STORE, *LADDER, cwd=folder)
    assert done.summary == {"done": 3, "skipped": 0, "failed": 0}, done.stderr
    return objects(folder / "store")


def keys_of(server: S3Server) -> dict[str, str]:
    """What an operator exports where sources are read."""
    keys = server.writer
    return {"SEGUE_SOURCE_ACCESS_KEY": keys.access_key, "SEGUE_SOURCE_SECRET_KEY": keys.secret_key}


def from_bucket(server: S3Server, cwd: Path, *arguments: str) -> Ran:
    """Publish what is in the bucket."""
    return segue("publish", server.url("music"), *STORE, *LADDER, *arguments, cwd=cwd, **keys_of(server))


def test_sources_in_a_bucket_give_the_same_bytes_and_are_read_once(
    bucket: S3Server, published: dict[str, bytes], tmp_path: Path
) -> None:
    """As from a folder; a second run reads no source, for their entity tags are what they were."""
    done = from_bucket(bucket, tmp_path)
    assert done.summary == {"done": 3, "skipped": 0, "failed": 0}, done.stderr
    assert objects(tmp_path / "store") == published
    again = from_bucket(bucket, tmp_path, "--scratch", "/proc")  # where nothing can be copied to
    assert again.summary == {"done": 0, "skipped": 3, "failed": 0}, again.stderr
    assert objects(tmp_path / "store") == published


def test_a_cover_beside_an_object_is_its_cover_until_it_is_replaced(bucket: S3Server, tmp_path: Path) -> None:
    """As beside a file; what has a folder of its own does not get it. Nothing else is read again."""
    client, places = bucket.client(), {"one": "covers/Album/CD2/1.flac", "two": "covers/2.flac"}
    for number, key in enumerate(places.values()):
        client.fput_object(bucket.bucket, key, str(song(tmp_path / "song.flac", seed=30 + number, title=f"T{number}")))

    def covers(colour: str) -> dict[str, str]:
        image, where = tmp_path / "Folder.PNG", bucket.url("covers")
        Image.new("RGB", (300, 300), colour).save(image)
        client.fput_object(bucket.bucket, "covers/Album/Folder.PNG", str(image))
        done = segue("publish", where, *STORE, *LADDER, cwd=tmp_path, **keys_of(bucket))
        assert done.summary["failed"] == 0, done.stderr
        told = {name: done.outcomes[Path(key).name] for name, key in places.items()}
        tracks = {name: json.loads(_track(tmp_path, each["track_id"])) for name, each in told.items()}
        shown = Image.open(tmp_path / "store" / "art" / tracks["one"]["art_id"] / f"{min(ART_SIDES)}.jpg")
        red, _, blue = cast("tuple[int, int, int]", shown.convert("RGB").getpixel((9, 9)))
        assert (red > blue) is (colour == "red")
        return {name: track["art_id"] for name, track in tracks.items()}

    red, blue = covers("red"), covers("blue")
    assert red["one"] != blue["one"] and red["two"] == blue["two"]
    again = segue(
        "publish", bucket.url("covers"), *STORE, *LADDER, "--scratch", "/proc", cwd=tmp_path, **keys_of(bucket)
    )
    assert again.summary == {"done": 0, "skipped": 2, "failed": 0}, again.stderr


def _track(folder: Path, track_id: str) -> bytes:
    return (folder / "store" / "tracks" / track_id / "track.json").read_bytes()


def test_an_object_that_was_replaced_is_taken_anew(bucket: S3Server, tmp_path: Path) -> None:
    """Its entity tag tells; the other sources are left alone."""
    client = bucket.client()
    path = song(tmp_path / "song.flac", seed=20, title="Other")
    client.fput_object(bucket.bucket, "changing/1.flac", str(path))
    client.fput_object(bucket.bucket, "changing/2.flac", str(song(tmp_path / "two.flac", seed=21, title="Two")))

    def publish() -> Ran:
        where = bucket.url("changing")
        return segue("publish", where, *STORE, *LADDER, cwd=tmp_path, **keys_of(bucket))

    assert publish().summary == {"done": 2, "skipped": 0, "failed": 0}
    client.fput_object(bucket.bucket, "changing/1.flac", str(song(tmp_path / "new.flac", seed=22, title="New")))
    second = publish()
    assert second.summary == {"done": 1, "skipped": 1, "failed": 0}, second.stderr
    assert second.outcomes["1.flac"]["title"] == "New"


def test_dask_works_from_bucket_to_bucket_and_gives_the_same_bytes(
    bucket: S3Server, published: dict[str, bytes], tmp_path: Path
) -> None:
    """Workers need the URLs and their keys; commands end as with --engine local, and tell the same."""
    store = ("--store", bucket.url("out"), "--catalog", "catalog.sqlite3")
    keys = bucket.writer
    environ = {**keys_of(bucket), "SEGUE_S3_ACCESS_KEY": keys.access_key, "SEGUE_S3_SECRET_KEY": keys.secret_key}
    with cluster(tmp_path, **environ) as machines:
        machines.scheduler()
        worker = machines.worker(slots=2)

        def run(*words: str) -> Ran:
            return segue(*words, *store, *machines.engine, cwd=tmp_path, **environ)

        done = run("publish", bucket.url("music"), *LADDER)
        assert done.summary == {"done": 3, "skipped": 0, "failed": 0}, done.stderr
        assert stored(bucket, "out/") == published
        again = run("publish", bucket.url("music"), *LADDER)
        assert again.summary == {"done": 0, "skipped": 3, "failed": 0}, again.stderr
        tracks = run("package", "--aac", "96", "--opus", "")
        assert tracks.summary == {"done": 3, "skipped": 0, "failed": 0}, tracks.stderr
        assert worker.stop() == 0


def test_dask_encrypts_and_names_as_one_machine_does(tmp_path: Path) -> None:
    """With `--protect` and `--sidecar`: keys from the key store at its path, titles from where the batch is planned."""
    song(tmp_path / "music" / "Some Artist - A Song.flac", seed=3)
    rows = [{"path": "Some Artist - A Song.flac", "title": "Another Title"}]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    protect = ("--protect", "aes-128", "--key-store", "file:keys", "--key-rotation", "2")
    words = ("publish", "music", "--sidecar", "rows.json", *protect, *LADDER)
    alone = segue(*words, "--store", "file:alone", "--catalog", "alone.sqlite3", cwd=tmp_path)
    assert alone.summary == {"done": 1, "skipped": 0, "failed": 0}, alone.stderr
    with cluster(tmp_path) as machines:
        machines.scheduler()
        machines.worker()
        done = segue(*words, *STORE, *machines.engine, cwd=tmp_path)
        assert done.summary == {"done": 1, "skipped": 0, "failed": 0}, done.stderr
    assert done.outcomes["Some Artist - A Song.flac"]["title"] == "Another Title"
    assert objects(tmp_path / "store") == objects(tmp_path / "alone")
    records = [json.loads(path.read_bytes()) for path in tmp_path.glob("store/recordings/*/*/package.json")]
    assert [bool(each["protection"]) for record in records for each in record["renditions"]] == [True] * 3


async def test_an_s3_store_goes_away_under_dask_and_comes_back(
    bucket: S3Server, published: dict[str, bytes], tmp_path: Path
) -> None:
    """What was under way fails with its reason, and the next run makes it: the bytes are those of a calm run."""
    music(tmp_path)
    keys, encoder = bucket.writer, HungEncoder.made(tmp_path)
    environ = {"SEGUE_S3_ACCESS_KEY": keys.access_key, "SEGUE_S3_SECRET_KEY": keys.secret_key}
    async with faulty_proxy(bucket.endpoint) as proxy:
        away = replace(bucket, endpoint=proxy.endpoint)
        words = ("publish", "music", "--store", away.url("away"), "--catalog", "catalog.sqlite3", *LADDER)
        with cluster(tmp_path, **environ) as machines:
            await asyncio.to_thread(machines.scheduler)
            worker = await asyncio.to_thread(lambda: machines.worker(slots=2, SEGUE_FFMPEG=encoder.program))
            batch = machines.start(*words, *machines.engine)
            await asyncio.to_thread(lambda: until(lambda: worker.children("libopus"), what="an encode"))
            await proxy.refuse()
            back_s = time.monotonic() + AWAY_S
            encoder.let_go()
            assert await asyncio.to_thread(batch.process.wait, 90) == 1
            failed = [line for line in batch.lines if line["event"] == "track" and line["status"] == "failed"]
            assert failed and {line["code"] for line in failed} == {"storage-unavailable"}
            await asyncio.sleep(back_s - time.monotonic())
            await proxy.accept()
            again = await asyncio.to_thread(lambda: segue(*words, *machines.engine, cwd=tmp_path, **environ))
            assert again.status == 0, again.stderr
    assert stored(bucket, "away/") == published


def stored(server: S3Server, prefix: str) -> dict[str, bytes]:
    """All objects below a prefix, but for what is told of changes."""
    client, found = server.client(), {}
    for entry in client.list_objects(server.bucket, prefix=prefix, recursive=True):
        assert entry.object_name
        with closing(client.get_object(server.bucket, entry.object_name)) as answer:
            found[entry.object_name.removeprefix(prefix)] = answer.read()
    return {key: body for key, body in found.items() if not key.startswith(CHANGES)}


def test_without_credentials_or_music_the_command_says_so(bucket: S3Server, tmp_path: Path) -> None:
    """Exit status 2 and a hint; nothing was made."""
    nothing = segue("publish", bucket.url("no/such"), *STORE, cwd=tmp_path, **keys_of(bucket))
    anonymous = segue("publish", bucket.url("music"), *STORE, cwd=tmp_path)
    assert [nothing.status, anonymous.status] == [2, 2]
    assert "SEGUE_SOURCE_ACCESS_KEY" in json.dumps(anonymous.lines)
    assert not (tmp_path / "store").exists()
