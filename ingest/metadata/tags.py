"""What a file says of itself: tags, pictures and length, through mutagen. For the confined child only.

Mutagen holds in memory what it reads, so what it may read, and what it may inflate, is bounded here. Whatever a file
holds, nothing is raised: what cannot be read is a complaint, and the rest is kept.
"""

import base64
import binascii
import io
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import mutagen
import mutagen.aac
import mutagen.apev2
import mutagen.flac
import mutagen.id3
import mutagen.id3._frames as id3_frames
import mutagen.mp3
import mutagen.mp4
import mutagen.oggflac
import mutagen.oggopus
import mutagen.oggvorbis
import mutagen.wavpack

from ingest.metadata.art import ART_BYTES_MAX
from ingest.metadata.chunks import Chunked, read_aiff, read_caf, read_wave
from ingest.metadata.matroska import read_matroska
from ingest.metadata.tag_names import ID3 as ID3_NAMES
from ingest.metadata.tag_names import MP4 as MP4_NAMES
from ingest.metadata.tag_names import VALUE_CHARACTERS_MAX, VALUES_MAX, Found, add, normal
from ingest.scan import plain_file

_mutagen: Any = mutagen  # typed in part only
READ_BYTES_MAX = 128 << 20  # of one file
INFLATED_BYTES_MAX = ART_BYTES_MAX
PICTURES_MAX = 20
REASON_CHARACTERS_MAX = 200
FRONT_COVER = 3
OTHER_PICTURE = 0
_MUSICBRAINZ = "http://musicbrainz.org"
_ID3V1_BYTES = 128
_QUOTED_PATH = re.compile(r"""b?(["']).*/.*\1""", re.DOTALL)
_APE_COVER = "cover art ("
# Damaged tags make mutagen raise nearly anything; its own errors are only some of it.
READ_ERRORS = (
    mutagen.MutagenError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    AssertionError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Embedded:
    """A picture in a file; `kind` is that of ID3 and FLAC: 3 is the front cover."""

    kind: int
    data: bytes


@dataclass(slots=True)
class FileTags:
    """What a file says. `complaints` are why some of it could not be read."""

    found: Found = field(default_factory=dict)
    pictures: list[Embedded] = field(default_factory=list)
    seconds: float | None = None
    complaints: list[str] = field(default_factory=list)

    def tried(self, read: Callable[[], None]) -> None:
        """Read a part; if that fails, the others still count."""
        try:
            read()
        except READ_ERRORS as error:
            self.complaints.append(_reason(error))

    def show(self, kind: int, data: bytes) -> None:
        """Keep a picture, if it is one of some size and there are not too many."""
        if 0 < len(data) <= ART_BYTES_MAX and len(self.pictures) < PICTURES_MAX:
            self.pictures.append(Embedded(kind, data))


def _reason(error: Exception) -> str:
    """What went wrong, without the place of the file: operators know it, and listeners need not."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = _QUOTED_PATH.sub("the file", str(error))
    return f"{type(error).__name__}: {text}"[:REASON_CHARACTERS_MAX]


class _Inflate:
    """What mutagen's ID3 frames need of zlib, with a limit: a megabyte of them could inflate to a gigabyte."""

    error = zlib.error

    @staticmethod
    def decompress(data: bytes) -> bytes:
        """The inflated bytes; what goes on beyond the limit is refused like other damage."""
        inflating = zlib.decompressobj()
        whole = inflating.decompress(data, INFLATED_BYTES_MAX)
        if not inflating.eof:
            raise zlib.error("cut off, or more than we take")
        return whole


vars(id3_frames)["zlib"] = _Inflate  # mutagen offers no other way


class _Bounded(io.FileIO):
    """A file that gives away READ_BYTES_MAX and no more, however often it is asked."""

    _left = READ_BYTES_MAX

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file, until there was enough."""
        wanted = self._left + 1 if size is None or size < 0 else min(size, self._left + 1)
        there = max(0, os.fstat(self.fileno()).st_size - self.tell())
        piece = super().read(min(wanted, there)) or b""  # memory is taken for what is asked, not for what comes
        self._left -= len(piece)
        if self._left < 0:
            raise OSError(f"tags of more than {READ_BYTES_MAX >> 20} MiB")
        return piece


def read_file(path: Path) -> FileTags:
    """Tags, pictures and length of the file. Blocking; never raises."""
    said = FileTags()

    def read() -> None:
        with _Bounded(os.fspath(path), opener=plain_file) as file:
            head = file.read(64)
            file.seek(0)
            _reader(head)(file, said)

    said.tried(read)
    if said.seconds is not None and not 0 < said.seconds < 1e7:
        said.seconds = None
    return said


_Read = Callable[[BinaryIO, FileTags], None]


def _reader(head: bytes) -> _Read:
    """By the first bytes, never by the name."""
    if head[:4] == b"OggS":
        return next((read for sign, read in _OGG if sign in head), _nothing)
    if head[8:12] == b"WAVE" and head[:4] in (b"RIFF", b"RF64", b"BW64"):
        return _wave
    if head[8:12] in (b"AIFF", b"AIFC") and head[:4] == b"FORM":
        return _aiff
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"):
        return _mp4
    return next((read for sign, read in _SIGNS if head.startswith(sign)), _mpeg)


def _nothing(file: BinaryIO, said: FileTags) -> None:
    """A format without tags that we know."""


def _wave(file: BinaryIO, said: FileTags) -> None:
    _chunked(file, said, read_wave(file))


def _aiff(file: BinaryIO, said: FileTags) -> None:
    _chunked(file, said, read_aiff(file))


def _caf(file: BinaryIO, said: FileTags) -> None:
    _chunked(file, said, read_caf(file))


def _chunked(file: BinaryIO, said: FileTags, chunked: Chunked) -> None:
    said.seconds = chunked.seconds
    if chunked.id3 is not None:
        file.seek(chunked.id3.start)
        tag = io.BytesIO(file.read(chunked.id3.size))
        said.tried(lambda: _add_id3(said, _mutagen.id3.ID3(tag, load_v1=False)))
    for name, values in chunked.found.items():
        add(said.found, name, values)


def _matroska(file: BinaryIO, said: FileTags) -> None:
    matroska = read_matroska(file)
    said.found, said.seconds = matroska.found, matroska.seconds
    for front, data in matroska.pictures:
        said.show(FRONT_COVER if front else OTHER_PICTURE, data)


def _flac(file: BinaryIO, said: FileTags) -> None:
    flac = _mutagen.flac.FLAC(_from(file, 0))
    said.seconds = flac.info.length
    _add_comments(said, flac.tags)
    for picture in flac.pictures:
        said.show(picture.type, picture.data)


def _ogg(kind: Any) -> _Read:
    def read(file: BinaryIO, said: FileTags) -> None:
        ogg = kind(file)
        said.seconds = ogg.info.length
        _add_comments(said, ogg.tags)

    return read


def _mp4(file: BinaryIO, said: FileTags) -> None:
    mp4 = _mutagen.mp4.MP4(file)
    said.seconds = mp4.info.length
    for key, values in (mp4.tags or {}).items():
        if key == "covr":
            for number, cover in enumerate(values):
                said.show(OTHER_PICTURE if number else FRONT_COVER, bytes(cover))
            continue
        name = normal(key.rpartition(":")[2]) if key.startswith("----:") else MP4_NAMES.get(key)
        if name:
            add(said.found, name, [_text(value) for value in _several(values)])


def _several(values: Any) -> list[Any]:
    return list(values)[:VALUES_MAX] if isinstance(values, list | tuple) else [values]


def _text(value: object) -> str:
    if isinstance(value, tuple):  # number and total
        return "/".join(str(part) for part in value)
    if isinstance(value, bytes):
        return value[: 200 * VALUE_CHARACTERS_MAX].decode("utf-8", "replace")
    return str(value)


def _wavpack(file: BinaryIO, said: FileTags) -> None:
    wavpack = _mutagen.wavpack.WavPack(file)
    said.seconds = wavpack.info.length
    if wavpack.tags is not None:
        _add_ape(said, wavpack.tags)


def _mpeg(file: BinaryIO, said: FileTags) -> None:
    """MP3 and ADTS: an ID3v2 tag goes before an APE tag, and that before an ID3v1 tag, which cuts its texts short."""
    start, begins = _after_id3(file)
    if begins == b"fLaC":
        said.tried(lambda: _flac(file, said))
    if start:
        said.tried(lambda: _add_id3(said, _mutagen.id3.ID3(_from(file, 0), load_v1=False)))
    said.tried(lambda: _read_ape(file, said))
    said.tried(lambda: _read_id3v1(file, said))
    if begins != b"fLaC":
        said.tried(lambda: _read_length(file, said, start, adts=begins[:1] == b"\xff" and begins[1] & 0xF6 == 0xF0))


def _from(file: BinaryIO, at: int) -> BinaryIO:
    file.seek(at)
    return file


def _after_id3(file: BinaryIO) -> tuple[int, bytes]:
    """Where the sound starts behind an ID3v2 tag (0 if there is none), and its first four bytes."""
    head = _from(file, 0).read(10)
    start = 0
    if head[:3] == b"ID3":
        for value in head[6:]:
            start = start << 7 | value & 0x7F
        start += 10
    return start, _from(file, start).read(4).ljust(4, b"\0")


def _read_ape(file: BinaryIO, said: FileTags) -> None:
    try:
        _add_ape(said, _mutagen.apev2.APEv2(_from(file, 0)))
    except mutagen.apev2.APENoHeaderError:
        return


def _read_id3v1(file: BinaryIO, said: FileTags) -> None:
    end = file.seek(0, os.SEEK_END)
    data = _from(file, max(0, end - _ID3V1_BYTES)).read(_ID3V1_BYTES)
    for frame in (_mutagen.id3.ParseID3v1(data) or {}).values() if data[:3] == b"TAG" else ():
        for name, values in _id3_texts(frame):
            add(said.found, name, values)


def _read_length(file: BinaryIO, said: FileTags, start: int, *, adts: bool) -> None:
    file.seek(0)
    said.seconds = (_mutagen.aac.AACInfo(file) if adts else _mutagen.mp3.MPEGInfo(file, start)).length


def _add_comments(said: FileTags, comments: Any) -> None:
    """Vorbis comments: `name=value`, the same name as often as there are values."""
    found: dict[str, list[str]] = {}
    for key, value in comments or ():
        found.setdefault(normal(key), []).append(value)
    pictures = found.pop("metadatablockpicture", [])
    for block in pictures[:PICTURES_MAX]:
        said.tried(lambda block=block: _show_block(said, block))  # type: ignore[misc]
    for cover in found.pop("coverart", [])[: 0 if pictures else PICTURES_MAX]:  # the form before that one
        said.tried(lambda cover=cover: said.show(FRONT_COVER, _unpacked(cover)))  # type: ignore[misc]
    for name, values in found.items():
        add(said.found, name, values)


def _show_block(said: FileTags, block: str) -> None:
    picture = _mutagen.flac.Picture(_unpacked(block))
    said.show(picture.type, picture.data)


def _unpacked(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error as error:
        raise ValueError(f"a picture that is no base64 ({error})") from error


def _add_ape(said: FileTags, ape: Any) -> None:
    for key, value in ape.items():
        if key.lower().startswith(_APE_COVER):
            data = bytes(value.value).partition(b"\0")[2]  # after the name of the file that it came from
            said.show(FRONT_COVER if "front" in key.lower() else OTHER_PICTURE, data)
        elif isinstance(value.value, str):
            add(said.found, normal(key), value.value.split("\0")[:VALUES_MAX])


def _add_id3(said: FileTags, tag: Any) -> None:
    for frame in tag.values():
        if frame.FrameID == "APIC":
            said.show(int(frame.type), bytes(frame.data))
            continue
        for name, values in _id3_texts(frame):
            add(said.found, name, values)


def _id3_texts(frame: Any) -> Iterator[tuple[str, list[str]]]:
    """What an ID3 frame says, under our names; nothing for frames that we do not know."""
    kind = frame.FrameID
    if kind in ID3_NAMES:
        texts = frame.genres if kind == "TCON" else frame.text  # genres also by number
        yield ID3_NAMES[kind], [str(text) for text in texts[:VALUES_MAX]]
    elif kind == "TXXX":  # the frame of a tag that ID3 has no frame for (ID3v2.4 §4.2.6)
        name = ID3_NAMES.get(frame.desc.upper()) or normal(frame.desc)  # ffmpeg writes TXXX:TCMP
        yield name, [str(text) for text in frame.text[:VALUES_MAX]]
    elif kind == "UFID" and frame.owner == _MUSICBRAINZ:
        yield "musicbrainztrackid", [frame.data[:VALUE_CHARACTERS_MAX].decode("ascii", "replace")]
    elif kind == "USLT":
        yield "lyrics", [frame.text]
    elif kind == "RVA2" and frame.desc.lower() in ("track", "album"):
        yield f"replaygain{frame.desc.lower()}gain", [f"{frame.gain:.6f}"]
        yield f"replaygain{frame.desc.lower()}peak", [f"{frame.peak:.6f}"]


_OGG: tuple[tuple[bytes, _Read], ...] = (
    (b"\x01vorbis", _ogg(mutagen.oggvorbis.OggVorbis)),
    (b"OpusHead", _ogg(mutagen.oggopus.OggOpus)),
    (b"\x7fFLAC", _ogg(mutagen.oggflac.OggFLAC)),
)
_SIGNS: tuple[tuple[bytes, _Read], ...] = (
    (b"fLaC", _flac),
    (b"wvpk", _wavpack),
    (b"caff", _caf),
    (b"riff", _nothing),  # Wave64
    (b"\x1a\x45\xdf\xa3", _matroska),
)
