"""What an engineer would look for in a master: clipping, silence at the ends, mono in stereo, a cut spectrum."""

import numpy as np
from numpy.typing import NDArray

from meter.spectrum import Spectrum
from model.analysis import Signs

FULL_SCALE = 1 - 2**-15  # the largest sample of 16 bits
CLIPPED_SAMPLES = 3  # so many neighbours at full scale are a clipped run
SILENCE = 1e-3  # -60 dBFS
_TAIL = 1_024

Samples = NDArray[np.float32]


class Inspection:
    """Looks at batches of one stream (channels, samples), in order, none empty."""

    def __init__(self, sample_rate_hz: int, *, channels: int) -> None:
        self._rate = sample_rate_hz
        self._samples = 0
        self._clipped_runs = 0
        self._at_full_scale = np.zeros((channels, CLIPPED_SAMPLES), np.bool_)  # of the last samples
        self._first_loud: int | None = None
        self._last_loud: int | None = None
        self._mono = channels == 2
        self._spectrum = Spectrum(sample_rate_hz)

    def take(self, samples: Samples, peak: float) -> None:
        """A batch, and its largest magnitude."""
        if peak >= FULL_SCALE or self._at_full_scale.any():
            self._count_runs(samples)
        if peak >= SILENCE:
            if self._first_loud is None:
                self._first_loud = self._samples + int(_loud(samples)[0])
            self._last_loud = self._samples + _last_loud(samples)
        self._mono = self._mono and np.array_equal(samples[0], samples[1])
        self._spectrum.take(samples)
        self._samples += samples.shape[1]

    def signs(self) -> Signs:
        """What was found. Of a stream without sound, both ends are silent all along."""
        start = end = self._samples
        if self._first_loud is not None and self._last_loud is not None:
            start, end = self._first_loud, self._samples - 1 - self._last_loud
        bandwidth_hz, cliff_db = self._spectrum.end() or (None, None)
        return Signs(
            clipped_runs=self._clipped_runs,
            silence_start_s=start / self._rate,
            silence_end_s=end / self._rate,
            mono=self._mono,
            bandwidth_hz=bandwidth_hz,
            cliff_db=cliff_db,
        )

    def _count_runs(self, samples: Samples) -> None:
        """A run counts where it becomes long enough; one that goes on from the last batch was counted there."""
        magnitudes = np.abs(samples)
        full = np.hstack([self._at_full_scale, (magnitudes >= FULL_SCALE) & (magnitudes <= 1)])  # floats go on above 1
        begun = full[:, 3:] & full[:, 2:-1] & full[:, 1:-2] & ~full[:, :-3]
        self._clipped_runs += int(np.count_nonzero(begun))
        self._at_full_scale = full[:, -CLIPPED_SAMPLES:]


def _last_loud(samples: Samples) -> int:
    """The place of the last sample that is not silence, of samples that are not all: most often near their end."""
    tail = _loud(samples[:, -_TAIL:])
    return samples.shape[1] - min(samples.shape[1], _TAIL) + int(tail[-1]) if len(tail) else int(_loud(samples)[-1])


def _loud(samples: Samples) -> NDArray[np.int64]:
    """The places of all samples that are not silence."""
    return np.flatnonzero((np.abs(samples) >= SILENCE).any(axis=0))
