"""Recordings as an ingest leaves them, made here by ffmpeg and the assembler; tests work on copies of their stores."""

import asyncio
import hashlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from avtool.decode import decode
from avtool.locate import Ffmpeg
from cmaf.assemble import assemble
from cmaf.encoded import read_encoded
from meter.meter import Meter
from model.events import Unobserved
from model.loudness import Gain, LoudnessMode, LoudnessReport, LoudnessTarget
from model.package import Package
from model.records import to_json
from model.track import (
    ART_SIDES,
    Mezzanine,
    SourceInfo,
    Track,
    TrackTags,
    derived_id,
    recording_id_of,
    track_id_of,
)
from packager.order import Packaging
from packager.pipeline import package
from packager.records import live_package, read_package
from packager.settings import PackageSettings
from packager.verify import verify_package
from storage.base import ObjectStore
from storage.filesystem import FilesystemStore
from storage.keys import CHANGES, art_key, mezzanine_key, track_key
from tests.support.audio import music_like, silence

SMALL = PackageSettings(aac_bitrates_bps=(64_000,), opus_bitrates_bps=(64_000,))
CEILING_DBTP = -1.0


@dataclass(frozen=True, slots=True)
class Shelf:
    """A store in a folder with one track in it."""

    folder: Path
    track: Track


@pytest.fixture(scope="session")
def ingested(tool: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A track of 2 s, ingested, with room below the ceiling."""
    return _shelf(tool, tmp_path_factory.mktemp("ingested"), music_like(2), peak_dbtp=-6.0)


@pytest.fixture(scope="session")
def loud(tool: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A track whose mezzanine is as loud as the ceiling allows, so that every encoder overshoots."""
    return _shelf(tool, tmp_path_factory.mktemp("loud"), music_like(2, seed=2), peak_dbtp=CEILING_DBTP)


@pytest.fixture(scope="session")
def silent(tool: Ffmpeg, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A track of 1 s in which there is nothing to hear."""
    return _shelf(tool, tmp_path_factory.mktemp("silent"), silence(1), peak_dbtp=None)


@pytest.fixture(scope="session")
def published(tool: Ffmpeg, ingested: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """The track of `ingested`, packaged and live."""
    folder = tmp_path_factory.mktemp("published") / "store"
    shutil.copytree(ingested.folder, folder)

    async def fill() -> None:
        store = FilesystemStore(folder)
        await package(work_on(tool, store), ingested.track.track_id, subject="Short")
        await store.close()

    asyncio.run(fill())
    return Shelf(folder, ingested.track)


@pytest.fixture
async def store(ingested: Shelf, tmp_path: Path) -> AsyncIterator[FilesystemStore]:
    """A store of its own with the ingested track, in the folder `store`."""
    async for opened in _copied(ingested, tmp_path / "store"):
        yield opened


@pytest.fixture
async def live(published: Shelf, tmp_path: Path) -> AsyncIterator[FilesystemStore]:
    """A store of its own with the live track, in the folder `live`."""
    async for opened in _copied(published, tmp_path / "live"):
        yield opened


@pytest.fixture
async def loud_store(loud: Shelf, tmp_path: Path) -> AsyncIterator[FilesystemStore]:
    """A store of its own with the loud track, in the folder `loud`."""
    async for opened in _copied(loud, tmp_path / "loud"):
        yield opened


async def _copied(shelf: Shelf, folder: Path) -> AsyncIterator[FilesystemStore]:
    shutil.copytree(shelf.folder, folder)
    opened = FilesystemStore(folder)
    yield opened
    await opened.close()


def work_on(tool: Ffmpeg, store: ObjectStore, settings: PackageSettings = SMALL) -> Packaging:
    """Packaging into this store, unobserved."""
    return Packaging(settings=settings, tool=tool, store=store, slots=asyncio.Semaphore(2), observer=Unobserved())


async def sound_package(store: ObjectStore, track_id: str) -> Package | None:
    """The package that players see, after looking at every byte of it."""
    current = await live_package(store, track_id)
    if current is None:
        return None
    made = await read_package(store, current.recording_id, current.package_id)
    assert await verify_package(store, made) == []
    return made


async def files_of(store: ObjectStore) -> dict[str, str]:
    """Key and content hash of everything in a store, but for what is told of changes, which is named after a moment."""
    keys = [entry.key async for entry in store.walk("") if not entry.key.startswith(CHANGES)]
    return {key: (await store.head(key)).sha256 for key in keys}


async def put_track(store: ObjectStore, track: Track) -> None:
    """Write the ingest report of a track."""
    await store.put(track_key(track.track_id), to_json(track), media_type="application/json", cache_control="no-cache")


async def measured(tool: Ffmpeg, path: Path) -> LoudnessReport:
    """Loudness and peak of an audio file."""
    meter = Meter(sample_rate_hz=48_000, channels=2)
    await decode(tool, str(path), meter.take_bytes, sample_rate_hz=48_000, channels=2, timeout_s=60, subject=path.name)
    return meter.result().loudness


def _shelf(tool: Ffmpeg, folder: Path, source: Path, *, peak_dbtp: float | None) -> Shelf:
    """A store with one track: its mezzanine's true peak is where it is wanted, None leaves the signal as it is."""

    async def fill() -> Track:
        peak = (await measured(tool, source)).true_peak_dbtp
        gain_db = 0.0 if peak is None or peak_dbtp is None else peak_dbtp - peak
        path, mezzanine = await _mezzanine(tool, source, folder, gain_db)
        track = track_of(mezzanine, "Signals")
        store = FilesystemStore(folder / "store")
        key = mezzanine_key(mezzanine.recording_id, mezzanine.mezzanine_id)
        await store.put(key, path, media_type="audio/mp4", cache_control="no-cache")
        for side in ART_SIDES:
            await store.put(art_key(track.art_id, side), b"art", media_type="image/jpeg", cache_control="no-cache")
        await put_track(store, track)
        await store.close()
        return track

    return Shelf(folder / "store", asyncio.run(fill()))


async def _mezzanine(tool: Ffmpeg, source: Path, folder: Path, gain_db: float) -> tuple[Path, Mezzanine]:
    """48 kHz stereo FLAC with a gain as a CMAF track file, and what an ingest records of it."""
    encoded_path, path = folder / "flac.mp4", folder / "mezzanine.mp4"
    _encode_flac(tool, source, encoded_path, gain_db)
    loudness = await measured(tool, encoded_path)
    with encoded_path.open("rb") as frames, path.open("wb") as target:
        encoded = read_encoded(frames)
        file = assemble(encoded, frames, target, media_samples=encoded.media_ticks, loudness=loudness)
    recording_id = recording_id_of(hashlib.sha256(source.read_bytes()).hexdigest())
    mezzanine = Mezzanine(
        recording_id=recording_id,
        mezzanine_id=derived_id(recording_id, repr(gain_db)),
        gain_db=gain_db,
        loudness=loudness,
        media_samples=encoded.media_ticks,
        size_bytes=path.stat().st_size,
        sha256=file.sha256,
        tool=tool.version,
    )
    return path, mezzanine


def _encode_flac(tool: Ffmpeg, source: Path, encoded_path: Path, gain_db: float) -> None:
    command = [
        *(tool.path, "-nostdin", "-v", "error", "-i", str(source)),
        *("-af", f"aresample=48000:resampler=soxr:osf=dbl,volume={gain_db:.4f}dB:precision=double"),
        *("-c:a", "flac", "-sample_fmt", "s32", "-bits_per_raw_sample", "24", "-frame_size", "3840", "-ac", "2"),
        *("-bitexact", "-map_metadata", "-1", str(encoded_path)),
    ]
    subprocess.run(command, check=True, timeout=60)


def track_of(mezzanine: Mezzanine, release: str) -> Track:
    """The track that a recording is on a release."""
    source = SourceInfo(
        container="flac", codec="flac", sample_rate_hz=44_100, channels=2, channel_layout="stereo", bit_depth=16,
        lossless=True, size_bytes=1000, sha256="ab" * 32,
    )  # fmt: skip
    return Track(
        track_id=track_id_of(mezzanine.recording_id, release),
        release=release,
        source=source,
        source_name="short.flac",
        tags=TrackTags(title="Short", artists=("Somebody",), album=release),
        art_id=derived_id("art"),
        mode=LoudnessMode.TRACK,
        target=LoudnessTarget(true_peak_dbtp=CEILING_DBTP),
        loudness_source=mezzanine.loudness,
        album=None,
        gain=Gain(applied_db=mezzanine.gain_db),
        mezzanine=mezzanine,
    )
