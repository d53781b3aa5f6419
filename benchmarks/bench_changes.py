"""How soon a publish is seen in a large store: what is told of changes, beside listing all tracks.

    nice python -m benchmarks.bench_changes [--tracks 20000] > changes.json

Lays out a store in a folder with so many tracks (of one recording, on as many releases), and follows it as an origin
does, listings of all tracks included. Then tracks are renamed, one after the other at odd moments, as `segue publish`
does it; a change is seen when catalog and search index have the new title. `told`: wall time from the end of the
pointer's put to there. `listing_cpu_s`: what the only way before took, once.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from catalog.search_sqlite import SqlitePostings
from catalog.store import Catalog
from discovery.following import Following
from discovery.search import RULES, SearchIndex
from discovery.sync import sync
from discovery.web import DiscoverySettings
from model.loudness import Gain, LoudnessMode, LoudnessReport
from model.package import Current, Package
from model.records import to_json
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from model.track import Mezzanine, SourceInfo, Track, TrackTags, derived_id, recording_id_of, track_id_of
from storage.changes import changes_since, signal
from storage.filesystem import FilesystemStore
from storage.keys import current_key, package_key, track_key

TRACKS, CHANGES = 20_000, 40
LOOK_S = 0.005
BAR_S = 1.0
SHA256 = "ab" * 32
LOUD = LoudnessReport(integrated_lufs=-14.0)
RECORDING = recording_id_of("one")
PACKAGE = derived_id("package")


def track_of(number: int, title: str = "Song") -> Track:
    """The recording on a release of this number."""
    source = SourceInfo(
        container="flac", codec="flac", sample_rate_hz=44_100, channels=2, channel_layout="stereo", bit_depth=16,
        lossless=True, size_bytes=1000, sha256=SHA256,
    )  # fmt: skip
    mezzanine = Mezzanine(
        recording_id=RECORDING, mezzanine_id=derived_id("mezzanine"), gain_db=0.0, loudness=LOUD,
        media_samples=96_000, size_bytes=1000, sha256=SHA256, tool="benchmark",
    )  # fmt: skip
    release = f"Album {number}"
    return Track(
        track_id=track_id_of(RECORDING, release), release=release, source=source, source_name="a.flac",
        tags=TrackTags(title=title, artists=("Somebody",), album=release), art_id=derived_id("art"),
        mode=LoudnessMode.OFF, target=None, loudness_source=LOUD, album=None, gain=Gain(applied_db=0.0),
        mezzanine=mezzanine,
    )  # fmt: skip


def package_of() -> Package:
    """The package of the recording."""
    rendition = SegmentedRendition(
        rendition=Rendition(rendition_id="aac-64", codec=Codec.AAC, bitrate_bps=64_000), timescale=48_000,
        priming_ticks=1024, init_size_bytes=10, index_size_bytes=10,
        segments=(Segment(duration_ticks=97_024, offset_bytes=20, size_bytes=100),), sha256=SHA256, loudness=LOUD,
    )  # fmt: skip
    return Package(
        recording_id=RECORDING, package_id=PACKAGE, media_samples=96_000, mezzanine_id=derived_id("mezzanine"),
        target_duration_s=6, true_peak_dbtp=None, level_lufs=-14.0, renditions=(rendition,), attempts=(), tool="bench",
    )  # fmt: skip


def lay_out(folder: Path, tracks: int) -> None:
    """The store, as if it had been copied there."""
    objects = {package_key(RECORDING, PACKAGE, "package.json"): to_json(package_of())}
    for number in range(tracks):
        track = track_of(number)
        current = Current(track_id=track.track_id, recording_id=RECORDING, package_id=PACKAGE)
        objects[track_key(track.track_id)] = to_json(track)
        objects[current_key(track.track_id)] = to_json(current)
    for key, data in objects.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(data)


async def measured(folder: Path, tracks: int) -> dict[str, object]:
    """Follow, change, and wait."""
    luck = random.Random(3)
    store, settings = FilesystemStore(folder), DiscoverySettings()
    indexes: list[SearchIndex] = []
    with Catalog() as catalog:
        following = Following(
            store,
            catalog,
            interval_s=settings.sync_interval_s,
            rest=settings.sync_rest,
            postings=lambda: SqlitePostings(None, RULES),
            opened=lambda postings: indexes.append(SearchIndex(postings)),
            synced=lambda: None,
        )
        seen_s = []
        async with following.running():
            for number in luck.sample(range(tracks), CHANGES):
                await asyncio.sleep(luck.uniform(0.0, 1.0))
                seen_s.append(await _seen(store, catalog, indexes[0], track_of(number, f"Renamed {number}")))
        began_s = time.process_time()
        for _ in range(100):
            await changes_since(store, 0)
        look_ms = (time.process_time() - began_s) * 10
        began_s = time.process_time()
        report = await sync(store, catalog)
        listing_s = time.process_time() - began_s
    await store.close()
    if report.seen != tracks or report.failed:
        raise RuntimeError(f"not all tracks: {report}")
    return {
        "changes": CHANGES,
        "told_s": {"median": round(median(seen_s), 3), "worst": round(max(seen_s), 3), "bar": BAR_S},
        "look_cpu_ms": round(look_ms, 2),
        "listing_cpu_s": round(listing_s, 2),
    }


async def _seen(store: FilesystemStore, catalog: Catalog, index: SearchIndex, track: Track) -> float:
    """Write a track anew; how long until it can be found under its new title."""
    key = track_key(track.track_id)
    await store.put(key, to_json(track), media_type="application/json", cache_control="no-cache")
    began_s = time.perf_counter()
    await signal(store, track.track_id)
    while True:
        row = catalog.get(track.track_id)
        if row and row.title == track.tags.title and _finds(index, track):
            return time.perf_counter() - began_s
        await asyncio.sleep(LOOK_S)


def _finds(index: SearchIndex, track: Track) -> bool:
    found = index.search(track.tags.title, limit=1).tracks
    return [each.track_id for each in found] == [track.track_id]


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description="how soon a publish is seen in a large store")
    parser.add_argument("--tracks", type=int, default=TRACKS)
    tracks = parser.parse_args().tracks
    with tempfile.TemporaryDirectory() as folder:
        lay_out(Path(folder), tracks)
        figures = asyncio.run(measured(Path(folder), tracks))
    machine = {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "python": platform.python_version()}
    json.dump({"machine": machine, "tracks": tracks, **figures}, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
