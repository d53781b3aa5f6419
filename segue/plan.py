"""The plan of a batch: what there is to do, found and put together, whatever its size. None of it stays in memory."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Self

from catalog.ledger import Outline
from catalog.plan import Album, Line, Looked, PlanTable
from ingest.history import failed_before
from ingest.levels import ALBUM_TRACKS_MAX
from ingest.objects import Buckets, source_of, with_covers
from ingest.plan import Group, Planned, outlined, recalled
from ingest.release import is_album
from ingest.scan import Source, SourceObject, check_there, entries, is_folder
from ingest.work import Ingest, ledger_place
from model.events import Observer, Stage, StageProgress, StageStarted
from model.loudness import LoudnessMode
from segue.batch import BATCH, Drawn, in_batches
from segue.schedule import before_its_turn
from segue.wiring import Workshop

SURVEYORS = 8
_ALBUMS = 32
_FILE, _FOLDER, _END = b"\0", b"\1", b"\0"  # of a folder's entries the files come first


class Plan:
    """Sources in a stable order, each once: as named, in a folder by name, a folder's files before its folders; of a
    bucket by key. What cannot be looked at, or is no plain file, is a source too. A context manager.

    First all is found, then looked at (`survey`), then taken (`groups`).
    """

    def __init__(self) -> None:
        self._table = PlanTable()
        self._named = 0

    def __enter__(self) -> Self:
        self._table.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._table.__exit__()

    def find(self, named: Sequence[Path]) -> None:
        """Add the files that are named, and in folders all music; hidden ones are left out, links to folders not
        followed. Blocking. Raises UsageError for a name that does not exist."""
        check_there(named)
        for path in named:
            if is_folder(path):
                self._walk(path)
            else:
                self.add([Source(path=path)], wanted=True)

    def add(self, sources: Iterable[Source], *, wanted: bool) -> None:
        """Add these, in this order. Blocking."""
        self._table.add(_line(self._place(), each, wanted=wanted) for each in sources)

    def add_beside(self, folder: Path, is_chosen: Callable[[Source], bool]) -> None:
        """Add the music in a folder, by name, that is chosen and not there yet: not wanted, but for what belongs to it.
        Blocking."""
        place, listing = self._place(), entries(folder)
        while found := list(islice(listing, BATCH)):
            beside = [path for path, inner in found if not inner and path != folder and is_chosen(Source(path=path))]
            self._table.add(_line(place + _FILE + _name(path), Source(path=path), wanted=False) for path in beside)

    async def find_stored(self, buckets: Buckets, url: str) -> None:
        """Add what is under `s3://bucket/prefix`."""
        place = self._place()
        async with aclosing(in_batches(buckets.walk(url))) as listing:
            async for found in listing:
                music = [source_of(each) for each, is_music in found if is_music]
                await asyncio.to_thread(self._table.add, [_line(place + _in_order(each), each) for each in music])
                pictures = [(each, source_of(each)) for each, is_music in found if not is_music]
                await asyncio.to_thread(
                    self._table.add_pictures,
                    [(_beside(each, at.path.parent), at.path.name, _packed(at)) for each, at in pictures],
                )

    def count(self) -> int:
        """How many sources were found. Blocking."""
        return self._table.count()

    async def sources(self) -> AsyncIterator[Source]:
        """All of them, in order."""
        async for found in self._placed():
            for _, source in found:
                yield source

    async def survey(self, shop: Workshop, observer: Observer, *, remembered: bool, failed_only: bool = False) -> None:
        """Look at all sources, quickly; with `failed_only` what failed in earlier runs is all that is wanted."""
        observer.notify(StageStarted(subject="", stage=Stage.PLAN))
        total, seen = await asyncio.to_thread(self.count), 0
        drawn = Drawn(self._recalled(shop.ingest, remembered=remembered))
        found: list[Looked] = []
        writing = asyncio.Lock()

        async def write() -> None:
            nonlocal found
            async with writing:
                told, found = found, []
                await asyncio.to_thread(self._table.looked, told)

        async def surveyor() -> None:
            nonlocal seen
            async for place, source, known in drawn:
                outline = known or await outlined(shop.ingest, source, remembered=remembered)
                wanted = await failed_before(shop.ingest, source) if failed_only else None
                together = is_album(outline.group) and shop.ingest.settings.mode is not LoudnessMode.TRACK
                found.append(
                    Looked(place=place, album=outline.group, together=together, seconds=outline.seconds, wanted=wanted)
                )
                if len(found) >= BATCH:
                    await write()
                seen += 1
                observer.notify(StageProgress(subject="", stage=Stage.PLAN, done=seen, total=total))

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(max(SURVEYORS, shop.jobs)):
                    tasks.create_task(surveyor())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        await write()

    async def total(self) -> tuple[int, float | None]:
        """Put together what is worked on together: how many sources are wanted, or belong to an album of one, and how
        many seconds of audio they are, None if that is not known. Once, after the survey."""
        return await asyncio.to_thread(self._table.group, ALBUM_TRACKS_MAX)

    async def groups(self, jobs: int | None) -> AsyncIterator[Group]:
        """What is worked on together, in the order to start it in, `jobs` at a time (see `segue.schedule`); None: as it
        was found. Once, after `total`."""
        async for taken in self.taken(jobs):
            for group in taken:
                yield group

    async def taken(self, jobs: int | None) -> AsyncIterator[list[Group]]:
        """The same, some at once, for whoever has little to do for each."""
        early = partial(before_its_turn, jobs=jobs) if jobs else _never
        while taken := await asyncio.to_thread(self._taken, early):
            yield taken

    def _place(self) -> bytes:
        self._named += 1
        return self._named.to_bytes(8, "big")

    def _walk(self, top: Path) -> None:
        """Folders that wait are in the table too: a million of them may lie in one."""
        self._table.add_folders([(self._place(), os.fsencode(top))])
        while (taken := self._table.take_folder()) is not None:
            place, folder = taken[0], Path(os.fsdecode(taken[1]))
            listing = entries(folder)
            while found := list(islice(listing, BATCH)):
                self._table.add(_entry_line(place, folder, path) for path, inner in found if not inner)
                inside = [path for path, inner in found if inner]
                self._table.add_folders((inner_place(place, _name(path)), os.fsencode(path)) for path in inside)

    async def _placed(self) -> AsyncIterator[list[tuple[bytes, Source]]]:
        place = b""
        while found := await asyncio.to_thread(self._after, place):
            yield found
            place = found[-1][0]

    async def _recalled(self, work: Ingest, *, remembered: bool) -> AsyncIterator[tuple[bytes, Source, Outline | None]]:
        """All of them, with the outlines that are known, looked up many at a time: a thread for each costs far more."""
        async for found in self._placed():
            known: Sequence[Outline | None] = [None] * len(found)
            if remembered:
                known = await asyncio.to_thread(recalled, work, [source for _, source in found])
            for (place, source), outline in zip(found, known, strict=True):
                yield place, source, outline

    def _after(self, place: bytes) -> list[tuple[bytes, Source]]:
        return [(each, self._unpacked(packed)) for each, packed in self._table.after(place, BATCH)]

    def _taken(self, early: Callable[[float, float], bool]) -> list[Group]:
        return [self._group(each) for each in self._table.take(_ALBUMS, early)]

    def _group(self, album: Album) -> Group:
        members = tuple(Planned(self._unpacked(packed), seconds) for packed, seconds in album.members)
        return Group(members, album.album is not None and is_album(album.album))

    def _unpacked(self, packed: bytes) -> Source:
        if packed[:1] == _FILE:
            return Source(path=Path(os.fsdecode(packed[1:])))
        stored = SourceObject(**json.loads(packed))

        def pictures_in(folder: Path) -> list[SourceObject]:
            return [SourceObject(**json.loads(each)) for each in self._table.pictures(_beside(stored, folder))]

        return with_covers(source_of(stored), pictures_in)


def inner_place(place: bytes, name: bytes) -> bytes:
    """The place of a folder in the one that has this place: behind its files, in the order of names."""
    return place + _FOLDER + name + _END


def _line(place: bytes, source: Source, *, wanted: bool = True) -> Line:
    return Line(place=place, path=ledger_place(source), source=_packed(source), wanted=wanted)


def _entry_line(place: bytes, folder: Path, path: Path) -> Line:
    """That of something in a folder that has this place, or of the folder itself, which cannot be listed."""
    return _line(place if path == folder else place + _FILE + _name(path), Source(path=path))


def _packed(source: Source) -> bytes:
    if source.object is None:
        return _FILE + os.fsencode(source.path)
    return json.dumps(asdict(source.object)).encode()


def _in_order(source: Source) -> bytes:
    return b"\0".join(os.fsencode(part) for part in source.path.parts)


def _name(path: Path) -> bytes:
    return os.fsencode(path.name)


def _beside(stored: SourceObject, folder: Path) -> bytes:
    """How the folder of an object is called: two services may have buckets of one name."""
    return b"#".join((stored.bucket.encode(), os.fsencode(folder)))


def _never(longest: float, left: float) -> bool:
    return False
