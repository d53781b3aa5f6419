"""What a long benchmark has found so far: in a file after each part, so that one that is interrupted leaves it."""

import json
import os
import platform
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Findings:
    """The report of a benchmark as it grows. With a `file`, it is there whole after each part.

    A context manager: at the end all of it is on stdout, also after Ctrl-C, with exit status 130.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._began_s = time.monotonic()
        machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
        self._found: dict[str, Any] = {"machine": machine}

    def add(self, part: str, found: object) -> None:
        """Take a part, or what is known of it by now."""
        self._found[part] = found
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            growing = self._file.with_suffix(".part")
            growing.write_text(self._text())
            growing.replace(self._file)

    def say(self, words: str) -> None:
        """How far it is, on stderr, with the minutes since it began."""
        print(f"[{(time.monotonic() - self._began_s) / 60:5.1f} min] {words}", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        print(self._text(), end="")
        if isinstance(error, KeyboardInterrupt):
            self.say("interrupted: this is what was found so far")
            sys.exit(130)

    def _text(self) -> str:
        return json.dumps(self._found, indent=2) + "\n"
