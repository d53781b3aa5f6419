"""What the tracks of a store name: all that must stay."""

import asyncio
from collections.abc import Sequence
from itertools import chain

from catalog.marks import Marks
from model.errors import ObjectNotFound, RecordMalformed
from model.package import Current
from model.records import from_json
from model.track import Track
from storage.base import ObjectEntry, ObjectStore
from storage.keys import TRACKS, TrackPointer, pointer_in
from upkeep.groups import Group
from upkeep.reporting import Report
from upkeep.together import batches, together

READS = 16  # at the same time


def pointing(pointer: TrackPointer, data: bytes, *, subject: str) -> Current | Track:
    """What a pointer holds. Raises RecordMalformed."""
    return from_json(Current, data, subject=subject) if pointer.live else from_json(Track, data, subject=subject)


async def mark_live(store: ObjectStore, marks: Marks, report: Report) -> None:
    """Mark what every track names; what was marked before stays marked. Reads only pointers that are new since then.

    With each name comes the latest moment at which a track was pointed to it. Raises RecordMalformed where a pointer
    cannot be read: whoever does not know what is live must not act. Raises StorageError.
    """
    async for batch in batches(store.walk(TRACKS), READS):
        fresh = [each for each in batch if pointer_in(each.key) and not marks.has_version(each.key, each.version)]
        await together([_mark(store, marks, each) for each in fresh])
        report.add(len(batch))


async def _mark(store: ObjectStore, marks: Marks, entry: ObjectEntry) -> None:
    pointer = pointer_in(entry.key)
    assert pointer is not None
    try:
        body = await store.read(entry.key)
    except ObjectNotFound:
        return  # gone since it was listed
    try:
        found = await asyncio.to_thread(pointing, pointer, body.data, subject=entry.key)
        if found.track_id != pointer.track_id:
            raise RecordMalformed("the record of another track", subject=entry.key)
    except RecordMalformed as error:
        hint = "publish the track again, or `segue package` it: as long as it cannot be read nothing is deleted"
        raise RecordMalformed(error.message, subject=entry.key, hint=hint) from error
    for name in chain(_named_by(found), [of_recording(found.recording_id)]):
        marks.mark(name, body.info.modified_s)
    marks.note_version(entry.key, entry.version)  # if what was read is newer still, the next look reads it again


def _named_by(record: Current | Track) -> list[str]:
    if isinstance(record, Current):
        return [Group("package", record.recording_id, record.package_id).name, "live " + record.recording_id]
    mezzanines = [(record.recording_id, record.mezzanine.mezzanine_id)]
    names = [Group("art", "", record.art_id).name]
    if record.run:
        mezzanines += [(each.recording_id, each.mezzanine_id) for each in record.run.pieces]
        names.append(of_run([each.mezzanine_id for each in record.run.pieces]))
    return names + [Group("mezzanine", *each).name for each in mezzanines]


def of_recording(recording_id: str) -> str:
    """What is marked when a track of a recording is pointed elsewhere."""
    return f"recording {recording_id}"


def of_run(mezzanine_ids: Sequence[str]) -> str:
    """What is marked for a run of tracks."""
    return f"run {' '.join(mezzanine_ids)}"
