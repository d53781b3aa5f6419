"""Sources in a stable order, and what makes two of them the same."""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiofiles

from model.errors import SourceUnreadable, SourceUnsupported, UsageError

READ_BYTES = 4 << 20
AUDIO_SUFFIXES = frozenset(
    [".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".flac", ".m4a", ".mp4", ".alac", ".aac",
     ".mp3", ".ogg", ".oga", ".opus", ".wv", ".caf", ".mka", ".webm"]
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file to ingest. `folder` is the folder it was found in by a walk, None if it was named itself."""

    path: Path
    folder: Path | None = None

    @property
    def name(self) -> str:
        """The path as text that can be printed: bytes that are no UTF-8 are shown as replacement characters."""
        return os.fsencode(self.path).decode("utf-8", "replace")


def find_sources(named: Sequence[Path]) -> list[Source]:
    """The files to ingest: those named, and in folders all with an audio suffix, by name, hidden ones left out.

    Each file once, in a stable order. Symbolic links to folders are not followed. Raises UsageError for a name
    that does not exist.
    """
    found: dict[Path, Source] = {}
    for path in named:
        if path.is_dir():
            for source in _walk(path):
                found.setdefault(source.path, source)
        elif path.exists() or path.is_symlink():
            found.setdefault(path, Source(path=path))
        else:
            raise UsageError("no such file or folder", subject=str(path), hint="check the spelling")
    return list(found.values())


def _walk(folder: Path) -> Iterator[Source]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(root)
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in AUDIO_SUFFIXES:
                yield Source(path=here / name, folder=here)


def check_file(source: Source, *, bytes_max: int) -> os.stat_result:
    """The file's status. Raises SourceError for what is missing, empty, too large, or not a plain file."""
    try:
        status = source.path.stat()
    except OSError as error:
        raise _unreadable(source, error) from error
    if not stat.S_ISREG(status.st_mode):
        hint = "folders, pipes, sockets and devices are not read; name a file"
        raise SourceUnsupported("not a plain file", subject=source.name, hint=hint)
    if status.st_size == 0:
        raise SourceUnreadable("the file is empty", subject=source.name, hint="copy it again from where it came")
    if status.st_size > bytes_max:
        hint = f"at most {bytes_max >> 30} GiB; cut it into tracks"
        raise SourceUnsupported("the file is too large", subject=source.name, hint=hint)
    return status


async def hash_file(source: Source) -> str:
    """SHA-256 of the file's bytes, in hex. Raises SourceUnreadable."""
    digest = hashlib.sha256()
    try:
        async with aiofiles.open(source.path, "rb") as file:
            while piece := await file.read(READ_BYTES):
                digest.update(piece)
    except OSError as error:
        raise _unreadable(source, error) from error
    return digest.hexdigest()


def _unreadable(source: Source, error: OSError) -> SourceUnreadable:
    reason = (error.strerror or "unknown error").lower()
    return SourceUnreadable(f"cannot read source ({reason})", subject=source.name, hint="check the file and its rights")
