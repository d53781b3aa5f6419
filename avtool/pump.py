"""A pipe for a program to write samples to, and the thread that hands them over."""

import asyncio
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

PIPE_BYTES = 1 << 20  # what may wait in the pipe; Linux grants so much to anyone
PIECE_BYTES = 1 << 19  # handed over at once: a stereo batch of `meter.batches`, which is then copied nowhere
_PAGE_BYTES = 1 << 12


class Pump:
    """Hands over what is written to `inlet`, in order, in one thread of its own: no hop for each piece."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        """Begin; `take` gets pieces of `PIECE_BYTES`, the last may be shorter, never two at once."""
        outlet, self.inlet = os.pipe()
        with suppress(OSError):  # a user's pipes may have all the memory that they may have: a small one works too
            fcntl.fcntl(outlet, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._open = True
        self._stopped = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pump")
        self._done = self._thread.submit(self._hand_over, outlet, take)

    async def finished(self) -> bytes:
        """Wait for the end of the pipe. Raises what `take` raised."""
        self.close_inlet()
        await asyncio.shield(asyncio.wrap_future(self._done))
        return b""

    def close_inlet(self) -> None:
        """Leave the inlet to the program, so that its end is the end of the pipe."""
        if self._open:
            self._open = False
            os.close(self.inlet)

    async def close(self) -> None:
        """Hand over nothing more. Call it when the program is gone."""
        self._stopped = True
        self.close_inlet()
        with suppress(Exception):  # whoever waited for the end was told
            await asyncio.wrap_future(self._done)
        self._thread.shutdown(wait=False)

    def _hand_over(self, outlet: int, take: Callable[[bytes], None]) -> None:
        with open(outlet, "rb", buffering=_PAGE_BYTES) as pipe:  # reads large pieces past its buffer
            while not self._stopped and (piece := pipe.read(PIECE_BYTES)):
                take(piece)
