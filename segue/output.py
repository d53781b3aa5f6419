"""What a command says: data on stdout, words for people on stderr."""

import json
import os
import sys
from typing import Any

from model.errors import PipelineError


class Output:
    """Where a command writes. With `--json`, stdout carries one JSON object a line and nothing else."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def data(self, line: dict[str, Any]) -> None:
        """One JSON line, if JSON was asked for."""
        if self.as_json:
            self._write(json.dumps(line, ensure_ascii=False, allow_nan=False))

    def text(self, line: str) -> None:
        """One line of the result for people; on stdout, where pipes take it, unless stdout carries JSON."""
        if not self.as_json:
            self._write(line)

    def say(self, line: str) -> None:
        """One line beside the result, on stderr."""
        print(line, file=sys.stderr, flush=True)  # noqa: T201

    def error(self, error: PipelineError) -> None:
        """An error that ends the command."""
        self.data({"event": "error", "code": error.code, "message": str(error), "hint": error.hint})
        self.say(f"segue: {error}")
        if error.hint:
            self.say(f"hint: {error.hint}")

    def _write(self, line: str) -> None:
        try:
            print(line, flush=True)  # noqa: T201
        except BrokenPipeError:  # whoever read us has enough (`segue ls | head`)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
