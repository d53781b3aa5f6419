"""A meter for one stream of samples: bounded memory, chunks of any size, one result."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from meter import gating
from meter.energy import Energies
from meter.inspection import Inspection
from meter.true_peak import TruePeaks, peak
from meter.weighting import Weighting
from model.analysis import Signs
from model.loudness import LoudnessReport

METER = "meter 2"
BATCH = 32_768  # samples measured at once: enough for the calls to cost little, and small enough for a core's cache
SAMPLE_RATE_MIN_HZ = 1_000
SAMPLE_MAX = 1e9  # +180 dBFS: what is above is damage, as NaN and infinity are
_SAMPLE_BYTES = 4
_SURROUND = 1.41  # BS.1770-4 table 3
_WEIGHTS = {
    1: (1.0,),
    2: (1.0, 1.0),
    5: (1.0, 1.0, 1.0, _SURROUND, _SURROUND),
    6: (1.0, 1.0, 1.0, 0.0, _SURROUND, _SURROUND),
}

# Jobs run side by side, one to a core: threads inside a product would only wait for each other.
threadpool_limits(limits=1, user_api="blas")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metering:
    """What the meter heard.

    `energies` has the K-weighted mean square of every whole 100 ms, channels weighted and summed; `peaks` the linear
    true peak of every 100 ms, a last shorter one too. Both have six significant digits. `sha256` is that of the bytes
    taken. `not_finite` counts samples that are NaN, infinite or beyond all sound (`SAMPLE_MAX`), measured as 0.
    """

    samples: int
    loudness: LoudnessReport
    energies: tuple[float, ...]
    peaks: tuple[float, ...]
    signs: Signs | None
    sha256: str
    not_finite: int


class Meter:
    """Measures a stream as it comes. Its memory grows by the two numbers of every 100 ms alone."""

    def __init__(
        self, *, sample_rate_hz: int, channels: int, weights: Sequence[float] | None = None, signs: bool = False
    ) -> None:
        """`weights` are the channels' shares in loudness: by default those of mono, stereo, 5.0 and 5.1 (FL FR FC ...).

        A mono source that will play from two channels has a weight of 2. `signs` asks for what else can be seen.
        """
        given = tuple(weights) if weights is not None else _WEIGHTS.get(channels, ())
        if len(given) != channels or not channels or sample_rate_hz < SAMPLE_RATE_MIN_HZ:
            raise ValueError(f"cannot measure {channels} channels at {sample_rate_hz} Hz with {len(given)} weights")
        self._weights = np.array(given)
        self._weighting = Weighting(sample_rate_hz, channels=channels, batch=BATCH)
        self._energies = Energies(sample_rate_hz)
        self._peaks = TruePeaks(sample_rate_hz, channels=channels, batch=BATCH)
        self._inspection = Inspection(sample_rate_hz, channels=channels) if signs else None
        self._digest = hashlib.sha256()
        self._samples = 0
        self._not_finite = 0
        self._cut = b""
        self._waiting = np.zeros((BATCH, channels), np.float32)
        self._fill = 0

    def take_bytes(self, data: bytes) -> None:
        """Interleaved 32-bit floats, little-endian. A frame that is cut waits for its rest."""
        channels = len(self._weights)
        data = self._cut + data
        whole = len(data) // (_SAMPLE_BYTES * channels) * channels
        self._cut = data[_SAMPLE_BYTES * whole :]
        self.take(np.frombuffer(data, "<f4", count=whole).reshape(-1, channels))

    def take(self, samples: NDArray[np.float32]) -> None:
        """Samples of all channels, (n, channels); 1.0 is full scale."""
        samples = np.ascontiguousarray(samples, "<f4")
        self._digest.update(samples.reshape(-1).data)
        while len(samples):
            some = samples[: BATCH - self._fill]
            samples = samples[len(some) :]
            if len(some) < BATCH:
                self._waiting[self._fill : self._fill + len(some)] = some
            self._fill += len(some)
            if self._fill == BATCH:
                self._measure(some if len(some) == BATCH else self._waiting)

    def result(self) -> Metering:
        """What was heard. Ask once, at the end: what rings on after the last sample is heard too.

        Raises ValueError if the last frame is not whole.
        """
        if self._cut:
            raise ValueError(f"{len(self._cut)} bytes are left, less than a frame")
        self._waiting[self._fill :] = 0
        self._measure(self._waiting)
        energies, peaks = tuple(self._energies.steps), tuple(self._peaks.steps)
        return Metering(
            samples=self._samples,
            loudness=gating.report(energies, peaks, momentary_max=self._energies.momentary_max),
            energies=energies,
            peaks=peaks,
            signs=self._inspection.signs() if self._inspection else None,
            sha256=self._digest.hexdigest(),
            not_finite=self._not_finite,
        )

    def _measure(self, batch: NDArray[np.float32]) -> None:
        """A whole batch of frames; of the last one only `_fill` belong to the stream, zeros follow."""
        count, self._fill = self._fill, 0
        samples = np.ascontiguousarray(batch.T)
        largest = peak(samples)
        if not largest <= SAMPLE_MAX:
            samples = self._made_finite(samples)
            largest = peak(samples)
        self._peaks.take(samples, count)
        if count:
            weighted = self._weighting.take(samples)
            self._energies.take(self._weights @ np.square(weighted, out=weighted)[:, :count])
            if self._inspection:
                self._inspection.take(samples[:, :count], largest)
        self._samples += count

    def _made_finite(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        sound = np.abs(samples) <= SAMPLE_MAX
        self._not_finite += samples.size - int(np.count_nonzero(sound))
        return np.where(sound, samples, np.float32(0))
