"""Tags and cover art of sources, read by confined children: a file can stop or confuse a child, and nothing else."""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from avtool.worker import Worker
from ingest.metadata.art import Art, art_of
from ingest.metadata.clean import cleaned
from ingest.metadata.fields import tags_of
from ingest.metadata.folder_art import FolderArt
from ingest.metadata.names import named
from ingest.metadata.sidecar import Sidecar
from ingest.metadata.tag_names import KNOWN, VALUES_MAX, Found
from ingest.scan import Source
from model.errors import ToolFailed, ToolTimeout
from model.track import ART_SIDES, TrackTags

FILES_PER_CHILD = 500  # what leaks, or was taken over, does not last
IDLE_SECONDS_MAX = 0.5  # until a source is hashed and probed, when its cover is asked for
DONE_SECONDS_MAX = 0.05  # after that: its 40 MiB are not to lie beside those of a decoder or an encoder
TEXT_BYTES_MAX = 8 << 20
WARNINGS_MAX = 5
SECONDS_MAX = 1e7
PICTURE_PATIENCE = 3  # times the limit for tags: a cover of 50 million pixels, on a machine that encodes beside it
_CHILD = "ingest.metadata.reading_child"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is around the sound of a source. `seconds` is what its header says, None if it says nothing.

    Art that was made before is only named: it has no pictures.
    """

    tags: TrackTags
    art: Art
    seconds: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """As Around, without art."""

    tags: TrackTags
    seconds: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reply:
    """What a child said, checked."""

    found: Found
    seconds: float | None = None
    warnings: tuple[str, ...] = ()
    art: Art | None = None


class Reader:
    """Reads sources through at most `processes` children, which are started when needed. Safe for many tasks.

    Bad tags and pictures are never an error: names speak for them, a cover is drawn, and a warning says why.
    `time_limit_s` is for the tags of one file, PICTURE_PATIENCE times that for its cover; then its child is ended.
    What `sidecar` says goes before what the files say.
    """

    def __init__(self, *, processes: int = 1, sidecar: Sidecar | None = None, time_limit_s: float = 10.0) -> None:
        self._sidecar = sidecar
        self._time_limit_s = time_limit_s
        self._free = asyncio.Semaphore(processes)
        self._folder_art = FolderArt()
        self._idle: dict[Worker, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def has_sidecar(self) -> bool:
        """Whether something besides the sources may say what they are."""
        return self._sidecar is not None

    async def close(self) -> None:
        """End the children. Call it when no call is under way."""
        while child := self._rested():
            await child.stop()
        await asyncio.gather(*self._ending)

    async def describe(self, source: Source, *, sha256: str = "") -> Described:
        """Tags and length. `sha256` is that of the file's bytes, if known: a sidecar may know it by that."""
        reply = await self._read(source, art=False)
        tags = tags_of(reply.found, named(source.path))
        if self._sidecar is not None:
            tags, _ = await asyncio.to_thread(self._sidecar.apply, source, tags, sha256=sha256)
        return Described(tags=tags, seconds=reply.seconds, warnings=reply.warnings)

    def state_of_art(self, source: Source) -> str | None:
        """What changes whenever a picture beside the source does; None if that cannot be told (a sidecar names them).

        Blocking.
        """
        if self._sidecar is not None:
            return None
        if source.object is not None:
            return repr([(each.key, each.size_bytes, each.etag) for each in source.covers])
        return self._folder_art.state(source.path)

    async def read(self, source: Source, *, sha256: str = "") -> Around:
        """Tags, length and cover art. Raises ToolError only if no child can be started at all."""
        reply = await self._read(source, art=True)
        tags, art, warnings = tags_of(reply.found, named(source.path)), reply.art, reply.warnings
        if self._sidecar is not None:
            tags, named_art = await asyncio.to_thread(self._sidecar.apply, source, tags, sha256=sha256)
            if named_art is not None:
                named_reply = await self._told({"do": "picture", "path": os.fspath(named_art)}, source)
                art, warnings = named_reply.art or art, warnings + named_reply.warnings
        if art is None:
            art = await self._drawn(tags, source)
        return Around(tags=tags, art=art, seconds=reply.seconds, warnings=warnings[:WARNINGS_MAX])

    async def _read(self, source: Source, *, art: bool) -> _Reply:
        return await self._told({"do": "read", "path": os.fspath(source.path), "art": art}, source)

    async def _drawn(self, tags: TrackTags, source: Source) -> Art:
        reply = await self._told(
            {"do": "draw", "title": tags.title, "album": tags.album, "artists": tags.artists}, source
        )
        if reply.art is None:
            raise ToolFailed("no cover could be drawn", subject=source.name, hint="run `segue doctor`")
        return reply.art

    async def _told(self, question: dict[str, object], source: Source) -> _Reply:
        """The answer. A child that ends is given the question again in another life: it may have been ended for memory
        that others took. One that hangs is not; without an answer the reply is empty, with a warning."""
        reply = await self._asked(question, source)
        if isinstance(reply, ToolFailed):
            reply = await self._asked(question, source)
        if isinstance(reply, _Reply):
            return reply
        return _Reply(found={}, warnings=(f"tags and pictures unreadable: {reply.message}",))

    async def _asked(self, question: dict[str, object], source: Source) -> _Reply | ToolFailed | ToolTimeout:
        """The answer, or why there is none. Raises ToolError if a child cannot be started."""
        asked = json.dumps(question).encode("ascii")
        timeout_s = self._time_limit_s * (PICTURE_PATIENCE if question.get("art", True) else 1)
        async with self._free:
            child = self._rested() or await Worker.start(_CHILD)
            well = False
            try:
                blocks = await child.ask(asked, timeout_s=timeout_s, subject=source.name)
                reply = _checked(blocks, subject=source.name)
                well = child.asked < FILES_PER_CHILD
            except (ToolFailed, ToolTimeout) as error:
                return error
            finally:
                if well:
                    self._rest(child, done=question.get("art", True) is not False)
                else:
                    await child.stop()
            return reply

    def _rest(self, child: Worker, *, done: bool) -> None:
        """Keep a child for the next question, but not for long: it holds 40 MB, which encoders may need meanwhile."""
        seconds = DONE_SECONDS_MAX if done else IDLE_SECONDS_MAX
        self._idle[child] = asyncio.get_running_loop().call_later(seconds, self._end, child)

    def _rested(self) -> Worker | None:
        """A child that waits for a question, if there is one."""
        if not self._idle:
            return None
        child, timer = self._idle.popitem()
        timer.cancel()
        return child

    def _end(self, child: Worker) -> None:
        del self._idle[child]
        task = asyncio.create_task(child.stop())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def _checked(blocks: Sequence[bytes], *, subject: str) -> _Reply:
    """What a child said, if it has the form of an answer: it may have been taken over by what it read."""
    try:
        if len(blocks[0]) > TEXT_BYTES_MAX:
            raise ValueError("too long")
        said = json.loads(blocks[0])
        pictures = dict(zip(ART_SIDES, blocks[1:], strict=True)) if len(blocks) > 1 else {}
        seconds = said.get("seconds")
        return _Reply(
            found=_found(said.get("found", {})),
            seconds=float(seconds) if isinstance(seconds, int | float) and 0 < seconds < SECONDS_MAX else None,
            warnings=tuple(cleaned(str(each)) for each in list(said.get("complaints", ()))[:WARNINGS_MAX]),
            art=art_of(pictures) if pictures else None,
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        message = "the process that reads tags and pictures gave no answer of ours"
        raise ToolFailed(message, subject=subject, hint="run `segue doctor`") from error


def _found(said: dict[str, object]) -> Found:
    found: Found = {}
    for name, values in said.items():
        if name not in KNOWN or not isinstance(values, list) or len(values) > VALUES_MAX:
            raise ValueError(f"not tags of ours: {name[:40]}")
        found[name] = [str(value) for value in values]
    return found
