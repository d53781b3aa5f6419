"""Drop folders: sources as they arrive, whole; and where they go when they are done.

Folders are looked at again and again: this works on network shares too, and asks nothing of the system.
"""

import asyncio
import errno
import logging
import os
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ingest.scan import Source, changed, find_sources, plain_file, printable, unreadable
from model.errors import SourceError, SourceUnreadable, UsageError

log = logging.getLogger(__name__)

State = tuple[int, int, int]  # size, time of modification in ns, inode
SETTLE_S = 10.0
POLL_S = 2.0
PATIENCE_S = 600.0
_LOOKING_SHARE = 10  # a look at a huge folder takes time: at most every tenth second goes into looking
_PARTIAL = (".part", ".partial", ".tmp", ".crdownload", ".download", "~")
_NAMES_MAX = 10_000
_GONE = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What lies in the watched folders now.

    `folders` has the state of everything in each folder that holds sources; a file named itself is a folder of its
    own. `sources` come with their folder. `blind` are the folders that could not be looked into.
    """

    folders: Mapping[Path, Mapping[str, State]]
    sources: Sequence[tuple[Path, Source]]
    blind: frozenset[Path] = frozenset()


@dataclass(slots=True)
class _File:
    state: State
    since: float
    given: bool = False


@dataclass(slots=True)
class _Folder:
    files: dict[str, _File] = field(default_factory=dict)
    busy_since: float | None = None


class Arrivals:
    """Which sources have arrived: pure, from one look to the next.

    A source has arrived when it did not change for `settle_s`, and nothing beside it in its folder did, so that an
    album comes as a whole; in a folder that goes on changing for more than `patience_s`, what is stable comes alone.
    Each state of a file comes once. What vanished is forgotten, but not what merely cannot be seen.
    """

    def __init__(self, *, settle_s: float, patience_s: float) -> None:
        self._settle_s = settle_s
        self._patience_s = patience_s
        self._folders: dict[Path, _Folder] = {}

    def after(self, look: Look, now: float) -> list[Source]:
        """The sources that have arrived since the last look, in the order of this one."""
        kept = {place: folder for place, folder in self._folders.items() if _is_below(place, look.blind)}
        seen = {place: self._updated(place, states, now) for place, states in look.folders.items()}
        self._folders = kept | seen
        return [source for place, source in look.sources if self._arrives(seen[place], source.path.name, now)]

    def _updated(self, place: Path, states: Mapping[str, State], now: float) -> _Folder:
        folder = self._folders.get(place) or _Folder()
        known = folder.files
        folder.files = {
            name: known[name] if name in known and known[name].state == state else _File(state, since=now)
            for name, state in states.items()
        }
        calm = all(now - file.since >= self._settle_s for file in folder.files.values())
        folder.busy_since = None if calm else now if folder.busy_since is None else folder.busy_since
        return folder

    def _arrives(self, folder: _Folder, name: str, now: float) -> bool:
        file = folder.files.get(name)
        if file is None or file.given or now - file.since < self._settle_s:
            return False
        file.given = folder.busy_since is None or now - folder.busy_since > self._patience_s
        return file.given


def _is_below(place: Path, folders: frozenset[Path]) -> bool:
    return bool(folders) and not folders.isdisjoint((place, *place.parents))


async def watched(
    named: Sequence[Path],
    *,
    settle_s: float = SETTLE_S,
    poll_s: float = POLL_S,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[list[Source], None]:
    """Lists of sources as they arrive in the named folders (or change there), for ever; cancel it to end it.

    See Arrivals for when a source has arrived. While the caller works on a list, nobody looks. Raises UsageError if
    a named path does not exist at the first look; one that vanishes later is waited for.
    """
    arrivals = Arrivals(settle_s=settle_s, patience_s=patience_s)
    present, blind = list(named), frozenset[Path]()
    while True:
        began = clock()
        look = await asyncio.to_thread(look_at, present, missing=frozenset(named).difference(present))
        now = clock()
        for place in look.blind - blind:
            log.warning("cannot look into a watched folder", extra={"folder": printable(place)})
        blind = look.blind
        if found := arrivals.after(look, now):
            log.info("sources arrived", extra={"sources": len(found)})
            yield found
        await asyncio.sleep(max(poll_s, _LOOKING_SHARE * (now - began)))
        present = [path for path in named if os.path.lexists(path)]


def look_at(named: Sequence[Path], *, missing: frozenset[Path] = frozenset()) -> Look:
    """What lies in the named folders. Blocking. Raises UsageError for a name that does not exist."""
    folders: dict[Path, Mapping[str, State]] = {}
    sources: list[tuple[Path, Source]] = []
    blind = set(missing)
    alone = frozenset(named)
    for source in find_sources(named):
        path = source.path
        if path.is_dir():
            blind.add(path)  # find_sources names a folder that it could not list
        elif not is_partial(path.name):
            place = path if path in alone else path.parent
            if place not in folders:
                folders[place] = _states(place)
            sources.append((place, source))
    return Look(folders=folders, sources=sources, blind=frozenset(blind))


def is_partial(name: str) -> bool:
    """Whether a file of this name is hidden, or still on its way: programs rename what they have copied."""
    return name.startswith(".") or name.lower().endswith(_PARTIAL)


def _states(place: Path) -> dict[str, State]:
    """Of everything in a folder, or of one file; without what goes away meanwhile."""
    try:
        with os.scandir(place) as listing:
            entries: list[os.DirEntry[str] | Path] = list(listing)
    except NotADirectoryError:
        entries = [place]
    except OSError:
        return {}
    states = {}
    for entry in entries:
        with suppress(OSError):  # a link that leads nowhere
            states[entry.name] = _state(entry.stat())
    return states


def _state(status: os.stat_result) -> State:
    return status.st_size, status.st_mtime_ns, status.st_ino


def done_folder(into: Path, named: Sequence[Path]) -> Path:
    """The folder for what is done, made if it is not there.

    Raises UsageError if it lies in a watched folder, where all would be found again, or cannot be made.
    """
    place = into.resolve()
    if any(place.is_relative_to(path.resolve()) for path in named):
        hint = "name a folder beside the watched one"
        raise UsageError("what is done cannot go into a watched folder", subject=printable(into), hint=hint)
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder ({error.strerror})", subject=printable(into)) from error
    return into


def move_done(path: Path, *, named: Sequence[Path], into: Path) -> Path:
    """Move a file that is done below `into`, in the folders that it had below the watched one; where it lies now.

    Nothing is overwritten: a number is added to its name. Blocking. Raises SourceError if it cannot be moved; then it
    lies where it was.
    """
    source = Source(path=path)
    try:
        path.lstat()
        target = _reserved(into / _below(path, named))
    except OSError as error:
        raise _unmoved(source, error) from error
    try:
        _move(source, target)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unmoved(source, error) from error
        raise
    return target


def _below(path: Path, named: Sequence[Path]) -> Path:
    """The path from the innermost watched folder on."""
    here = path.absolute()
    roots = [root.absolute() for root in named if here.is_relative_to(root.absolute()) and here != root.absolute()]
    return here.relative_to(max(roots, key=lambda root: len(root.parts))) if roots else Path(path.name)


def _reserved(wanted: Path) -> Path:
    """An empty file of this name, or of the next that is free: nobody else gets the name."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in range(_NAMES_MAX):
        place = wanted.with_name(f"{wanted.stem} ({number}){wanted.suffix}") if number else wanted
        try:
            place.touch(exist_ok=False)
        except FileExistsError:
            continue
        return place
    raise FileExistsError(errno.EEXIST, f"{_NAMES_MAX} files have this name", str(wanted))


def _move(source: Source, target: Path) -> None:
    try:
        os.rename(source.path, target)  # noqa: PTH104 - it takes the place of the empty file that holds the name
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(source, target)
        source.path.unlink()


def _copy(source: Source, target: Path) -> None:
    """To another file system: whole and on the disk before it gets its name. Raises SourceChanged."""
    with (
        open(source.path, "rb", opener=plain_file) as reading,
        tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".part", delete=False) as writing,
    ):
        try:
            before = os.fstat(reading.fileno())
            shutil.copyfileobj(reading, writing, 1 << 20)
            writing.flush()
            shutil.copystat(source.path, writing.name)
            os.fsync(writing.fileno())
            after = source.path.stat()
            if _state(before) != _state(after):
                raise changed(source)
            Path(writing.name).replace(target)
        except BaseException:
            Path(writing.name).unlink(missing_ok=True)
            raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unmoved(source: Source, error: OSError) -> SourceError:
    if error.errno in _GONE and not os.path.lexists(source.path):
        return unreadable(source, error)
    reason = (error.strerror or "unknown error").lower()
    hint = "check the rights and the room of both folders; the file lies where it was"
    return SourceUnreadable(f"cannot move what is done ({reason})", subject=source.name, hint=hint)
