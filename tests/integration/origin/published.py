"""A published track whose media is random bytes: the origin never looks into them."""

import hashlib
import random
from dataclasses import dataclass

from model.loudness import LoudnessReport, LoudnessTarget
from model.package import Current, Package
from model.records import to_json
from model.rendition import Codec, Rendition
from model.segment import Segment, SegmentedRendition
from model.track import TrackTags, derived_id, track_id_of
from storage.base import ObjectStore
from storage.defaults import default_cache_control, default_media_type
from storage.keys import current_key, package_key

RAMP_TICKS = (46_080, 92_160, 138_240)
NOMINAL_TICKS = 291_840
LADDER = (
    Rendition(rendition_id="aac-64", codec=Codec.AAC, bitrate_bps=64_000),
    Rendition(rendition_id="aac-256", codec=Codec.AAC, bitrate_bps=256_000),
    Rendition(rendition_id="opus-96", codec=Codec.OPUS, bitrate_bps=96_000),
)
INIT_BYTES = 800
INDEX_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A track in a store, as a test knows it."""

    package: Package
    media: dict[str, bytes]
    art: bytes

    @property
    def base(self) -> str:
        """The URL path of the track."""
        return f"/tracks/{self.package.track_id}"

    @property
    def package_base(self) -> str:
        """The URL path of the package."""
        return f"{self.base}/{self.package.package_id}"

    def segment_of(self, rendition_id: str, index: int) -> bytes:
        """The bytes of a segment, cut from the media by the package's own index."""
        rendition = self.package.rendition(rendition_id)
        assert rendition is not None
        segment = rendition.segments[index]
        return self.media[rendition_id][segment.offset_bytes : segment.offset_bytes + segment.size_bytes]


async def publish(
    store: ObjectStore, name: str = "one", *, edition: int = 1, segments: int = 8, has_art: bool = True
) -> Published:
    """Put a package of a track into a store and make it live. Equal arguments give equal bytes."""
    chance = random.Random(f"{name}-{edition}")
    made = {rendition.rendition_id: _media(rendition, segments, chance) for rendition in LADDER}
    package = Package(
        track_id=track_id_of(hashlib.sha256(name.encode()).hexdigest()),
        package_id=derived_id(name, str(edition)),
        tags=TrackTags(title=f"Song {name}", artists=("Somebody",), album="Album", track_number=1),
        media_samples=sum(_durations(segments)) - 1024,
        target_duration_s=6,
        target=LoudnessTarget(),
        level_lufs=-14.0,
        renditions=tuple(rendition for rendition, _ in made.values()),
        tool="test",
        has_art=has_art,
    )
    media = {rendition_id: data for rendition_id, (_, data) in made.items()}
    published = Published(package=package, media=media, art=b"\xff\xd8\xff" + chance.randbytes(2000))
    await _put_all(store, published)
    return published


async def _put_all(store: ObjectStore, published: Published) -> None:
    package = published.package
    files = {f"{rendition_id}.mp4": data for rendition_id, data in published.media.items()}
    if package.has_art:
        files["art.jpg"] = published.art
    files["package.json"] = to_json(package)
    for name, data in files.items():
        await put(store, package_key(package.track_id, package.package_id, name), data)
    pointer = Current(track_id=package.track_id, package_id=package.package_id)
    await put(store, current_key(package.track_id), to_json(pointer))


async def put(store: ObjectStore, key: str, data: bytes) -> None:
    """Put an object with the headers that its suffix stands for."""
    await store.put(key, data, media_type=default_media_type(key), cache_control=default_cache_control(key))


def _media(rendition: Rendition, count: int, chance: random.Random) -> tuple[SegmentedRendition, bytes]:
    segments = []
    offset = INIT_BYTES + INDEX_BYTES
    for ticks in _durations(count):
        size = rendition.bitrate_bps * ticks // (8 * 48_000) + chance.randrange(100)
        segments.append(Segment(duration_ticks=ticks, offset_bytes=offset, size_bytes=size))
        offset += size
    data = chance.randbytes(offset)
    made = SegmentedRendition(
        rendition=rendition,
        timescale=48_000,
        priming_ticks=1024 if rendition.codec is Codec.AAC else 312,
        init_size_bytes=INIT_BYTES,
        index_size_bytes=INDEX_BYTES,
        segments=tuple(segments),
        sha256=hashlib.sha256(data).hexdigest(),
        loudness=LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=-1.5),
    )
    return made, data


def _durations(count: int) -> list[int]:
    return [*RAMP_TICKS, *(NOMINAL_TICKS for _ in range(count))][:count]
