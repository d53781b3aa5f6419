"""Meters for one stream of samples: bounded memory, chunks of any size, one result."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from meter import gating
from meter.batches import BATCH, Batch, Batches
from meter.energy import Energies
from meter.inspection import Inspection
from meter.sound import Hears, Sound
from meter.true_peak import LargestTruePeak, TruePeaks
from model.analysis import Signs
from model.loudness import LoudnessReport

METER = "meter 3"
SAMPLE_RATE_MIN_HZ = 1_000
_SURROUND = 1.41  # BS.1770-4 table 3
_WEIGHTS = {
    1: (1.0,),
    2: (1.0, 1.0),
    5: (1.0, 1.0, 1.0, _SURROUND, _SURROUND),
    6: (1.0, 1.0, 1.0, 0.0, _SURROUND, _SURROUND),
}

_SENSELESS = (ArithmeticError, LookupError, ValueError)  # what is heard beside is worth no track

# Jobs run side by side, one to a core: threads inside a product would only wait for each other.
threadpool_limits(limits=1, user_api="blas")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metering:
    """What the meter heard.

    `energies` has the K-weighted mean square of every whole 100 ms, channels weighted and summed; `peaks` the linear
    true peak of every 100 ms, a last shorter one too. Both have six significant digits. `sha256` is that of the bytes
    taken, None if nobody asked. `not_finite` counts samples that are NaN, infinite or beyond all sound
    (`batches.SAMPLE_MAX`), measured as 0.
    `sound` is what was heard beside, None if nobody listened or made sense of it.
    """

    samples: int
    loudness: LoudnessReport
    energies: Sequence[float]
    peaks: Sequence[float]
    signs: Signs | None
    sha256: str | None
    not_finite: int
    sound: Sound | None = None


class Meter:
    """Measures a stream as it comes. Its memory grows by the two numbers of every 100 ms alone."""

    def __init__(
        self,
        *,
        sample_rate_hz: int,
        channels: int,
        weights: Sequence[float] | None = None,
        signs: bool = False,
        hashed: bool = True,
        hearing: Hears | None = None,
    ) -> None:
        """`weights` are the channels' shares in loudness: by default those of mono, stereo, 5.0 and 5.1 (FL FR FC ...).

        A mono source that will play from two channels has a weight of 2. `signs` asks for what else can be seen,
        `hashed` for the hash of what is taken; `hearing` listens along.
        """
        self._energies = Energies(sample_rate_hz, weights=_weights(sample_rate_hz, channels, weights), batch=BATCH)
        self._peaks = TruePeaks(sample_rate_hz, channels=channels)
        self._inspection = Inspection(sample_rate_hz, channels=channels) if signs else None
        self._hearing = hearing
        self._digest = hashlib.sha256() if hashed else None
        self._batches = Batches(channels, self._hear)

    def take_bytes(self, data: bytes) -> None:
        """Interleaved 32-bit floats, little-endian. A frame that is cut waits for its rest."""
        self.take(self._batches.whole_frames(data))

    def take(self, samples: NDArray[np.float32]) -> None:
        """Samples of all channels, (n, channels); 1.0 is full scale."""
        samples = np.ascontiguousarray(samples, "<f4")
        if self._digest:
            self._digest.update(samples.reshape(-1).data)
        self._batches.take(samples)

    def result(self) -> Metering:
        """What was heard. Ask once, at the end: what rings on after the last sample is heard too.

        Raises ValueError if the last frame is not whole.
        """
        self._batches.end()
        energies, peaks = self._energies.steps, self._peaks.steps
        return Metering(
            samples=self._batches.samples,
            loudness=gating.report(energies, peaks, momentary_max=self._energies.momentary_max),
            energies=energies,
            peaks=peaks,
            signs=self._inspection.signs() if self._inspection else None,
            sha256=self._digest.hexdigest() if self._digest else None,
            not_finite=self._batches.not_finite,
            sound=self._sound(),
        )

    def _hear(self, batch: Batch) -> None:
        self._peaks.take(batch)
        self._energies.take(batch)
        if (self._inspection or self._hearing) and batch.count:
            self._look(batch.by_channel(), batch.largest)

    def _look(self, samples: NDArray[np.float32], largest: float) -> None:
        if self._inspection:
            self._inspection.take(samples, largest)
        if self._hearing:
            try:
                self._hearing.take(samples)
            except _SENSELESS:
                self._hearing = None

    def _sound(self) -> Sound | None:
        try:
            return self._hearing.end() if self._hearing else None
        except _SENSELESS:
            return None


class LoudnessMeter:
    """Measures what `Metering.loudness` tells, and where true peaks pass a ceiling, at half the cost.

    Where the largest true peak is all that is asked for, few places have to be looked at closely.
    """

    def __init__(
        self,
        *,
        sample_rate_hz: int,
        channels: int,
        weights: Sequence[float] | None = None,
        ceiling_dbtp: float = math.inf,
    ) -> None:
        """As that of `Meter`."""
        weights = _weights(sample_rate_hz, channels, weights)
        self._energies = Energies(sample_rate_hz, weights=weights, batch=BATCH, kind=np.float32)
        above = 10 ** (ceiling_dbtp / 20)
        self._peak = LargestTruePeak(sample_rate_hz, channels=channels, above=above)
        self._batches = Batches(channels, self._hear)

    def take_bytes(self, data: bytes) -> None:
        """Interleaved 32-bit floats, little-endian. A frame that is cut waits for its rest."""
        self._batches.take(self._batches.whole_frames(data))

    def loudness(self) -> LoudnessReport:
        """What was heard. Ask once, at the end. Raises ValueError if the last frame is not whole."""
        self._batches.end()
        momentary_max = self._energies.momentary_max
        return gating.report(self._energies.steps, [self._peak.end()], momentary_max=momentary_max)

    def places(self) -> dict[int, float]:
        """The highest true peak above the ceiling, in dBTP, of every 1,024 samples (by their number) that has one."""
        return _places(self._peak)

    def _hear(self, batch: Batch) -> None:
        self._peak.take(batch)
        self._energies.take(batch)


class PeakMeter:
    """Measures what `LoudnessMeter.places` tells, and nothing else."""

    def __init__(self, *, sample_rate_hz: int, channels: int, ceiling_dbtp: float) -> None:
        above = 10 ** (ceiling_dbtp / 20)
        self._peak = LargestTruePeak(sample_rate_hz, channels=channels, above=above)
        self._batches = Batches(channels, self._peak.take)

    def take_bytes(self, data: bytes) -> None:
        """As of `LoudnessMeter`."""
        self._batches.take(self._batches.whole_frames(data))

    def places(self) -> dict[int, float]:
        """As of `LoudnessMeter`. Ask once, at the end. Raises ValueError if the last frame is not whole."""
        self._batches.end()
        self._peak.end()
        return _places(self._peak)


def _places(peak: LargestTruePeak) -> dict[int, float]:
    return {place: round(20 * math.log10(value), 6) for place, value in sorted(peak.places.items())}


def _weights(sample_rate_hz: int, channels: int, given: Sequence[float] | None) -> tuple[float, ...]:
    """The channels' weights. Raises ValueError for what cannot be measured."""
    weights = tuple(given) if given is not None else _WEIGHTS.get(channels, ())
    if len(weights) != channels or not channels or sample_rate_hz < SAMPLE_RATE_MIN_HZ:
        raise ValueError(f"cannot measure {channels} channels at {sample_rate_hz} Hz with {len(weights)} weights")
    return weights
