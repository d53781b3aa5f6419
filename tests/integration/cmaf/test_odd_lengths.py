"""Whatever the length of the source: decoded as the container says, exactly its samples come back, none late."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from avtool import argv
from avtool.argv import EncodeOutput
from avtool.locate import Ffmpeg
from cmaf.assemble import assemble
from cmaf.encoded import read_encoded
from cmaf.timeline import RAMP_UNITS, UNIT_TICKS
from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from tests.support.audio import counted, make_audio, silence
from tests.support.cmaf_rules import RULES, CmafFile
from tests.support.trimming_decoder import Samples, decoded, lag

BITRATES_BPS = {Codec.AAC: 128_000, Codec.OPUS: 96_000, Codec.FLAC: 0}
PRIMING = {Codec.AAC: 1_024, Codec.OPUS: 312, Codec.FLAC: 0}
FRAME = {Codec.AAC: 1_024, Codec.OPUS: 960, Codec.FLAC: 3_840}
SEGMENT = RAMP_UNITS[0] * UNIT_TICKS
TENTH = 4_800
LAG_SAMPLES_MIN = 900  # in less than a frame there is too little to be found
STEP_24_BIT = 2.0**-23


def lengths(codec: Codec) -> list[int]:
    """One sample and 0.1 s; a frame and a segment, priming and all, and one sample less or more."""
    edges = (FRAME[codec], 2 * FRAME[codec] - PRIMING[codec], SEGMENT - PRIMING[codec])
    return sorted({1, TENTH, *(edge + odd for edge in edges for odd in (-1, 0, 1))})


CASES = [(codec, samples) for codec in Codec for samples in lengths(codec)]


def normalised(tool: Ffmpeg, source: Path, target: Path, *, mono: bool = False) -> Samples:
    """Write the mezzanine of a source, and give its samples."""
    command = argv.normalise(tool.path, str(source), str(target), gain_db=0.0, dither=False, mono=mono)
    given = subprocess.run(command, check=True, timeout=60, capture_output=True).stdout
    return np.frombuffer(given, dtype="<f4").reshape(-1, 2)


def packaged(tool: Ffmpeg, mezzanine: Path, codec: Codec, samples: int) -> Path:
    """The track file of a codec, made as the packager makes it."""
    path = mezzanine.with_name(f"{codec}.mp4")
    rendition = Rendition(rendition_id=codec, codec=codec, bitrate_bps=BITRATES_BPS[codec])
    output = EncodeOutput(rendition=rendition, path=str(path.with_suffix(".encoded")))
    subprocess.run(argv.encode(tool.path, str(mezzanine), [output]), check=True, timeout=60, capture_output=True)
    with Path(output.path).open("rb") as frames, path.open("wb") as target:
        loudness = LoudnessReport(integrated_lufs=-14.0)
        assemble(read_encoded(frames), frames, target, media_samples=samples, loudness=loudness)
    for rule in RULES:
        rule(CmafFile(path.read_bytes()))
    return path


@pytest.mark.parametrize(("codec", "samples"), CASES, ids=[f"{codec}-{samples}" for codec, samples in CASES])
def test_as_many_samples_come_back_as_went_in(tool: Ffmpeg, tmp_path: Path, codec: Codec, samples: int) -> None:
    """Not one more, not one less, none late; FLAC bit by bit."""
    source = normalised(tool, counted(samples, rate=48_000), tmp_path / "mezzanine.mp4")
    music = decoded(packaged(tool, tmp_path / "mezzanine.mp4", codec, samples))
    assert len(music) == len(source) == samples
    if codec is Codec.FLAC:
        assert np.array_equal(music, source)
    elif samples >= LAG_SAMPLES_MIN:
        assert lag(music, source) == 0


@pytest.mark.parametrize("codec", list(Codec))
def test_mono_comes_back_on_both_channels(tool: Ffmpeg, tmp_path: Path, codec: Codec) -> None:
    """Doubled, resampled, and as long as 44.1 kHz make it at 48 kHz."""
    made = counted(44_100 + 77, rate=44_100, layout="mono", channels=1)
    source = normalised(tool, made, tmp_path / "mezzanine.mp4", mono=True)
    assert len(source) == -(-(44_100 + 77) * 48_000 // 44_100)
    assert np.array_equal(source[:, 0], source[:, 1])
    music = decoded(packaged(tool, tmp_path / "mezzanine.mp4", codec, len(source)))
    assert len(music) == len(source)
    assert lag(music, source) == 0
    if codec is Codec.FLAC:
        assert np.abs(music - source).max() <= STEP_24_BIT


@pytest.mark.parametrize("codec", list(Codec))
def test_silence_stays_silence(tool: Ffmpeg, tmp_path: Path, codec: Codec) -> None:
    """As long as it was, and nothing in it."""
    source = normalised(tool, silence(1.0001), tmp_path / "mezzanine.mp4")
    music = decoded(packaged(tool, tmp_path / "mezzanine.mp4", codec, len(source)))
    assert len(music) == len(source)
    assert np.abs(music).max() < STEP_24_BIT


@pytest.mark.parametrize("codec", list(Codec))
def test_the_trims_are_needed(tool: Ffmpeg, tmp_path: Path, codec: Codec) -> None:
    """What this test's decoder takes off is there: without the trims, lossy codecs are late by their priming."""
    noise = make_audio("anoisesrc=seed=3:r=48000:d=0.3:a=0.2,pan=stereo|c0=c0|c1=c0")
    source = normalised(tool, noise, tmp_path / "mezzanine.mp4")
    untrimmed = decoded(packaged(tool, tmp_path / "mezzanine.mp4", codec, len(source)), trimmed=False)
    assert lag(untrimmed, source) == PRIMING[codec]
    assert (len(untrimmed) > len(source)) == (codec is not Codec.FLAC)
