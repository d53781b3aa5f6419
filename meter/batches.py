"""A stream of interleaved samples as batches of one size, with nothing in them but sound.

A batch has its samples once more, with blocks of them as columns: a product, a sum or a maximum over each block then
runs over all blocks at once.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

BATCH = 65_536  # samples measured at once: half as many cost a tenth more, in calls
SAMPLE_MAX = 1e9  # +180 dBFS: what is above is damage, as NaN and infinity are
BLOCK = 32  # samples in a column; 24 to 48 cost the least
SPARE_ROWS = 4
_SAMPLE_BYTES = 4
_APART_BYTES = 128  # a power of two too many from row to row: they would all have the same places in the caches

Float = np.float32 | np.float64
Kind = TypeVar("Kind", bound=Float)
Samples = NDArray[np.float32]


class Batch:
    """A batch of a stream: `frames` (samples, channels), and `columns` (BLOCK, blocks, channels) of the same samples.

    `peaks` (blocks, channels) are the largest magnitudes of each block, `largest` is that of all, NaN if one is. Only
    `count` samples belong to the stream: of the last batch fewer than all, maybe none, and zeros follow.

    `rows` are what the columns lie in, as `rows_of` makes it: below them are a few rows for whoever multiplies them.
    """

    def __init__(self, channels: int, samples: int) -> None:
        """A batch of zeros, none of which belong to a stream."""
        self.frames = np.zeros((samples, channels), np.float32)
        self.rows = rows_of(BLOCK + SPARE_ROWS, samples // BLOCK * channels, np.float32)
        self.columns = columns_in(self.rows, samples // BLOCK, channels)
        self.peaks = np.zeros(self.columns.shape[1:], np.float32)
        self.largest = 0.0
        self.count = 0

    def by_channel(self) -> Samples:
        """Those that belong to the stream (channels, samples)."""
        return np.ascontiguousarray(self.frames[: self.count].T)

    def fill(self, frames: Samples, count: int) -> None:
        """Have other samples. The frames are kept as they are, the rest is written over."""
        self.frames, self.count = frames, count
        copy_frames(self.columns, frames.reshape(-1, BLOCK, frames.shape[1]).swapaxes(0, 1))
        self.peaks = magnitudes(self.columns)
        self.largest = float(self.peaks.max())


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


def rows_of(rows: int, length: int, kind: type[Kind]) -> NDArray[Kind]:
    """Zeros (rows, length and a little more): without it they would be in each other's way in a processor's caches."""
    return np.zeros((rows, length + _APART_BYTES // np.dtype(kind).itemsize), kind)


def columns_in(rows: NDArray[Kind], blocks: int, channels: int) -> NDArray[Kind]:
    """The columns (BLOCK, blocks, channels) in such rows."""
    return rows[:BLOCK, : blocks * channels].reshape(BLOCK, blocks, channels)


def copy_frames(to: NDArray[Float], frames: NDArray[Float]) -> None:
    """Copy frames, (..., channels), that come in another order. Pairs are moved as one number: in a quarter of the
    time."""
    if frames.shape[-1] == 2:
        to, frames = (each.view(np.result_type(each, np.complex64)) for each in (to, frames))
    np.copyto(to, frames, casting="same_kind")
