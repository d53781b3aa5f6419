"""Streams in a folder of this machine: nothing outside it is read, and nothing of the network."""

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from inspector.limits import Budget, Limits
from inspector.source import Answer
from manifests.playlist import PlaylistByteRange
from model.errors import InspectionError, InspectionLimit, OutOfReach, ResourceUnavailable, UsageError

PLAYLIST_SUFFIXES = (".m3u8", ".m3u")
FILES_MAX = 100_000  # looked at in search of playlists


class Folder:
    """A Source over a folder. Locations are paths inside it, with `/`."""

    remote = False

    def __init__(self, root: Path, limits: Limits, budget: Budget) -> None:
        self._root = root.resolve()
        self._limits, self._budget = limits, budget

    def resolve(self, base: str, uri: str) -> str:
        """The path that a URI leads to. Raises OutOfReach for other schemes and what lies outside of the folder."""
        try:
            parts = urlsplit(uri)
        except ValueError as error:
            raise OutOfReach("not a URI", subject=uri[:200]) from error
        if parts.scheme or parts.netloc:
            raise OutOfReach("lies on the network or elsewhere", subject=uri[:200])
        path = unquote(parts.path)
        if "\0" in path or path.startswith("/"):
            raise OutOfReach("lies outside of the folder", subject=uri[:200])
        steps: list[str] = list(PurePosixPath(base).parts[:-1])
        for step in PurePosixPath(path).parts:
            if step == ".." and not steps:
                raise OutOfReach("lies outside of the folder", subject=uri[:200])
            steps = steps[:-1] if step == ".." else [*steps, step]
        if not steps:
            raise OutOfReach("names no file", subject=uri[:200])
        return "/".join(steps)

    async def get(
        self, location: str, *, bytes_max: int, byte_range: PlaylistByteRange | None = None, playlist: bool = False
    ) -> Answer:
        """Read a file. Links that lead out of the folder are not followed."""
        self._budget.request()
        data, size_bytes = await asyncio.to_thread(self._read, location, bytes_max, byte_range)
        self._budget.took(len(data))
        return Answer(location=location, data=data, size_bytes=size_bytes)

    async def contains(self, location: str, text: bytes, bytes_max: int) -> bool:
        """Whether a file has these bytes; a file that cannot be read has none."""
        try:
            return text in (await self.get(location, bytes_max=bytes_max)).data
        except InspectionError:
            return False

    def _read(self, location: str, bytes_max: int, byte_range: PlaylistByteRange | None) -> tuple[bytes, int]:
        try:
            path = (self._root / location).resolve()
            if not path.is_relative_to(self._root):
                raise OutOfReach("leads out of the folder", subject=location)
            # not blocking: a pipe would wait for whoever writes into it
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise ResourceUnavailable("not a file", subject=location)
                wanted = byte_range.length_bytes if byte_range else status.st_size
                if wanted > bytes_max:
                    raise InspectionLimit(f"larger than {bytes_max} bytes", subject=location)
                file.seek(min(byte_range.offset_bytes, status.st_size) if byte_range else 0)
                return file.read(wanted), status.st_size
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a loop of links
            reason = getattr(error, "strerror", None) or "not a path"
            raise ResourceUnavailable(reason.lower(), subject=location) from error


def playlists_in(folder: Path, limits: Limits) -> list[str]:
    """The playlists of a folder and of those inside it, sorted. Raises UsageError for none and for too many."""
    found = sorted(_playlists(folder))
    if not found:
        raise UsageError("no playlist in the folder", subject=str(folder), hint="name a folder with .m3u8 files")
    if len(found) > limits.playlists_in_folder_max:
        hint = "name one of its playlists, or a folder inside it"
        raise UsageError(f"more than {limits.playlists_in_folder_max} playlists", subject=str(folder), hint=hint)
    return found


def _playlists(folder: Path) -> Iterator[str]:
    seen = 0
    for place, _, names in os.walk(folder):
        for name in names:
            seen += 1
            if seen > FILES_MAX:
                return
            if name.lower().endswith(PLAYLIST_SUFFIXES):
                yield (Path(place) / name).relative_to(folder).as_posix()
