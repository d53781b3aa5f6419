"""Album loudness from files to renditions, measured by ffmpeg's own meter on what was published."""

import json
import re
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.support.audio import make_audio, music_like
from tests.support.command import objects, segue

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
LADDER = ("--aac", "64,128", "--opus", "64")
STORE = ("--store", "file:store", "--catalog", "catalog.sqlite3", "--jobs", "2")
SECONDS = 4


def ffmpeg(*arguments: str | Path) -> str:
    """Run ffmpeg; what it said."""
    command = [FFMPEG, "-nostdin", "-hide_banner", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stderr


def measured(*paths: Path) -> tuple[float, float]:
    """Integrated loudness and true peak of files played one after the other."""
    inputs = [part for path in paths for part in ("-i", path)]
    joined = f"{''.join(f'[{at}:a]' for at in range(len(paths)))}concat=n={len(paths)}:v=0:a=1,ebur128=peak=true"
    said = ffmpeg(*inputs, "-filter_complex", f"{joined}:framelog=quiet", "-f", "null", "-").rpartition("Summary:")[2]
    level, peak = re.search(r"I:\s+(\S+) LUFS", said), re.search(r"Peak:\s+(\S+) dBFS", said)
    assert level is not None
    assert peak is not None
    return float(level[1]), float(peak[1])


def album(folder: Path, *volumes_db: float, seconds: float = SECONDS) -> list[str]:
    """Songs that differ in level, tagged as one album; their names."""
    names = []
    for number, volume_db in enumerate(volumes_db, start=1):
        source = make_audio(f"amovie={music_like(seconds, seed=number)},volume={volume_db}dB", ".flac")
        tags = [("album", "A"), ("album_artist", "B"), ("track", str(number)), ("title", f"{number}")]
        words = [word for name, text in tags for word in ("-metadata", f"{name}={text}")]
        (folder / "music").mkdir(exist_ok=True)
        ffmpeg("-i", source, "-c", "copy", *words, folder / "music" / f"{number}.flac")
        names.append(f"{number}.flac")
    return names


def published(folder: Path, names: list[str], *arguments: str) -> dict[str, list[Path]]:
    """The track files of each rendition id, in the order of the names."""
    ran = segue("publish", "music", *STORE, *LADDER, *arguments, cwd=folder)
    assert ran.status == 0, ran.stderr
    found: dict[str, list[Path]] = {}
    for name in names:
        current = json.loads((folder / "store/tracks" / ran.outcomes[name]["track_id"] / "current.json").read_text())
        package = folder / "store/recordings" / current["recording_id"] / current["package_id"]
        for path in package.glob("*.mp4"):
            found.setdefault(path.stem, []).append(path)
    return found


def test_the_tracks_of_an_album_keep_their_relation(tmp_path: Path) -> None:
    """The album is at the target as one programme, and its tracks are as far apart as in the masters."""
    names = album(tmp_path, 0.0, -5.0, -9.0)
    sources = [measured(tmp_path / "music" / name)[0] for name in names]
    for paths in published(tmp_path, names, "--target", "-20").values():
        levels = [measured(path) for path in paths]
        assert measured(*paths)[0] == pytest.approx(-20.0, abs=0.25)
        for (level, peak), source in zip(levels, sources, strict=True):
            assert level - levels[0][0] == pytest.approx(source - sources[0], abs=0.4)
            assert peak <= -0.9


def test_an_album_at_the_ceiling_goes_down_together(tmp_path: Path) -> None:
    """One track peaks: none passes the ceiling after encoding, and the relation holds."""
    names = album(tmp_path, 0.0, -3.0)
    peaky = "aevalsrc=exprs='0.02*sin(2*PI*440*t)+0.9*lt(mod(t,1),0.0006)':s=48000:d=4,aformat=channel_layouts=stereo"
    words = ("-metadata", "album=A", "-metadata", "album_artist=B", "-metadata", "track=3", "-metadata", "title=3")
    ffmpeg("-i", make_audio(peaky, ".flac"), "-c", "copy", *words, tmp_path / "music" / "3.flac")
    names.append("3.flac")
    sources = [measured(tmp_path / "music" / name)[0] for name in names]
    for rendition, paths in published(tmp_path, names).items():
        levels = [measured(path) for path in paths]
        assert max(peak for _, peak in levels) <= -0.9, rendition
        for (level, _), source in zip(levels, sources, strict=True):
            assert level - levels[0][0] == pytest.approx(source - sources[0], abs=0.45), rendition
    before = objects(tmp_path / "store")
    published(tmp_path, names)
    assert objects(tmp_path / "store") == before


def test_in_track_mode_all_are_equally_loud(tmp_path: Path) -> None:
    """Each at the target by itself."""
    names = album(tmp_path, 0.0, -5.0, seconds=3)
    for paths in published(tmp_path, names, "--loudness", "track").values():
        for path in paths:
            assert measured(path)[0] == pytest.approx(-14.0, abs=0.25)


def test_off_leaves_the_levels_alone(tmp_path: Path) -> None:
    """Nothing but the encoder changes the signal."""
    names = album(tmp_path, 0.0, -5.0, seconds=3)
    sources = [measured(tmp_path / "music" / name)[0] for name in names]
    for rendition, paths in published(tmp_path, names, "--loudness", "off").items():
        levels = [measured(path)[0] for path in paths]
        assert levels == pytest.approx(sources, abs=0.8), rendition
