"""Encodings that no encoder made: frames of known sizes and random bytes."""

import random
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate

from cmaf.assemble import TrackFile, assemble
from cmaf.encoded import EncodedTrack
from model.loudness import LoudnessReport
from model.rendition import Codec

FRAME_TICKS = {Codec.AAC: 1_024, Codec.OPUS: 960, Codec.FLAC: 3_840}
PRIMING_TICKS = {Codec.AAC: 1_024, Codec.OPUS: 312, Codec.FLAC: 0}
ENTRIES = {Codec.AAC: "mp4a", Codec.OPUS: "Opus", Codec.FLAC: "fLaC"}
CONFIGS = {
    Codec.AAC: bytes.fromhex("119056e500"),  # AAC-LC, 48 kHz, stereo
    Codec.OPUS: bytes.fromhex("0002 0138 0000bb80 0000 00"),  # two channels, pre-skip 312, 48 kHz
    # STREAMINFO, the last block: 3,840 samples a block, 48 kHz, two channels, 24 bits, any number of samples
    Codec.FLAC: bytes.fromhex("80000022 0f00 0f00 000000 000000 0bb80370 00000000") + bytes(16),
}
BIT_DEPTHS = {Codec.AAC: 16, Codec.OPUS: 16, Codec.FLAC: 24}
LOUDNESS = LoudnessReport(integrated_lufs=-14.1, true_peak_dbtp=-1.3, range_lu=5.0)


@dataclass(frozen=True, slots=True)
class Made:
    """An encoding, the bytes of its frames, and the track file that came of it."""

    encoded: EncodedTrack
    frames: bytes
    file: TrackFile
    data: bytes


def encoding(codec: Codec, media_samples: int, *, seed: int = 1, padding_frames: int = 0) -> tuple[EncodedTrack, bytes]:
    """The frames that an encoder gives for so many samples: the last one padded, then `padding_frames` more."""
    chance = random.Random(seed)
    frame, priming = FRAME_TICKS[codec], PRIMING_TICKS[codec]
    count = -(-(priming + media_samples) // frame) + padding_frames
    sizes = tuple(chance.randint(1, 40) for _ in range(count))
    gap = 100  # what lies before the frames in the encoder's file
    encoded = EncodedTrack(
        codec=codec,
        config=CONFIGS[codec],
        timescale=48_000,
        channels=2,
        bit_depth=BIT_DEPTHS[codec],
        priming_ticks=priming,
        frame_ticks=frame,
        last_ticks=frame,
        offsets=tuple(accumulate(sizes[:-1], initial=gap)),
        sizes=sizes,
    )
    return encoded, bytes(gap) + chance.randbytes(sum(sizes))


def made(
    codec: Codec,
    media_samples: int,
    *,
    loudness: LoudnessReport = LOUDNESS,
    album_loudness: LoudnessReport | None = None,
    seed: int = 1,
    padding_frames: int = 0,
) -> Made:
    """A track file of so many samples."""
    encoded, source = encoding(codec, media_samples, seed=seed, padding_frames=padding_frames)
    target = BytesIO()
    file = assemble(
        encoded,
        BytesIO(source),
        target,
        media_samples=media_samples,
        loudness=loudness,
        album_loudness=album_loudness,
    )
    return Made(encoded, source[100:], file, target.getvalue())
