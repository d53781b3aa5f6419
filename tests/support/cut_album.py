"""An album whose music runs on across its tracks, cut wherever one likes; and the music as it was before the cuts."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
TIMEOUT_S = 60
ALBUM = {"album": "Album", "album_artist": "B"}


def music(samples: int, *, rate: int, peak: float = 0.36, pure: bool = False) -> Any:
    """Stereo of so many samples, 16 bit: two tones a side over filtered noise; or with `pure` one tone alone."""
    time = np.arange(samples) / rate
    noise = np.convolve(np.random.default_rng(1).standard_normal(samples), np.ones(32) / 32, "same")
    sides = []
    for hertz, over, hiss in ((440.0, 3001.0, noise), (441.0, 5003.0, noise[::-1])):
        side = 0.7 * np.sin(2 * np.pi * hertz * time)
        sides.append(side if pure else side + 0.14 * np.sin(2 * np.pi * over * time) + 0.14 * hiss)
    wave = np.stack(sides, axis=1)
    return np.round(wave * (peak / np.abs(wave).max() * 32767)).astype("<i2")


def write_tracks(
    folder: Path, wave: Any, cuts: Sequence[int], *, rate: int, suffix: str = ".flac", **tags: str
) -> list[Path]:
    """The music cut at these samples, as files `1`, `2` … of an album."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (start, end) in enumerate(pairwise([0, *cuts, len(wave)]), start=1):
        path = folder / f"{number}{suffix}"
        write_track(path, wave[start:end], rate=rate, **{"track": str(number), **tags})
        paths.append(path)
    return paths


def write_track(path: Path, wave: Any, *, rate: int, **tags: str) -> None:
    """One file, tagged as a track of the album."""
    told = {**ALBUM, "title": f"Part {tags.get('track', '')}", **tags}
    words = [word for name, text in told.items() for word in ("-metadata", f"{name}={text}")]
    form = ("-f", "s16le", "-ar", str(rate), "-ac", str(wave.shape[1]))
    command = [FFMPEG, "-v", "error", "-y", *form, "-i", "pipe:0", *words, "-bitexact", str(path)]
    subprocess.run(command, input=wave.tobytes(), check=True, timeout=TIMEOUT_S)


def resampled(wave: Any, *, rate: int) -> Any:
    """The music at 48 kHz, resampled in one pass by a plain ffmpeg; in 64-bit floats."""
    form = ("-f", "s16le", "-ar", str(rate), "-ac", "2")
    how = "aresample=48000:resampler=soxr:precision=28:osf=dbl"
    command = [FFMPEG, "-v", "error", *form, "-i", "pipe:0", "-af", how, "-f", "f64le", "pipe:1"]
    done = subprocess.run(command, input=wave.tobytes(), check=True, capture_output=True, timeout=TIMEOUT_S)
    return np.frombuffer(done.stdout, "<f8").reshape(-1, 2)


def joined_sources(paths: Sequence[Path], channels: int) -> Any:
    """Files played as one and brought to 48 kHz stereo in one pass, as floats; mono is doubled."""
    inputs = [word for path in paths for word in ("-i", str(path))]
    each = "".join(f"[{at}:a]aformat=sample_fmts=dbl[a{at}];" for at in range(len(paths)))
    names = "".join(f"[a{at}]" for at in range(len(paths)))
    mix = "ochl=mono,pan=stereo|c0=c0|c1=c0" if channels == 1 else "ochl=stereo:rematrix_maxval=1.0"
    graph = f"{each}{names}concat=n={len(paths)}:v=0:a=1,aresample=48000:resampler=soxr:precision=28:osf=dbl:{mix}"
    command = [FFMPEG, "-v", "error", "-nostdin", *inputs, "-filter_complex", graph, "-f", "f64le", "pipe:1"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
    return np.frombuffer(done.stdout, "<f8").reshape(-1, 2)


def decoded_file(path: Path) -> Any:
    """What a plain ffmpeg hears in a file of 48 kHz stereo, as floats."""
    command = [FFMPEG, "-v", "error", "-nostdin", "-i", str(path), "-f", "f64le", "pipe:1"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
    return np.frombuffer(done.stdout, "<f8").reshape(-1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTrack:
    """A track as it lies in a store: its records, and where its files are."""

    record: dict[str, Any]
    package: dict[str, Any]
    mezzanine: Path
    folder: Path

    @property
    def position(self) -> int | None:
        """Its place in its run, None if it is in none."""
        return self.record["run"]["position"] if self.record["run"] else None

    @property
    def run(self) -> list[str]:
        """The mezzanines of its run."""
        return [piece["mezzanine_id"] for piece in self.record["run"]["pieces"]] if self.record["run"] else []


def tracks_in(store: Path) -> list[PublishedTrack]:
    """The live tracks of a store in a folder, by disc and number."""
    found = []
    for pointer in store.glob("tracks/*/current.json"):
        record, current = json.loads(pointer.with_name("track.json").read_text()), json.loads(pointer.read_text())
        recording = store / "recordings" / current["recording_id"]
        folder = recording / current["package_id"]
        found.append(
            PublishedTrack(
                record=record,
                package=json.loads((folder / "package.json").read_text()),
                mezzanine=recording / "mezzanine" / f"{record['mezzanine']['mezzanine_id']}.mp4",
                folder=folder,
            )
        )
    return sorted(found, key=_place)


def _place(track: PublishedTrack) -> tuple[Any, ...]:
    tags = track.record["tags"]
    return tags["album"], tags["disc_number"] or 1, tags["track_number"] or 0
