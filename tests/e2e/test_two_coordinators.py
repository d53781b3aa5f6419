"""Two coordinators of one batch, each with a ledger of its own: they share the work, and one that dies holds up nobody.

The first one's encoder hangs, so it is certain who works on what.
"""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.s3_server import S3Server
from storage.keys import CHANGES
from storage.open import open_store
from tests.e2e.test_batches import song
from tests.support.cluster import Cluster, HungEncoder, Process, cluster, until
from tests.support.command import objects, segue

ALBUM, SINGLES = 2, 1
PUBLISH = ("publish", "music", "--aac", "64", "--opus", "64", "--jobs", "1")


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `music`: an album, and songs of none."""
    folder = tmp_path_factory.mktemp("two")
    for number in range(ALBUM):
        path = folder / "music" / "a" / f"{number}.flac"
        song(path, seed=number, album="Album", artist="A", tracknumber=str(number + 1))
    for number in range(SINGLES):
        song(folder / "music" / "b" / f"{number}.flac", seed=10 + number)
    return folder


@pytest.fixture(scope="module")
def undisturbed(music: Path) -> Mapping[str, bytes]:
    """What one coordinator publishes."""
    ran = segue(*PUBLISH, "--store", "file:calm", "--catalog", "calm.sqlite3", cwd=music)
    assert ran.summary == {"done": ALBUM + SINGLES, "skipped": 0, "failed": 0}
    return objects(music / "calm")


@pytest.fixture
def machine(music: Path) -> Iterator[Cluster]:
    """Where commands are started; all are ended with it."""
    with cluster(music) as found:
        yield found


def statuses(process: Process) -> list[object]:
    """How the sources that are through ended."""
    return [line["status"] for line in process.lines if line["event"] == "track"]


def begin(machine: Cluster, store: str, **keys: Any) -> tuple[HungEncoder, Process, Process]:
    """Two coordinators: the first hangs in the album, the second is through with all else."""
    encoder = HungEncoder.made(machine.folder)
    scheme = store.partition(":")[0]
    words = [(*PUBLISH, "--store", store, "--catalog", f"{scheme}-{number}.sqlite3") for number in range(2)]
    first = machine.start(*words[0], SEGUE_FFMPEG=encoder.program, **keys)
    until(lambda: first.children("libopus"), what="an encode")
    second = machine.start(*words[1], **keys)
    until(lambda: len(statuses(second)) == SINGLES, what="the work of the second")
    assert statuses(first) == [] and statuses(second) == ["done"] * SINGLES
    return encoder, first, second


def test_what_one_was_killed_over_the_other_does(machine: Cluster, undisturbed: Mapping[str, bytes]) -> None:
    """In a folder. At once, for it can see that the other is gone."""
    _, first, second = begin(machine, "file:store")
    first.kill()
    assert second.process.wait(90) == 0
    assert statuses(second) == ["done"] * (ALBUM + SINGLES)
    assert objects(machine.folder / "store") == undisturbed


async def test_each_track_is_made_by_one_of_both(
    machine: Cluster, undisturbed: Mapping[str, bytes], s3_server: S3Server
) -> None:
    """In a bucket. What the other has made each finds done in the end."""
    url, keys = s3_server.url("two"), s3_server.writer
    secrets: Any = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
    encoder, first, second = await asyncio.to_thread(begin, machine, url, **secrets)
    encoder.let_go()
    assert [await asyncio.to_thread(each.process.wait, 90) for each in (first, second)] == [0, 0]
    assert statuses(first) == ["done"] * ALBUM + ["skipped"] * SINGLES
    assert statuses(second) == ["done"] * SINGLES + ["skipped"] * ALBUM
    store = open_store(url, s3_credentials=keys)
    every = [entry.key async for entry in store.walk("")]
    found = {key: (await store.read(key)).data for key in every if not key.startswith(CHANGES)}
    await store.close()
    assert found == undisturbed
