"""What is measured does not depend on which kernels NumPy and its matrix products pick for a processor."""

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
PROGRAM = """
import numpy as np
from meter.meter import Meter
chance = np.random.Generator(np.random.PCG64(7))
for seconds in (1, 3, 7):
    meter = Meter(sample_rate_hz=48_000, channels=2)
    meter.take_bytes(chance.normal(scale=0.1, size=2 * 48_000 * seconds).astype('<f4').tobytes())
    print(meter.result().loudness)
"""


def _report(**variables: str) -> str:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), **variables}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, check=True, timeout=60, capture_output=True, text=True
    )
    return done.stdout


def test_other_kernels_tell_the_same_loudness() -> None:
    """To the last digit of the record. (Variables that a processor has no use for are ignored by the libraries.)"""
    reports = {_report(), _report(OPENBLAS_CORETYPE="Nehalem"), _report(NPY_DISABLE_CPU_FEATURES="AVX2 FMA3")}
    assert len(reports) == 1, "\n".join(reports)
