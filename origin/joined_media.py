"""The segments of joined tracks: cut from track files while they are asked for, and kept in memory for those who come
after. Nothing of them is stored: their paths say what they are made of (`joined_paths.py`)."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from cmaf.joined import FrameRun, frames_in, joined_segment, meeting_segment
from model.errors import ObjectNotFound
from model.joining import FRAME_TICKS, joinable
from model.rendition import Codec
from model.segment import SegmentedRendition
from origin import cmsd
from origin.cache_status import Tier, Trace
from origin.coalesce import Coalescer
from origin.encoding import etag_of
from origin.hot_cache import HotCache
from origin.joined_paths import FRAMES_MAX, Part, is_on_grid, segment_iv
from origin.library import Library, StoredPackage
from origin.media_tiers import ENTRY_BYTES
from origin.metrics_table import Cache
from origin.observe import Metrics
from origin.settings import OriginSettings
from protection.cipher import decrypt, encrypt, sequence_iv
from protection.keys import KeyRing
from storage.base import ByteRange


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A part that was looked up: where its frames come from."""

    stored: StoredPackage
    rendition: SegmentedRendition
    first: int
    end: int
    key: bytes | None  # of a protected one


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSegment:
    """A segment and what is told of it."""

    data: bytes
    etag: str
    modified_s: int
    purge_keys: tuple[str, ...]
    cmsd_static: str


class JoinedMedia:
    """Makes segments, each once for all who ask at the same time, and keeps the latest by weight."""

    def __init__(self, library: Library, settings: OriginSettings, metrics: Metrics, keys: KeyRing) -> None:
        self._library = library
        self._keys = keys
        self._metrics = metrics
        self._node_name = settings.node_name
        self._made: HotCache[MadeSegment] = HotCache(settings.joined_cache_bytes)
        self._making = Coalescer(
            deadline_s=settings.store_deadline_s,
            fetches_max=settings.fetches_max,
            waiters_max=settings.waiters_max,
            on_shared=metrics.coalesced,
        )

    @property
    def weight(self) -> int:
        """The bytes held in memory."""
        return self._made.weight

    async def close(self) -> None:
        """End what is being made."""
        await self._making.close()

    def held(self, start_ticks: int, parts: tuple[Part, ...], skip_ticks: int | None) -> bytes | None:
        """A segment's bytes for as long as they are in memory; asking keeps them there."""
        made = self._made.get((start_ticks, parts, skip_ticks))
        return None if made is None else made.data

    async def segment(
        self, start_ticks: int, parts: tuple[Part, ...], skip_ticks: int | None, trace: Trace
    ) -> MadeSegment:
        """A segment. Raises ObjectNotFound for one that cannot be, what the store raises, and TimeoutError."""
        key = (start_ticks, parts, skip_ticks)
        kept = self._made.get(key)
        self._metrics.cache_asked(Cache.MEDIA, hit=kept is not None)
        if kept is not None:
            trace.hit(Tier.MEMORY)
            return kept
        if key in self._making:
            trace.asked(collapsed=True)
        return await self._making.run(key, partial(self._make, start_ticks, parts, skip_ticks, trace))

    async def _make(
        self, start_ticks: int, parts: tuple[Part, ...], skip_ticks: int | None, trace: Trace
    ) -> MadeSegment:
        sources = [await self._source(part, trace) for part in parts]
        codec, whole_frames = _manner(start_ticks, parts, skip_ticks, sources)
        runs = [run for source in sources for run in await self._frames(source, codec, trace)]
        if skip_ticks is None:
            data = joined_segment(codec, start_ticks, runs, whole_frames=whole_frames)
        else:
            data = meeting_segment(codec, start_ticks, runs, skip_ticks=skip_ticks, whole_frames=whole_frames)
        if sources[0].key:
            data = encrypt(data, sources[0].key, segment_iv(start_ticks, parts[0], skip_ticks))
        made = MadeSegment(
            data=data,
            etag=etag_of(hashlib.sha256(data).hexdigest()),
            modified_s=max(each.stored.modified_s for each in sources),
            purge_keys=tuple(dict.fromkeys(key for each in sources for key in _purge_keys(each))),
            cmsd_static=cmsd.of_frames(
                sources[0].rendition,
                sum(each.end - each.first for each in sources) * FRAME_TICKS[codec],
                self._node_name,
            ),
        )
        self._made.put((start_ticks, parts, skip_ticks), made, weight=len(data) + ENTRY_BYTES)
        return made

    async def _source(self, part: Part, trace: Trace) -> _Source:
        stored = await self._library.package(part.recording_id, part.package_id, trace)
        rendition = stored.package.rendition(part.rendition_id)
        if rendition is None or not joinable(rendition):
            raise ObjectNotFound("no such rendition to join", subject=part.rendition_id)
        frames = -(-rendition.duration_ticks // FRAME_TICKS[rendition.rendition.codec])
        end = frames if part.end is None else part.end
        if not 0 <= part.first < end <= frames or end - part.first > FRAMES_MAX:
            raise ObjectNotFound("no such frames", subject=f"{part.first}-{end}")
        key = self._key(rendition, part.first, end) if rendition.protection else None
        return _Source(stored=stored, rendition=rendition, first=part.first, end=end, key=key)

    def _key(self, rendition: SegmentedRendition, first: int, end: int) -> bytes:
        """The content key of these frames. Raises ObjectNotFound if they have several, or if it is not to be had."""
        protection = rendition.protection
        periods = {protection.period_of(index) for index, *_ in _within(rendition, first, end)} if protection else set()
        if protection is None or len(periods) != 1 or not self._keys.has(protection.key_set):
            raise ObjectNotFound("no key for these frames", subject=rendition.rendition.rendition_id)
        return self._keys.master(protection.key_set).content_key(protection.key_id, periods.pop())

    async def _frames(self, source: _Source, codec: Codec, trace: Trace) -> list[FrameRun]:
        runs = []
        for index, first, end in _within(source.rendition, source.first, source.end):
            segment = source.rendition.segments[index]
            where = ByteRange(segment.offset_bytes, segment.offset_bytes + segment.size_bytes)
            data = await self._bytes(source, where, trace)
            clear = decrypt(data, source.key, sequence_iv(index)) if source.key else data
            runs.append(frames_in(clear, codec, first, end))
        return runs

    async def _bytes(self, source: _Source, where: ByteRange, trace: Trace) -> bytes:
        held = self._library.held(source.stored, source.rendition, where.start, where.end, trace)
        if held is not None:
            return held
        chunks = self._library.stream(source.stored, source.rendition, where.start, where.end, trace)
        async with aclosing(chunks):
            return b"".join([chunk async for chunk in chunks])


def _within(rendition: SegmentedRendition, first: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The segments that hold frames `first` to `end` of a rendition, each with which of its own frames these are."""
    frame, before = FRAME_TICKS[rendition.rendition.codec], 0
    for index, segment in enumerate(rendition.segments):
        count = -(-segment.duration_ticks // frame)
        if max(first, before) < min(end, before + count):
            yield index, max(first - before, 0), min(end - before, count)
        before += count


def _manner(
    start_ticks: int, parts: Sequence[Part], skip_ticks: int | None, sources: Sequence[_Source]
) -> tuple[Codec, bool]:
    """The codec of a segment, and whether all its frames are whole. Raises ObjectNotFound for nonsense."""
    codecs = {each.rendition.rendition.codec for each in sources}
    codec, whole_frames = codecs.pop(), parts[-1].end is not None
    short_blocks = codec is Codec.FLAC and any(
        each.end * FRAME_TICKS[codec] > each.rendition.duration_ticks
        for each in (sources if whole_frames else sources[:-1])
    )
    locked = len(sources) > 1 and any(each.key for each in sources)  # one segment, one key
    if skip_ticks is None:
        placed = is_on_grid(codec, start_ticks)
    else:
        placed = codec is not Codec.FLAC and len(parts) == 1 and skip_ticks < FRAME_TICKS[codec]
    if codecs or short_blocks or locked or not placed:
        raise ObjectNotFound("these frames cannot be there", subject=str(start_ticks))
    return codec, whole_frames


def _purge_keys(source: _Source) -> tuple[str, ...]:
    package = source.stored.package
    rendition_id = source.rendition.rendition.rendition_id
    return f"recording-{package.recording_id}", f"package-{package.package_id}", f"rendition-{rendition_id}"
