"""Audio made at run time by ffmpeg's generators, and cached by recipe: equal recipes are made once."""

import hashlib
import random
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import imageio_ffmpeg

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "test-audio"
TIMEOUT_S = 60


def make_audio(recipe: str, suffix: str = ".wav", *arguments: str) -> Path:
    """A file of what the lavfi graph `recipe` gives, in the format of `suffix`; `arguments` go to the output.

    The file is shared: copy it before changing it. A recipe names its length (`d=`), or it never ends.
    """
    tool = imageio_ffmpeg.get_ffmpeg_exe()
    name = hashlib.sha256("\0".join((Path(tool).name, recipe, *arguments)).encode()).hexdigest()[:20]
    target = CACHE / f"{name}{suffix}"
    if not target.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            made = Path(folder) / f"made{suffix}"
            command = [tool, "-nostdin", "-v", "error", "-f", "lavfi", "-i", recipe, *arguments, "-bitexact", str(made)]
            subprocess.run(command, check=True, timeout=TIMEOUT_S)
            made.replace(target)  # whole or not at all: others may be making it too
    return target


def tone(
    seconds: float,
    *,
    hertz: float = 440,
    rate: int = 48_000,
    channels: int = 2,
    dbfs: float = -20,
    suffix: str = ".wav",
) -> Path:
    """A sine of a peak level on every channel."""
    wave = f"{10 ** (dbfs / 20)!r}*sin(2*PI*{hertz}*t)"
    return make_audio(f"aevalsrc=exprs='{'|'.join([wave] * channels)}':s={rate}:d={seconds}", suffix)


def silence(seconds: float, *, rate: int = 48_000, suffix: str = ".wav") -> Path:
    """Digital silence, stereo."""
    return make_audio(f"aevalsrc=exprs='0|0':s={rate}:d={seconds}", suffix)


def noise(seconds: float, *, seed: int = 1, amplitude: float = 0.1, rate: int = 48_000, suffix: str = ".wav") -> Path:
    """White noise, mono: what encoders find hardest."""
    return make_audio(f"anoisesrc=seed={seed}:a={amplitude}:r={rate}:d={seconds}", suffix)


def music_like(
    seconds: float,
    *,
    seed: int = 1,
    suffix: str = ".flac",
    rate: int = 44_100,
    tags: Mapping[str, str] | None = None,
) -> Path:
    """Stereo chords struck twice a second over a bass, with noise hits: about -18 LUFS, peaks under -3 dBFS.

    Each seed is another piece; equal arguments give equal samples.
    """
    tonic = random.Random(seed).uniform(180, 240)
    graph = f"aevalsrc=exprs='{_side(tonic * 0.999)}|{_side(tonic * 1.001)}':s={rate}:d={seconds}"
    metadata = [part for name, text in (tags or {}).items() for part in ("-metadata", f"{name}={text}")]
    return make_audio(graph, suffix, *metadata)


def _side(tonic_hz: float) -> str:
    """One channel: a major triad that decays, a bass under it, a short burst of noise on every quarter second."""
    chord = "+".join(f"sin(2*PI*{tonic_hz * ratio:.3f}*t)" for ratio in (1, 1.25, 1.5, 3))
    hit = "0.21*(random(0)-0.5)*exp(-40*mod(t,0.25))"
    return f"0.087*({chord})*exp(-3*mod(t,0.5))+0.105*sin(2*PI*{tonic_hz / 2:.3f}*t)+{hit}"


def counted(
    samples: int, suffix: str = ".wav", *arguments: str, rate: int = 44_100, layout: str = "stereo", channels: int = 2
) -> Path:
    """A file of exactly so many samples: another sine on every channel, and noise that no encoder can leave out."""
    waves = (f"0.2*sin(2*PI*{200 + 90 * number}*t)+0.05*(random({number})-0.5)" for number in range(channels))
    graph = f"aevalsrc=exprs='{'|'.join(waves)}':c={layout}:s={rate}:d={samples / rate + 1},atrim=end_sample={samples}"
    return make_audio(graph, suffix, *arguments)
