"""How fast one origin process is beside other servers: the same bytes, one core each, in the same minute.

    python3 -m venv .cache/bench-venv
    .cache/bench-venv/bin/pip install starlette uvicorn uvloop httptools
    python -m benchmarks.bench_origin [--rounds N] > origin.json

Needs wrk, and for its peers nginx and varnishd on PATH; a peer that is missing is named, in the table and under
`missing`. The table goes to stderr, JSON to stdout, in some three minutes.

Hot: a segment of 96 kB and a media playlist, again and again, from memory, and both with CMCD in the query (`telling`).
The servers take turns, in rounds, so a busy machine slows all; each has one core, wrk another. `per_s` is what wrk saw,
the best of the rounds. `per_cpu_s` is requests per second of the server's own CPU time, over all rounds: on a quiet
machine much the same, and on a busy one the figure to trust. Ratios are to nginx with files.

Cold: time to the first byte of a segment that is in no cache, over an S3 server, beside a signed GET of as many bytes
from it, neither held to one core; medians, lower quartiles (p25) and least times (min). Of the first segment of a
track, asked for as soon as its playlist is there, as players do (`start`): the origin began to read it with the
playlist; of those that a listener jumps to (`later`), and of those that follow them (`next`), asked for at once, which
the origin reads with them; and of a first segment that nothing was asked for before (`unprepared`), beside two GETs, of
all of the package's record and then of the segment.

Held: memory of an origin with idle connections and slow readers, all of one segment, or each in a place of its own
(`places`). `store_reads` counts reads of the store for a crowd on one cold segment, and for a cold play of a rendition,
the record of its package included.
"""

import argparse
import asyncio
import hashlib
import json
import os
import platform
import re
import shutil
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import timedelta
from importlib.metadata import version
from itertools import repeat
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from benchmarks.origin_cold import Cold
from benchmarks.origin_load import Run, crowd, held, metrics_of, settle, wrk
from benchmarks.origin_servers import PEERS, PLAYLIST, SEGMENT, Bytes, Server, cores, missing, origin, peer
from model.loudness import LoudnessReport
from model.package import Package
from model.records import to_json
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from scripts.s3_server import BUCKET, WRITER, S3Server, running_server
from storage.base import ObjectStore
from storage.keys import package_key
from storage.open import open_store

SEGMENT_BYTES = 96_000
SEGMENTS = 240  # 24 minutes at 128 kbit/s
INIT_BYTES, INDEX_BYTES = 800, 200
ROUNDS, ROUND_S, CONNECTIONS = 3, 1, 8
COLD_PACKAGES, UNPREPARED = 12, 12
TOLD = "?CMCD=bl%3D7300%2Cbr%3D128%2Cd%3D6080%2Cmtp%3D5100%2Cot%3Da%2Csf%3Dh%2Csid%3D%226e2fb550-c457%22%2Cst%3Dv"
CROWD = 1000
IDLE, SLOW, HELD_S = 2000, 500, 5.0
PLACES = [(package, number) for number in range(0, SEGMENTS, 2) for package in range(5)][:SLOW]
RECORDING_ID = "a" * 20
OURS, YARDSTICK = "segue serve", "nginx"
BARS = {"segment_of_nginx": 1.0, "playlist_of_nginx": 0.5, "first_byte_of_direct": 1.3, "held_mb": 300.0}


def rendition_of(media: bytes) -> SegmentedRendition:
    """A rendition whose segments all have 96,000 bytes."""
    first = INIT_BYTES + INDEX_BYTES
    segments = tuple(
        Segment(duration_ticks=291_840, offset_bytes=first + index * SEGMENT_BYTES, size_bytes=SEGMENT_BYTES)
        for index in range(SEGMENTS)
    )
    return SegmentedRendition(
        rendition=Rendition(rendition_id="aac-128", codec=Codec.AAC, bitrate_bps=128_000),
        timescale=48_000,
        priming_ticks=1_024,
        init_size_bytes=INIT_BYTES,
        index_size_bytes=INDEX_BYTES,
        segments=segments,
        sha256=hashlib.sha256(media).hexdigest(),
        loudness=LoudnessReport(integrated_lufs=-14.0),
    )


async def publish(store: ObjectStore, package_id: str) -> bytes:
    """Put a package of one rendition into a store; give the bytes of its track file."""
    media = os.urandom(INIT_BYTES + INDEX_BYTES + SEGMENTS * SEGMENT_BYTES)
    rendition = rendition_of(media)
    package = Package(
        recording_id=RECORDING_ID,
        package_id=package_id,
        mezzanine_id="c" * 16,
        media_samples=rendition.media_ticks,
        target_duration_s=6,
        true_peak_dbtp=None,
        level_lufs=-14.0,
        renditions=(rendition,),
        attempts=(),
        tool="bench",
    )
    for name, data in (("aac-128.mp4", media), ("package.json", to_json(package))):
        key = package_key(RECORDING_ID, package_id, name)
        await store.put(key, data, media_type="application/octet-stream", cache_control="no-cache")
    return media


async def publish_all(url: str, seaweed: S3Server, package_ids: list[str]) -> bytes:
    """Put packages into a store; give the last one's track file."""
    store = open_store(url, s3_credentials=WRITER)
    try:
        return [await publish(store, package_id) for package_id in package_ids][-1]
    finally:
        await store.close()


def base_of(package_id: str) -> str:
    """Where a package's rendition is, as a URL path and as a key."""
    return f"/recordings/{RECORDING_ID}/{package_id}/aac-128"


def port_of(server: S3Server) -> int:
    """The port of an S3 server on this machine."""
    return int(server.endpoint.rpartition(":")[2])


def for_peers(folder: Path, seaweed: S3Server, segment: bytes, playlist: bytes) -> Bytes:
    """The bytes as files, and on the S3 server under URLs that are signed once and for all."""
    (folder / "www").mkdir()
    client, signed = seaweed.client(), {}
    for path, data in ((SEGMENT, segment), (PLAYLIST, playlist)):
        file = folder / "www" / path.strip("/")
        file.write_bytes(data)
        client.fput_object(BUCKET, f"peers{path}", str(file))
        signed[path] = client.presigned_get_object(BUCKET, f"peers{path}", expires=timedelta(hours=1))
    return Bytes(folder=folder, s3_port=port_of(seaweed), signed=signed)


def hot(servers: Mapping[str, Server], rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """What each server does, by resource and server."""
    resources = {"segment": [(name, each, each.segment) for name, each in servers.items()]}
    resources["telling"] = [(OURS, servers[OURS], servers[OURS].segment + TOLD)]
    resources["playlist"] = [(name, each, each.playlist) for name, each in servers.items()]
    resources["telling, playlist"] = [(OURS, servers[OURS], servers[OURS].playlist + TOLD)]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for resource, targets in resources.items():
        runs: dict[str, list[Run]] = {name: [] for name, _, _ in targets}
        for number in range(rounds + 1):
            for name, server, path in targets:
                run = wrk(server, path, seconds=ROUND_S, connections=CONNECTIONS)
                if number:  # the first round only warms up
                    runs[name].append(run)
        figures = {name: figures_of(of_one) for name, of_one in runs.items()}
        like = "playlist" if "playlist" in resource else "segment"
        of = figures.get(YARDSTICK) or found.get(like, {}).get(YARDSTICK)
        found[resource] = {name: figure | ratios(figure, of) for name, figure in figures.items()}
    return found


def figures_of(runs: list[Run]) -> dict[str, float]:
    """The best of what wrk saw, and all requests by all CPU time."""
    return {
        "per_s": round(max(run.requests / run.seconds for run in runs), 1),
        "per_cpu_s": round(sum(run.requests for run in runs) / max(0.01, sum(run.cpu_s for run in runs)), 1),
        "p50_ms": median(run.p50_ms for run in runs),
        "p99_ms": median(run.p99_ms for run in runs),
    }


def ratios(figure: dict[str, float], of: dict[str, float] | None) -> dict[str, float]:
    """One server's figures over another's."""
    return {f"{name}_ratio": round(figure[name] / of[name], 3) for name in ("per_s", "per_cpu_s")} if of else {}


def cold(port: int, seaweed: S3Server, package_ids: list[str], unprepared: list[str]) -> dict[str, float]:
    """Times to first byte of what is in no cache; see benchmarks.origin_cold."""
    with closing(Cold(port, seaweed, rendition_of(b""), base_of)) as measured:
        for number, package_id in enumerate(package_ids):
            measured.listen(package_id, package_ids[number ^ 1], first=number % 4 < 2)
        for number, package_id in enumerate(unprepared):
            measured.listen_unprepared(package_id, unprepared[number ^ 1], first=number % 4 < 2)
        return measured.figures()


def playlist_of(port: int, package_id: str) -> bytes:
    """The media playlist of a package; its record is then in the origin's memory."""
    data: bytes = urlopen(f"http://127.0.0.1:{port}{base_of(package_id)}.m3u8", timeout=10).read()
    return data


def store_reads(port: int, crowded: str, played: str) -> dict[str, int]:
    """How often the store is read for a crowd on one cold segment, and for a cold play of a whole rendition."""
    playlist_of(port, crowded)
    before = reads_of(port)
    crowd(port, repeat(f"{base_of(crowded)}/7.mp4", CROWD), CROWD)
    after_crowd = reads_of(port)
    playlist_of(port, played)
    crowd(port, (f"{base_of(played)}/{part}.mp4" for part in ("init", *range(SEGMENTS))), 1)
    return {
        "crowd": CROWD,
        "reads_for_the_crowd": after_crowd - before,
        "cold_play_segments": SEGMENTS,
        "reads_for_the_cold_play": reads_of(port) - after_crowd,
    }


def reads_of(port: int) -> int:
    """The store reads that an origin has counted so far, once all have ended: then they are counted."""
    settle(port)
    found = re.findall(r"^segue_storage_reads_total\{.*\} (\d+)$", metrics_of(port), re.MULTILINE)
    return sum(int(value) for value in found)


def versions() -> dict[str, str]:
    """Of what was measured, as far as it is there."""
    found = {"python": platform.python_version(), **{name: version(name) for name in ("aiohttp", "uvloop")}}
    for program, ask in (("nginx", "-v"), ("varnishd", "-V"), ("wrk", "-v")):
        if shutil.which(program):
            said = subprocess.run([program, ask], capture_output=True, text=True, check=False, timeout=5)
            found[program] = (said.stderr + said.stdout).strip().splitlines()[0]
    return found


def report(rounds: int) -> dict[str, object]:
    """All figures, with the machine and the versions that made them."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not on PATH: apt-get install wrk")
    began = time.monotonic()
    letters = string.ascii_lowercase[: COLD_PACKAGES + UNPREPARED]
    package_ids = ["b" * 16, "c" * 16, *(f"{'d' * 15}{letter}" for letter in letters)]
    absent = {name: why for name, (_, program) in PEERS.items() if (why := missing(program))}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        seaweed = stack.enter_context(running_server())
        asyncio.run(publish_all(seaweed.url(), seaweed, package_ids))
        media = asyncio.run(publish_all(f"file:{folder / 'store'}", seaweed, package_ids[4::-1]))
        first = INIT_BYTES + INDEX_BYTES
        ours = stack.enter_context(origin(f"file:{folder / 'store'}", base_of(package_ids[0])))
        playlist = playlist_of(ours.port, package_ids[0])
        has = for_peers(folder, seaweed, media[first : first + SEGMENT_BYTES], playlist)
        with ExitStack() as peers:
            servers = {OURS: ours}
            for name, (make, _) in PEERS.items():
                if name not in absent:
                    servers[name] = peers.enter_context(peer(make, has))
            results = hot(servers, rounds)
        keys = {"AWS_ACCESS_KEY_ID": WRITER.access_key, "AWS_SECRET_ACCESS_KEY": WRITER.secret_key}
        with origin(seaweed.url(), environment=keys, pinned=False) as over_s3:
            cold_ones, unprepared = package_ids[2 : COLD_PACKAGES + 2], package_ids[COLD_PACKAGES + 2 :]
            others: dict[str, object] = {"cold": cold(over_s3.port, seaweed, cold_ones, unprepared)}
            others["store_reads"] = store_reads(over_s3.port, *package_ids[:2])
        with origin(f"file:{folder / 'store'}", base_of(package_ids[0])) as fresh:
            one = held(fresh, [fresh.segment] * SLOW, idle=IDLE, seconds=HELD_S)
        with origin(f"file:{folder / 'store'}", base_of(package_ids[0])) as fresh:
            wanted = [f"{base_of(package_ids[package])}/{number}.mp4" for package, number in PLACES]
            places = held(fresh, wanted, idle=IDLE, seconds=HELD_S)
        others["held"] = {"idle": IDLE, "slow": SLOW, **one, "places_mb": places["idle_and_slow_mb"]}
    return {
        "benchmark": "origin",
        "command": "python -m benchmarks.bench_origin",
        "machine": {"cpus": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "cores": {"server": cores()[0], "client": cores()[1]},
        "versions": versions(),
        "load_average_1min": os.getloadavg()[0],
        "seconds": round(time.monotonic() - began),
        "segment_bytes": SEGMENT_BYTES,
        "playlist_bytes": len(playlist),
        "connections": CONNECTIONS,
        "rounds": rounds,
        "bars": BARS,
        "hot": results,
        **others,
        "missing": absent,
    }


def table(made: dict[str, object]) -> Iterator[str]:
    """The same for people."""
    hot_ones, cold_one, held_one = made["hot"], made["cold"], made["held"]
    absent, reads = made["missing"], made["store_reads"]
    assert isinstance(hot_ones, dict) and isinstance(cold_one, dict) and isinstance(held_one, dict)
    assert isinstance(absent, dict) and isinstance(reads, dict)
    for resource, figures in hot_ones.items():
        yield f"{resource:24}{'req/s':>10}{'of nginx':>10}{'req/CPU s':>12}{'of nginx':>10}{'p50 ms':>9}{'p99 ms':>9}"
        for name, each in figures.items():
            ratio = [f"{each.get(f'{what}_ratio', float('nan')):.2f}" for what in ("per_s", "per_cpu_s")]
            rates = f"{each['per_s']:10,.0f}{ratio[0]:>10}{each['per_cpu_s']:12,.0f}{ratio[1]:>10}"
            yield f"  {name:22}{rates}{each['p50_ms']:9.2f}{each['p99_ms']:9.2f}"
    for word in ("start", "later", "next", "unprepared"):
        ours, direct, ratio = (cold_one[f"{word}_{name}"] for name in ("origin_ms", "direct_ms", "ratio"))
        quartile, least = cold_one[f"{word}_ratio_p25"], cold_one[f"{word}_ratio_min"]
        yield f"cold, first byte ({word}): {ours} ms, direct {direct} ms, ratio {ratio} (p25: {quartile}, min: {least})"
    yield f"store reads: {reads['reads_for_the_crowd']} for a crowd, {reads['reads_for_the_cold_play']} for a cold play"
    yield f"held: {held_one['idle_and_slow_mb']} MB with {IDLE} idle connections and {SLOW} slow readers"
    yield f"held: {held_one['places_mb']} MB with the readers in {SLOW} places"
    yield from (f"not measured: {name}: {why}" for name, why in absent.items())


def main() -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    made = report(parser.parse_args().rounds)
    print(*table(made), sep="\n", file=sys.stderr)
    json.dump(made, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
