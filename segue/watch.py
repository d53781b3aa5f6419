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
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Self

from catalog.arrivals import ArrivalTable
from catalog.plan import PlanTable
from ingest.scan import Source, changed, check_there, is_folder, is_inner, plain_file, printable, unreadable
from model.errors import SourceError, SourceUnreadable, UsageError
from segue.batch import BATCH
from segue.plan import inner_place

log = logging.getLogger(__name__)

Seen = tuple[bytes, bytes, bool]  # name, state, and whether it is a source
SETTLE_S = 10.0
POLL_S = 2.0
PATIENCE_S = 600.0
_LOOKING_SHARE = 10  # a look at a huge folder takes time: at most every tenth second goes into looking
_PARTIAL = (".part", ".partial", ".tmp", ".crdownload", ".download", "~")
_NAMES_MAX = 10_000
_GONE = (errno.ENOENT, errno.ENOTDIR)


class Arrivals:
    """Which sources have arrived, from one look to the next. A context manager. Every call blocks for a moment.

    A source has arrived when it did not change for `settle_s`, and nothing beside it in its folder did, so that an
    album comes as a whole; in a folder that goes on changing for more than `patience_s`, what is stable comes alone.
    Each state of a file comes once. What vanished is forgotten, but not what merely cannot be seen.
    """

    def __init__(self, *, settle_s: float, patience_s: float) -> None:
        self._settle_s = settle_s
        self._patience_s = patience_s
        self._table = ArrivalTable()
        self._turn = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._table.close()

    def __len__(self) -> int:
        return self._table.count()

    def __iter__(self) -> Iterator[Source]:
        """What has arrived and was not taken: folder by folder as they were looked at, by name."""
        for folder, name in self._table.arrived():
            place = Path(os.fsdecode(folder))
            yield Source(path=place / os.fsdecode(name) if name else place)

    def taken(self) -> None:
        """What has arrived so far was taken."""
        self._table.taken()

    def look(self, place: Path, files: Iterable[Seen], now: float) -> None:
        """Look at what is in a folder now; a file that was named itself is a folder of its own, with no name in it."""
        self._turn += 1
        folder, found, there = os.fsencode(place), iter(files), 0
        while batch := {name: (state, is_source) for name, state, is_source in islice(found, BATCH)}:
            self._table.see(folder, batch, now)
            there += len(batch)
        seen = self._table.seen(folder)
        if seen.files > there:
            for names in self._table.names(folder):
                self._table.forget(folder, [each for each in names if not os.path.lexists(b"%s/%s" % (folder, each))])
            seen = self._table.seen(folder)
        settled = now - self._settle_s
        if seen.changed <= settled or not seen.sources:
            self._table.calm(folder)
        elif now - self._table.busy_since(folder, now) <= self._patience_s:
            return
        self._table.give(folder, self._turn, settled)

    def forget_vanished(self, named: Sequence[Path], blind: Collection[Path]) -> None:
        """Forget folders that are not there, but not those in or below `blind` ones, which cannot be seen, or below a
        named one that went away while others were looked at."""
        for folder in self._table.folders():
            if not os.path.lexists(folder):
                unseen = {*blind, *(path for path in named if not os.path.lexists(path))}
                place = Path(os.fsdecode(folder))
                if unseen.isdisjoint((place, *place.parents)):
                    self._table.forget(folder)


async def watched(
    named: Sequence[Path],
    *,
    settle_s: float = SETTLE_S,
    poll_s: float = POLL_S,
    patience_s: float = PATIENCE_S,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncGenerator[Iterable[Source], None]:
    """Sources as they arrive in the named folders (or change there), for ever; cancel it to end it.

    See Arrivals for when a source has arrived. While the caller works on what has arrived, which may be gone over again
    until then, nobody looks. Raises UsageError if a named path does not exist at the first look; one that vanishes
    later is waited for.
    """
    check_there(named)
    blind = frozenset[Path]()
    with Arrivals(settle_s=settle_s, patience_s=patience_s) as arrivals:
        while True:
            began = clock()
            now_blind = await asyncio.to_thread(look_at, arrivals, named, began)
            for place in now_blind - blind:
                log.warning("cannot look into a watched folder", extra={"folder": printable(place)})
            blind = now_blind
            took = clock() - began
            if found := await asyncio.to_thread(len, arrivals):
                log.info("sources arrived", extra={"sources": found})
                yield arrivals
                await asyncio.to_thread(arrivals.taken)
            await asyncio.sleep(max(poll_s, _LOOKING_SHARE * took))


def look_at(arrivals: Arrivals, named: Sequence[Path], now: float) -> frozenset[Path]:
    """Look at all that is in the named folders; which could not be looked into. Blocking."""
    blind = set()
    tops = {path.absolute(): path for path in reversed(named)}
    with PlanTable() as table:
        for path in dict.fromkeys(tops[path.absolute()] for path in named):
            if not os.path.lexists(path):
                blind.add(path)
            elif is_folder(path):
                blind.update(_looked_below(arrivals, path, tops, now, table))
            elif not is_partial(path.name):
                with suppress(OSError):
                    arrivals.look(path, [(b"", b"%d %d %d" % _state(path.stat()), True)], now)
    arrivals.forget_vanished(named, blind)
    return frozenset(blind)


def is_partial(name: str) -> bool:
    """Whether a file of this name is hidden, or still on its way: programs rename what they have copied."""
    return name.startswith(".") or name.lower().endswith(_PARTIAL)


def _looked_below(
    arrivals: Arrivals, top: Path, tops: Collection[Path], now: float, table: PlanTable
) -> Iterator[Path]:
    """Look at a folder and all below it that was not named itself; those that could not be looked into."""
    table.add_folders([(b"", os.fsencode(top))])
    while (taken := table.take_folder()) is not None:
        place, folder = taken[0], Path(os.fsdecode(taken[1]))
        named = {each.name for each in tops if each.parent == folder.absolute()}
        try:
            arrivals.look(folder, _listed(folder, place, named, table), now)
        except OSError:
            yield folder


def _listed(folder: Path, place: bytes, named: Collection[str], table: PlanTable) -> Iterator[Seen]:
    """What is in a folder; the folders in it go into the table. Raises OSError."""
    inside: list[tuple[bytes, bytes]] = []
    with os.scandir(folder) as listing:
        for entry in listing:
            inner = None if entry.name in named else is_inner(entry)
            name = os.fsencode(entry.name)
            if inner:
                inside.append((inner_place(place, name), os.fsencode(entry.path)))
            if len(inside) == BATCH:
                table.add_folders(inside)
                inside.clear()
            try:
                state = _state(entry.stat())
            except OSError:  # a link that leads nowhere, or what goes away meanwhile
                continue
            yield name, b"%d %d %d" % state, inner is False and not is_partial(entry.name)
    table.add_folders(inside)


def _state(status: os.stat_result) -> tuple[int, int, int]:
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
