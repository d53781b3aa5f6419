"""Track files through the tiers: memory, disk, what is on its way already, the store. Never asked for twice."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

from model.errors import ObjectNotFound, Overloaded, StorageError, StorageUnavailable
from model.segment import SegmentedRendition
from origin.blocks import GUESS, first_pieces, piece_after, piece_at, piece_before, pieces_before, rest_of_block
from origin.cache_status import Tier, Trace
from origin.coming import Coming
from origin.disk_cache import DiskCache, piece_name
from origin.hot_cache import HotCache
from origin.metrics_table import Cache
from origin.observe import Metrics
from origin.settings import OriginSettings
from origin.store_reads import StoreReads, fell_short
from storage.base import ByteRange

ENTRY_BYTES = 400  # what a piece costs in memory besides its bytes
RESUMES_MAX = 2  # times that a read which broke off is taken up again where it did
GUESS_PAUSE_S = 1.0  # after a guess that was wrong, for it costs a connection to the store


@dataclass(frozen=True, slots=True)
class TrackFile:
    """A track file in the store, and the rendition that says what it has to be."""

    key: str
    rendition: SegmentedRendition


class MediaTiers:
    """Pieces of track files, kept by weight in memory and, where there is one, on disk.

    Who waits for a piece has it read with the one after it; to who plays on the rest of its block is brought, and the
    next block when he gets to the last piece before it. A read goes on when its first reader leaves; readers of any
    of its pieces follow it, each from the first byte that has come. Raises what the store raises, TimeoutError when
    the store gives nothing for `store_deadline_s` or a block takes longer than `store_block_s`, and Overloaded beyond
    `fetches_max` reads or `waiters_max` who wait for a first byte.
    """

    def __init__(self, reads: StoreReads, settings: OriginSettings, metrics: Metrics, disk: DiskCache | None) -> None:
        self._reads = reads
        self._settings = settings
        self._metrics = metrics
        self._disk = disk
        self._memory: HotCache[bytes] = HotCache(settings.media_cache_bytes)
        self._coming: dict[tuple[str, int], Coming] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters = 0  # for a first byte
        self._guessed: dict[str, Callable[[], None]] = {}  # files whose start is on its way, and how to give it up
        self._guess_from_s = 0.0

    @property
    def weight(self) -> int:
        """The bytes held in memory."""
        return self._memory.weight

    def held(self, file: TrackFile, start: int, end: int, trace: Trace) -> bytes | None:
        """Bytes `start` to `end` of a track file if they lie in one piece that is in memory, else None."""
        piece = piece_at(file.rendition, start)
        if end > piece.end or (data := self._memory.get((file.key, piece.start))) is None:
            return None
        self._metrics.cache_asked(Cache.MEDIA, hit=True)
        trace.hit(Tier.MEMORY)
        self._read_ahead(file, piece)
        return data if end - start == len(data) else data[start - piece.start : end - piece.start]

    def expect(self, file: TrackFile, piece: ByteRange) -> None:
        """Begin to read a piece, for a request that is about to ask for it. If there is nothing to begin, or no room,
        nothing happens: the request will hear why."""
        if self._is_near(file, piece) or self._waiters >= self._settings.waiters_max:
            return
        with suppress(ObjectNotFound, Overloaded):
            self._reads.refuse_missing(file.key, Trace())
            self._begin(file, first_pieces(file.rendition, piece)).expected = True

    def guess(self, key: str) -> Callable[[], None]:
        """Ask for the start of a track file that nothing is known of yet, where the store can do that at once: what is
        expected of the file next is taken from it. Call what this gives when that is known, or never will be."""
        if key not in self._guessed and asyncio.get_running_loop().time() >= self._guess_from_s:
            give_up = self._reads.hasten(key, GUESS)
            if give_up is not None:
                self._guessed[key] = give_up
                return partial(self._give_up_guess, key, give_up)
        return lambda: None

    def prepare(self, file: TrackFile) -> None:
        """Begin to read what a play begins with, for a listener who was just told where that is."""
        self._bring(file, first_pieces(file.rendition, piece_at(file.rendition, 0)))

    def held_piece(self, file: TrackFile, piece: ByteRange) -> Callable[[], bytes | None]:
        """Gives a piece for as long as it is held in memory; asking is a use of it."""
        return partial(self._memory.get, (file.key, piece.start))

    def read(self, file: TrackFile, start: int, end: int, trace: Trace) -> AsyncGenerator[bytes, None]:
        """Bytes `start` to `end` of a track file as they come; the next piece is asked for when this one is taken.

        The first is asked for now, and the trace tells of it; it tells more only if what the disk had is damaged.
        """
        return self._read(file, start, end, self._source(file, start, trace), trace)

    async def close(self) -> None:
        """End the reads that still run."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(
        self, file: TrackFile, start: int, end: int, source: bytes | Coming, trace: Trace
    ) -> AsyncGenerator[bytes, None]:
        at = start
        while True:
            piece = piece_at(file.rendition, at)
            stop = min(end, piece.end)
            if isinstance(source, bytes):
                self._read_ahead(file, piece)
                yield source[at - piece.start : stop - piece.start]
            else:
                async with aclosing(self._follow(file, source, at, stop, trace)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            at = stop
            if at == end:
                return
            trace = Trace()
            source = self._source(file, at, trace)

    def _source(self, file: TrackFile, start: int, trace: Trace) -> bytes | Coming:
        """The piece that holds this byte, from memory or on its way."""
        piece = piece_at(file.rendition, start)
        data = self._memory.get((file.key, piece.start))
        self._metrics.cache_asked(Cache.MEDIA, hit=data is not None)
        if data is not None:
            trace.hit(Tier.MEMORY)
            return data
        coming = self._coming.get((file.key, piece.start))
        collapsed = coming is not None and not coming.expected
        if coming is None:
            self._reads.refuse_missing(file.key, trace)
            coming = self._begin(file, first_pieces(file.rendition, piece))
        elif collapsed:
            self._metrics.coalesced()
        coming.expected = False  # who comes next waits with this one
        if coming.tier is None:
            trace.asked(collapsed=collapsed)
        else:
            trace.hit(coming.tier)
        return coming

    async def _follow(
        self, file: TrackFile, coming: Coming, start: int, end: int, trace: Trace
    ) -> AsyncGenerator[bytes, None]:
        async with aclosing(coming.follow(start, end)) as chunks:
            yield await self._first(coming, chunks, trace)
            self._read_ahead(file, coming.piece)  # not before: the store shall have nothing else to do for who waits
            async for chunk in chunks:
                yield chunk

    async def _first(self, coming: Coming, chunks: AsyncGenerator[bytes, None], trace: Trace) -> bytes:
        """The first of the chunks, in time."""
        if self._waiters >= self._settings.waiters_max:
            raise Overloaded("too many wait for the store", subject="waiters")
        self._waiters += 1
        from_disk = coming.tier is not None
        try:
            async with asyncio.timeout(self._settings.store_deadline_s):
                return await anext(chunks)
        finally:
            self._waiters -= 1
            if from_disk and coming.tier is None:  # what the disk had was damaged
                trace.asked()

    def _read_ahead(self, file: TrackFile, piece: ByteRange) -> None:
        """Begin with what follows a piece that a listener has got to, if it is a play, and nobody has what follows."""
        following = piece_after(file.rendition, piece)
        if following is None or not self._plays_on(file, piece) or self._is_near(file, following):
            return
        self._bring(file, rest_of_block(file.rendition, following.start, bytes_max=self._settings.read_ahead_bytes))

    def _bring(self, file: TrackFile, pieces: list[ByteRange]) -> None:
        """Begin to read pieces that nobody waits for yet, unless the first is here or was brought in vain before."""
        first = pieces[0]
        if self._is_near(file, first) or self._on_disk(file, first):
            return
        if self._memory.went_unused((file.key, first.start)):
            return
        with suppress(ObjectNotFound, Overloaded):  # whoever wants it will hear of it
            self._reads.refuse_missing(file.key, Trace())
            self._begin(file, pieces)

    def _begin(self, file: TrackFile, pieces: list[ByteRange]) -> Coming:
        """Begin to fill the first of these pieces, and the others as far as they are worth it and nobody has them."""
        if len(self._tasks) >= self._settings.fetches_max:
            raise Overloaded("too many reads of the store", subject="fetches")
        on_disk = self._on_disk(file, pieces[0])
        guessed = [] if on_disk else self._guessed_pieces(file, pieces[0])
        comings = [Coming(piece) for piece in self._worth_it(file, guessed or pieces)]
        if on_disk:
            comings[0].tier = Tier.DISK
            give_up, filling = None, self._fill_from_disk(file, comings[0])
        else:  # all else is done while the store works
            wanted = GUESS if guessed else ByteRange(comings[0].piece.start, comings[-1].piece.end)
            give_up = self._guessed.pop(file.key) if guessed else self._reads.hasten(file.key, wanted)
            filling = self._fill_in_time(file, comings, wanted)
        self._coming.update({(file.key, coming.piece.start): coming for coming in comings})
        task = asyncio.create_task(filling)
        self._tasks.add(task)
        task.add_done_callback(partial(self._filled, file, comings, give_up))
        return comings[0]

    def _worth_it(self, file: TrackFile, pieces: list[ByteRange]) -> list[ByteRange]:
        """The first of these pieces, and the others up to one that somebody has, if they are still here when wanted."""
        first, *others = pieces
        if self._on_disk(file, first) or self._memory.went_unused((file.key, first.start)):
            return [first]
        return [first, *takewhile(lambda piece: not (self._is_near(file, piece) or self._on_disk(file, piece)), others)]

    def _guessed_pieces(self, file: TrackFile, piece: ByteRange) -> list[ByteRange]:
        """A piece and those after it that are on their way since `guess`, if it is."""
        return pieces_before(file.rendition, piece, GUESS.end) if file.key in self._guessed else []

    def _give_up_guess(self, key: str, give_up: Callable[[], None]) -> None:
        if self._guessed.get(key) is give_up:
            del self._guessed[key]
            self._guess_from_s = asyncio.get_running_loop().time() + GUESS_PAUSE_S
            give_up()

    def _plays_on(self, file: TrackFile, piece: ByteRange) -> bool:
        """Whether somebody has come to this piece from the one before: then that is still here."""
        before = piece_before(file.rendition, piece)
        return before is not None and self._is_near(file, before)

    def _is_near(self, file: TrackFile, piece: ByteRange) -> bool:
        name = (file.key, piece.start)
        return name in self._memory or name in self._coming

    def _on_disk(self, file: TrackFile, piece: ByteRange) -> bool:
        return self._disk is not None and self._disk.holds(piece_name(file.rendition.sha256, piece))

    def _filled(
        self, file: TrackFile, comings: list[Coming], give_up: Callable[[], None] | None, task: asyncio.Task[None]
    ) -> None:
        self._tasks.discard(task)
        if give_up is not None:
            give_up()
        error = StorageUnavailable("the origin is closing") if task.cancelled() else task.exception()
        for coming in comings:
            if coming.missing_bytes:
                del self._coming[file.key, coming.piece.start]
                assert isinstance(error, Exception)
                coming.fail(error)

    async def _fill_from_disk(self, file: TrackFile, coming: Coming) -> None:
        assert self._disk is not None
        data = await self._disk.read(piece_name(file.rendition.sha256, coming.piece), coming.piece.size_bytes)
        self._metrics.found_on_disk(hit=data is not None)
        if data is None:
            coming.tier = None
            await self._fill_in_time(file, [coming], coming.piece)
            return
        coming.add(data)
        self._keep(file, coming)

    async def _fill_in_time(self, file: TrackFile, comings: list[Coming], wanted: ByteRange) -> None:
        """Fill pieces that follow one another from a read of `wanted`, which holds them all."""
        last_s = asyncio.get_running_loop().time() + self._settings.store_block_s
        async with asyncio.timeout(self._settings.store_deadline_s) as limit:
            at, end, resumes = wanted.start, comings[-1].piece.end, 0
            while True:
                began = at
                try:
                    async with aclosing(self._fill(file, comings, wanted)) as sizes:
                        async for size in sizes:
                            at += size
                            now_s = asyncio.get_running_loop().time()
                            limit.reschedule(min(last_s, now_s + self._settings.store_deadline_s))
                    return
                except StorageUnavailable:
                    if at >= end:  # only what was guessed beyond them is missing
                        return
                    resumes += 1
                    if at == began or resumes > RESUMES_MAX:
                        raise
                    wanted = ByteRange(max(at, comings[0].piece.start), end)
                    at = wanted.start

    async def _fill(self, file: TrackFile, comings: list[Coming], wanted: ByteRange) -> AsyncGenerator[int, None]:
        """Fill what is missing from a read of these bytes; gives the size of each chunk that came."""
        missing = iter([coming for coming in comings if coming.missing_bytes])
        coming = next(missing)
        skip = max(0, coming.piece.start - wanted.start)
        async with self._reads.open(file.key, wanted) as stream:
            if stream.info.sha256 != file.rendition.sha256:  # its entity tags would lie for a year
                hint = "run `segue package --repair`"
                raise StorageError("the track file is not the one that its package names", subject=file.key, hint=hint)
            if (stream.start, stream.end) != (wanted.start, min(wanted.end, file.rendition.size_bytes)):
                raise fell_short(file.key)
            async for chunk in stream.chunks:
                left, skip = chunk[skip:], max(0, skip - len(chunk))
                while left and coming.missing_bytes:
                    part, left = left[: coming.missing_bytes], left[coming.missing_bytes :]
                    coming.add(part)
                    if not coming.missing_bytes:
                        self._keep(file, coming)
                        coming = next(missing, coming)
                await asyncio.sleep(0)  # who waits goes first
                yield len(chunk)
            if coming.missing_bytes:
                raise fell_short(file.key)

    def _keep(self, file: TrackFile, coming: Coming) -> None:
        data, piece = coming.whole(), coming.piece
        del self._coming[file.key, piece.start]
        self._memory.put((file.key, piece.start), data, weight=len(data) + ENTRY_BYTES, ahead=not coming.wanted)
        if self._disk is not None and coming.tier is None:
            self._disk.write(piece_name(file.rendition.sha256, piece), data)
