"""The text of a sidecar, a piece at a time: however long the file is, little of it is in memory at once."""

import codecs
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from model.errors import UsageError

SIDECAR_BYTES_MAX = 16 << 30
PIECE_BYTES = 16 << 10
VALUE_CHARS_MAX = 1 << 20  # a line of CSV, an entry of JSON: twenty times the longest lyrics
TOO_LONG = f"more than {VALUE_CHARS_MAX >> 20} MiB for one row"


def pieces(path: Path) -> Iterator[str]:
    """The text of a file, in order. Blocking. Raises UsageError, for what is not UTF-8 with the line."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    seen = lines = 0
    for data in _read(path):
        seen += len(data)
        if seen > SIDECAR_BYTES_MAX:
            message = f"a sidecar of more than {SIDECAR_BYTES_MAX >> 30} GiB"
            raise UsageError(message, subject=os.fspath(path), hint="use several, one for each batch")
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            line = lines + error.object.count(b"\n", 0, error.start) + 1
            raise UsageError(f"line {line}: not UTF-8", subject=os.fspath(path), hint="save it as UTF-8") from error
        lines += data.count(b"\n")
        if text:
            yield text


def _read(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and nothing at its end."""
    try:
        with path.open("rb") as file:
            while data := file.read(PIECE_BYTES):
                yield data
    except OSError as error:
        message = f"cannot read the sidecar ({(error.strerror or 'unknown error').lower()})"
        raise UsageError(message, subject=os.fspath(path), hint="check the file and its rights") from error
    yield b""


def lines(text: Iterable[str]) -> Iterator[str]:
    """The lines of a text that comes in pieces, each with its end: LF, CR or both. Raises ValueError for one that is
    too long."""
    rest, number = "", 1
    for piece in text:
        *whole, rest = io.StringIO(rest + piece, newline="")  # the last may go on, or have the other half of its end
        yield from whole
        number += len(whole)
        if len(rest) > VALUE_CHARS_MAX:
            raise ValueError(f"line {number}: {TOO_LONG}")
    if rest:
        yield rest
