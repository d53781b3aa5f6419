"""The entries of a list in JSON, one at a time, from text that comes in pieces."""

import re
from collections.abc import Generator, Iterable, Iterator
from json import JSONDecodeError, JSONDecoder
from typing import Any, NoReturn

from ingest.metadata.sidecar_text import TOO_LONG, VALUE_CHARS_MAX

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = JSONDecoder()


def entries(pieces: Iterable[str], *, name: str) -> Iterator[object]:
    """The entries of a list, or of the list that an object has by this name.

    Raises ValueError for what is no JSON, with its line, once all before it was yielded; and if there is no such list.
    """
    text = _Text(pieces)
    try:
        if text.next() == "[":
            yield from _listed(text)
            found = True
        elif text.next() == "{":
            found = yield from _named(text, name)
        else:
            text.value()
            found = False
        if text.next():
            text.fail("Extra data")
    except JSONDecodeError as error:
        raise ValueError(f"line {text.line + error.lineno}: no JSON ({error.msg.lower()})") from error
    except RecursionError as error:
        raise ValueError("no JSON (not what we read)") from error
    if not found:
        raise ValueError(f'neither a list of objects nor {{"{name}": [...]}}')


class _Text:
    """Text that is read on as it is needed. What was taken is forgotten; `line` counts the lines of it."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self._pieces = iter(pieces)
        self._text = ""
        self._at = 0
        self.line = 0

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, wanted: str) -> bool:
        """Take the next character if it is this one."""
        if self.next() != wanted:
            return False
        self._at += 1
        return True

    def value(self) -> Any:
        """Take a value. Raises JSONDecodeError; ValueError for one that is too long."""
        self.next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except JSONDecodeError as error:  # or the text is not there yet
                room = VALUE_CHARS_MAX - len(self._text) + self._at
                if room > 0 and self._more():
                    continue
                if room <= 0 and ("Unterminated" in error.msg or error.pos > self._at + VALUE_CHARS_MAX // 2):
                    line = self.line + self._text.count("\n", 0, self._at) + 1
                    raise ValueError(f"line {line}: {TOO_LONG}") from error
                raise
            if end == len(self._text) and self._more():  # a number may go on
                continue
            self._at = end
            return value

    def fail(self, message: str) -> NoReturn:
        """Raise JSONDecodeError for the next character."""
        self.next()
        raise JSONDecodeError(message, self._text, self._at)

    def _more(self) -> bool:
        piece = next(self._pieces, "")
        if piece:
            self.line += self._text.count("\n", 0, self._at)
            self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)


def _listed(text: _Text) -> Iterator[object]:
    text.take("[")
    if text.take("]"):
        return
    yield text.value()
    while text.take(","):
        yield text.value()
    if not text.take("]"):
        text.fail("Expecting ',' delimiter")


def _named(text: _Text, name: str) -> Generator[object, None, bool]:
    """Whether there was a list of this name."""
    found = False
    text.take("{")
    if text.take("}"):
        return found
    while True:
        if text.next() != '"':
            text.fail("Expecting property name enclosed in double quotes")
        key = text.value()
        if not text.take(":"):
            text.fail("Expecting ':' delimiter")
        if key == name and found:
            text.fail(f"Twice {name}")
        if key == name and text.next() == "[":
            yield from _listed(text)
            found = True
        else:
            text.value()
        if not text.take(","):
            break
    if not text.take("}"):
        text.fail("Expecting ',' delimiter")
    return found
