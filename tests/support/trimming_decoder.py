"""Decode a track file as its container says, with the trims done here: ffmpeg only turns frames into samples."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from tests.support.cmaf_rules import CmafFile

TIMEOUT_S = 60
LAG_SAMPLES = 1 << 17
Samples = NDArray[np.float32]


def decoded(path: Path, *, trimmed: bool = True) -> Samples:
    """The music of a track file, a row for each sample: without the priming, and to the end of the last frame's
    duration. Without trims, all that the frames hold."""
    raw = _raw(path)
    file = CmafFile(path.read_bytes())
    frames, told = len(file.durations), sum(file.durations)
    given = told if file.codec == "fLaC" else frames * file.frame_ticks  # FLAC's last frame is as long as it is
    assert len(raw) == given, f"{len(raw)} samples of {frames} frames, not {given}"
    return raw[file.priming_ticks : told] if trimmed else raw


def _raw(path: Path) -> Samples:
    """Every sample of every frame: no edit list, no pre-skip and no padding is taken off."""
    untrimmed = ("-ignore_editlist", "1", "-flags2", "+skip_manual")
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", *untrimmed, "-i", f"file:{path}"),
        *("-f", "f32le", "-c:a", "pcm_f32le", "pipe:1"),
    ]
    done = subprocess.run(command, check=True, timeout=TIMEOUT_S, capture_output=True)
    assert not done.stderr, done.stderr
    return np.frombuffer(done.stdout, dtype="<f4").reshape(-1, 2)


def lag(late: Samples, source: Samples) -> int:
    """By how many samples a signal is late, from the peak of the cross-correlation of the first two seconds or so."""
    late, source = late[:LAG_SAMPLES], source[:LAG_SAMPLES]
    size = 1 << (2 * len(source)).bit_length()
    product = np.zeros(size // 2 + 1, dtype=np.complex128)
    for channel in (0, 1):
        spectra = [np.fft.rfft(each[:, channel].astype(np.float64), size) for each in (late, source)]
        product += spectra[0] * np.conj(spectra[1])
    found = int(np.argmax(np.fft.irfft(product, size)))
    return found if found < size // 2 else found - size
