"""K-weighting (ITU-R BS.1770-4 §1) at any sample rate, as products of matrices.

The two biquads have four numbers of memory. Over a block of samples, output and next memory are linear in samples and
memory: [y | s'] = [x | s] · M. One product does all blocks of a batch at once; the memories before each block come from
the same kind of product over groups of blocks. Nothing is cut off: the result is that of the recursive filter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meter.batches import BLOCK, SPARE_ROWS, Batch, Float, columns_in, copy_frames, rows_of

_SHELF_HZ = 1681.974450955533
_MUSIC_HZ = 8_000
_GROUPS = 16, 16  # blocks whose memories are found by one product, and such groups
BATCH_UNIT = BLOCK * math.prod(_GROUPS)
_MEMORY = SPARE_ROWS
_COLUMNS = 512
_TINY = 1e-30  # memory this small is silence; let it end before it gets too small for fast arithmetic

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Biquad:
    """y[n] = b0·x[n] + b1·x[n-1] + b2·x[n-2] − a1·y[n-1] − a2·y[n-2]."""

    b0: float
    b1: float
    b2: float
    a1: float
    a2: float


def shelf(sample_rate_hz: int) -> Biquad:
    """Stage 1, the head: +4 dB above 1.7 kHz. At 48 kHz it is table 1 of BS.1770-4. A rate that has nothing up there is
    not changed."""
    if sample_rate_hz <= 2 * _SHELF_HZ:
        return Biquad(1.0, 0.0, 0.0, 0.0, 0.0)
    tangent = math.tan(math.pi * _SHELF_HZ / sample_rate_hz)
    quality, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    scale = 1 + tangent / quality + tangent**2
    return Biquad(
        (high + middle * tangent / quality + tangent**2) / scale,
        2 * (tangent**2 - high) / scale,
        (high - middle * tangent / quality + tangent**2) / scale,
        2 * (tangent**2 - 1) / scale,
        (1 - tangent / quality + tangent**2) / scale,
    )


def high_pass(sample_rate_hz: int) -> Biquad:
    """Stage 2: below 38 Hz nothing sounds loud. At 48 kHz it is table 2 of BS.1770-4, which makes all else 0.04 dB
    louder; at rates that are hardly music's that would be up to 2 dB, and is nothing."""
    tangent, quality = math.tan(math.pi * 38.13547087602444 / sample_rate_hz), 0.5003270373238773
    scale = 1 + tangent / quality + tangent**2
    gain = 1.0 if sample_rate_hz >= _MUSIC_HZ else 1 / scale
    return Biquad(gain, -2 * gain, gain, 2 * (tangent**2 - 1) / scale, (1 - tangent / quality + tangent**2) / scale)


class Weighting:
    """K-weights batches of one stream, keeping the filters' memory from batch to batch."""

    def __init__(self, sample_rate_hz: int, *, channels: int, batch: int, kind: type[Float] = np.float64) -> None:
        """`batch` is the number of samples in every batch, a multiple of `BATCH_UNIT`.

        `kind` is what products of samples are made of; memory goes on in float64.
        """
        blocks = batch // BLOCK
        product, added, (finest, *coarser) = _matrices(sample_rate_hz, blocks)
        self._levels = finest.of_kind(kind), *coarser
        self._product: NDArray[Float] = np.ascontiguousarray(product.T, kind)
        self._added: NDArray[Float] = np.ascontiguousarray(added.T, kind)
        self._memory = np.zeros((_MEMORY, 1, channels))
        self._rows = None if kind is np.float32 else rows_of(BLOCK + _MEMORY, blocks * channels, kind)
        self._weighted = rows_of(BLOCK, blocks * channels, kind)

    def take(self, batch: Batch) -> NDArray[Float]:
        """The weighted samples of a batch, in columns (BLOCK, blocks, channels). Valid until the next batch."""
        blocks, channels = len(batch.peaks), len(batch.peaks[0])
        rows: NDArray[Any] = batch.rows if self._rows is None else self._rows
        columns = rows[:, : blocks * channels]
        if self._rows is not None:
            columns[:BLOCK] = batch.rows[:BLOCK, : blocks * channels]
        added: NDArray[Float] = np.empty((_MEMORY, blocks * channels), rows.dtype)
        _multiply(self._added, columns[:BLOCK], added)
        memories, after = self._memories(added.reshape(_MEMORY, blocks, channels), self._levels)
        copy_frames(columns[BLOCK:].reshape(memories.shape), memories)
        self._memory = np.where(np.abs(after) < _TINY, 0.0, after)
        _multiply(self._product, columns, self._weighted[:, : blocks * channels])
        return columns_in(self._weighted, blocks, channels)

    def _memories(self, added: NDArray[Float], levels: "Sequence[_Level]") -> tuple[NDArray[Float], Matrix]:
        """The memory before every step, in groups (_MEMORY, groups, steps, channels), and (_MEMORY, 1, channels) after
        the last: from what each step adds to it (_MEMORY, all steps, channels)."""
        level, *coarser = levels
        groups, channels = added.shape[1] // level.steps, added.shape[2]
        rows = np.empty((level.steps, _MEMORY, groups, channels), added.dtype)
        copy_frames(rows, added.reshape(_MEMORY, groups, level.steps, channels).transpose(2, 0, 1, 3))
        within = rows.reshape(level.steps * _MEMORY, -1)
        sums = np.ascontiguousarray(within.T) @ level.ends
        ends = np.ascontiguousarray(sums.T, np.float64).reshape(_MEMORY, groups, channels)
        if coarser:
            found, after = self._memories(ends, coarser)
            starts = np.ascontiguousarray(found).reshape(_MEMORY, -1)
        else:
            starts = self._memory[:, 0]
            after = ends + (level.stride @ starts)[:, np.newaxis]
        memories = level.carry @ starts
        memories += level.prefixes @ within
        return memories.reshape(rows.shape).transpose(1, 2, 0, 3), after


def _multiply(matrix: NDArray[Float], columns: NDArray[Float], out: NDArray[Float]) -> None:
    """The product of a matrix and many columns, some columns at a time: small products take half the time of large."""
    some = _COLUMNS if columns.shape[1] % _COLUMNS == 0 else columns.shape[1]
    parts, parts_out = (each.reshape(len(each), -1, some).swapaxes(0, 1) for each in (columns, out))
    np.matmul(matrix, parts, out=parts_out)


@lru_cache(maxsize=8)
def _matrices(sample_rate_hz: int, blocks: int) -> "tuple[Matrix, Matrix, tuple[_Level, ...]]":
    """What a block is multiplied by, what it adds to the memory, and the levels of groups: the last is one group.

    They take longer to make than a minute takes to weight; nobody writes to them.
    """
    system = _cascade(shelf(sample_rate_hz), high_pass(sample_rate_hz))
    step, left, levels = np.linalg.matrix_power(system.step, BLOCK), blocks, []
    for steps in (*_GROUPS, blocks // math.prod(_GROUPS)):
        levels.append(_Level.of(step, steps))
        step, left = np.linalg.matrix_power(step, steps), left // steps
    assert left == 1
    return *_over_block(system), tuple(levels)


@dataclass(frozen=True, slots=True)
class _Level:
    """Groups of steps: `prefixes` sums what was added before each of them, `ends` all that was added (transposed: as
    the sums of a row); `carry` takes the memory there that was before, `stride` to the end."""

    steps: int
    prefixes: NDArray[Float]
    ends: NDArray[Float]
    carry: Matrix
    stride: Matrix

    @staticmethod
    def of(step: Matrix, steps: int) -> "_Level":
        powers = [np.linalg.matrix_power(step, n).T for n in range(steps + 1)]
        nothing = np.zeros((_MEMORY, _MEMORY))
        rows = [[powers[at - 1 - n] if at > n else nothing for n in range(steps)] for at in range(steps + 1)]
        sums = np.block(rows)
        ends = np.ascontiguousarray(sums[-_MEMORY:].T)
        return _Level(steps, sums[:-_MEMORY], ends, np.vstack(powers[:-1]), powers[-1])

    def of_kind(self, kind: type[Float]) -> "_Level":
        """The same with sums in numbers of this kind."""
        return replace(self, prefixes=self.prefixes.astype(kind), ends=self.ends.astype(kind))


@dataclass(frozen=True, slots=True)
class _System:
    """A filter as memory: next = memory · step + x · entry, y = memory · sound + x · direct."""

    step: Matrix
    entry: Matrix
    sound: Matrix
    direct: float


def _cascade(first: Biquad, second: Biquad) -> _System:
    """Two biquads in a row. Their memory is written so that its square is the energy of all that will sound of it.

    As the biquads write it, large numbers nearly cancel each other: floats of 32 bits would be a hundred times worse.
    """
    of_first, of_second = _system(first), _system(second)
    step = np.block([[of_first.step, of_first.sound @ of_second.entry], [np.zeros((2, 2)), of_second.step]])
    entry = np.hstack([of_first.entry, of_first.direct * of_second.entry])
    sound = np.vstack([of_first.sound * of_second.direct, of_second.sound])
    basis = np.linalg.cholesky(_energy(step, sound))
    return _System(
        step=np.linalg.solve(basis, step @ basis),
        entry=entry @ basis,
        sound=np.linalg.solve(basis, sound),
        direct=of_first.direct * of_second.direct,
    )


def _energy(step: Matrix, sound: Matrix) -> Matrix:
    """The energy of all that will sound of a memory m, as m · energy · mᵀ."""
    energy, powers = sound @ sound.T, step
    while np.abs(powers).max() > _TINY:
        energy, powers = energy + powers @ energy @ powers.T, powers @ powers
    return energy


def _system(biquad: Biquad) -> _System:
    return _System(
        step=np.array([[-biquad.a1, -biquad.a2], [1.0, 0.0]]),
        entry=np.array([[biquad.b1 - biquad.a1 * biquad.b0, biquad.b2 - biquad.a2 * biquad.b0]]),
        sound=np.array([[1.0], [0.0]]),
        direct=biquad.b0,
    )


def _over_block(system: _System) -> tuple[Matrix, Matrix]:
    """For a block: [samples | memory] to its output, and samples to what they add to the memory."""
    powers = [np.linalg.matrix_power(system.step, n) for n in range(BLOCK)]
    impulse = np.array([system.direct, *(float((system.entry @ power @ system.sound)[0, 0]) for power in powers[:-1])])
    direct = np.array([[impulse[at - n] if at >= n else 0.0 for at in range(BLOCK)] for n in range(BLOCK)])
    echo = np.hstack([power @ system.sound for power in powers])
    return np.vstack([direct, echo]), np.vstack([system.entry @ power for power in reversed(powers)])
