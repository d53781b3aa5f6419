"""Tracks written out as a folder that any web server plays: no origin, no store, no program of ours.

The folder has the keys of the store as paths, so that the stored playlists fit: their URIs are relative. `segments`
writes every segment as a file of its own instead, for servers that know no ranges.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avtool.scratch import scratch_folder
from manifests.build import key_base_uri, segment_playlist
from manifests.codecs import INIT_NAME, MEDIA_SUFFIX, MULTIVARIANT_NAMES, PLAYLIST_SUFFIX
from manifests.render import render
from model.errors import KeyMissing, ObjectDamaged, ObjectNotFound, TrackUnknown, UsageError
from model.package import Current, Package
from model.records import from_json
from model.segment import SegmentedRendition
from model.track import ART_SIDES, Track
from protection.keys import KeyRing
from storage.base import ObjectStore
from storage.file_errors import local_error
from storage.file_io import new_file, write_all
from storage.keys import art_key, current_key, package_key, track_file_key, track_key
from upkeep.groups import Group, group_of
from upkeep.reporting import SILENT, Report

LIST_NAME = "tracks.json"
_PAGE_ART_SIDE = 640
_FAMILIES = {"index.m3u8": "aac", "opus.m3u8": "opus", "lossless.m3u8": "lossless"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Where to, and in which form. `keys` are written out too; None: protected tracks are refused."""

    store: ObjectStore
    folder: Path
    segments: bool
    keys: KeyRing | None
    report: Report = SILENT


async def export(work: Export, track_ids: Sequence[str], page: Mapping[str, bytes]) -> int:
    """Write the tracks, then `page` (files by name) and the list that it shows; how many files the media took.

    What is there already with the right bytes is not fetched again. Whoever reads the folder meanwhile finds whole
    files, and in the list only whole tracks. Raises TrackUnknown, UsageError for a protected track without `keys`,
    KeyMissing, ObjectDamaged, ObjectNotFound, RecordMalformed, StorageError.
    """
    listed = []
    count = 0
    for track_id in track_ids:
        track, package = await _live(work.store, track_id)
        work.report.step(track_id)
        _check_allowed(work, package, track_id)
        count += await (_write_segments(work, package) if work.segments else _write_as_stored(work, package))
        for side in ART_SIDES:
            count += await _write_object(work, art_key(track.art_id, side))
        listed.append(_listed(track, package))
    for name, data in page.items():
        await _write(work, name, data)
    await _write(work, LIST_NAME, json.dumps(listed, ensure_ascii=False, indent=1).encode() + b"\n")
    return count


async def _live(store: ObjectStore, track_id: str) -> tuple[Track, Package]:
    try:
        track = from_json(Track, (await store.read(track_key(track_id))).data, subject=track_id)
        current = from_json(Current, (await store.read(current_key(track_id))).data, subject=track_id)
    except ObjectNotFound as error:
        hint = "`segue ls` shows the tracks; `segue package` makes one live"
        raise TrackUnknown("the track is not live", subject=track_id, hint=hint) from error
    key = package_key(current.recording_id, current.package_id, "package.json")
    return track, from_json(Package, (await store.read(key)).data, subject=key)


def _check_allowed(work: Export, package: Package, track_id: str) -> None:
    if package.protection is None:
        return
    if work.keys is None:
        hint = "a plain server gives its keys to everybody; if you mean that, say --with-keys --key-store file:PATH"
        raise UsageError("the track is protected", subject=track_id, hint=hint)
    if not work.keys:
        raise KeyMissing("no master key", subject=track_id, hint="name the key store with --key-store")


async def _write_as_stored(work: Export, package: Package) -> int:
    """The objects of a package, and the mezzanine where it is a track file of it; playlists come after the media."""
    group = Group("package", package.recording_id, package.package_id)
    count = 0
    for each in package.renditions:
        key = track_file_key(package.recording_id, package.package_id, each.track_file_path)
        count += await _write_object(work, key, sha256=each.sha256)
        count += await _write_keys(work, package, each)
    keys = [entry.key async for entry in work.store.walk(group.prefix) if group_of(entry.key) == group]
    for key in keys:
        if not key.endswith(MEDIA_SUFFIX):
            count += await _write_object(work, key)
    return count


async def _write_segments(work: Export, package: Package) -> int:
    """Each segment of each rendition as a file, and playlists that name them; no MPD, for ours has ranges."""
    base = Path("recordings", package.recording_id, package.package_id)
    count = 0
    async with scratch_folder(None) as scratch:
        for each in package.renditions:
            key = track_file_key(package.recording_id, package.package_id, each.track_file_path)
            file = scratch / each.rendition.rendition_id
            await _fetch(work.store, key, file, each.sha256)
            count += await asyncio.to_thread(_cut, file, each, work.folder / base / each.rendition.rendition_id)
            file.unlink()
            count += await _write_keys(work, package, each)
            keys, target_s = key_base_uri(package, each), package.target_duration_s
            playlist = render(segment_playlist(each, target_duration_s=target_s, key_base_uri=keys))
            await _write(work, f"{base}/{each.rendition.rendition_id}{PLAYLIST_SUFFIX}", playlist)
    names = [MULTIVARIANT_NAMES[codec] for codec in package.codecs]
    for name in (*names, "package.json"):
        await _write_object(work, f"{base}/{name}")
    return count + len(package.renditions) + len(names) + 1


def _cut(file: Path, rendition: SegmentedRendition, folder: Path) -> int:
    """Write the init section and the segments of a track file. Blocking."""
    spans = [(INIT_NAME, 0, rendition.init_size_bytes)]
    spans += [
        (f"{number}{MEDIA_SUFFIX}", each.offset_bytes, each.size_bytes)
        for number, each in enumerate(rendition.segments)
    ]
    with file.open("rb") as source:
        for name, offset, size in spans:
            source.seek(offset)
            _write_file(folder / name, source.read(size))
    return len(spans)


async def _write_keys(work: Export, package: Package, rendition: SegmentedRendition) -> int:
    """The content keys of a rendition, where its media playlist names them."""
    protection = rendition.protection
    if protection is None or work.keys is None:
        return 0
    master = work.keys.master(protection.key_set)
    periods = {protection.period_of(index) for index in range(len(rendition.segments))}
    for period in periods:
        name = f"keys/{package.recording_id}/{package.package_id}/{rendition.rendition.rendition_id}/{period}"
        await _write(work, name, master.content_key(protection.key_id, period))
    return len(periods)


async def _write_object(work: Export, key: str, *, sha256: str = "") -> int:
    """Copy an object under its key; checked against `sha256`, or else against what the store says of it."""
    info = await work.store.head(key)
    target = work.folder / key
    wanted = sha256 or info.sha256
    if not (target.is_file() and await asyncio.to_thread(_sha256_of, target) == wanted):
        await _fetch(work.store, key, target, wanted)
    work.report.add(1, info.size_bytes)
    return 1


async def _fetch(store: ObjectStore, key: str, target: Path, sha256: str) -> None:
    await store.fetch(key, target)
    if await asyncio.to_thread(_sha256_of, target) != sha256:
        target.unlink()
        hint = "`segue verify --deep --repair`, then export again"
        raise ObjectDamaged("the bytes do not have their hash", subject=key, hint=hint)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _write(work: Export, name: str, data: bytes) -> None:
    await asyncio.to_thread(_write_file, work.folder / name, data)
    work.report.add(1, len(data))


def _write_file(path: Path, data: bytes) -> None:
    try:
        with new_file(path.parent) as (descriptor, temporary):
            write_all(descriptor, data)
            temporary.replace(path)
        path.chmod(0o644)
    except OSError as error:
        raise local_error("cannot write the file", error, str(path)) from error


def _listed(track: Track, package: Package) -> dict[str, object]:
    """What the page shows of a track, and where it finds it; all paths are relative to the page."""
    base = f"recordings/{package.recording_id}/{package.package_id}"
    names = [MULTIVARIANT_NAMES[codec] for codec in package.codecs]
    return {
        "track_id": track.track_id,
        "title": track.tags.title,
        "artists": list(track.tags.artists),
        "album": track.tags.album,
        "art": art_key(track.art_id, _PAGE_ART_SIDE),
        "seconds": package.media_samples / 48_000,
        "playlists": {_FAMILIES[name]: f"{base}/{name}" for name in names},
    }
