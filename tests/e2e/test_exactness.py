"""What `segue publish` leaves in a store is exact to the sample and the bit, and the same wherever it is made."""

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import accumulate
from math import ceil, floor
from pathlib import Path

import numpy as np
import pytest

from tests.support.audio import counted, music_like, silence
from tests.support.cmaf_rules import RULES, CmafFile
from tests.support.command import TIMEOUT_S, command, environment, objects
from tests.support.trimming_decoder import decoded, lag

LADDER = ("--aac", "64,128", "--opus", "64,96")
FAMILIES = {"index.m3u8": ["aac-64", "aac-128"], "opus.m3u8": ["opus-64", "opus-96"]}
SOURCES: dict[str, Callable[[], Path]] = {
    "tenth.wav": partial(counted, 4_800, rate=48_000),
    "segment.wav": partial(counted, 46_080 - 1_024 + 1, rate=48_000),  # a sample more than AAC's first segment holds
    "mono.wav": partial(counted, 44_100 + 77, layout="mono", channels=1),
    "silence.wav": partial(silence, 1),
    "music.flac": partial(music_like, 15.3, seed=5),
}
SAMPLES = {
    "tenth.wav": 4_800,
    "segment.wav": 45_057,
    "mono.wav": 48_084,
    "silence.wav": 48_000,
    "music.flac": 734_400,
}
_SEGMENT = re.compile(r"#EXTINF:([\d.]+),\n#EXT-X-BYTERANGE:(\d+)@(\d+)\n")
_VARIANT = re.compile(r"#EXT-X-STREAM-INF:(.*)\n(\S+)\.m3u8")


@dataclass(frozen=True)
class Published:
    """A folder in which `store` was published, and all objects of it."""

    folder: Path
    objects: dict[str, bytes]

    def packages(self) -> dict[str, str]:
        """The prefix of the live package of each source."""
        found = {}
        for name in self.objects:
            if name.endswith("/track.json"):
                track = json.loads(self.objects[name])
                live = json.loads(self.objects[name.replace("track.json", "current.json")])
                found[track["source_name"]] = f"recordings/{live['recording_id']}/{live['package_id']}"
        return found

    def file(self, key: str) -> CmafFile:
        """A track file."""
        return CmafFile(self.objects[key])


def _publish(folder: Path, names: list[str], *arguments: str, umask: int, **variables: str) -> Published:
    """Publish copies of these sources in their order."""
    (folder / "music").mkdir(parents=True)
    for name in names:
        shutil.copy(SOURCES[name](), folder / "music" / name)
    sources = [folder / "music" / name for name in names]
    done = subprocess.run(
        command("publish", *sources, "--store", "file:store", *LADDER, *arguments),
        cwd=folder,
        env=environment(folder, **variables),
        umask=umask,
        timeout=TIMEOUT_S,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    return Published(folder, objects(folder / "store"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """All sources, one after the other."""
    folder = tmp_path_factory.mktemp("here")
    return _publish(folder, list(SOURCES), "--jobs", "1", umask=0o022, TZ="UTC", LANG="C", PYTHONHASHSEED="1")


def test_the_same_sources_give_the_same_objects(published: Published, tmp_path: Path) -> None:
    """In another folder, order, time zone and language, with other jobs, masks, hashes and temporary files: the same
    names and bytes, and so entity tags. No record or playlist holds a clock, a host or a path."""
    (tmp_path / "scratch").mkdir()
    variables = {"TZ": "Asia/Kolkata", "LANG": "C.UTF-8", "PYTHONHASHSEED": "77", "TMPDIR": str(tmp_path / "scratch")}
    names = list(reversed(SOURCES))
    again = _publish(tmp_path / "deep" / "there", names, "--jobs", "4", umask=0o077, **variables).objects
    assert sorted(again) == sorted(published.objects)
    assert [name for name, data in published.objects.items() if data != again[name]] == []
    strange = [str(tmp_path), "/tmp", socket.gethostname(), time.strftime("%Y-%m-%d"), str(int(time.time()))[:7]]
    for name, data in published.objects.items():
        if name.endswith((".json", ".m3u8", ".mpd")):
            text = re.sub(r"[0-9a-f]{40,}|\d\.\d+", "", data.decode())  # hashes and measured values
            assert [word for word in strange if word in text] == [], name


def test_every_time_and_rate_is_exact(published: Published) -> None:
    """Against the bytes: EXTINF sums within a sample, target durations by rounding, rates by brute force over all runs
    of segments (RFC 8216 §4.1), equal cuts in all renditions of a codec."""
    packages = published.packages()
    assert sorted(packages) == sorted(SOURCES)
    for prefix in packages.values():
        targets, longest = set(), 0
        for playlist, rungs in FAMILIES.items():
            variants = dict(
                reversed(found) for found in _VARIANT.findall(published.objects[f"{prefix}/{playlist}"].decode())
            )
            assert sorted(variants) == sorted(rungs)
            cuts = set()
            for rung, attributes in variants.items():
                text = published.objects[f"{prefix}/{rung}.m3u8"].decode()
                extinf = [Fraction(seconds) for seconds, _, _ in _SEGMENT.findall(text)]
                target = int(re.findall(r"#EXT-X-TARGETDURATION:(\d+)\n", text)[0])
                sizes, ticks = _check_segments(published.file(f"{prefix}/{rung}.mp4"), text, extinf)
                _check_rates(attributes, sizes, [Fraction(each, 48_000) for each in ticks], extinf, target)
                cuts.add(tuple(ticks))
                targets.add(target)
                longest = max(longest, *(floor(each + Fraction(1, 2)) for each in extinf))
            assert len(cuts) == 1, "the renditions of a codec are cut alike"
        assert targets == {max(1, longest)}


def _check_segments(file: CmafFile, playlist: str, extinf: list[Fraction]) -> tuple[list[int], list[int]]:
    """Places, and durations to less than a sample in every sum; gives sizes and ticks of the fragments."""
    for rule in RULES:
        rule(file)
    sizes = [moof.size + mdat.size for moof, mdat in file.fragments]
    ticks = [file.ticks_of(moof) for moof, _ in file.fragments]
    places = [(int(size), int(offset)) for _, size, offset in _SEGMENT.findall(playlist)]
    assert places == [(size, moof.start) for size, (moof, _) in zip(sizes, file.fragments, strict=True)]
    for told, true in zip(accumulate(extinf), accumulate(ticks), strict=True):
        assert abs(told - Fraction(true, 48_000)) < Fraction(1, 48_000)
    return sizes, ticks


def _check_rates(
    attributes: str, sizes: list[int], seconds: list[Fraction], extinf: list[Fraction], target: int
) -> None:
    """Equal to what the durations of the playlist give, and within 1 % of what those of the boxes give."""
    told = {name: int(value) for name, value in re.findall(r"([A-Z-]+)=(\d+)", attributes)}
    for durations, tolerance in ((extinf, Fraction(0)), (seconds, Fraction(1, 100))):
        average = Fraction(8 * sum(sizes)) / sum(durations)
        runs = [(a, b) for a in range(len(sizes)) for b in range(a + 1, len(sizes) + 1)]
        lasting = [(a, b) for a, b in runs if Fraction(target, 2) <= sum(durations[a:b]) <= Fraction(3 * target, 2)]
        peak = max([average, *(Fraction(8 * sum(sizes[a:b])) / sum(durations[a:b]) for a, b in lasting)])
        assert abs(told["BANDWIDTH"] - ceil(peak)) <= tolerance * peak
        assert abs(told["AVERAGE-BANDWIDTH"] - ceil(average)) <= tolerance * average


def test_every_rendition_plays_the_source_to_the_sample(published: Published) -> None:
    """As many samples at 48 kHz as the source has, none late against the mezzanine (source times gain)."""
    for name, prefix in published.packages().items():
        (mezzanine,) = (published.folder / "store" / prefix).parent.glob("mezzanine/*.mp4")
        source = decoded(mezzanine)
        assert len(source) == SAMPLES[name] == json.loads(published.objects[f"{prefix}/package.json"])["media_samples"]
        for rung in (rung for rungs in FAMILIES.values() for rung in rungs):
            music = decoded(published.folder / "store" / prefix / f"{rung}.mp4")
            assert len(music) == len(source), (name, rung)
            if np.any(source):
                assert lag(music, source) == 0, (name, rung)
