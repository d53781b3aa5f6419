"""What an ingest works with, and what its steps share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from avtool.locate import Ffmpeg
from catalog.ledger import Ledger, SourceRow, SourceStamp, place_of
from catalog.turns import Turns
from ingest.metadata.reader import Around, Reader
from ingest.objects import Buckets
from ingest.release import release_of
from ingest.scan import Source, changed, unreadable
from ingest.settings import IngestSettings
from model.analysis import Analysis
from model.engine import Engine, InProcess
from model.errors import ObjectNotFound, RecordMalformed
from model.events import Observer, Stage, StageProgress
from model.records import Record, from_json
from model.track import SourceInfo, Track
from storage.base import ObjectStore
from storage.keys import track_key

FORMAT = "mezzanine 6"  # changes whenever the same settings would give other bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """What an ingest works with. `turns` keep sources of one sound from being worked on at the same time.

    `engine` does what is heavy, here or elsewhere; `buckets` are where sources that are no files lie.
    """

    settings: IngestSettings
    tool: Ffmpeg
    store: ObjectStore
    ledger: Ledger
    reader: Reader
    observer: Observer
    turns: Turns
    engine: Engine = field(default_factory=InProcess)
    buckets: Buckets = field(default_factory=Buckets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A source whose sound is known, and what surrounds it: tags and art."""

    source: Source
    stamp: SourceStamp
    info: SourceInfo
    around: Around
    analysis: Analysis

    @property
    def recording_id(self) -> str:
        """The recording that it is."""
        return self.analysis.recording_id

    @property
    def release(self) -> str:
        """The release that it is on."""
        return release_of(self.around.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """The report of a source, whether anything had to be done for it, and which other file speaks for the track."""

    track: Track
    fresh: bool
    duplicate_of: str = ""


async def track_in(store: ObjectStore, track_id: str) -> Track | None:
    """The report of a track, None if there is none that can be read."""
    return await record_in(store, Track, track_key(track_id))


async def record_in(store: ObjectStore, kind: type[Record], key: str) -> Record | None:
    """An object of an earlier run; one that cannot be read counts as none and is written anew."""
    try:
        return from_json(kind, (await store.read(key)).data, subject=key)
    except (ObjectNotFound, RecordMalformed):
        return None


async def remember(work: Ingest, stamp: SourceStamp, row: SourceRow) -> None:
    """Write what is known of a file in this state into the ledger."""
    await asyncio.to_thread(work.ledger.remember, stamp.path, row)


def row_of(stamp: SourceStamp, sha256: str, analysis: Analysis, track_id: str) -> SourceRow:
    """What the ledger keeps of a source that was heard."""
    return SourceRow(stamp=stamp.text, sha256=sha256, recording_id=analysis.recording_id, track_id=track_id)


def ledger_place(source: Source) -> bytes:
    """How the ledger calls a source."""
    return source.object.place if source.object else place_of(source.path)


def stamp_of(source: Source) -> SourceStamp:
    """The state of the file now; of an object that which was listed. Raises SourceVanished or SourceUnreadable."""
    if source.object is not None:
        stored = source.object
        return SourceStamp(path=stored.place, size_bytes=stored.size_bytes, version=stored.etag)
    try:
        return SourceStamp.of(source.path)
    except OSError as error:
        raise unreadable(source, error) from error


def check_unchanged(source: Source, stamp: SourceStamp) -> None:
    """What was read belongs together only if the file is still the one that it was."""
    if stamp_of(source) != stamp:
        raise changed(source)


def time_limit(work: Ingest, seconds: float) -> float:
    """How long one program may work on so many seconds of audio, in seconds."""
    return work.settings.tool_seconds_floor + work.settings.tool_seconds_per_second * seconds


def progress(work: Ingest, source: Source, stage: Stage, total_s: float) -> Callable[[float], None]:
    """Who tells the observer how far a stage is."""

    def tell(seconds: float) -> None:
        event = StageProgress(subject=source.name, stage=stage, done=seconds, total=max(total_s, seconds))
        work.observer.notify(event)

    return tell
