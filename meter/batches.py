"""A stream of interleaved samples as batches of one size, channel by channel, with nothing in them but sound."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BATCH = 32_768  # samples measured at once: enough for the calls to cost little, and small enough for a core's cache
SAMPLE_MAX = 1e9  # +180 dBFS: what is above is damage, as NaN and infinity are
_SAMPLE_BYTES = 4

Samples = NDArray[np.float32]


class Batches:
    """Hands over a stream as it comes, in batches (channels, samples), each with its largest magnitude.

    Of the last batch only a count of samples belong to the stream, maybe none; zeros follow. A batch is valid until the
    next one: all are the same memory. `not_finite` counts samples that are NaN, infinite or beyond all sound
    (`SAMPLE_MAX`); they are handed over as 0.
    """

    def __init__(self, channels: int, hear: Callable[[Samples, int, float], None]) -> None:
        self.samples = 0
        self.not_finite = 0
        self._hear = hear
        self._cut = b""
        self._waiting = np.zeros((BATCH, channels), np.float32)
        self._fill = 0
        self._batch = np.empty((channels, BATCH), np.float32)

    def whole_frames(self, data: bytes) -> Samples:
        """Interleaved 32-bit floats, little-endian, as frames (n, channels). One that is cut waits for its rest."""
        channels = len(self._batch)
        data = self._cut + data
        whole = len(data) // (_SAMPLE_BYTES * channels) * channels
        self._cut = data[_SAMPLE_BYTES * whole :]
        return np.frombuffer(data, "<f4", count=whole).reshape(-1, channels)

    def take(self, frames: Samples) -> None:
        """The next frames of the stream, (n, channels)."""
        while len(frames):
            some = frames[: BATCH - self._fill]
            frames = frames[len(some) :]
            if len(some) < BATCH:
                self._waiting[self._fill : self._fill + len(some)] = some
            self._fill += len(some)
            if self._fill == BATCH:
                self._hand_over(some if len(some) == BATCH else self._waiting)

    def end(self) -> None:
        """Hand over the last batch, once. Raises ValueError if the last frame is not whole."""
        if self._cut:
            raise ValueError(f"{len(self._cut)} bytes are left, less than a frame")
        self._waiting[self._fill :] = 0
        self._hand_over(self._waiting)
        del self._hear  # it is part of who holds us: in a circle, megabytes would stay until the collector comes

    def _hand_over(self, frames: Samples) -> None:
        count, self._fill = self._fill, 0
        batch = self._batch
        np.copyto(batch, frames.T)
        largest = peak(batch)
        if not largest <= SAMPLE_MAX:
            damage = ~(np.abs(batch) <= SAMPLE_MAX)
            self.not_finite += int(np.count_nonzero(damage))
            batch[damage] = 0
            largest = peak(batch)
        self._hear(batch, count, largest)
        self.samples += count


def peak(samples: Samples) -> float:
    """The largest magnitude, 0 of nothing; NaN if one is."""
    return max(float(samples.max()), -float(samples.min())) if samples.size else 0.0
