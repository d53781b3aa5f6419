"""Track files encrypted and in the clear again: pure given the keys, so the same inputs give the same bytes.

An encrypted track file is the init section in the clear, then each segment as one encrypted range. There is no segment
index: it could only describe the file as it was. It is made again when the file is.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from cmaf.write import segment_index
from model.errors import KeyWrong, MediaError
from model.package import Package
from model.protection import Protection, ProtectionMethod
from model.segment import Segment, SegmentedRendition
from packager.track_files import track_file_name
from protection.cipher import decrypt, encrypt, sequence_iv
from protection.keys import NO_KEYS, KeyRing, MasterKey

_BLOCK_BYTES = 1 << 20
_WRONG_HINT = "the package names another key than it was encrypted with: run `segue package --repair`"
_Transform = Callable[[bytes, bytes, bytes], bytes]


def protected(
    clear: SegmentedRendition, source: BinaryIO, target: BinaryIO, *, master: MasterKey, rotation_segments: int = 0
) -> SegmentedRendition:
    """Write the encrypted form of a track file, which is in the clear, into the empty `target`.

    Raises MediaError if `source` is shorter than it says.
    """
    protection = Protection(
        method=ProtectionMethod.AES_128,
        key_set=master.key_set,
        key_id=master.key_id_of(clear.sha256),
        rotation_segments=rotation_segments,
    )
    target.write(_read(source, 0, clear.init_size_bytes))
    sizes = [target.write(data) for data in _segments(clear, source, protection, master, encrypt)]
    return _described(clear, target, sizes, index_size_bytes=0, protection=protection)


def cleared(
    rendition: SegmentedRendition, source: BinaryIO, target: BinaryIO, *, master: MasterKey
) -> SegmentedRendition:
    """Write a track file as it was before it was protected, byte for byte, into the empty `target`.

    Raises KeyWrong if it does not become that, and MediaError if `source` is shorter than it says.
    """
    protection = rendition.protection
    assert protection is not None
    durations = [each.duration_ticks for each in rendition.segments]
    room = segment_index(timescale=rendition.timescale, sizes=[0] * len(durations), durations=durations)
    target.write(_read(source, 0, rendition.init_size_bytes) + room)  # the sizes are known when all is decrypted
    sizes = [target.write(data) for data in _segments(rendition, source, protection, master, decrypt)]
    if 0 in sizes:
        raise KeyWrong("decrypted, a segment is empty", hint=_WRONG_HINT)
    target.seek(rendition.init_size_bytes)
    target.write(segment_index(timescale=rendition.timescale, sizes=sizes, durations=durations))
    clear = _described(rendition, target, sizes, index_size_bytes=len(room), protection=None)
    if master.key_id_of(clear.sha256) != protection.key_id:
        raise KeyWrong("decrypted, it is not the media that was protected", hint=_WRONG_HINT)
    return clear


def _segments(
    rendition: SegmentedRendition, source: BinaryIO, protection: Protection, master: MasterKey, transform: _Transform
) -> Iterator[bytes]:
    """Each segment, encrypted or decrypted. Its IV is its media sequence number."""
    for index, segment in enumerate(rendition.segments):
        key = master.content_key(protection.key_id, protection.period_of(index))
        data = _read(source, segment.offset_bytes, segment.size_bytes)
        try:
            yield transform(data, key, sequence_iv(index))
        except KeyWrong as error:
            raise KeyWrong(f"segment {index}: {error.message}", hint=_WRONG_HINT) from error


def _read(source: BinaryIO, offset: int, size: int) -> bytes:
    source.seek(offset)
    data = source.read(size)
    if len(data) != size:
        raise MediaError("the track file ends before its last segment")
    return data


def _described(
    rendition: SegmentedRendition,
    written: BinaryIO,
    sizes: Sequence[int],
    *,
    index_size_bytes: int,
    protection: Protection | None,
) -> SegmentedRendition:
    """The rendition as its new track file has it: segments of these sizes, and the hash."""
    offsets = accumulate(sizes, initial=rendition.init_size_bytes + index_size_bytes)
    segments = tuple(
        Segment(duration_ticks=before.duration_ticks, offset_bytes=offset, size_bytes=size)
        for before, offset, size in zip(rendition.segments, offsets, sizes, strict=False)
    )
    digest = hashlib.sha256()
    written.seek(0)
    while block := written.read(_BLOCK_BYTES):
        digest.update(block)
    return replace(
        rendition,
        track_file="",
        index_size_bytes=index_size_bytes,
        segments=segments,
        sha256=digest.hexdigest(),
        protection=protection,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Protector:
    """How the track files of new packages are protected, and the keys to those of old ones. As it is made without
    arguments, it protects nothing and opens nothing."""

    method: ProtectionMethod | None = None
    keys: KeyRing = NO_KEYS
    rotation_segments: int = 0

    @property
    def recipe(self) -> tuple[str, ...]:
        """What the bytes of a package depend on, as far as protection goes; nothing if it is in the clear."""
        if self.method is None:
            return ()
        return (self.method, self.keys.current.key_set, str(self.rotation_segments))

    def is_manner_of(self, package: Package) -> bool:
        """Whether a package is protected, or in the clear, as new ones are."""
        protection = package.protection
        if protection is None:
            return self.method is None
        return (protection.method, protection.key_set, str(protection.rotation_segments)) == self.recipe

    def opens(self, package: Package) -> bool:
        """Whether the track files of this package can be used: in the clear, or with a key that we have."""
        return package.protection is None or self.keys.has(package.protection.key_set)

    def opened(self, rendition: SegmentedRendition, path: Path) -> SegmentedRendition | None:
        """Bring the track file of a package that we open into the clear; None if that is not what comes out.

        Blocking. Raises KeyMissing or MediaError.
        """
        if rendition.protection is None:
            return rendition
        master = self.keys.master(rendition.protection.key_set)
        try:
            return _rewritten(path, lambda source, target: cleared(rendition, source, target, master=master))
        except KeyWrong:
            return None

    def applied(self, renditions: Sequence[SegmentedRendition], folder: Path) -> list[SegmentedRendition]:
        """Protect the track files in `folder`, which are in the clear, if that is wanted.

        Blocking. Raises KeyMissing or MediaError.
        """
        if self.method is None:
            return list(renditions)
        return [self._applied(each, folder / track_file_name(each.rendition.rendition_id)) for each in renditions]

    def _applied(self, clear: SegmentedRendition, path: Path) -> SegmentedRendition:
        master, rotation = self.keys.current, self.rotation_segments
        return _rewritten(
            path, lambda source, target: protected(clear, source, target, master=master, rotation_segments=rotation)
        )


def _rewritten(path: Path, rewrite: Callable[[BinaryIO, BinaryIO], SegmentedRendition]) -> SegmentedRendition:
    """Replace a file by what `rewrite` makes of it."""
    made = path.with_suffix(".rewritten")
    with path.open("rb") as source, made.open("w+b") as target:
        rendition = rewrite(source, target)
    made.replace(path)
    return rendition
