"""A rendition cut into segments: what a media playlist and a byte range need to know."""

import re
from dataclasses import dataclass

from model.loudness import LoudnessReport
from model.protection import Protection
from model.rendition import Codec, Rendition

_SHARED_TRACK_FILE = re.compile(r"\.\./mezzanine/[a-z2-7]{16,26}\.mp4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One media segment: a byte range of the CMAF track file."""

    duration_ticks: int
    offset_bytes: int
    size_bytes: int

    def __post_init__(self) -> None:
        if self.duration_ticks <= 0 or self.size_bytes <= 0 or self.offset_bytes <= 0:
            raise ValueError(f"a segment needs duration, bytes and an offset past the init section: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentedRendition:
    """A rendition as one CMAF track file: init section, segment index (`sidx`), segments without holes.

    Times are ticks of `timescale`. `priming_ticks` is what a decoder must drop at the start (AAC priming,
    Opus pre-skip); the segment durations include it. `media_ticks` is the music alone.

    `track_file` is empty where the track file lies in the package. A lossless rendition may be its recording's
    mezzanine itself: then it is the path from the package to it, `../mezzanine/<mezzanine_id>.mp4`.

    Where there is `protection`, the segments are encrypted and the init section is not; sizes, offsets and hash are
    of the encrypted file.
    """

    rendition: Rendition
    timescale: int
    priming_ticks: int
    init_size_bytes: int
    index_size_bytes: int
    segments: tuple[Segment, ...]
    sha256: str
    loudness: LoudnessReport
    trim_db: float = 0.0  # gain over the mezzanine that brought this rendition to the track's level
    track_file: str = ""
    album_loudness: LoudnessReport | None = None  # what the track file tells of the album
    protection: Protection | None = None

    def __post_init__(self) -> None:
        if not self.segments:
            raise ValueError("a segmented rendition has at least one segment")
        if self.timescale <= 0 or self.init_size_bytes <= 0 or self.index_size_bytes < 0:
            raise ValueError("a segmented rendition has a timescale and an init section")
        expected = self.init_size_bytes + self.index_size_bytes
        for segment in self.segments:
            if segment.offset_bytes != expected:
                raise ValueError(f"hole or overlap at byte {expected}: segment starts at {segment.offset_bytes}")
            expected += segment.size_bytes
        if not 0 <= self.priming_ticks < self.duration_ticks:
            raise ValueError("priming must be shorter than the rendition")
        if self.track_file:
            if not _SHARED_TRACK_FILE.fullmatch(self.track_file):
                raise ValueError(f"a track file lies in the package or is a mezzanine: {self.track_file!a}")
            if self.rendition.codec is not Codec.FLAC or self.trim_db:
                raise ValueError("only a lossless rendition at the mezzanine's own level can be the mezzanine")
            if self.protection:
                raise ValueError("a mezzanine is in the clear: it cannot be a protected rendition")

    @property
    def track_file_path(self) -> str:
        """Where the track file lies, as seen from the package: beside the playlists, or where the mezzanine is."""
        return self.track_file or f"{self.rendition.rendition_id}.mp4"

    @property
    def duration_ticks(self) -> int:
        """Sum of the segment durations, priming included."""
        return sum(segment.duration_ticks for segment in self.segments)

    @property
    def media_ticks(self) -> int:
        """The music without the priming."""
        return self.duration_ticks - self.priming_ticks

    @property
    def size_bytes(self) -> int:
        """Size of the whole track file."""
        last = self.segments[-1]
        return last.offset_bytes + last.size_bytes
