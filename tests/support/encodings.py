"""What an encoder wrote: its frames, and what is heard of them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avtool.decode import play_back
from avtool.locate import Ffmpeg
from cmaf.encoded import read_encoded
from cmaf.splice import frames_of


def frames_in(path: Path) -> list[bytes]:
    """All frames of an encoding."""
    with path.open("rb") as file:
        encoded = read_encoded(file)
        return frames_of(encoded, file, 0, len(encoded.sizes))


async def heard_from(tool: Ffmpeg, path: Path, *, samples: int | None = None) -> NDArray[np.float32]:
    """Its samples (n, 2) after the priming, at most so many."""
    pieces: list[bytes] = []
    await play_back(tool, str(path), pieces.append, samples=samples, timeout_s=60, subject=path.name)
    return np.frombuffer(b"".join(pieces), "<f4").reshape(-1, 2).copy()
