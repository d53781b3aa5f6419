"""What a batch costs whoever plans it: a finished one run again, and the walk over a store that has grown.

    python -m benchmarks.bench_scale [--tracks N] [--folder FOLDER] [--file FILE] > scale.json
    make bench-scale                  # 100,000 tracks, in memory if /dev/shm is there

`again`: `segue publish` over N sources that are all published already, each with tags of its own; they share one sound,
so that a store of N tracks can be laid out without N encodes: sources, `track.json`, `current.json` and ledger are
written as a first run would leave them, and the run that is measured has to find that every one of them is done, or the
benchmark fails. `looked into again` is the same where nothing is settled (`segue/settled.py`), up to 2,000 tracks. CPU
is that of the command and the children that read tags.
`walk`: the store's listing of all tracks, and the catalog brought up to it, when nothing changed.
"""

import argparse
import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg

from benchmarks.findings import Findings
from catalog.ledger import CoverRow, Ledger, Outline, SourceRow, SourceStamp
from catalog.store import Catalog
from discovery.sync import sync
from ingest.hear import ART
from ingest.release import group_of, release_of
from ingest.scan import printable
from model.events import Status, TrackOutcome, Unobserved
from model.package import Current
from model.records import from_json, to_json
from model.track import TRACK_ID_LENGTH, Track, TrackTags, derived_id, track_id_of
from scripts.s3_server import S3Server, running_server
from segue.config import load
from segue.plan import Plan
from segue.settled import Settlement
from segue.wiring import workshop
from storage.defaults import REVALIDATE
from storage.filesystem import FilesystemStore
from storage.keys import TRACKS, current_key, track_key
from storage.open import open_store

N = 1_000
ALBUM = 10  # tracks of one album, in one folder
PUT_AT_ONCE = 32
S3_KEYS, S3_ROUNDS = 3_000, 3
TITLE, NAME = "track 00000000", "album 00000000"
SYNCED_MAX = 10_000  # the first sync of more takes too long
TOLD = 10  # times, how far the laying out is
LOOKED_INTO_MAX = 2_000  # of more tracks nobody waits for the run that looks into each
MODE = ("--loudness", "track")  # an album of equal tracks would be nothing to level


def source_bytes(folder: Path) -> bytes:
    """Half a second of FLAC whose title and album are of a fixed length."""
    path = folder / "template.flac"
    tone = "sine=frequency=440:sample_rate=48000:duration=0.5,volume=-10dB"
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", tone, "-ac", "2",
         "-metadata", f"title={TITLE}", "-metadata", f"album={NAME}", "-metadata", "artist=bench", str(path)],
        check=True,
    )  # fmt: skip
    data = path.read_bytes()
    path.unlink()
    return data


class Library:
    """A folder of sources, a store and a ledger, where all is done."""

    def __init__(self, folder: Path, tracks: int) -> None:
        self.folder = folder
        self.tracks = tracks
        self.sources = folder / "sources"
        self.store = folder / "store"
        self.ledger = folder / "catalog.sqlite"
        self.template = source_bytes(folder)

    def source(self, number: int) -> Path:
        """Write a source, as track `number` of all."""
        place = self.sources / f"{number // ALBUM // 1000:04}" / f"album {number // ALBUM:08}"
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"{number:08}.flac"
        body = self.template.replace(TITLE.encode(), f"track {number:08}".encode())
        path.write_bytes(body.replace(NAME.encode(), f"album {number // ALBUM:08}".encode()))
        return path

    def publish(self) -> dict[str, float]:
        """Run `segue publish` over all; what it cost. Fails if a track fails."""
        command = [sys.executable, "-m", "segue.main", "publish", str(self.sources), "--store", f"file:{self.store}",
                   "--catalog", str(self.ledger), "--jobs", "2", "--json", *MODE]  # fmt: skip
        began_s = time.monotonic()
        with (self.folder / "out.json").open("wb") as out, (self.folder / "err.txt").open("wb") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError((self.folder / "err.txt").read_text()[-2_000:])
        cpu_s = usage.ru_utime + usage.ru_stime
        return {"wall_s": time.monotonic() - began_s, "cpu_s": cpu_s, "peak_mib": usage.ru_maxrss / 1024}

    def ends(self) -> dict[str, int]:
        """How many sources ended how in the last run."""
        counted: dict[str, int] = {}
        with (self.folder / "out.json").open() as lines:
            for line in lines:
                status = json.loads(line).get("status")
                if status:
                    counted[status] = counted.get(status, 0) + 1
        return counted

    async def fill(self, findings: Findings) -> None:
        """Lay out all tracks but the first, which was published, as if they had been published as well."""
        store = FilesystemStore(self.store)
        (entry,) = [each async for each in store.walk(TRACKS) if each.key.endswith("track.json")]
        first = from_json(Track, (await store.read(entry.key)).data, subject=entry.key)
        current = from_json(
            Current, (await store.read(current_key(first.track_id))).data, subject=current_key(first.track_id)
        )
        with Ledger(self.ledger) as ledger:
            for number in range(1, self.tracks):
                self._lay(ledger, first, current, number)
                self._say(findings, number, "laid out")
        await store.close()

    def _say(self, findings: Findings, done: int, what: str) -> None:
        if done * TOLD // self.tracks != (done - 1) * TOLD // self.tracks:
            findings.say(f"{done:,} of {self.tracks:,} tracks {what}")

    async def settle(self, findings: Findings) -> None:
        """Remember all tracks as settled, as a run that looked into each of them would."""
        observer = Unobserved()
        flags = {"store": f"file:{self.store}", "catalog": str(self.ledger), "loudness": "track"}
        async with workshop(load(flags), observer) as shop:
            settlement, done = Settlement(shop), 0
            with Plan() as plan:
                plan.find([self.sources])
                await plan.survey(shop, observer, remembered=True)
                await plan.total()
                async for group in plan.groups(None):
                    _, state = await settlement.look([group])
                    assert state is not None
                    rows = [await asyncio.to_thread(shop.ingest.ledger.last, path) for path in state.paths]
                    ends = [TrackOutcome(source="", status=Status.DONE, track_id=row.track_id) for row in rows if row]
                    await settlement.settle(state, ends)
                    for _ in ends:
                        done += 1
                        self._say(findings, done, "settled")

    def _lay(self, ledger: Ledger, first: Track, current: Current, number: int) -> None:
        path = self.source(number)
        stamp = SourceStamp.of(path)
        tags = replace(first.tags, title=f"track {number:08}", album=f"album {number // ALBUM:08}")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        track = replace(
            first,
            track_id=track_id_of(current.recording_id, release_of(tags)),
            release=release_of(tags),
            source=replace(first.source, sha256=sha256),
            source_name=path.name,
            tags=tags,
        )
        for key, body in (
            (track_key(track.track_id), to_json(track)),
            (current_key(track.track_id), to_json(replace(current, track_id=track.track_id))),
        ):
            place = (
                self.store / key
            )  # as if copied there: the store finds out what it is, and a put costs ten times this
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(body)
        row = SourceRow(stamp=stamp.text, sha256=sha256, recording_id=current.recording_id, track_id=track.track_id)
        ledger.remember(stamp.path, row)
        group = group_of(tags, printable(path.absolute().parent).split("/"))
        ledger.remember_outline(stamp, Outline(seconds=0.5, group=group))
        ledger.remember_cover(stamp.path, CoverRow(made_of=_made_of(tags, sha256), art_id=first.art_id))


def _made_of(tags: TrackTags, sha256: str) -> str:
    """As `ingest.hear` names it, with no picture beside the source."""
    return derived_id(ART, sha256, repr([]), to_json(tags).decode())


async def walked(folder: Path) -> dict[str, float]:
    """The listing of all tracks, the first sync of an empty catalog, and one that finds nothing new: CPU of a track."""
    store = FilesystemStore(folder / "store")
    catalog_file = folder / "another.sqlite"
    figures: dict[str, float] = {}
    began_s = time.process_time()
    tracks = len([None async for entry in store.walk(TRACKS) if entry.key.endswith("track.json")])
    figures["walk"] = time.process_time() - began_s
    with Catalog(catalog_file) as catalog:
        for name in ("first sync", "sync without news"):
            began_s = time.process_time()
            report = await sync(store, catalog)
            figures[name] = time.process_time() - began_s
            if report.seen != tracks or report.failed:
                raise RuntimeError(f"not all tracks: {report}")
    await store.close()
    ms = {f"{name}, cpu_ms per track": round(value / tracks * 1e3, 3) for name, value in figures.items()}
    return {**ms, "catalog, bytes per track": round(catalog_file.stat().st_size / tracks)}


async def listed(server: S3Server) -> dict[str, float]:
    """Pages of 1,000 keys of an S3 store: time and CPU of one."""
    store = open_store(server.url(), s3_credentials=server.writer)
    waiting = iter(range(S3_KEYS))

    async def putter() -> None:
        for number in waiting:
            key = track_key(derived_id(str(number)).ljust(TRACK_ID_LENGTH, "a"))
            await store.put(key, b"{}", media_type="application/json", cache_control=REVALIDATE)

    await asyncio.gather(*(putter() for _ in range(PUT_AT_ONCE)))
    times = []
    for _ in range(S3_ROUNDS):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        seen = len([None async for _ in store.walk(TRACKS)])
        times.append((time.perf_counter() - began_s, time.process_time() - began_cpu_s))
        if seen != S3_KEYS:
            raise RuntimeError(f"listed {seen} of {S3_KEYS} keys")
    await store.close()
    pages = S3_KEYS / 1_000
    return {
        "page of 1,000 keys, s": round(min(wall for wall, _ in times) / pages, 3),
        "its cpu_s": round(min(cpu for _, cpu in times) / pages, 3),
    }


def again(library: Library) -> dict[str, float]:
    """The cost of running a finished batch again. Fails if anything but skipping was done."""
    cost = library.publish()
    ends = library.ends()
    if ends != {"skipped": library.tracks}:
        raise RuntimeError(f"not everything was skipped: {ends}")
    return {
        "tracks": library.tracks,
        "cpu_ms per track": round(cost["cpu_s"] / library.tracks * 1e3, 3),
        "wall_ms per track": round(cost["wall_s"] / library.tracks * 1e3, 3),
        "peak_mib": round(cost["peak_mib"], 1),
        "ledger, bytes per source": round(library.ledger.stat().st_size / library.tracks),
    }


def main() -> None:
    """Lay out a library, run it again, walk it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=N)
    parser.add_argument("--folder", type=Path, help="where to lay it out; else where temporary files go")
    parser.add_argument("--file", type=Path, help="where what was found so far is written, beside stdout at the end")
    asked = parser.parse_args()
    with Findings(asked.file) as findings:
        measure(asked, findings)


def measure(asked: argparse.Namespace, findings: Findings) -> None:
    """All that it is, part by part."""
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        library = Library(Path(name), asked.tracks)
        library.source(0)
        library.publish()
        asyncio.run(library.fill(findings))
        if asked.tracks <= LOOKED_INTO_MAX:
            findings.add("looked into again", again(library))
        else:
            asyncio.run(library.settle(findings))
        findings.say("running the finished batch again")
        findings.add("again", again(library))
        if asked.tracks <= SYNCED_MAX:
            findings.say("walking over the store")
            findings.add("walk", asyncio.run(walked(library.folder)))
    findings.say("listing an S3 store")
    with running_server() as server:
        findings.add("s3", asyncio.run(listed(server)))


if __name__ == "__main__":
    main()
