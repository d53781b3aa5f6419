"""Memory that was freed: the C library keeps it for later, but later is another program's."""

import ctypes
from collections.abc import Callable


def _malloc_trim() -> Callable[[int], int]:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # it is glibc that keeps so much
        return lambda _: 0
    return trim


_trim = _malloc_trim()


def give_back() -> None:
    """Give what was freed back to the system. Takes a millisecond or two."""
    _trim(0)
