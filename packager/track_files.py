"""The track files of a package: assembled from what was just encoded, or taken over from an earlier package."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from cmaf.assemble import TrackFile, assemble
from cmaf.encoded import read_encoded
from cmaf.pieces import piece_from
from model.errors import ObjectNotFound
from model.loudness import LoudnessReport, covering
from model.package import Package
from model.rendition import Rendition
from model.segment import SegmentedRendition
from storage.base import ObjectStore
from storage.keys import track_file_key


def track_file_name(rendition_id: str) -> str:
    """What the track file of a rendition is called where it is written."""
    return f"{rendition_id}.mp4"


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """An encoding of one recording or several, the loudness of each as measured on it, and their album's, as it is told
    of the mezzanines."""

    rendition: Rendition
    trim_db: float
    path: Path
    reports: Sequence[LoudnessReport]
    album_loudness: LoudnessReport | None


def assembled(encoding: Encoding, targets: Sequence[Path], *, lengths: Sequence[int]) -> tuple[SegmentedRendition, ...]:
    """Write the track files of an encoding, one for each of the recordings of these `lengths` that it holds.

    The encoding is gone afterwards. Blocking. Raises MediaError.
    """
    made = []
    with encoding.path.open("rb") as frames:
        encoded = read_encoded(frames)
        starts = accumulate(lengths[:-1], initial=0)
        for start, samples, loudness, target in zip(starts, lengths, encoding.reports, targets, strict=True):
            with target.open("wb") as out:
                piece = piece_from(encoded, start)
                album = covering(encoding.album_loudness, loudness)
                file = assemble(piece, frames, out, media_samples=samples, loudness=loudness, album_loudness=album)
            made.append(_segmented(encoding, file, loudness, album))
    encoding.path.unlink()
    return tuple(made)


def _segmented(
    encoding: Encoding, file: TrackFile, loudness: LoudnessReport, album: LoudnessReport | None
) -> SegmentedRendition:
    return SegmentedRendition(
        rendition=encoding.rendition,
        timescale=file.timescale,
        priming_ticks=file.priming_ticks,
        init_size_bytes=file.init_size_bytes,
        index_size_bytes=file.index_size_bytes,
        segments=file.segments,
        sha256=file.sha256,
        loudness=loudness,
        trim_db=encoding.trim_db,
        album_loudness=album,
    )


async def taken_over(
    store: ObjectStore,
    past: Sequence[Package],
    wanted: tuple[Rendition, float, LoudnessReport | None],
    target: Path,
) -> SegmentedRendition | None:
    """Fetch the track file of a rendition with this trim, that tells this of the album (or what covers its own peak),
    from the first package that has it whole; None if none does.

    Raises StorageError.
    """
    rendition, trim_db, album = wanted
    for package in past:
        found = package.rendition(rendition.rendition_id)
        if found is None or (found.rendition, found.trim_db) != (rendition, trim_db):
            continue
        if found.album_loudness != covering(album, found.loudness):
            continue
        key = track_file_key(package.recording_id, package.package_id, found.track_file_path)
        try:
            await store.fetch(key, target)
        except ObjectNotFound:
            continue
        if await asyncio.to_thread(sha256_of, target) == found.sha256:
            return found
    return None
