"""Make a small album to try Segue with: real music from a Debian package, or music computed here where that fails.

    python -m scripts.sample_album [FOLDER] [--synthetic]
    python -m scripts.sample_album --odd FOLDER

A folder that is there already is kept as it is. Nothing is installed, and no audio is ever committed.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.debian_files import PackageUnavailable, unpack_package

ALBUM_FOLDER = Path(".cache/album")
SYNTHETIC_FOLDER = Path(".cache/synthetic-album")
EXIT_UNAVAILABLE = 3

_ALBUM = "Endgame: Singularity (soundtrack)"
_CREDITS = """\
Four tracks of the soundtrack of "Endgame: Singularity", unchanged.

Music: Max McCracken (Maxstack)
Licence: Creative Commons Attribution-ShareAlike 3.0, http://creativecommons.org/licenses/by-sa/3.0/
From: Debian's package singularity-music
"""
# The shortest first, so that something plays early; 9 min 49 s together.
_TRACKS = ("lose/Chimes They Fade.ogg", "win/Apex Aleph.ogg", "Awakening.ogg", "Through Space.ogg")


@dataclass(frozen=True, slots=True, kw_only=True)
class OddSounds:
    """A package whose files are awkward in some way, and where in it they are."""

    package: str
    files: str
    credits: str


_ODD = (
    OddSounds(
        package="lincity-ng-data",
        files="usr/share/games/lincity-ng/sounds",
        credits="Short sounds, mono and stereo, of several sample rates. The LinCity-NG team, GPL-2+.\n",
    ),
    OddSounds(
        package="asc-music",
        files="usr/share/games/asc/music",
        credits="MP3 of 22.05 kHz without tags. Michael Kievernagel, GPL-2+.\n",
    ),
)


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status: 3 where the music can neither be fetched nor computed."""
    parser = argparse.ArgumentParser(prog="sample_album", description="make a small album to try Segue with")
    parser.add_argument("folder", nargs="?", type=Path, help=f"where to (default: {ALBUM_FOLDER})")
    parser.add_argument("--synthetic", action="store_true", help=f"compute the music (default: {SYNTHETIC_FOLDER})")
    parser.add_argument("--odd", type=Path, metavar="FOLDER", help="instead: mono, short, untagged and low-rate sounds")
    options = parser.parse_args(arguments)
    try:
        if options.odd is not None:
            return _make(options.odd, fill_with_odd_sounds)
        if options.synthetic:
            return _make(options.folder or SYNTHETIC_FOLDER, fill_with_computed_music)
        return _make(options.folder or ALBUM_FOLDER, fill_with_music)
    except (PackageUnavailable, ModuleNotFoundError) as error:
        print(f"error: cannot make the music: {error}", file=sys.stderr)
        print("hint: make setup, then python -m scripts.sample_album --synthetic", file=sys.stderr)
        return EXIT_UNAVAILABLE


def fill_with_music(folder: Path) -> None:
    """Put the real album into `folder`, or the computed one where the package cannot be had."""
    try:
        fill_with_soundtrack(folder)
    except PackageUnavailable as error:
        print(f"warning: no real music, computing some: {error}", file=sys.stderr)
        fill_with_computed_music(folder)


def fill_with_soundtrack(folder: Path) -> None:
    """Put four tracks that Debian ships into `folder`, tags and all. Raises PackageUnavailable."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        music = unpack_package("singularity-music", Path(scratch)) / "usr/share/games/singularity/music"
        missing = [name for name in _TRACKS if not (music / name).is_file()]
        if missing:
            raise PackageUnavailable(f"singularity-music lacks: {', '.join(missing)}")
        album = folder / _ALBUM
        album.mkdir()
        for number, name in enumerate(_TRACKS, start=1):
            shutil.copyfile(music / name, album / f"{number:02d} {Path(name).name}")
        (album / "CREDITS.txt").write_text(_CREDITS, encoding="utf-8")


def fill_with_computed_music(folder: Path) -> None:
    """Compute an album into `folder`. Raises ModuleNotFoundError without the development dependencies."""
    # Only here: the demo runs without NumPy, unless it has to compute its music.
    from scripts.synthetic_album import write_album  # noqa: PLC0415

    write_album(folder)


def fill_with_odd_sounds(folder: Path) -> None:
    """Put sounds that are awkward to ingest into `folder`, one folder per package. Raises PackageUnavailable."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        for odd in _ODD:
            target = folder / odd.package
            shutil.copytree(unpack_package(odd.package, Path(scratch)) / odd.files, target)
            (target / "CREDITS.txt").write_text(odd.credits, encoding="utf-8")


def _make(folder: Path, fill: Callable[[Path], None]) -> int:
    """Fill a new folder and put it in place whole; a folder that is there stays as it is."""
    if folder.exists():
        print(f"music: {folder} (kept)", file=sys.stderr)
        return 0
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"music: {folder} (making)", file=sys.stderr)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fill(unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    print(f"music: {folder} ({sum(1 for _ in folder.rglob('*.*'))} files)", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
