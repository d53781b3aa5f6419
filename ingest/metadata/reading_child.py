"""The child that reads tags and pictures: hostile bytes are parsed here, and nowhere else.

It answers questions on its standard input until that ends. A question is JSON; an answer is JSON and, where there is
a cover, one JPEG for each of ART_SIDES. avtool.worker frames both, limits what the child may use and ends it.
"""

import json
import os
import signal
import struct
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ingest.metadata.tags import read_file
from model.track import ART_SIDES

if TYPE_CHECKING:
    from ingest.metadata.cover import Covers

QUESTION_SECONDS_MAX = 120  # should nobody be left to end a child that hangs
COMPLAINTS_MAX = 5


def main() -> None:
    """Answer until the questions end."""
    questions, answers = _channels()
    _send(answers, b"{}")  # ready
    while head := questions.read(4):
        question = json.loads(questions.read(struct.unpack(">I", head)[0]))
        signal.alarm(QUESTION_SECONDS_MAX)
        _send(answers, *_answer(question))
        signal.alarm(0)


def _channels() -> tuple[BinaryIO, BinaryIO]:
    """Where questions come from and answers go; whatever a library prints does not get between them."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return questions, answers


def _answer(question: dict[str, Any]) -> tuple[bytes, ...]:
    complaints: list[str] = []
    answer: dict[str, object] = {}
    pictures = None
    if question["do"] == "draw":
        from ingest.metadata.drawing import drawn  # noqa: PLC0415 - as `_covers`

        pictures = drawn(question["title"], question["album"], question["artists"])
    elif question["do"] == "picture":
        pictures = _covers().picture(Path(question["path"]), complaints)
    else:
        path = Path(question["path"])
        said = read_file(path)
        complaints += (f"tags unreadable: {complaint}" for complaint in said.complaints)
        answer = {"found": said.found, "seconds": said.seconds}
        if question["art"]:
            pictures = _covers().cover(path, said.pictures, complaints)
    answer["complaints"] = complaints[:COMPLAINTS_MAX]
    return json.dumps(answer).encode("ascii"), *(pictures[side] for side in ART_SIDES if pictures)


@cache
def _covers() -> "Covers":
    """What makes covers. To load it takes as long as all else that is loaded, and the first question is for tags."""
    from ingest.metadata.cover import Covers  # noqa: PLC0415

    return Covers()


def _send(answers: BinaryIO, *blocks: bytes) -> None:
    answers.write(struct.pack(f">B{len(blocks)}I", len(blocks), *map(len, blocks)) + b"".join(blocks))
    answers.flush()


if __name__ == "__main__":
    main()
    sys.exit(0)
