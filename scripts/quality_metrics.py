"""The two listeners of the study, each from a package of the `study` dependency group: `make study` installs them.

Both are given signals that lie on each other to the sample and have one level. ViSQOL (audio mode) hears the mean of
the channels, a spectrogram of 32 bands, and maps its likeness to a mean opinion score, 1 to 5, by a regression that
was trained on listening tests. Zimtohrli hears each channel in a bank of resonators; its distance is 0 for the same
signal and about 0.001 where a difference begins to be heard.
"""

import copy
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import visqol
from visqol.audio_utils import AudioSignal
from visqol.visqol_manager import VisqolManager
from zimtohrli import Pyohrli, mos_from_zimtohrli

from scripts.quality_material import RATE_HZ
from scripts.quality_numbers import Samples

_MODEL = Path(visqol.__file__).with_name("model") / "libsvm_nu_svr_model.txt"  # ships in the wheel
_SEARCH_FRAMES = 4  # nothing is out of place, so hardly anything is searched


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the listeners say: scores of 1 to 5, and the distance itself, which still tells near things apart."""

    visqol_mos: float
    zimtohrli_mos: float
    zimtohrli_distance: float


class Listeners:
    """Both metrics, ready. The spectrogram of a reference is kept until another one comes."""

    def __init__(self) -> None:
        self._visqol = VisqolManager()
        # Aligning is done already: on signals that lie on each other it only costs, three times the rest.
        self._visqol.init(
            model_path=str(_MODEL),
            search_window=_SEARCH_FRAMES,
            disable_global_alignment=True,
            disable_realignment=True,
        )
        self._visqol.spect_builder = _Remembering(self._visqol.spect_builder)
        self._zimtohrli = Pyohrli()

    def hear(self, reference: Samples, decoded: Samples) -> Scores:
        """Score `decoded`, which lies on `reference` and has its level."""
        heard = self._visqol.run_from_signals(_signal(reference), _signal(decoded))
        channels = range(reference.shape[1])
        distances = [self._zimtohrli.distance(reference[:, channel], decoded[:, channel]) for channel in channels]
        return Scores(
            visqol_mos=float(heard.moslqo),
            zimtohrli_mos=float(np.mean([mos_from_zimtohrli(distance) for distance in distances])),
            zimtohrli_distance=float(np.mean(distances)),
        )


class _Remembering:
    """A builder of spectrograms that does not build the same one twice in a row of comparisons."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._known: dict[bytes, Any] = {}

    def build(self, signal: Any, window: Any) -> Any:
        """The spectrogram of a signal; a copy, for who gets it may change it."""
        key = hashlib.sha256(np.ascontiguousarray(signal.data).data).digest()
        if key not in self._known:
            built = self._builder.build(signal, window)
            self._known = dict([*self._known.items()][-3:]) | {key: built}
        return copy.deepcopy(self._known[key])


def _signal(samples: Samples) -> Any:
    return AudioSignal(samples.mean(axis=1, dtype=np.float64), RATE_HZ)
