"""Frames of one AAC encoding in the place of those of another: nothing else changes, and the joints are not heard."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from avtool import argv
from avtool.argv import EncodeOutput
from avtool.locate import Ffmpeg
from avtool.run import Limits, run
from cmaf.splice import frames_at, replaced, windows_of
from model.rendition import Codec, Rendition
from tests.support.audio import make_audio
from tests.support.encodings import frames_in, heard_from

FRAME = 1_024
WAVE = "0.3*sin(2*PI*(200+40*t)*t)+0.3*sin(2*PI*1500*t)*exp(-60*mod(t,0.25))"


@pytest.fixture
async def two(tool: Ffmpeg, tmp_path: Path) -> tuple[Path, Path]:
    """Two encodings of one sound, the second softer by 0.1 dB."""
    source = make_audio(f"aevalsrc=exprs='{WAVE}|0.8*({WAVE})':s=48000:d=4", ".mp4", "-c:a", "flac")
    paths = tmp_path / "louder.mp4", tmp_path / "softer.mp4"
    rendition = Rendition(rendition_id="aac-192", codec=Codec.AAC, bitrate_bps=192_000)
    outputs = [EncodeOutput(rendition=rendition, path=str(path), gain_db=-at / 10) for at, path in enumerate(paths)]
    words = argv.encode(tool.path, str(source), outputs)
    for at in [at for at, word in enumerate(words) if word == "-aac_coder"][::-1]:
        words[at:at] = ["-aac_pns", "0"]  # no noise of the decoder's own
    await run(words, limits=Limits(timeout_s=60), subject="two")
    return paths


def _joint(places: Iterable[int], ours: list[bytes], theirs: list[bytes]) -> int:
    """The first of these places where one may go over into the other."""
    return next(at for at in places if windows_of(ours[at - 1]) == windows_of(theirs[at - 1]) is not None)


async def test_the_frames_of_another_are_heard_between_two_joints(
    tool: Ffmpeg, two: tuple[Path, Path], tmp_path: Path
) -> None:
    """Before and after it is the one to the sample, inside the other; and in the frames that both are part of it is
    as near to them as they are to each other."""
    louder, softer = (frames_in(path) for path in two)
    first, end = _joint(range(60, 80), louder, softer), _joint(range(100, 120), louder, softer)
    target = tmp_path / "both.mp4"
    with two[0].open("rb") as source, target.open("wb") as out:
        replaced(source, out, dict(enumerate(softer[first:end], start=first)))
    assert frames_in(target) == louder[:first] + softer[first:end] + louder[end:]
    one, other, both = [await heard_from(tool, path) for path in (*two, target)]
    assert len(both) == len(one)
    begin, stop = (first - 1) * FRAME, (end - 1) * FRAME  # of the frames that both are part of; the first is priming
    apart = np.abs(one - other).max()
    assert apart > 1e-3
    assert np.array_equal(both[:begin], one[:begin])
    assert np.array_equal(both[begin + FRAME : stop], other[begin + FRAME : stop])
    assert np.array_equal(both[stop + FRAME :], one[stop + FRAME :])
    for at in (begin, stop):
        joint = slice(at, at + FRAME)
        assert np.abs(both[joint] - one[joint]).max() <= 2 * apart


def test_nothing_in_the_place_of_nothing_is_the_same_file(two: tuple[Path, Path]) -> None:
    """Byte by byte."""
    target = BytesIO()
    with two[0].open("rb") as source:
        replaced(source, target, {})
    assert target.getvalue() == two[0].read_bytes()


def test_some_frames_are_read(two: tuple[Path, Path]) -> None:
    """Those that are asked for, and nothing for a number that no frame has."""
    frames = frames_in(two[0])
    with two[0].open("rb") as source:
        found = dict(frames_at(source, {0, 7, 8, len(frames) - 1, len(frames)}))
    assert found == {at: frames[at] for at in (0, 7, 8, len(frames) - 1)}


@pytest.mark.parametrize(
    ("frame", "windows"),
    [
        (bytes([0b00100001, 0b00010000]), (0, 1)),
        (bytes([0b00100001, 0b01000000]), (2, 0)),
        (bytes([0b00100000, 0b00010000]), None),
        (bytes([0b00000001, 0b00010000]), None),
        (b"\x21", (0, 0)),
        (b"", None),
    ],
)
def test_the_windows_of_a_frame(frame: bytes, windows: tuple[int, int] | None) -> None:
    """Long with another shape, eight short; channels apart, one channel, cut off, nothing."""
    assert windows_of(frame) == windows
