"""Pictures beside a source that are called like covers. Names and states only: nobody looks into them here."""

import os
from collections.abc import Iterable
from pathlib import Path

from ingest.metadata.names import is_disc_folder

_STEMS = ("cover", "folder", "front", "albumart")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_COVER_NAMES = {stem + suffix: place for place, stem in enumerate(_STEMS) for suffix in _SUFFIXES}
FOLDER_PICTURES_MAX = 8


class FolderArt:
    """Finds covers in folders; a folder of ten thousand tracks is not listed for each of them."""

    def __init__(self) -> None:
        self._listed: tuple[Path, int, tuple[Path, ...]] | None = None

    def beside(self, path: Path) -> tuple[Path, ...]:
        """The covers in a source's folder, the best names first; those of the folder above, for a bare `CD2`."""
        folder = path.parent
        found = self._covers_in(folder)
        return found if found or not is_disc_folder(folder) else _covers_in(folder.parent)

    def state(self, path: Path) -> str:
        """What changes whenever one of them does."""
        return repr([_state(picture) for picture in self.beside(path)])

    def _covers_in(self, folder: Path) -> tuple[Path, ...]:
        try:
            changed_ns = folder.stat().st_mtime_ns
        except OSError:
            return ()
        if self._listed is None or self._listed[:2] != (folder, changed_ns):
            self._listed = (folder, changed_ns, _covers_in(folder))
        return self._listed[2]


def _covers_in(folder: Path) -> tuple[Path, ...]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are enough, of what may be ten thousand
    except OSError:
        return ()
    return tuple(folder / name for name in covers_among(names))


def covers_among(names: Iterable[str]) -> list[str]:
    """Which of the names in a folder are those of covers, the best first."""
    found = sorted((_COVER_NAMES[name.lower()], name) for name in names if name.lower() in _COVER_NAMES)
    return [name for _, name in found[:FOLDER_PICTURES_MAX]]


def _state(picture: Path) -> tuple[str, int, int, int]:
    try:
        found = picture.stat()
    except OSError:
        return picture.name, 0, 0, 0
    return picture.name, found.st_size, found.st_mtime_ns, found.st_ino
