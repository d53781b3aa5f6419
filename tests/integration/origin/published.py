"""A published track whose media is random bytes: the origin never looks into them."""

import hashlib
import random
from dataclasses import dataclass, replace

from model.loudness import Gain, LoudnessMode, LoudnessReport, LoudnessTarget
from model.package import Current, Package
from model.protection import Protection
from model.records import to_json
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
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
from storage.base import ObjectStore
from storage.defaults import default_cache_control, default_media_type
from storage.keys import analysis_key, art_key, current_key, mezzanine_key, mezzanine_record_key, package_key, track_key

RAMP_TICKS = (46_080, 92_160, 138_240)
NOMINAL_TICKS = 291_840
LADDER = (
    Rendition(rendition_id="aac-64", codec=Codec.AAC, bitrate_bps=64_000),
    Rendition(rendition_id="aac-256", codec=Codec.AAC, bitrate_bps=256_000),
    Rendition(rendition_id="opus-96", codec=Codec.OPUS, bitrate_bps=96_000),
    Rendition(rendition_id="flac", codec=Codec.FLAC, bitrate_bps=0),
)
LOSSLESS_BPS = 900_000
PRIMING_TICKS = {Codec.AAC: 1_024, Codec.OPUS: 312, Codec.FLAC: 0}
INIT_BYTES = 800
INDEX_BYTES = 200


LOUDNESS = LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=-1.5)
SHA256 = "ab" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A track in a store, as a test knows it."""

    track: Track
    package: Package
    media: dict[str, bytes]
    art: dict[int, bytes]

    @property
    def track_id(self) -> str:
        """The id of the track."""
        return self.track.track_id

    @property
    def base(self) -> str:
        """The URL path of the track."""
        return f"/tracks/{self.track_id}"

    @property
    def recording_base(self) -> str:
        """The URL path of the recording."""
        return f"/recordings/{self.track.recording_id}"

    @property
    def package_base(self) -> str:
        """The URL path of the package."""
        return f"{self.recording_base}/{self.package.package_id}"

    @property
    def art_base(self) -> str:
        """The URL path of the cover art."""
        return f"/art/{self.track.art_id}"

    def segment_of(self, rendition_id: str, index: int) -> bytes:
        """The bytes of a segment, cut from the media by the package's own index."""
        rendition = self.package.rendition(rendition_id)
        assert rendition is not None
        segment = rendition.segments[index]
        return self.media[rendition_id][segment.offset_bytes : segment.offset_bytes + segment.size_bytes]


async def publish(
    store: ObjectStore,
    name: str = "one",
    *,
    edition: int = 1,
    segments: int = 8,
    release: str = "Album",
    protection: Protection | None = None,
) -> Published:
    """Put a recording and a track of it into a store and make it live. Equal arguments give equal bytes.

    The lossless rendition is the mezzanine itself.
    Two releases of one name are two tracks of one recording; editions are packages of it. With `protection`
    the records say that the random bytes are encrypted.
    """
    chance = random.Random(f"{name}-{edition}")
    mezzanine_id = derived_id("mezzanine", name, str(edition))
    made = {rendition.rendition_id: _media(rendition, segments, chance, mezzanine_id) for rendition in LADDER}
    samples = sum(_durations(segments)) - 1024
    art = {side: b"\xff\xd8\xff" + random.Random(f"{release}-{edition}-{side}").randbytes(2000) for side in ART_SIDES}
    art_id = derived_id(release, str(edition))
    track = track_of(name, release=release, samples=samples, art_id=art_id, mezzanine_id=mezzanine_id)
    package = Package(
        recording_id=track.recording_id,
        package_id=derived_id(name, str(edition)),
        mezzanine_id=track.mezzanine.mezzanine_id,
        media_samples=samples,
        target_duration_s=6,
        true_peak_dbtp=-1.0,
        level_lufs=-14.0,
        renditions=tuple(_protected(rendition, protection) for rendition, _ in made.values()),
        attempts=(),
        tool="test",
    )
    media = {rendition_id: data for rendition_id, (_, data) in made.items()}
    published = Published(track=track, package=package, media=media, art=art)
    for key, data in _objects(published).items():
        await put(store, key, data)
    return published


def track_of(name: str, *, release: str, samples: int, art_id: str, mezzanine_id: str) -> Track:
    """A track, of the recording of this name."""
    recording_id = recording_id_of(hashlib.sha256(name.encode()).hexdigest())
    return Track(
        track_id=track_id_of(recording_id, release),
        release=release,
        source=SourceInfo(
            container="flac", codec="flac", sample_rate_hz=48_000, channels=2, channel_layout="stereo", bit_depth=16,
            lossless=True, size_bytes=1000, sha256=SHA256,
        ),
        source_name=f"secret/{name}.flac",
        tags=TrackTags(title=f"Song {name}", artists=("Somebody",), album=release, track_number=1),
        art_id=art_id,
        mode=LoudnessMode.TRACK,
        target=LoudnessTarget(),
        loudness_source=LOUDNESS,
        album=None,
        gain=Gain(applied_db=0.0),
        mezzanine=Mezzanine(
            recording_id=recording_id, mezzanine_id=mezzanine_id, gain_db=0.0, loudness=LOUDNESS,
            media_samples=samples, size_bytes=2000, sha256=SHA256, tool="test",
        ),
    )  # fmt: skip


def _objects(published: Published) -> dict[str, bytes]:
    """Everything that a publish writes, in an order that shows nobody anything half done."""
    track, package = published.track, published.package
    recording_id, mezzanine_id = track.recording_id, track.mezzanine.mezzanine_id
    media = {each: published.media[each.rendition.rendition_id] for each in package.renditions}
    files = {each.track_file_path: data for each, data in media.items() if not each.track_file}
    files |= {f"{name}.m3u8": b"#EXTM3U\n" for name in (*published.media, "index", "opus", "lossless")}
    files["index.mpd"] = b"<MPD/>"
    files["package.json"] = to_json(package)
    pointer = Current(track_id=track.track_id, recording_id=recording_id, package_id=package.package_id)
    return {
        analysis_key(recording_id): b"{}",
        mezzanine_key(recording_id, mezzanine_id): published.media["flac"],
        mezzanine_record_key(recording_id, mezzanine_id): to_json(track.mezzanine),
        **{art_key(track.art_id, side): data for side, data in published.art.items()},
        track_key(track.track_id): to_json(track),
        **{package_key(recording_id, package.package_id, name): data for name, data in files.items()},
        current_key(track.track_id): to_json(pointer),
    }


def _protected(rendition: SegmentedRendition, protection: Protection | None) -> SegmentedRendition:
    """A protected rendition has a file of its own: the mezzanine is in the clear."""
    track_file = "" if protection else rendition.track_file
    return replace(rendition, track_file=track_file, protection=protection)


async def put(store: ObjectStore, key: str, data: bytes) -> None:
    """Put an object with the headers that its suffix stands for."""
    await store.put(key, data, media_type=default_media_type(key), cache_control=default_cache_control(key))


def _media(
    rendition: Rendition, count: int, chance: random.Random, mezzanine_id: str
) -> tuple[SegmentedRendition, bytes]:
    segments = []
    offset = INIT_BYTES + INDEX_BYTES
    for ticks in _durations(count):
        size = (rendition.bitrate_bps or LOSSLESS_BPS) * ticks // (8 * 48_000) + chance.randrange(100)
        segments.append(Segment(duration_ticks=ticks, offset_bytes=offset, size_bytes=size))
        offset += size
    data = chance.randbytes(offset)
    made = SegmentedRendition(
        rendition=rendition,
        timescale=48_000,
        priming_ticks=PRIMING_TICKS[rendition.codec],
        init_size_bytes=INIT_BYTES,
        index_size_bytes=INDEX_BYTES,
        segments=tuple(segments),
        sha256=hashlib.sha256(data).hexdigest(),
        loudness=LOUDNESS,
        track_file=f"../mezzanine/{mezzanine_id}.mp4" if rendition.codec is Codec.FLAC else "",
    )
    return made, data


def _durations(count: int) -> list[int]:
    return [*RAMP_TICKS, *(NOMINAL_TICKS for _ in range(count))][:count]
