"""The published package of a recording, `package.json`, and the pointer of a track to its live one, `current.json`."""

from dataclasses import dataclass

from model.loudness import LoudnessReport
from model.protection import Protection
from model.rendition import Codec
from model.segment import SegmentedRendition
from model.track import is_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One encoding that was made and measured on the way: so that nothing is encoded again to learn the same."""

    rendition_id: str
    trim_db: float
    loudness: LoudnessReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """Everything the origin and a player need to know of a published recording; nothing of what it is called.

    `true_peak_dbtp` is the ceiling that no rendition passes, None where loudness is off. `level_lufs` is the loudness
    that every rendition has (None for silence and where loudness is off); it is below the mezzanine's by `asked_db`,
    and more where encoders' peaks left no more room. `media_samples` counts the music at 48 kHz, without priming.
    `target_duration_s` is the EXT-X-TARGETDURATION of every media playlist of the package. `attempts` are all encodings
    that led here.
    `run` names the mezzanines that were encoded as one with this one, which is at `position`; it is empty for a
    recording that was encoded alone.
    """

    recording_id: str
    package_id: str
    mezzanine_id: str
    media_samples: int
    target_duration_s: int
    true_peak_dbtp: float | None
    level_lufs: float | None
    renditions: tuple[SegmentedRendition, ...]
    attempts: tuple[Attempt, ...]
    tool: str
    asked_db: float = 0.0
    run: tuple[str, ...] = ()
    position: int = 0

    def __post_init__(self) -> None:
        if not all(is_id(each) for each in (self.recording_id, self.package_id, self.mezzanine_id)):
            raise ValueError(f"malformed id: {self.recording_id!r} {self.package_id!r} {self.mezzanine_id!r}")
        if self.mezzanine_ids[self.position : self.position + 1] != (self.mezzanine_id,):
            raise ValueError(f"a package has its own place in its run: {self.position}")
        if self.target_duration_s <= 0 or not self.renditions:
            raise ValueError("a package has renditions and a target duration")
        if self.media_samples <= 0:
            raise ValueError("a package has samples")
        ids = [each.rendition.rendition_id for each in self.renditions]
        if len(set(ids)) != len(ids):
            raise ValueError(f"the renditions of a package have ids of their own: {ids}")
        if any(each.track_file not in ("", f"../mezzanine/{self.mezzanine_id}.mp4") for each in self.renditions):
            raise ValueError("a package shares no mezzanine but its own")
        if len({_manner(each.protection) for each in self.renditions}) > 1:
            raise ValueError("the renditions of a package are protected in one manner, or none is")

    @property
    def mezzanine_ids(self) -> tuple[str, ...]:
        """The mezzanines that were encoded as one, in their order."""
        return self.run or (self.mezzanine_id,)

    @property
    def protection(self) -> Protection | None:
        """How the package is protected, with the first rendition's key id; None if it is in the clear."""
        return self.renditions[0].protection

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


def _manner(protection: Protection | None) -> tuple[str, str, int] | None:
    return (protection.method, protection.key_set, protection.rotation_segments) if protection else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The one pointer that players follow: which package of a track is live."""

    track_id: str
    recording_id: str
    package_id: str

    def __post_init__(self) -> None:
        if not all(is_id(each) for each in (self.track_id, self.recording_id, self.package_id)):
            raise ValueError(f"malformed id: {self.track_id!r} {self.recording_id!r} {self.package_id!r}")
