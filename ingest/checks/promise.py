"""What the headers of a source promise, before anything is decoded."""

import os
from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """All that a container says of its own audio. What it does not say is None, False or empty.

    `end` is the position after the last audio byte, `outer_end` where the header around it says that the file ends;
    `lacks` names a part that should be there and is not; `samples` counts those of one channel at the source's rate;
    `unfilled` says that sizes were never written which no reader can do without; `endless` that there are more pieces
    before the sound than any program writes.
    """

    end: int | None = None
    outer_end: int | None = None
    lacks: str = ""
    samples: int | None = None
    sample_rate_hz: float | None = None
    channels: int | None = None
    encrypted: bool = False
    unfilled: bool = False
    endless: bool = False


SAYS_NOTHING = Promise()


class Endless(Exception):
    """A container of more pieces than anyone would look through."""


def read_at(file: BinaryIO, at: int, count: int) -> bytes:
    """Up to `count` bytes from a position; fewer where the file ends, none outside of it, wherever headers point."""
    if not 0 <= at < file.seek(0, os.SEEK_END):
        return b""
    file.seek(at)
    return file.read(count)
