"""A piece of what an encoder wrote in one run, such that it can be decoded by itself.

A decoder needs frames before the first that is heard: AAC the one before, whose second half is added to it; Opus 80 ms
(RFC 7845 §4.6, Encapsulation of Opus in ISO BMFF §4.3.6.2). They become part of the priming, which is counted in
samples, so that the piece begins at its first sample wherever that lies in a frame.
"""

from dataclasses import replace

from cmaf.encoded import EncodedTrack
from model.errors import MediaError
from model.rendition import Codec

_PRE_ROLL_FRAMES = {Codec.AAC: 1, Codec.OPUS: 4, Codec.FLAC: 0}


def piece_from(encoded: EncodedTrack, start: int) -> EncodedTrack:
    """The frames from which everything after the first `start` samples of the music can be decoded.

    At `start` 0 it is the encoding as it is. Where a piece begins inside a frame, the piece before ends with that same
    frame. Raises MediaError if the encoding has no frame there.
    """
    if start == 0:
        return encoded
    position = encoded.priming_ticks + start
    heard = position // encoded.frame_ticks
    if heard >= len(encoded.sizes):
        raise MediaError(f"the encoding has no frame {heard} for a piece to begin with")
    first = max(0, heard - _PRE_ROLL_FRAMES[encoded.codec])
    priming = position - first * encoded.frame_ticks
    return replace(
        encoded,
        config=_with_pre_skip(encoded.config, priming) if encoded.codec is Codec.OPUS else encoded.config,
        priming_ticks=priming,
        offsets=encoded.offsets[first:],
        sizes=encoded.sizes[first:],
    )


def _with_pre_skip(config: bytes, samples: int) -> bytes:
    """The payload of `dOps` with another pre-skip (Encapsulation of Opus in ISO BMFF §4.3.2)."""
    return config[:2] + samples.to_bytes(2, "big") + config[4:]
