"""Which renditions a track gets."""

from collections.abc import Sequence

from model.rendition import Codec, Ladder, Rendition

LOSSLESS = Rendition(rendition_id="flac", codec=Codec.FLAC, bitrate_bps=0)


def ladder_of(aac_bitrates_bps: Sequence[int], opus_bitrates_bps: Sequence[int]) -> Ladder:
    """AAC and Opus rungs at 48 kHz stereo, ids like `aac-128`: the same for every track, so that playlists can join
    tracks rung by rung."""
    return Ladder(
        renditions=(
            *(_rendition(Codec.AAC, rate) for rate in aac_bitrates_bps),
            *(_rendition(Codec.OPUS, rate) for rate in opus_bitrates_bps),
        )
    )


def _rendition(codec: Codec, bitrate_bps: int) -> Rendition:
    return Rendition(rendition_id=f"{codec}-{bitrate_bps // 1000}", codec=codec, bitrate_bps=bitrate_bps)
