"""A stream of interleaved samples as batches of one size, with nothing in them but sound.

A batch has its samples once more, with blocks of them as columns: a product, a sum or a maximum over each block then
runs over all blocks at once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BATCH = 65_536  # samples measured at once: half as many cost a tenth more, in calls
SAMPLE_MAX = 1e9  # +180 dBFS: what is above is damage, as NaN and infinity are
BLOCK = 32  # samples in a column; 24 to 48 cost the least
_SAMPLE_BYTES = 4

Samples = NDArray[np.float32]


class Batch:
    """A batch of a stream: `frames` (samples, channels), and `columns` (BLOCK, blocks, channels) of the same samples.

    `peaks` (blocks, channels) are the largest magnitudes of each block. Only `count` samples belong to the stream: of
    the last batch fewer than all, maybe none, and zeros follow.
    """

    def __init__(self, channels: int, samples: int) -> None:
        """A batch of zeros, none of which belong to a stream."""
        self.frames = np.zeros((samples, channels), np.float32)
        self.columns = np.zeros((BLOCK, samples // BLOCK, channels), np.float32)
        self.peaks = np.zeros(self.columns.shape[1:], np.float32)
        self.count = 0

    @property
    def largest(self) -> float:
        """The largest magnitude; NaN if one is."""
        return float(self.peaks.max())

    def by_channel(self) -> Samples:
        """Those that belong to the stream (channels, samples)."""
        return np.ascontiguousarray(self.frames[: self.count].T)

    def fill(self, frames: Samples, count: int) -> None:
        """Have other samples. The frames are kept as they are, the rest is written over."""
        self.frames, self.count = frames, count
        out, blocks = self.columns, frames.reshape(-1, BLOCK, frames.shape[1])
        if frames.shape[1] == 2:  # as one number each, frames are moved in a quarter of the time
            out, blocks = out.view(np.complex64), blocks.view(np.complex64)
        np.copyto(out, blocks.swapaxes(0, 1))
        self.peaks = magnitudes(self.columns)


class Batches:
    """Hands over a stream as it comes, in batches. A batch is valid until the next one, and not to be written to.

    `not_finite` counts samples that are NaN, infinite or beyond all sound (`SAMPLE_MAX`); they are handed over as 0.
    """

    def __init__(self, channels: int, hear: Callable[[Batch], None]) -> None:
        self.samples = 0
        self.not_finite = 0
        self._hear = hear
        self._cut = b""
        self._batch = Batch(channels, BATCH)
        self._waiting = self._batch.frames
        self._fill = 0

    def whole_frames(self, data: bytes) -> Samples:
        """Interleaved 32-bit floats, little-endian, as frames (n, channels). One that is cut waits for its rest."""
        channels = self._waiting.shape[1]
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
        batch.fill(frames, count)
        if not batch.largest <= SAMPLE_MAX:
            damage = ~(np.abs(frames) <= SAMPLE_MAX)
            self.not_finite += int(np.count_nonzero(damage))
            batch.fill(np.where(damage, np.float32(0), frames), count)
        self._hear(batch)
        self.samples += count


def magnitudes(columns: Samples) -> Samples:
    """The largest magnitude of each column; NaN where one is."""
    return np.asarray(np.maximum(columns.max(axis=0), -columns.min(axis=0)))
