"""Track files whose frames are random bytes: as ours in every box, and heard by nobody."""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from cmaf.assemble import assemble
from cmaf.encoded import EncodedTrack
from cmaf.pieces import piece_from
from model.joining import FRAME_TICKS
from model.loudness import LoudnessReport
from model.package import Package
from model.rendition import Codec, Rendition
from model.segment import SegmentedRendition
from model.track import derived_id, recording_id_of

LOUDNESS = LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=-1.5)
PRIMING_TICKS = {Codec.AAC: 1024, Codec.OPUS: 312, Codec.FLAC: 0}
LADDER = (
    Rendition(rendition_id="aac-64", codec=Codec.AAC, bitrate_bps=64_000),
    Rendition(rendition_id="aac-128", codec=Codec.AAC, bitrate_bps=128_000),
    Rendition(rendition_id="opus-64", codec=Codec.OPUS, bitrate_bps=64_000),
    Rendition(rendition_id="flac", codec=Codec.FLAC, bitrate_bps=0),
)
_CONFIGS = {
    Codec.AAC: b"\x11\x90",
    Codec.OPUS: b"\0\x02\x01\x38\0\0\xbb\x80\0\0\0",
    Codec.FLAC: b"\x80\0\0\x22" + bytes(34),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """A package, and the bytes of its track files by rendition id."""

    package: Package
    files: dict[str, bytes]


def encoding(codec: Codec, samples: int, seed: str) -> tuple[EncodedTrack, bytes]:
    """So much music in frames, as an encoder would give it, and the bytes of the frames."""
    chance, frame = random.Random(seed), FRAME_TICKS[codec]
    frames = -(-(PRIMING_TICKS[codec] + samples) // frame)
    sizes = [chance.randrange(20, 60) for _ in range(frames)]
    encoded = EncodedTrack(
        codec=codec, config=_CONFIGS[codec], timescale=48_000, channels=2, bit_depth=24 if codec is Codec.FLAC else 16,
        priming_ticks=PRIMING_TICKS[codec], frame_ticks=frame, last_ticks=frame,
        offsets=list(accumulate(sizes[:-1], initial=0)), sizes=sizes,
    )  # fmt: skip
    return encoded, chance.randbytes(sum(sizes))


def run_of(
    lengths: Sequence[int], *, name: str = "run", ladder: Sequence[Rendition] = LADDER, alone: bool = False
) -> list[Framed]:
    """Packages of these lengths in samples, of one encoding; or each of its own, if they are `alone`."""
    mezzanines = tuple(derived_id("mezzanine", name, str(at)) for at in range(len(lengths)))
    made: list[dict[str, tuple[SegmentedRendition, bytes]]] = [{} for _ in lengths]
    for rendition in ladder:
        together = sum(lengths)
        for at, samples in enumerate(lengths):
            seed = f"{name} {rendition.rendition_id}" + (f" {at}" if alone else "")
            encoded, frames = encoding(rendition.codec, samples if alone else together, seed)
            piece = piece_from(encoded, 0 if alone or rendition.codec is Codec.FLAC else sum(lengths[:at]))
            made[at][rendition.rendition_id] = _segmented(rendition, piece, frames, samples)
    return [
        Framed(
            package=Package(
                recording_id=recording_id_of(name, str(at)), package_id=derived_id("package", name, str(at)),
                mezzanine_id=mezzanines[at], media_samples=samples, target_duration_s=6, true_peak_dbtp=None,
                level_lufs=None, renditions=tuple(each for each, _ in made[at].values()), attempts=(), tool="test",
                run=() if alone or len(lengths) == 1 else mezzanines, position=0 if alone else at,
            ),
            files={rendition_id: data for rendition_id, (_, data) in made[at].items()},
        )
        for at, samples in enumerate(lengths)
    ]  # fmt: skip


def _segmented(
    rendition: Rendition, piece: EncodedTrack, frames: bytes, samples: int
) -> tuple[SegmentedRendition, bytes]:
    out = io.BytesIO()
    file = assemble(piece, io.BytesIO(frames), out, media_samples=samples, loudness=LOUDNESS)
    segmented = SegmentedRendition(
        rendition=rendition, timescale=file.timescale, priming_ticks=file.priming_ticks,
        init_size_bytes=file.init_size_bytes, index_size_bytes=file.index_size_bytes, segments=file.segments,
        sha256=file.sha256, loudness=LOUDNESS,
    )  # fmt: skip
    return segmented, out.getvalue()


def frames_of(data: bytes, rendition: SegmentedRendition) -> list[bytes]:
    """The frames of a track file, one by one, in order."""
    frames = []
    for segment in rendition.segments:
        frames += frames_in_segment(data[segment.offset_bytes : segment.offset_bytes + segment.size_bytes])
    return frames


def frames_in_segment(segment: bytes) -> list[bytes]:
    """The frames of one fragment, by the sizes of its `trun`; shares no code with what cut it."""
    trun = segment.index(b"trun") + 4
    flags, count = (
        int.from_bytes(segment[trun + 1 : trun + 4], "big"),
        int.from_bytes(segment[trun + 4 : trun + 8], "big"),
    )
    at, step = int.from_bytes(segment[trun + 8 : trun + 12], "big"), 8 if flags & 0x100 else 4
    frames = []
    for row in range(count):
        field = trun + 12 + row * step + step - 4
        size = int.from_bytes(segment[field : field + 4], "big")
        frames.append(segment[at : at + size])
        at += size
    assert at == len(segment)
    return frames
