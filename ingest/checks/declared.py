"""Whether a file is whole, by its container's own promises. A decoder plays what is left of it and reports success."""

import os
from collections.abc import Callable
from typing import BinaryIO

from ingest.checks.flac import flac
from ingest.checks.matroska import matroska
from ingest.checks.mp4 import mp4
from ingest.checks.mpeg import adts, adts_frame_size, mp3, unsynchronised
from ingest.checks.ogg import ogg
from ingest.checks.pcm import aiff, caf, riff, w64
from ingest.checks.promise import SAYS_NOTHING, Endless, Promise, read_at
from ingest.checks.wavpack import wavpack
from ingest.scan import COPY_HINT, Source, plain_file, unreadable
from model.errors import SourceEncrypted, SourceError, SourceHeaderLies, SourceTruncated

SAMPLE_RATES_HZ = (4_000, 384_000)  # resampling from other rates would cost hours, and no music has them
CHANNELS_SANE = range(1, 256)
TAGS_MAX = 8
_MP4_BOXES = frozenset([b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"moof", b"sidx"])
_LONG_WAV_BYTES = 0xFFFF_0000  # what 32 bits can say and a bit less
_Reader = Callable[[BinaryIO, int, int], Promise]


def check_whole(source: Source) -> None:
    """Refuse what ends before its audio does, by bounded reads and without decoding. Blocking.

    Raises SourceTruncated, SourceHeaderLies for a header that no music can have or that contradicts itself,
    SourceEncrypted, and what `unreadable` makes of a file that cannot be read.
    """
    size, promise = _look(source)
    if promise.encrypted:
        raise encrypted(source)
    if promise.endless:
        raise SourceHeaderLies("no sound in its first thousand chunks", subject=source.name, hint=COPY_HINT)
    if promise.unfilled:
        hint = "it was written to a pipe; write it to a file, or as WAV"
        raise SourceHeaderLies("the sizes in its header were never filled in", subject=source.name, hint=hint)
    check_format(promise.sample_rate_hz, promise.channels, subject=source.name)
    if promise.end is not None and promise.end > size:
        raise _short(source, promise, size)
    if promise.lacks:
        raise SourceTruncated(f"the file is cut off: it lacks {promise.lacks}", subject=source.name, hint=COPY_HINT)
    if promise.outer_end is not None and promise.end is not None and size - promise.end > _LONG_WAV_BYTES:
        hint = "a WAV of more than 4 GiB has to be written as RF64 or W64; convert it where it was made"
        raise SourceHeaderLies("its header counts less than the file holds", subject=source.name, hint=hint)


def declared_samples(source: Source) -> int | None:
    """How many samples a source's headers promise, of one channel and at its own rate; None if they do not tell.

    Exact for lossless sources, Ogg and MP3 with LAME's tag (delay and padding taken off).

    Blocking. Raises what `unreadable` makes of a file that cannot be read.
    """
    return _look(source)[1].samples


def check_format(sample_rate_hz: float | None, channels: int | None, *, subject: str) -> None:
    """Raises SourceHeaderLies for a sample rate or a number of channels that no music has."""
    low, high = SAMPLE_RATES_HZ
    if sample_rate_hz is not None and not low <= sample_rate_hz <= high:
        hint = f"{low / 1000:.0f} to {high / 1000:.0f} kHz can be published; if it plays, convert it"
        raise SourceHeaderLies(f"its header says {sample_rate_hz:.0f} Hz", subject=subject, hint=hint)
    if channels is not None and channels not in CHANNELS_SANE:
        hint = "mono to 7.1 can be published; if it plays, convert it"
        raise SourceHeaderLies(f"its header says {channels} channels", subject=subject, hint=hint)


def encrypted(source: Source) -> SourceEncrypted:
    """Nobody but its player can decode it."""
    hint = "get it without copy protection (DRM) from where it was bought"
    return SourceEncrypted("the audio is encrypted", subject=source.name, hint=hint)


def promise_of(file: BinaryIO, size: int) -> Promise:
    """What the headers of any container that we take promise; nothing for all other bytes."""
    start = _behind_id3(file, size)
    if start > size:
        return Promise(end=start)
    reader = _reader_of(read_at(file, start, 16))
    try:
        return reader(file, start, size) if reader else SAYS_NOTHING
    except Endless:
        return Promise(endless=True)


def _look(source: Source) -> tuple[int, Promise]:
    try:
        with open(source.path, "rb", opener=plain_file) as file:
            size = file.seek(0, os.SEEK_END)
            return size, promise_of(file, size)
    except OSError as error:
        raise unreadable(source, error) from error


def _short(source: Source, promise: Promise, size: int) -> SourceError:
    said = f"{size} of {promise.end} bytes"
    if promise.outer_end is not None and promise.outer_end <= size:
        hint = "the program that wrote it failed; convert it there again, or let an editor repair its header"
        return SourceHeaderLies(f"its header contradicts itself: there are {said}", subject=source.name, hint=hint)
    return SourceTruncated(f"the file is cut off: it has {said}", subject=source.name, hint=COPY_HINT)


def _behind_id3(file: BinaryIO, size: int) -> int:
    """Where the ID3v2 tags at the front end: before MP3, AAC and FLAC there may be some."""
    at = 0
    for _ in range(TAGS_MAX):
        head = read_at(file, at, 10)
        if len(head) < 10 or head[:3] != b"ID3" or at > size:
            break
        at += 10 + unsynchronised(head[6:]) + (10 if head[5] & 0x10 else 0)
    return at


def _reader_of(head: bytes) -> _Reader | None:
    name = head[:4]
    if name in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return riff
    if name == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return aiff
    if head[4:8] in _MP4_BOXES:
        return mp4
    if named := _BY_NAME.get(name):
        return named
    return adts if adts_frame_size(head) else mp3


_BY_NAME: dict[bytes, _Reader] = {
    b"riff": w64,
    b"caff": caf,
    b"fLaC": flac,
    b"OggS": ogg,
    b"wvpk": wavpack,
    b"\x1aE\xdf\xa3": matroska,
}
