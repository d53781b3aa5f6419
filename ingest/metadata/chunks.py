"""Tags that stand in chunks of their own: WAV (also RF64, BW64), AIFF and CAF. Bounded reads; any bytes will do."""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from ingest.metadata.tag_names import AIFF, RIFF, Found, add, normal

CHUNKS_MAX = 1_000
TEXT_CHUNK_BYTES_MAX = 1 << 20
ENTRIES_MAX = 500
_LONG = 0xFFFF_FFFF
_ISRC = re.compile(rb"ISRC:([A-Za-z0-9-]{12,15})")  # EBU Tech 3352: in the XML of an axml chunk


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where the body of a chunk is."""

    name: str
    start: int
    size: int


@dataclass(slots=True)
class Chunked:
    """What the chunks of a file say. `id3` is where an ID3 tag is, for a reader of those."""

    found: Found
    id3: Chunk | None = None
    seconds: float | None = None


def chunks(file: BinaryIO, *, head_bytes: int, layout: str) -> Iterator[Chunk]:
    """The chunks after a head of `head_bytes`; `layout` is that of name and size. Those of IFF are padded to even."""
    at, size_of_head, padded = head_bytes, struct.calcsize(layout), layout.endswith("I")
    end, long_size = file.seek(0, os.SEEK_END), 0
    for _ in range(CHUNKS_MAX):
        file.seek(at)
        header = file.read(size_of_head)
        if len(header) < size_of_head:
            return
        name, size = struct.unpack(layout, header)
        if size < 0:  # CAF: to the end of the file
            return
        chunk = Chunk(name.decode("latin-1"), at + size_of_head, size)
        if name == b"ds64":  # EBU Tech 3306: the size that 32 bits cannot hold
            long_size = int.from_bytes(_body(file, chunk)[8:16], "little")
        if name == b"data" and size in (0, _LONG):
            chunk = replace(chunk, size=long_size or end - chunk.start)
        yield replace(chunk, size=min(chunk.size, end - chunk.start))
        at = chunk.start + chunk.size + (chunk.size % 2 if padded else 0)


def read_wave(file: BinaryIO) -> Chunked:
    """ID3 goes first, then LIST/INFO, then what a broadcast wave says."""
    said = Chunked({})
    late: Found = {}
    bytes_per_second = data_bytes = 0
    for chunk in chunks(file, head_bytes=12, layout="<4sI"):
        if chunk.name == "fmt ":
            bytes_per_second = int.from_bytes(_body(file, chunk)[8:12], "little")
        elif chunk.name == "data":
            data_bytes = chunk.size
        elif chunk.name == "LIST":
            _add_info(said.found, _body(file, chunk))
        elif chunk.name in ("bext", "axml"):
            _add_broadcast(late, chunk.name, _body(file, chunk))
        elif chunk.name.upper() == "ID3 ":
            said.id3 = said.id3 or chunk
    for name, values in late.items():
        add(said.found, name, values)
    said.seconds = data_bytes / bytes_per_second if bytes_per_second else None
    return said


def _add_info(found: Found, body: bytes) -> None:
    if body[:4] != b"INFO":
        return
    at = 4
    for _ in range(ENTRIES_MAX):
        if at + 8 > len(body):
            return
        name, size = struct.unpack_from("<4sI", body, at)
        known = RIFF.get(name.decode("latin-1").upper())
        if known:
            add(found, known, [decoded(body[at + 8 : at + 8 + size])])
        at += 8 + size + size % 2


def _add_broadcast(found: Found, name: str, body: bytes) -> None:
    """EBU Tech 3285: a description of 256 characters, who and when; it is a title only if it is a line of text."""
    if name == "axml":
        add(found, "isrc", [code.decode("ascii") for code in _ISRC.findall(body)])
        return
    description = decoded(body[:256]).strip()
    if description and "=" not in description and "\n" not in description:
        add(found, "title", [description])
    date = decoded(body[320:330])
    if re.fullmatch(r"[12]\d{3}[-_:/. ]\d\d[-_:/. ]\d\d", date):
        add(found, "date", [f"{date[:4]}-{date[5:7]}-{date[8:]}"])


def read_aiff(file: BinaryIO) -> Chunked:
    """The texts of the format itself stand behind those of an ID3 tag."""
    said = Chunked({})
    for chunk in chunks(file, head_bytes=12, layout=">4sI"):
        if chunk.name in AIFF:
            add(said.found, AIFF[chunk.name], [decoded(_body(file, chunk))])
        elif chunk.name == "COMM":
            said.seconds = _aiff_seconds(_body(file, chunk))
        elif chunk.name.upper() == "ID3 ":
            said.id3 = said.id3 or chunk
    return said


def _aiff_seconds(body: bytes) -> float | None:
    """Frames over a rate that is an 80-bit float."""
    if len(body) < 18:
        return None
    frames, exponent, mantissa = struct.unpack(">2xI2xHQ", body[:18])
    rate = mantissa * 2.0 ** ((exponent & 0x7FFF) - 16_383 - 63) if exponent & 0x7FFF < 16_383 + 40 else 0.0
    return frames / rate if rate >= 1 else None


def read_caf(file: BinaryIO) -> Chunked:
    """The info chunk: names and values, each ended by a zero byte."""
    said = Chunked({})
    rate, packet_bytes, packet_frames, data_bytes, frames = 0.0, 0, 0, 0, 0
    for chunk in chunks(file, head_bytes=8, layout=">4sq"):
        if chunk.name == "desc" and chunk.size >= 32:
            rate, packet_bytes, packet_frames = struct.unpack(">d8xII", _body(file, chunk)[:24].ljust(24, b"\0"))
        elif chunk.name == "data":
            data_bytes = chunk.size - 4
        elif chunk.name == "pakt":
            frames = int.from_bytes(_body(file, chunk)[8:16], "big")
        elif chunk.name == "info":
            _add_strings(said.found, _body(file, chunk)[4:])
    frames = frames or (data_bytes // packet_bytes * packet_frames if packet_bytes else 0)
    said.seconds = frames / rate if rate >= 1 and frames else None
    return said


def _add_strings(found: Found, body: bytes) -> None:
    texts = body.split(b"\0", 2 * ENTRIES_MAX)
    for name, value in zip(texts[::2], texts[1::2], strict=False):
        add(found, normal(name.decode("utf-8", "replace")), [decoded(value)])


def _body(file: BinaryIO, chunk: Chunk) -> bytes:
    file.seek(chunk.start)
    return file.read(min(chunk.size, TEXT_CHUNK_BYTES_MAX))


def decoded(data: bytes) -> str:
    """Text of a format that names no encoding: UTF-8 where it is that, else what Windows wrote."""
    text = data.split(b"\0", 1)[0]
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("cp1252", "replace")
