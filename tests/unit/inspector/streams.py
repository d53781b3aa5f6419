"""Small sound streams, made by our own packager's code and held in memory; to be broken one thing at a time."""

import struct
from functools import cache

from cmaf.write import box, full_box
from manifests.build import media_playlist, multivariant, segment_playlist, target_duration_s
from manifests.render import render
from model.package import Package
from model.rendition import Codec, Rendition
from model.segment import SegmentedRendition
from tests.unit.cmaf.samples import LOUDNESS, made
from tests.unit.manifests.samples import package_of

SECONDS = 21
UND, ZXX = bytes.fromhex("55c40000"), bytes.fromhex("6b180000")  # packed languages at the end of `mdhd`

Files = dict[str, bytes]


@cache
def _rendition(codec: Codec, number: int) -> tuple[SegmentedRendition, bytes]:
    one = made(codec, SECONDS * 48_000, seed=number)
    data = one.data.replace(UND, ZXX, 1)
    bitrate_bps = 0 if codec is Codec.FLAC else 64_000 * number
    rendition = SegmentedRendition(
        rendition=Rendition(rendition_id=f"{codec}-{number}", codec=codec, bitrate_bps=bitrate_bps),
        timescale=one.file.timescale,
        priming_ticks=one.file.priming_ticks,
        init_size_bytes=one.file.init_size_bytes,
        index_size_bytes=one.file.index_size_bytes,
        segments=one.file.segments,
        sha256=one.file.sha256,
        loudness=LOUDNESS,
    )
    return rendition, data


def _package(codec: Codec) -> tuple[Package, dict[str, bytes]]:
    both = [_rendition(codec, number) for number in (1, 2)]
    package = package_of([rendition for rendition, _ in both])
    return package, {rendition.rendition.rendition_id: data for rendition, data in both}


def in_segments(codec: Codec = Codec.AAC) -> Files:
    """`index.m3u8`, two media playlists, their init sections and segments, each a file: `aac-1/0.mp4`."""
    package, data = _package(codec)
    files = {"index.m3u8": render(multivariant(package, codec, uri_of=lambda each: f"{each}.m3u8"))}
    for rendition in package.renditions:
        name = rendition.rendition.rendition_id
        playlist = segment_playlist(rendition, target_duration_s=target_duration_s(package.renditions))
        files[f"{name}.m3u8"] = render(playlist)
        files[f"{name}/init.mp4"] = data[name][: rendition.init_size_bytes]
        for number, each in enumerate(rendition.segments):
            files[f"{name}/{number}.mp4"] = data[name][each.offset_bytes : each.offset_bytes + each.size_bytes]
    return files


def in_ranges(codec: Codec = Codec.AAC) -> Files:
    """The same as byte ranges of one file for each rendition: `aac-1.mp4`."""
    package, data = _package(codec)
    files = {"index.m3u8": render(multivariant(package, codec, uri_of=lambda each: f"{each}.m3u8"))}
    for rendition in package.renditions:
        name = rendition.rendition.rendition_id
        target = target_duration_s(package.renditions)
        files[f"{name}.m3u8"] = render(
            media_playlist(rendition, target_duration_s=target, track_file_uri=f"{name}.mp4")
        )
        files[f"{name}.mp4"] = data[name]
    return files


def text(files: Files, name: str, old: str, new: str, count: int = 1) -> Files:
    """The files with a playlist changed; what is to be changed must be there."""
    before = files[name].decode()
    assert old in before
    return files | {name: before.replace(old, new, count).encode()}


def media_text(files: Files, old: str, new: str, count: int = 1) -> Files:
    """The files with the same change in every media playlist."""
    for name in files:
        if name.endswith(".m3u8") and name != "index.m3u8":
            files = text(files, name, old, new, count)
    return files


def bytes_of(files: Files, name: str, old: bytes, new: bytes) -> Files:
    """The files with some bytes exchanged for as many others."""
    assert old in files[name] and len(old) == len(new)
    return files | {name: files[name].replace(old, new, 1)}


def number_after(files: Files, name: str, kind: bytes, skip: int, change: int) -> Files:
    """The files with a 32-bit field changed: so many bytes after the type of the first box of a kind."""
    data = bytearray(files[name])
    at = data.index(kind) + 4 + skip
    (value,) = struct.unpack_from(">I", data, at)
    struct.pack_into(">I", data, at, value + change)
    return files | {name: bytes(data)}


def within(data: bytes, path: tuple[bytes, ...], extra: bytes) -> bytes:
    """The data with more bytes at the end of the box at a path, the sizes of all boxes on the way corrected."""
    out, start, end = bytearray(data), 0, len(data)
    for kind in path:
        at = data.index(kind, start, end) - 4
        (size,) = struct.unpack_from(">I", data, at)
        struct.pack_into(">I", out, at, size + len(extra))
        start, end = at + 8, at + size
    return bytes(out[:end]) + extra + bytes(out[end:])


def index_box(size_bytes: int, ticks: int) -> bytes:
    """A `sidx` with one reference."""
    reference = struct.pack(">III", size_bytes, ticks, 0x9000_0000)
    return full_box(b"sidx", 0, 0, struct.pack(">IIIIHH", 1, 48_000, 0, 0, 0, 1), reference)


def empty_segment() -> bytes:
    """What ffmpeg's muxer leaves at the end: `styp` alone."""
    return box(b"styp", b"msdh", bytes(4), b"msdhmsix")
