"""A reading child as an attacker would have it: the name of the file that it is asked about says what it does."""

import json
import os
import struct
import sys
from pathlib import Path


def blocks(*parts: bytes) -> bytes:
    """An answer of these parts, framed as it should be."""
    return struct.pack(f">B{len(parts)}I", len(parts), *map(len, parts)) + b"".join(parts)


def said(**answer: object) -> bytes:
    """An answer of these values."""
    return blocks(json.dumps(answer).encode())


BEHAVIOURS: dict[str, bytes] = {
    "ends": b"",
    "no parts": b"\0",
    "too many parts": b"\xff" + bytes(4 * 255),
    "too large": struct.pack(">BI", 1, 0xFFFF_FFFF),
    "cut off": struct.pack(">BI", 1, 100) + b"{",
    "no json": blocks(b"\xff\xfe"),
    "deep json": blocks(b"[" * 1_000_000),
    "long number": blocks(b'{"seconds": ' + b"9" * 100_000 + b"}"),
    "no object": blocks(b"[]"),
    "unknown name": said(found={"__class__": ["x"]}),
    "no list": said(found={"title": "x"}),
    "many values": said(found={"title": ["x"] * 1000}),
    "endless text": said(found={"title": ["x" * (9 << 20)]}),
    "one picture": blocks(b"{}", b"\xff\xd8\xff\xff\xd9"),
    "pictures of text": blocks(b"{}", *(3 * [b"<script>alert(1)</script>"])),
}
LIE = said(found={"title": ["a\n\x1bb"]}, seconds=float("nan"), complaints=["c\nd"])


def main() -> None:
    """Be ready, answer one question, and end."""
    sys.stdout.buffer.write(blocks(b"{}"))
    sys.stdout.buffer.flush()
    (size,) = struct.unpack(">I", sys.stdin.buffer.read(4))
    name = Path(json.loads(sys.stdin.buffer.read(size))["path"]).stem.removeprefix("01 ")
    sys.stdout.buffer.write(BEHAVIOURS.get(name, LIE))
    sys.stdout.buffer.flush()
    os._exit(1)


if __name__ == "__main__":
    main()
