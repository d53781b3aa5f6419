"""What `segue publish` leaves in a store is exact to the sample and the bit, and the same wherever it is made."""

import json
import posixpath
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

DAY_S = 24 * 3600
LADDER = ("--aac", "64,128", "--opus", "64,96")
RUNGS = ("aac-128", "aac-64", "flac", "opus-64", "opus-96")
FAMILIES = {"index.m3u8": RUNGS[:2], "lossless.m3u8": RUNGS[:3], "opus.m3u8": RUNGS[3:]}
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
_MAP = re.compile(r'#EXT-X-MAP:URI="(\S+?)"')


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

    def text(self, key: str) -> str:
        """A playlist."""
        return self.objects[key].decode()

    def track_file(self, prefix: str, rung: str) -> str:
        """The key of the track file that a media playlist takes its ranges from."""
        (uri,) = _MAP.findall(self.text(f"{prefix}/{rung}.m3u8"))
        return posixpath.normpath(f"{prefix}/{uri}")


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
    today, now = time.strftime("%Y-%m-%d"), int(time.time())
    for name, data in published.objects.items():
        if name.endswith((".json", ".m3u8", ".mpd")):
            assert not {"tmp", today, socket.gethostname()} & set(re.findall(r"[\w-]+", data.decode())), name
            numbers = {int(number) for number in re.findall(r"\b\d{10}\b", data.decode())}
            assert not [number for number in numbers if abs(number - now) < DAY_S], name


def test_every_time_and_rate_is_exact(published: Published) -> None:
    """Against the bytes: EXTINF sums within a sample, target durations by rounding, rates by brute force over all runs
    of segments (RFC 8216 §4.1), equal cuts in all renditions of a codec."""
    packages = published.packages()
    assert sorted(packages) == sorted(SOURCES)
    for prefix in packages.values():
        ticks, targets, longest = {}, set(), 0
        for rung in RUNGS:
            text = published.text(f"{prefix}/{rung}.m3u8")
            extinf = [Fraction(seconds) for seconds, _, _ in _SEGMENT.findall(text)]
            targets.add(int(re.findall(r"#EXT-X-TARGETDURATION:(\d+)\n", text)[0]))
            longest = max(longest, *(floor(each + Fraction(1, 2)) for each in extinf))
            file = CmafFile(published.objects[published.track_file(prefix, rung)])
            ticks[rung] = _check_segments(file, text, extinf)
            for attributes in _variants(published, prefix, rung):
                _check_rates(attributes, file, extinf, max(targets))
        assert targets == {max(1, longest)}
        assert ticks["aac-64"] == ticks["aac-128"], "the renditions of a codec are cut alike"
        assert ticks["opus-64"] == ticks["opus-96"]


def _variants(published: Published, prefix: str, rung: str) -> list[str]:
    """What each multivariant playlist says of a rung; it is in those of its family, and nowhere else."""
    found = []
    for playlist, rungs in FAMILIES.items():
        variants = {uri: said for said, uri in _VARIANT.findall(published.text(f"{prefix}/{playlist}"))}
        assert sorted(variants) == sorted(rungs)
        found += [variants[rung]] if rung in rungs else []
    return found


def _check_segments(file: CmafFile, playlist: str, extinf: list[Fraction]) -> list[int]:
    """Places, and durations to less than a sample in every sum; gives the ticks of the fragments."""
    for rule in RULES:
        rule(file)
    ticks = [file.ticks_of(moof) for moof, _ in file.fragments]
    places = [(int(size), int(offset)) for _, size, offset in _SEGMENT.findall(playlist)]
    assert places == [(moof.size + mdat.size, moof.start) for moof, mdat in file.fragments]
    for told, true in zip(accumulate(extinf), accumulate(ticks), strict=True):
        assert abs(told - Fraction(true, 48_000)) < Fraction(1, 48_000)
    return ticks


def _check_rates(attributes: str, file: CmafFile, extinf: list[Fraction], target: int) -> None:
    """Equal to what the durations of the playlist give, and within 1 % of what those of the boxes give."""
    told = {name: int(value) for name, value in re.findall(r"([A-Z-]+)=(\d+)", attributes)}
    sizes = [moof.size + mdat.size for moof, mdat in file.fragments]
    seconds = [Fraction(file.ticks_of(moof), 48_000) for moof, _ in file.fragments]
    for durations, tolerance in ((extinf, Fraction(0)), (seconds, Fraction(1, 100))):
        average = Fraction(8 * sum(sizes)) / sum(durations)
        runs = [(a, b) for a in range(len(sizes)) for b in range(a + 1, len(sizes) + 1)]
        lasting = [(a, b) for a, b in runs if Fraction(target, 2) <= sum(durations[a:b]) <= Fraction(3 * target, 2)]
        peak = max([average, *(Fraction(8 * sum(sizes[a:b])) / sum(durations[a:b]) for a, b in lasting)])
        assert abs(told["BANDWIDTH"] - ceil(peak)) <= tolerance * peak
        assert abs(told["AVERAGE-BANDWIDTH"] - ceil(average)) <= tolerance * average


def test_every_rendition_plays_the_source_to_the_sample(published: Published) -> None:
    """As many samples at 48 kHz as the source has, none late against the mezzanine (source times gain)."""
    store = published.folder / "store"
    for name, prefix in published.packages().items():
        (mezzanine,) = (store / prefix).parent.glob("mezzanine/*.mp4")
        source = decoded(mezzanine)
        assert len(source) == SAMPLES[name] == json.loads(published.objects[f"{prefix}/package.json"])["media_samples"]
        for rung in RUNGS:
            music = decoded(store / published.track_file(prefix, rung))
            assert len(music) == len(source), (name, rung)
            if np.any(source):
                assert lag(music, source) == 0, (name, rung)
