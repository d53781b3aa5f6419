"""Write the songs as an album: four files of four formats, levels and sample rates, with tags."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import mutagen
from mutagen.id3 import TALB, TIT2, TPE1, TRCK

from scripts.songs import SONGS, Song, perform
from scripts.synth import RATE_HZ, Samples

ALBUM = "Signals"
ARTIST = "The Generators"
ENCODE_TIMEOUT_S = 120
UTF_8 = 3  # ID3v2.4 section 4, text encodings

_CREDITS = """\
Computed by scripts/synthetic_album.py: no recording of anybody. Free for any use (CC0 1.0).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """How a song is delivered: the file's suffix, and ffmpeg's options for its contents."""

    suffix: str
    options: tuple[str, ...]


FORMATS = (
    FileFormat(suffix="flac", options=("-c:a", "flac", "-ar", "44100", "-sample_fmt", "s16")),
    FileFormat(suffix="wav", options=("-c:a", "pcm_s24le")),
    FileFormat(suffix="mp3", options=("-c:a", "libmp3lame", "-ar", "44100", "-b:a", "256k")),
    FileFormat(suffix="opus", options=("-c:a", "libopus", "-b:a", "160k")),
)


def write_album(folder: Path) -> list[Path]:
    """Compute the album into `folder`; the files in track order. Takes about 15 CPU seconds."""
    album = folder / ALBUM
    album.mkdir()
    files = []
    for number, (song, file_format) in enumerate(zip(SONGS, FORMATS, strict=True), start=1):
        files.append(write_song(song, file_format, album, number=number))
    (album / "CREDITS.txt").write_text(_CREDITS, encoding="utf-8")
    return files


def write_song(song: Song, file_format: FileFormat, folder: Path, *, number: int) -> Path:
    """Play one song into a tagged file in `folder`. The same song and ffmpeg give the same bytes."""
    target = folder / f"{number:02d} {song.title}.{file_format.suffix}"
    tags = {"title": song.title, "artist": ARTIST, "album": ALBUM, "track": f"{number}/{len(SONGS)}"}
    _encode(perform(song), file_format, tags, target)
    if file_format.suffix == "wav":
        _tag_wave(target, tags)
    return target


def _encode(music: Samples, file_format: FileFormat, tags: dict[str, str], target: Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
    command += ["-f", "f32le", "-ar", str(RATE_HZ), "-ch_layout", "stereo", "-i", "pipe:0"]
    command += [*file_format.options, "-fflags", "+bitexact", "-flags:a", "+bitexact"]
    for name, text in tags.items():
        command += ["-metadata", f"{name}={text}"]
    subprocess.run([*command, f"file:{target}"], input=music.tobytes(), timeout=ENCODE_TIMEOUT_S, check=True)


def _tag_wave(path: Path, tags: dict[str, str]) -> None:
    """Give a WAV file the ID3 tags that players read; ffmpeg writes only its own list chunk."""
    wave: Any = mutagen.File(path)
    wave.add_tags()
    frames: dict[str, Any] = {"title": TIT2, "artist": TPE1, "album": TALB, "track": TRCK}
    for name, frame in frames.items():
        wave.tags.add(frame(encoding=UTF_8, text=[tags[name]]))
    wave.save()
