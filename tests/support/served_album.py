"""A small album, made by ffmpeg's generators, published and served by the real command line."""

import json
import os
import select
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import imageio_ffmpeg

from tests.support.forked import Forked, fork

CHECKOUT = Path(__file__).resolve().parents[2]
PUBLISH_TIMEOUT_S = 110
READY_TIMEOUT_S = 90
STOP_TIMEOUT_S = 60  # longer than the origin drains


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """A track to make: chords that decay twice a second over a bass, with tags and a cover."""

    title: str
    number: int
    seconds: int
    tonic_hz: int
    artist: str = "The Generators"
    album: str = "Signals"


OVERTURE = Song(title="Overture", number=1, seconds=20, tonic_hz=196)
CODA = Song(title="Coda", number=2, seconds=8, tonic_hz=294)
BAGATELLE = Song(title="Bagatelle", number=3, seconds=4, tonic_hz=247)


def make(song: Song, folder: Path) -> Path:
    """Writes the song as a tagged FLAC file with a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    cover, target = folder / f".{song.title}.jpg", folder / f"{song.title}.flac"
    gradient = f"gradients=s=640x640:n=3:type=radial:seed={song.tonic_hz}"
    _ffmpeg("-f", "lavfi", "-i", gradient, "-frames:v", "1", str(cover))
    tags = {"title": song.title, "artist": song.artist, "album": song.album, "track": str(song.number)}
    _ffmpeg(
        *("-f", "lavfi", "-i", f"aevalsrc=exprs='{_chords(song.tonic_hz)}':s=44100:d={song.seconds}"),
        *("-i", str(cover), "-map", "0:a", "-map", "1:v"),
        *("-c:a", "flac", "-c:v", "copy", "-disposition:v", "attached_pic"),
        *(part for name, text in tags.items() for part in ("-metadata", f"{name}={text}")),
        str(target),
    )
    cover.unlink()
    return target


def publish(source: Path, store: Path) -> None:
    """`segue publish`; raises CalledProcessError unless every source was published."""
    folders = ("--catalog", store.with_suffix(".sqlite"), "--store", f"file:{store}")
    with TemporaryFile() as said:
        status = fork("publish", source, *folders, cwd=CHECKOUT, env=os.environ, stdout=said).wait(PUBLISH_TIMEOUT_S)
    if status:
        raise subprocess.CalledProcessError(status, "segue publish")


def serving(store: Path) -> AbstractContextManager[str]:
    """`segue serve` over a folder; gives its URL."""
    return serving_at(f"file:{store}", os.environ)


@contextmanager
def serving_at(store: str, environment: Mapping[str, str], *more: str) -> Iterator[str]:
    """`segue serve` on a free port, as a process; gives its URL and stops it in the end. `more`: further arguments."""
    _require_player()
    arguments = ("serve", "--json", "--port", "0", "--store", store, *more)
    process = fork(*arguments, cwd=CHECKOUT, env=environment)
    with process.stdout:
        try:
            yield announced_url(process)
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def announced_url(process: Forked) -> str:
    """Where a `segue serve --json` that was just started says that it serves."""
    readable, _, _ = select.select([process.stdout], [], [], READY_TIMEOUT_S)
    line = os.read(process.stdout.fileno(), 4096) if readable else b""
    if not line:
        raise RuntimeError("segue serve did not say where it serves; its own words are above")
    return str(json.loads(line)["url"])


def _require_player() -> None:
    library = CHECKOUT / "player_demo" / "vendor" / "hls.mjs"
    if not library.is_file():
        raise RuntimeError(f"the player's hls.js is not there: {library}\nhint: run `make setup`")


def _chords(tonic_hz: int) -> str:
    """Left and right channel: a major triad, slightly detuned from side to side, struck every half second."""
    sides = []
    for detune in (0.999, 1.001):
        notes = "+".join(f"sin(2*PI*{tonic_hz * detune * ratio:.3f}*t)" for ratio in (1, 1.25, 1.5))
        sides.append(f"0.15*({notes})*exp(-3*mod(t,0.5))+0.2*sin(2*PI*{tonic_hz / 2:.3f}*t)")
    return "|".join(sides)


def _ffmpeg(*arguments: str) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", *arguments]
    subprocess.run(command, check=True, timeout=60)
