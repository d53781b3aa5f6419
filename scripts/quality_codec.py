"""Passages and their encodings, for the quality study: made with the product's own options, read as it reads them."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from avtool import argv
from meter.meter import Meter
from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from scripts.quality_material import PASSAGE_S, RATE_HZ, Track, computed, source_file
from scripts.quality_numbers import Samples

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
TARGET_LUFS = -14.0
CEILING_DBTP = -1.0
TIMEOUT_S = 300
_BOX_HEADER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One way to encode. With `matched`, the bit rate is changed until the real one is that of twoloop."""

    codec: Codec
    kbps: int
    coder: str = ""
    matched: bool = False

    @property
    def name(self) -> str:
        """Like `aac-fast-128-matched` or `opus-96`."""
        parts = (self.codec.value, self.coder, str(self.kbps), "matched" if self.matched else "")
        return "-".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What came out of an encoder: the music, its real bit rate over all packets, and what it cost."""

    samples: Samples
    real_kbps: float
    cpu_s: float


def encode(passage: Path, setting: Setting, rate_bps: int) -> Encoded:
    """Encode as the product does, but for the coder, and decode as a player would.

    The CPU seconds hold the start of ffmpeg and the decoding of the passage, too, as a rendition's do in the product.
    """
    rendition = Rendition(rendition_id="study", codec=setting.codec, bitrate_bps=rate_bps)
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "encoded.mp4"
        command = argv.encode(FFMPEG, str(passage), [argv.EncodeOutput(rendition=rendition, path=str(target))])
        if setting.coder:
            command[command.index("-aac_coder") + 1] = setting.coder
        cpu_s = _timed(command)
        samples = decode(target)
        return Encoded(samples=samples, real_kbps=8e-3 * _payload_bytes(target) / PASSAGE_S, cpu_s=cpu_s)


def decode(path: Path) -> Samples:
    """What the file plays, with the container's trims, as (n, 2) at 48 kHz."""
    command = argv.decode(FFMPEG, str(path), sample_rate_hz=RATE_HZ, channels=2)
    return np.frombuffer(_output(command), "<f4").reshape(-1, 2)


def loudness(samples: Samples) -> LoudnessReport:
    """What the product's meter hears in it, true peak included."""
    meter = Meter(sample_rate_hz=RATE_HZ, channels=2)
    meter.take(samples)
    return meter.result().loudness


def true_peak_dbtp(samples: Samples) -> float:
    """The true peak. Raises ValueError for silence."""
    heard = loudness(samples).true_peak_dbtp
    if heard is None:
        raise ValueError("silence has no peak")
    return heard


def make_passage(track: Track, folder: Path) -> Path:
    """The track's passage in a FLAC of 24 bits, brought to the product's default loudness; made once.

    Raises PackageUnavailable where the music cannot be fetched, ValueError where there is only silence.
    """
    passage = folder / "passages" / f"{track.name}.mp4"
    if passage.exists():
        return passage
    passage.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        master = Path(scratch) / "master.wav"
        samples = _cut(track, folder / "packages") if track.real else computed(track.name)
        _write_wav(samples, master)
        made = Path(scratch) / "passage.mp4"
        _output(argv.normalise(FFMPEG, str(master), str(made), gain_db=_gain_db(samples), dither=True))
        made.rename(passage)
    return passage


def _gain_db(samples: Samples) -> float:
    """To the target, as far as the true peak allows."""
    heard = loudness(samples)
    if heard.integrated_lufs is None or heard.true_peak_dbtp is None:
        raise ValueError("the passage is silent")
    return min(TARGET_LUFS - heard.integrated_lufs, CEILING_DBTP - heard.true_peak_dbtp)


def _cut(track: Track, packages: Path) -> Samples:
    """The passage as the track has it, resampled where need be."""
    packages.mkdir(exist_ok=True)
    file = source_file(track, packages)
    start = ["-stream_loop", "9"] if track.looped else ["-ss", str(track.start_s)]
    length = int(PASSAGE_S * RATE_HZ)
    filters = f"aresample={RATE_HZ}:resampler=soxr:precision=28,atrim=end_sample={length}"
    command = [FFMPEG, "-v", "error", "-nostdin", *start, "-i", f"file:{file}", "-map", "0:a:0", "-af", filters]
    samples = np.frombuffer(_output([*command, "-ac", "2", "-f", "f32le", "pipe:1"]), "<f4").reshape(-1, 2)
    if len(samples) != length:
        raise ValueError(f"{track.name} has {len(samples)} samples from its start, not {length}")
    return samples


def _write_wav(samples: Samples, target: Path) -> None:
    command = [FFMPEG, "-v", "error", "-nostdin", "-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2", "-i", "pipe:0"]
    subprocess.run([*command, "-c:a", "pcm_f32le", str(target)], input=samples.tobytes(), check=True, timeout=TIMEOUT_S)


def _payload_bytes(path: Path) -> int:
    """The bytes of all packets: what is in the file's `mdat` (ISO/IEC 14496-12, 8.1.1)."""
    data = path.read_bytes()
    position, payload = 0, 0
    while position < len(data):
        size, kind = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        if size < _BOX_HEADER:
            raise ValueError(f"a box of {size} bytes at {position} in {path}")
        payload += size - _BOX_HEADER if kind == b"mdat" else 0
        position += size
    return payload


def _timed(command: list[str]) -> float:
    """Run a command to its end; the CPU seconds it took."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime


def _output(command: list[str]) -> bytes:
    return subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=TIMEOUT_S
    ).stdout
