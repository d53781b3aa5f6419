"""K-weighting (ITU-R BS.1770-4 §1) at any sample rate, as products of matrices.

The two biquads have four numbers of memory. Over a block of samples, output and next memory are linear in samples and
memory: [y | s'] = [x | s] · M. One product does all blocks of a batch at once; the memories before each block come from
the same kind of product over groups of blocks. Nothing is cut off: the result is that of the recursive filter.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from meter.batches import BLOCK

_SHELF_HZ = 1681.974450955533
_MUSIC_HZ = 8_000
GROUP = 16  # blocks whose memories are found by one product
_MEMORY = 4
_TINY = 1e-30  # memory this small is silence; let it end before it gets too small for fast arithmetic

Matrix = NDArray[np.float64]
Float = np.float32 | np.float64


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
        """`batch` is the number of samples in every batch, a multiple of `BLOCK * GROUP * GROUP`.

        `kind` is what products of samples are made of; memory goes on in float64.
        """
        product, added, levels, self._stride = _matrices(sample_rate_hz)
        self._levels = replace(levels[0], prefixes=levels[0].prefixes.astype(kind)), *levels[1:]
        self._product, self._added = (np.ascontiguousarray(each.T, kind) for each in (product, added))
        self._memory = np.zeros((channels, _MEMORY))
        self._columns = np.zeros((BLOCK + _MEMORY, batch // BLOCK, channels), kind)
        self._weighted = np.empty((BLOCK, batch // BLOCK, channels), kind)

    def take(self, samples: NDArray[np.float32]) -> NDArray[Float]:
        """The weighted samples of a batch, in columns (BLOCK, blocks, channels) both. Valid until the next batch."""
        columns = self._columns
        columns[:BLOCK] = samples
        flat = columns.reshape(len(columns), -1)
        added = np.matmul(self._added, flat[:BLOCK]).reshape(_MEMORY, -1, columns.shape[2])
        memories, after = self._memories(np.ascontiguousarray(added.T), self._levels)
        for channel, memory in enumerate(memories):
            columns[BLOCK:, :, channel] = memory.T
        self._memory = np.where(np.abs(after) < _TINY, 0.0, after)
        np.matmul(self._product, flat, out=self._weighted.reshape(BLOCK, -1))
        return self._weighted

    def _memories(self, added: NDArray[Float], levels: "tuple[_Level, ...]") -> tuple[Matrix, Matrix]:
        """The memory before every block, and after the last, from what each block adds to it."""
        channels = len(added)
        if not levels:
            memories = np.empty(added.shape)
            memory = self._memory
            for number in range(added.shape[1]):
                memories[:, number] = memory
                memory = memory @ self._stride + added[:, number]
            return memories, memory
        level, *coarser = levels
        within = added.reshape(channels, -1, GROUP * _MEMORY) @ level.prefixes
        starts, after = self._memories(within[:, :, -_MEMORY:].astype(np.float64), tuple(coarser))
        return (within[:, :, :-_MEMORY] + starts @ level.carry).reshape(channels, -1, _MEMORY), after


@lru_cache(maxsize=8)
def _matrices(sample_rate_hz: int) -> "tuple[Matrix, Matrix, tuple[_Level, ...], Matrix]":
    """What a block is multiplied by, what it adds to the memory, the levels of groups, and the step over all of them.

    They take longer to make than a minute takes to weight; nobody writes to them.
    """
    system = _cascade(shelf(sample_rate_hz), high_pass(sample_rate_hz))
    step = np.linalg.matrix_power(system.step, BLOCK)
    levels = (_Level.of(step), _Level.of(np.linalg.matrix_power(step, GROUP)))
    return *_over_block(system), levels, np.linalg.matrix_power(step, GROUP * GROUP)


@dataclass(frozen=True, slots=True)
class _Level:
    """Groups of steps: `prefixes` sums what was added up to each of them, `carry` takes the memory there."""

    prefixes: Matrix
    carry: Matrix

    @staticmethod
    def of(step: Matrix) -> "_Level":
        powers = [np.linalg.matrix_power(step, n) for n in range(GROUP)]
        nothing = np.zeros((_MEMORY, _MEMORY))
        rows = [[powers[at - 1 - n] if at > n else nothing for at in range(GROUP + 1)] for n in range(GROUP)]
        return _Level(prefixes=np.block(rows), carry=np.hstack(powers))


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
