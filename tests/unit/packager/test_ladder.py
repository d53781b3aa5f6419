"""The same rungs for every track."""

import pytest

from model.rendition import Codec
from packager.ladder import ladder_of
from packager.settings import PackageSettings


def test_the_default_ladder() -> None:
    """Five rungs of AAC, four of Opus, 48 kHz stereo, ids by codec and kilobits."""
    settings = PackageSettings()
    ladder = ladder_of(settings.aac_bitrates_bps, settings.opus_bitrates_bps)
    assert [each.rendition_id for each in ladder.renditions] == [
        *("aac-64", "aac-96", "aac-128", "aac-192", "aac-256"),
        *("opus-64", "opus-96", "opus-128", "opus-160"),
    ]
    assert {(each.sample_rate_hz, each.channels) for each in ladder.renditions} == {(48_000, 2)}
    assert all(each.rendition_id == f"{each.codec}-{each.bitrate_bps // 1000}" for each in ladder.renditions)


def test_opus_may_be_left_out() -> None:
    """AAC alone is a ladder; nothing at all is none."""
    assert [each.codec for each in ladder_of((128_000,), ()).renditions] == [Codec.AAC]
    with pytest.raises(ValueError, match="ladder"):
        ladder_of((), ())


def test_rates_that_share_an_id_are_refused() -> None:
    """128,000 and 128,400 bit/s would overwrite each other."""
    with pytest.raises(ValueError, match="unique ids"):
        ladder_of((128_000, 128_400), ())
