"""Pieces of an encoding: they begin early enough to be decoded, and their priming hides it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmaf.pieces import piece_from
from model.errors import MediaError
from model.rendition import Codec
from tests.unit.cmaf.samples import FRAME_TICKS, PRIMING_TICKS, encoding

PRE_ROLL_FRAMES = {Codec.AAC: 1, Codec.OPUS: 4, Codec.FLAC: 0}
SECONDS = 48_000
MEDIA = 10 * SECONDS


@pytest.mark.parametrize("codec", Codec)
def test_at_its_start_an_encoding_is_its_own_piece(codec: Codec) -> None:
    """With the encoder's own priming."""
    encoded, _ = encoding(codec, MEDIA)
    assert piece_from(encoded, 0) is encoded


@pytest.mark.parametrize("codec", Codec)
@given(start=st.integers(1, MEDIA - 1))
def test_a_piece_begins_at_its_first_sample(codec: Codec, start: int) -> None:
    """Wherever that lies: after the priming, which holds the pre-roll and less than one frame more."""
    encoded, _ = encoding(codec, MEDIA)
    piece = piece_from(encoded, start)
    left_out = len(encoded.sizes) - len(piece.sizes)
    frame = FRAME_TICKS[codec]
    assert left_out * frame + piece.priming_ticks == encoded.priming_ticks + start
    heard = (encoded.priming_ticks + start) // frame
    pre_roll = min(PRE_ROLL_FRAMES[codec], heard)
    assert pre_roll * frame <= piece.priming_ticks < (pre_roll + 1) * frame
    assert piece.media_ticks == encoded.media_ticks - start
    assert piece.offsets == encoded.offsets[left_out:]
    assert piece.sizes == encoded.sizes[left_out:]


@pytest.mark.parametrize(
    ("codec", "start", "left_out", "priming"),
    [
        (Codec.AAC, 20 * 1024, 20, 1024),  # on a frame: the one before is the pre-roll
        (Codec.AAC, 20 * 1024 + 1, 20, 1025),
        (Codec.AAC, 21 * 1024 - 1, 20, 2047),
        (Codec.AAC, 5, 0, 1029),  # inside the first frame that is heard
        (Codec.OPUS, 20 * 960 - 312, 16, 3840),
        (Codec.OPUS, 20 * 960 - 311, 16, 3841),
        (Codec.OPUS, 21 * 960 - 313, 16, 4799),
        (Codec.OPUS, 960, 0, 1272),  # there are not four frames before it
        (Codec.FLAC, 3840, 1, 0),
        (Codec.FLAC, 3841, 1, 1),
    ],
)
def test_the_pre_roll_is_what_a_decoder_needs(codec: Codec, start: int, left_out: int, priming: int) -> None:
    """AAC: one frame. Opus: 80 ms. FLAC: none."""
    encoded, _ = encoding(codec, MEDIA)
    piece = piece_from(encoded, start)
    assert (len(encoded.sizes) - len(piece.sizes), piece.priming_ticks) == (left_out, priming)


def test_the_pre_skip_of_opus_is_told_to_its_decoder() -> None:
    """In `dOps`, two bytes; what is around them stays."""
    encoded, _ = encoding(Codec.OPUS, MEDIA)
    piece = piece_from(encoded, 48_001)
    assert piece.config == encoded.config[:2] + piece.priming_ticks.to_bytes(2, "big") + encoded.config[4:]
    assert PRIMING_TICKS[Codec.OPUS] == int.from_bytes(encoded.config[2:4], "big")


@pytest.mark.parametrize("codec", [Codec.AAC, Codec.FLAC])
def test_other_configurations_stay_as_they_are(codec: Codec) -> None:
    """There is no priming in them."""
    encoded, _ = encoding(codec, MEDIA)
    assert piece_from(encoded, 48_001).config == encoded.config


@pytest.mark.parametrize("codec", Codec)
def test_past_the_last_frame_there_is_no_piece(codec: Codec) -> None:
    """An encoder that wrote less than it was given is found out."""
    encoded, _ = encoding(codec, MEDIA)
    with pytest.raises(MediaError, match="no frame"):
        piece_from(encoded, encoded.media_ticks)
    assert len(piece_from(encoded, encoded.media_ticks - 1).sizes) == 1 + PRE_ROLL_FRAMES[codec]
