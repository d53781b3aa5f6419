"""A stream cut into frames that overlap."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Frames:
    """Frames of one length, one every `hop` samples (at most a frame), whatever pieces the stream comes in."""

    def __init__(self, frame: int, hop: int) -> None:
        self._frame = frame
        self._hop = hop
        self._rest = np.zeros(0, np.float32)
        self._unseen = 0  # of the rest, what no frame has had

    def take(self, samples: Samples) -> Samples:
        """The frames (n, frame) that these samples complete: a view, valid until the next samples."""
        stream = np.concatenate([self._rest, samples])
        count = max(0, (len(stream) - self._frame) // self._hop + 1)
        self._unseen = len(stream) - ((count - 1) * self._hop + self._frame) if count else self._unseen + len(samples)
        self._rest = stream[count * self._hop :]
        if not count:
            return np.zeros((0, self._frame), np.float32)
        return np.asarray(sliding_window_view(stream, self._frame)[:: self._hop][:count])

    def end(self) -> Samples:
        """The last frame, filled up with zeros, if there are samples that no frame has had."""
        if not self._unseen:
            return np.zeros((0, self._frame), np.float32)
        return self.take(np.zeros(self._frame - len(self._rest), np.float32))
