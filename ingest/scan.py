"""Sources in a stable order. Files are hostile and may change, vanish or be no files at all."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import (
    SourceChanged,
    SourceEmpty,
    SourceError,
    SourceTooLong,
    SourceUnreadable,
    SourceUnsupported,
    SourceVanished,
    UsageError,
)

_GONE = "it vanished after it was found, or is a link that leads nowhere"
COPY_HINT = "copy it again from where it came"
_TAKEN = frozenset(
    [".wav", ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".flac", ".fla", ".m4a", ".m4b", ".m4r",
     ".mp4", ".alac", ".aac", ".adts", ".mp3", ".mp2", ".ogg", ".oga", ".opus", ".spx", ".wv", ".caf", ".mka", ".webm"]
)  # fmt: skip
# Music that we do not take: found all the same, so that it is refused with a reason and not left out without a word.
_REFUSED = frozenset(
    [".wma", ".asf", ".dsf", ".dff", ".ape", ".tta", ".tak", ".shn", ".ofr", ".mpc", ".m4p", ".aa", ".aax", ".aaxc",
     ".ac3", ".eac3", ".dts", ".au", ".snd", ".amr", ".ra", ".mid", ".midi"]
)  # fmt: skip
AUDIO_SUFFIXES = _TAKEN | _REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceObject:
    """One version of an object in a bucket; `bucket` is the bucket's URL."""

    bucket: str
    key: str
    size_bytes: int
    etag: str

    @property
    def name(self) -> str:
        """The object as operators name it, in text that can be printed."""
        root, _, _ = self.bucket.partition("?")
        return printable(Path(f"{root.rstrip('/')}/{self.key}".replace("s3://", "", 1)))

    @property
    def place(self) -> bytes:
        """How the ledger calls it: bucket, service and key."""
        return f"{self.bucket}#{self.key}".encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file to ingest, or an object: it has a `path` too, for what names tell; once `copied`, its copy is there.

    `covers` are the pictures beside an object, the best first; those beside a file are looked for when they are needed.
    """

    path: Path
    object: SourceObject | None = None
    covers: tuple[SourceObject, ...] = ()
    copied: bool = False

    @property
    def name(self) -> str:
        """The path as text that can be printed; the URL of an object."""
        return f"s3://{self.object.name}" if self.object else printable(self.path)


def printable(path: Path) -> str:
    """The path as text that can be written: bytes that are no UTF-8 are shown as replacement characters."""
    return os.fsencode(path).decode("utf-8", "replace")


def check_there(named: Sequence[Path]) -> None:
    """Raise UsageError for a name that does not exist."""
    for path in named:
        if _is_missing(path):
            raise UsageError("no such file or folder", subject=printable(path), hint="check the spelling")


def _is_missing(path: Path) -> bool:
    try:
        path.lstat()
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENOTDIR)
    return False


def is_folder(path: Path) -> bool:
    """Whether it is one, or a link to one."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def entries(folder: Path) -> Iterator[tuple[Path, bool]]:
    """The music and the folders in a folder, as the system lists them, and whether each is a folder; the folder itself
    as music if it cannot be listed. Hidden ones are left out, and links to folders."""
    try:
        with os.scandir(folder) as listing:  # it knows what its entries are
            for entry in listing:
                inner = is_inner(entry)
                if inner is not None:
                    yield folder / entry.name, inner
    except OSError:
        yield folder, False


def is_inner(entry: os.DirEntry[str]) -> bool | None:
    """Whether something in a folder is a folder to look into; False if it is music, None if it is neither."""
    if entry.name.startswith("."):
        return None
    if entry.is_dir(follow_symlinks=False):
        return True
    is_music = os.path.splitext(entry.name)[1].lower() in AUDIO_SUFFIXES  # noqa: PTH122 - of every file there is
    return False if is_music and not (entry.is_symlink() and entry.is_dir()) else None


def check_file(source: Source, *, bytes_max: int) -> os.stat_result:
    """The file's status. Raises SourceError for what is missing, empty, too large, not ours to read or no plain file.

    Blocking, but never waits: pipes and devices are not opened.
    """
    try:
        status = source.path.stat()
        if stat.S_ISDIR(status.st_mode):
            os.listdir(source.path)  # noqa: PTH208 - a folder that cannot be walked says why here
        elif stat.S_ISREG(status.st_mode):
            os.close(plain_file(os.fspath(source.path), os.O_RDONLY))  # the rights
    except OSError as error:
        raise unreadable(source, error) from error
    if not stat.S_ISREG(status.st_mode):
        hint = "folders, pipes, sockets and devices are not read; name a file"
        raise SourceUnsupported("not a plain file", subject=source.name, hint=hint)
    check_size(source, status.st_size, bytes_max=bytes_max)
    return status


def check_size(source: Source, size_bytes: int, *, bytes_max: int) -> None:
    """Raise SourceEmpty or SourceTooLong for what need not be opened."""
    if size_bytes == 0:
        raise SourceEmpty("the file is empty", subject=source.name, hint=COPY_HINT)
    if size_bytes > bytes_max:
        hint = f"at most {bytes_max / (1 << 30):.0f} GiB; cut it into tracks"
        raise SourceTooLong("the file is too large", subject=source.name, hint=hint)


def plain_file(path: str, flags: int) -> int:
    """An opener for `open` that never waits: a pipe or device that took a file's place is an OSError."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "not a plain file", path)


def unreadable(source: Source, error: OSError) -> SourceError:
    """What the system said about a source, in our words: SourceVanished or SourceUnreadable."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
        return SourceVanished("the file is not there", subject=source.name, hint=_GONE)
    reason = (error.strerror or "unknown error").lower()
    return SourceUnreadable(f"cannot read source ({reason})", subject=source.name, hint="check the file and its rights")


def changed(source: Source) -> SourceChanged:
    """The file is being written to: what was read of it fits nothing."""
    return SourceChanged("the file changed while it was read", subject=source.name, hint="wait for its copy to end")
