"""The published package of a track, `package.json`, and the pointer that makes it live, `current.json`."""

from dataclasses import dataclass

from model.loudness import LoudnessTarget
from model.rendition import Codec
from model.segment import SegmentedRendition
from model.track import TrackTags, is_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Everything the origin and a player need to know of a published track.

    `level_lufs` is the loudness that every rendition has (None for silence); it is below the target where the true
    peak left no more room. `media_samples` counts the music at 48 kHz, without priming. `target_duration_s` is the
    EXT-X-TARGETDURATION of every media playlist of the package.
    """

    track_id: str
    package_id: str
    tags: TrackTags
    media_samples: int
    target_duration_s: int
    target: LoudnessTarget | None
    level_lufs: float | None
    renditions: tuple[SegmentedRendition, ...]
    tool: str
    has_art: bool = True

    def __post_init__(self) -> None:
        if not is_id(self.track_id) or not is_id(self.package_id):
            raise ValueError(f"malformed id: {self.track_id!r} {self.package_id!r}")
        if self.target_duration_s <= 0 or not self.renditions:
            raise ValueError("a package has renditions and a target duration")
        if self.media_samples <= 0:
            raise ValueError("a package has samples")
        ids = [each.rendition.rendition_id for each in self.renditions]
        if len(set(ids)) != len(ids):
            raise ValueError(f"the renditions of a package have ids of their own: {ids}")

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """The codec families that the package has."""
        return tuple(codec for codec in Codec if self.of(codec))

    def of(self, codec: Codec) -> tuple[SegmentedRendition, ...]:
        """The renditions of one codec family, in ladder order."""
        return tuple(each for each in self.renditions if each.rendition.codec is codec)

    def rendition(self, rendition_id: str) -> SegmentedRendition | None:
        """The rendition of this id, if there is one."""
        return next((each for each in self.renditions if each.rendition.rendition_id == rendition_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The one pointer that players follow: which package of a track is live."""

    track_id: str
    package_id: str

    def __post_init__(self) -> None:
        if not is_id(self.track_id) or not is_id(self.package_id):
            raise ValueError(f"malformed id: {self.track_id!r} {self.package_id!r}")
