"""A peak above the ceiling is taken out of an encoding where it is; frames that are far from it stay as they were."""

import asyncio
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from avtool import argv
from avtool.locate import Ffmpeg
from avtool.run import Limits, run
from model.rendition import Codec, Rendition
from packager.encode import Encoder
from packager.graft import graft
from packager.job import EncodeJob, places_of
from packager.mend import DRAWS_DB, MENDS_MAX, mend
from tests.support.audio import make_audio
from tests.support.encodings import frames_in, heard_from

AAC = Rendition(rendition_id="aac-128", codec=Codec.AAC, bitrate_bps=128_000)
OPUS = Rendition(rendition_id="opus-96", codec=Codec.OPUS, bitrate_bps=96_000)
SECONDS = 12
# a chord that swells, and one stroke in it that is louder than all others
WAVE = "(0.1+0.02*sin(t))*(sin(2*PI*220*t)+sin(2*PI*277*t)+sin(2*PI*330*t))+0.5*sin(2*PI*700*t)*exp(-9*abs(t-6.2))"
# strokes of a drum and a bass, after which an encoder soon forgets what was before
BEATS = "0.2*(random(0)-0.5)*exp(-9*mod(t,0.31))+0.15*sin(2*PI*(90+40*mod(floor(t/0.62),3))*t)*exp(-2*mod(t,0.62))"
BEATS_LENGTH = 48_000 * 30


@pytest.fixture
def mezzanine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As an encoder of FLAC writes it, in a folder of its own: lists of excerpts are put beside it."""
    return _music(tmp_path_factory.mktemp("mezzanine") / "mezzanine0.mp4", 0, 48_000 * SECONDS)


def _music(path: Path, first: int, end: int, *, wave: str = WAVE) -> Path:
    """From one sample up to, not including, another, in blocks as those of a mezzanine."""
    options = ("-c:a", "flac", "-sample_fmt", "s32", "-frame_size", "3840")
    whole = f"aevalsrc=exprs='{wave}|0.9*({wave})':s=48000:d={max(SECONDS, end // 48_000)}"
    return Path(shutil.copy(make_audio(f"{whole},atrim=start_sample={first}:end_sample={end}", ".mp4", *options), path))


def _job(
    tool: Ffmpeg, mezzanine: Path, folder: Path, ceiling_dbtp: float, *, run: Sequence[tuple[Path, int]] = ()
) -> EncodeJob:
    paths, lengths = zip(*run, strict=True) if run else ([mezzanine], (48_000 * SECONDS,))

    async def there() -> Sequence[Path]:
        return paths

    return EncodeJob(
        tool=tool,
        slots=asyncio.Semaphore(2),
        lengths=lengths,
        mezzanines=there,
        ceiling_dbtp=ceiling_dbtp,
        scratch=folder,
        timeout_s=60,
        subject="a chord",
        on_seconds=lambda _: None,
    )


async def _encoded(
    tool: Ffmpeg, mezzanine: Path, rendition: Rendition, path: Path, *, dips: tuple[argv.Dip, ...] = ()
) -> Path:
    words = argv.encode(tool.path, str(mezzanine), [argv.EncodeOutput(rendition=rendition, path=str(path), dips=dips)])
    await run(words, limits=Limits(timeout_s=60), subject="a chord", on_line=lambda _: None)
    return path


def _changed(path: Path, before: list[bytes]) -> list[int]:
    """The frames that are not what they were."""
    return [at for at, (was, now) in enumerate(zip(before, frames_in(path), strict=True)) if was != now]


async def _high(job: EncodeJob, path: Path) -> Mapping[int, float]:
    return await places_of(job, path, job.samples, job.ceiling_dbtp)


async def _ceiling_under_its_peak(tool: Ffmpeg, mezzanine: Path, path: Path, below_db: float) -> float:
    everything = await places_of(_job(tool, mezzanine, path.parent, 0.0), path, 48_000 * SECONDS, -60.0)
    return max(everything.values()) - below_db


@pytest.mark.parametrize("below_db", [0.03, 0.5])
async def test_a_peak_is_taken_out_where_it_is(tool: Ffmpeg, mezzanine: Path, tmp_path: Path, below_db: float) -> None:
    """It is gone, a few frames around it are others, and there are as many as before. Done twice it is the same.

    Also where no encoder helps: there it is softer for a moment.
    """
    path, again = [await _encoded(tool, mezzanine, AAC, tmp_path / name) for name in ("one.mp4", "again.mp4")]
    job = _job(tool, mezzanine, tmp_path, await _ceiling_under_its_peak(tool, mezzanine, path, below_db))
    before, high = frames_in(path), await _high(job, path)
    assert high
    assert await mend(job, mezzanine, path, (AAC, 0.0), high)
    assert await _high(job, path) == {}
    changed = _changed(path, before)
    assert min(high) - 15 <= changed[0] <= changed[-1] <= max(high) + 15
    assert await mend(job, mezzanine, again, (AAC, 0.0), high)
    assert again.read_bytes() == path.read_bytes()
    assert not list(tmp_path.glob("*/"))  # nothing is left behind


async def test_what_did_not_hold_is_mended_in_another_way(tool: Ffmpeg, mezzanine: Path, tmp_path: Path) -> None:
    """A decoder makes noise of its own of some frames, so what was put in may peak where it lies now: each time it is
    something else that is put in, and in the end something softer."""
    path = await _encoded(tool, mezzanine, AAC, tmp_path / "plain.mp4")
    job = _job(tool, mezzanine, tmp_path, await _ceiling_under_its_peak(tool, mezzanine, path, 0.03))
    high = await _high(job, path)
    mended: list[bytes] = []
    for again in (*range(len(DRAWS_DB)), MENDS_MAX - 1):
        other = Path(shutil.copy(path, tmp_path / f"{again}.mp4"))
        assert await mend(job, mezzanine, other, (AAC, 0.0), high, again=again)
        assert await _high(job, other) == {}
        assert other.read_bytes() not in mended
        mended.append(other.read_bytes())
    lower = await places_of(job, other, job.samples, job.ceiling_dbtp - 0.3)
    assert not set(lower) & set(high)


async def test_what_cannot_be_mended_stays_as_it_is(tool: Ffmpeg, mezzanine: Path, tmp_path: Path) -> None:
    """Opus, which is encoded again, and what is too high all along."""
    for rendition, below_db in ((OPUS, 0.03), (AAC, 20.0)):
        path = await _encoded(tool, mezzanine, rendition, tmp_path / f"{rendition.rendition_id}.mp4")
        job = _job(tool, mezzanine, tmp_path, await _ceiling_under_its_peak(tool, mezzanine, path, below_db))
        before = path.read_bytes()
        assert not await mend(job, mezzanine, path, (rendition, 0.0), await _high(job, path))
        assert path.read_bytes() == before


@pytest.mark.parametrize("below_db", [0.03, 0.4])
async def test_opus_is_softer_for_a_moment(tool: Ffmpeg, mezzanine: Path, tmp_path: Path, below_db: float) -> None:
    """The peak is gone; before it every frame is what it was, and soon after it again."""
    path = await _encoded(tool, mezzanine, OPUS, tmp_path / "plain.mp4")
    job = _job(tool, mezzanine, tmp_path, await _ceiling_under_its_peak(tool, mezzanine, path, below_db))
    high = await _high(job, path)
    encoder = Encoder(job)
    await encoder.encode({OPUS: 0.0})
    held = encoder.held(OPUS, 0.0)
    assert held is not None and high
    assert await _high(job, held[0]) == {}
    assert held[1][0].true_peak_dbtp == pytest.approx(job.ceiling_dbtp, abs=1.0)
    changed = _changed(held[0], frames_in(path))
    first, last = min(high) * 1_024 // 960, max(high) * 1_024 // 960
    assert changed and first - 3 <= changed[0] and changed[-1] <= last + 200
    again = Encoder(_job(tool, mezzanine, tmp_path, math.inf))
    await again.encode({OPUS: 0.0})
    assert frames_in(held[0]) == frames_in(path)  # without a ceiling it is left alone


async def test_a_dip_is_put_in_without_encoding_the_whole(tool: Ffmpeg, tmp_path: Path) -> None:
    """It is there, as near to the music as in an encoding of the whole, and where it ends nothing is heard that was not
    before: it goes on as if there had been none. Done twice it is the same, and what is dipped can be dipped deeper."""
    mezzanine = _music(tmp_path / "mezzanine0.mp4", 0, BEATS_LENGTH, wave=BEATS)
    job = _job(tool, mezzanine, tmp_path, 0.0, run=[(mezzanine, BEATS_LENGTH)])
    dips: tuple[argv.Dip, ...] = (argv.Dip(309, 313, 6.0),)
    path, again = [await _encoded(tool, mezzanine, OPUS, tmp_path / name) for name in ("one.mp4", "again.mp4")]
    frames, plain = frames_in(path), await heard_from(tool, path, samples=BEATS_LENGTH)
    for each in (path, again):
        assert await graft(job, mezzanine, each, (OPUS, 0.0), dips, range(309, 313))
    assert again.read_bytes() == path.read_bytes()
    changed = _changed(path, frames)
    assert 305 <= changed[0] <= 313 and changed[-1] < 313 + 160

    music, whole = (
        await heard_from(tool, mezzanine),
        await _encoded(tool, mezzanine, OPUS, tmp_path / "w.mp4", dips=dips),
    )
    music[309 * 960 : 313 * 960] *= 10 ** (-6 / 20)
    wrong, usual = [_powers(await heard_from(tool, each, samples=BEATS_LENGTH) - music) for each in (path, whole)]
    assert wrong.sum() == pytest.approx(usual.sum(), rel=0.02)
    around = [usual[max(0, at - 20) : at + 20].max() for at in range(len(usual))]
    assert (wrong <= 2 * np.array(around)).all()
    after = (changed[-1] + 3) * 960 - 312  # a decoder leaves some out at the start; for two frames the last one rings
    apart = _powers((await heard_from(tool, path, samples=BEATS_LENGTH) - plain)[after:])
    assert (apart[:20] < 1e-3 * _powers(plain[after:])[:20].max()).all() and not apart[40:].any()

    assert await graft(job, mezzanine, path, (OPUS, 0.0), (argv.Dip(309, 313, 12.0),), range(309, 313))
    dipped, deeper = [
        _powers(await heard_from(tool, each, samples=BEATS_LENGTH))[310:312].sum() for each in (again, path)
    ]
    assert deeper == pytest.approx(dipped / 4, rel=0.2)


async def test_who_is_late_in_step_is_begun_earlier(
    tool: Ffmpeg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes out is as if it had been begun there at first."""
    mezzanine = _music(tmp_path / "mezzanine0.mp4", 0, BEATS_LENGTH, wave=BEATS)
    job = _job(tool, mezzanine, tmp_path, 0.0, run=[(mezzanine, BEATS_LENGTH)])
    path = await _encoded(tool, mezzanine, OPUS, tmp_path / "one.mp4")
    late = Path(shutil.copy(path, tmp_path / "late.mp4"))
    dips, at_once, short = (argv.Dip(309, 313, 0.5),), (240, 160), (2, 160)
    for each, around in ((path, (at_once,)), (late, (short, at_once))):
        monkeypatch.setattr("packager.graft._AROUND", around)
        assert await graft(job, mezzanine, each, (OPUS, 0.0), dips, range(309, 313))
    assert late.read_bytes() == path.read_bytes()
    monkeypatch.setattr("packager.graft._AROUND", (short,))
    assert not await graft(job, mezzanine, late, (OPUS, 0.0), (argv.Dip(309, 313, 0.8),), range(309, 313))
    assert late.read_bytes() == path.read_bytes()


async def test_a_dip_is_not_put_in_where_the_encoders_are_not_in_step(tool: Ffmpeg, tmp_path: Path) -> None:
    """Nor where the whole is not much longer than its surroundings: the encoding is as it was."""
    mezzanine = _music(tmp_path / "mezzanine0.mp4", 0, BEATS_LENGTH, wave=BEATS)
    path = await _encoded(tool, mezzanine, OPUS, tmp_path / "one.mp4")
    before = path.read_bytes()
    for trim_db, seconds in ((-3.0, 30), (0.0, 15)):
        job = _job(tool, mezzanine, tmp_path, 0.0, run=[(mezzanine, 48_000 * seconds)])
        dips = (argv.Dip(309, 313, 0.5),)
        assert not await graft(job, mezzanine, path, (OPUS, trim_db), dips, range(309, 313))
        assert path.read_bytes() == before


def _powers(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each 20 ms."""
    whole = samples[: len(samples) // 960 * 960].reshape(-1, 1_920).astype(np.float64)
    return np.asarray((whole**2).mean(axis=1))


@pytest.mark.parametrize("cut", [150_001, 297_601, 400_007])
@pytest.mark.parametrize("rendition", [AAC, OPUS])
async def test_a_run_is_mended_as_if_it_were_one(
    tool: Ffmpeg, mezzanine: Path, tmp_path: Path, rendition: Rendition, cut: int
) -> None:
    """Two tracks, cut before the stroke, in it and after it, and not where a place, a unit or a frame begins. Its
    encoding is that of the whole, the peak is gone from it, and frames that are far from it stay as they were."""
    path = await _encoded(tool, mezzanine, rendition, tmp_path / "plain.mp4")
    ceiling = await _ceiling_under_its_peak(tool, mezzanine, path, 0.03)
    (tmp_path / "run").mkdir()
    bounds = [(0, cut), (cut, 48_000 * SECONDS)]
    run = [(_music(tmp_path / "run" / f"{first}.mp4", first, end), end - first) for first, end in bounds]
    job = _job(tool, mezzanine, tmp_path / "run", ceiling, run=run)
    high = await _high(job, path)
    encoder = Encoder(job)
    await encoder.encode({rendition: 0.0})
    held = encoder.held(rendition, 0.0)
    assert held is not None and high
    assert await _high(job, held[0]) == {}
    assert len(held[1]) == 2
    assert max(each.true_peak_dbtp or -99.0 for each in held[1]) == pytest.approx(ceiling, abs=1.0)
    changed = _changed(held[0], frames_in(path))
    assert changed and min(high) - 15 <= changed[0] and changed[-1] <= max(high) + 200
