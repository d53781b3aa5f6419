"""What a command says: data on stdout, words for people on stderr."""

import json
import os
import sys
from typing import Any, TextIO
from unicodedata import category

from model.errors import PipelineError

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_OBEYED = frozenset(["Cc", "Zl", "Zp"])  # control characters, line and paragraph separators


class Output:
    """Where a command writes. With `--json`, stdout carries one JSON object a line and nothing else."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def data(self, line: dict[str, Any]) -> None:
        """One JSON line, if JSON was asked for."""
        if self.as_json:
            _print(_JSON.encode(line), sys.stdout)

    def text(self, line: str) -> None:
        """One line of the result for people; on stdout, where pipes take it, unless stdout carries JSON."""
        if not self.as_json:
            _print(printable(line), sys.stdout)

    def say(self, line: str) -> None:
        """One line beside the result, on stderr."""
        _print(printable(line), sys.stderr)

    def error(self, error: PipelineError) -> None:
        """An error that ends the command."""
        self.data({"event": "error", "code": error.code, "message": str(error), "hint": error.hint})
        self.say(f"segue: {error}")
        if error.hint:
            self.say(f"hint: {error.hint}")


def printable(line: str) -> str:
    """The line without control characters: names and tags come from strangers, and terminals obey."""
    if line.isprintable():  # as nearly all are
        return line
    return "".join("\N{REPLACEMENT CHARACTER}" if category(char) in _OBEYED else char for char in line)


def _print(line: str, stream: TextIO) -> None:
    """One line; what the stream's encoding lacks becomes `?`."""
    encoding = stream.encoding or "utf-8"
    text = line.encode(encoding, "replace").decode(encoding)
    try:
        stream.write(f"{text}\n")  # in one piece: unbuffered, print writes the end of the line by itself
        stream.flush()
    except BrokenPipeError:  # whoever read us has enough (`segue ls | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
