"""How a segment of joined tracks is named: its path has all that its bytes depend on. Pure.

`/joined/{start}/{recording_id}/{package_id}/{rendition_id}/{first}-{end}.mp4`: frames `first` up to, not including,
`end` of that track file, in their full length, at `start` on the timeline (48,000 to the second). `{first}-end` is the
rest of the file, whose last frame is as long as the file says. `{start}-{skip}` is a segment of a stream for browsers:
it may begin anywhere, its first frame is `skip` shorter (`model.joining.met_of`), and it has one part. Of the others,
what spans a joint has several such parts, one after another; frames of a protected track stand alone, encrypted with
its key and an IV that follows from the path. Init sections are `/joined/init/{codec}-{priming}.mp4`.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from model.joining import FRAME_TICKS
from model.rendition import Codec
from model.track import is_id

PARTS_MAX = 8  # a segment of a station, where tracks of a second follow each other
FRAMES_MAX = 400  # of a part: the longest segment that we cut has 328
PRIMING_FRAMES_MAX = 8
IV_BYTES = 16
_PART = re.compile(r"([a-z2-7]{16,26})/([a-z2-7]{16,26})/([a-z0-9-]{1,40})/(0|[1-9][0-9]{0,8})-(end|[1-9][0-9]{0,8})")
_FIELDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Frames `first` to `end` of a track file; without `end` the rest of it."""

    recording_id: str
    package_id: str
    rendition_id: str
    first: int
    end: int | None


def segment_path(start_ticks: int, parts: Sequence[Part], skip_ticks: int | None = None) -> str:
    """The path of a segment, without a slash in front."""
    place = start_ticks if skip_ticks is None else f"{start_ticks}-{skip_ticks}"
    return f"joined/{place}/{'/'.join(map(_text, parts))}.mp4"


def segment_iv(start_ticks: int, part: Part, skip_ticks: int | None = None) -> bytes:
    """The IV of a segment of a protected track. A rendition has one key and any number of joined segments: no two of
    them share an IV, nor one with the track's own segments, whose IVs are their numbers."""
    path = segment_path(start_ticks, (part,), skip_ticks)
    return hashlib.sha256(b"segue joined iv 1\0" + path.encode()).digest()[:IV_BYTES]


def init_path(codec: Codec, priming_ticks: int) -> str:
    """The path of the init section, without a slash in front."""
    return f"joined/init/{codec}-{priming_ticks}.mp4"


def parts_of(text: str) -> tuple[Part, ...] | None:
    """The parts that a path names between start and suffix; None if it names none, too many, or too long ones."""
    words = text.split("/")
    texts = ["/".join(words[at : at + _FIELDS]) for at in range(0, len(words), _FIELDS)]
    found = [_part(each) for each in texts[: PARTS_MAX + 1]]
    parts = tuple(each for each in found if each is not None)
    if len(parts) != len(texts) or len(parts) > PARTS_MAX or any(each.end is None for each in parts[:-1]):
        return None
    return parts


def _text(part: Part) -> str:
    end = "end" if part.end is None else part.end
    return f"{part.recording_id}/{part.package_id}/{part.rendition_id}/{part.first}-{end}"


def _part(text: str) -> Part | None:
    match = _PART.fullmatch(text)
    if match is None or not is_id(match[1]) or not is_id(match[2]):
        return None
    first, end = int(match[4]), None if match[5] == "end" else int(match[5])
    if end is not None and not 0 < end - first <= FRAMES_MAX:
        return None
    return Part(recording_id=match[1], package_id=match[2], rendition_id=match[3], first=first, end=end)


def is_on_grid(codec: Codec, ticks: int) -> bool:
    """Whether something of this codec can begin there: frames of one length leave no other place. A block of FLAC can
    be of any length."""
    return codec is Codec.FLAC or ticks % FRAME_TICKS[codec] == 0


def priming_is_possible(codec: Codec, priming_ticks: int) -> bool:
    """Whether a track of this codec could begin with so much."""
    most = 0 if codec is Codec.FLAC else PRIMING_FRAMES_MAX * FRAME_TICKS[codec]
    return priming_ticks <= most
