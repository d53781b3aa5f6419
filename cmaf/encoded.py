"""Reading what an encoder wrote: the frames of one audio track in an MP4 file.

ffmpeg writes every codec we use into this one container, with the decoder's configuration beside it, so one reader
serves AAC, Opus and FLAC. AAC and Opus come in fragments: nine tables of plain files would grow in the memory of the
program that writes them. FLAC comes plain, for its checksum of all samples is known at the end only.
"""

import struct
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from typing import BinaryIO

from cmaf.boxes import Box, load, top_boxes
from cmaf.fragments import fragments
from model.errors import MediaError
from model.rendition import Codec

AUDIO_ENTRY_FIELDS = 28  # AudioSampleEntry before its boxes (ISO/IEC 14496-12 §12.2.3)
FULL_BOX_FIELDS = 4
FRAMES_MAX = 1 << 23  # 24 hours of 10 ms frames
_CODEC_OF_ENTRY = {"mp4a": Codec.AAC, "Opus": Codec.OPUS, "fLaC": Codec.FLAC}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedTrack:
    """The frames of one encoding, in order, and what a decoder must know.

    `config` is the AudioSpecificConfig (AAC), the payload of `dOps` (Opus) or the blocks of `dfLa` (FLAC).
    `priming_ticks` is the encoder's delay, in ticks of `timescale`. All frames last `frame_ticks`, but the last one
    `last_ticks`. Offsets are positions in the file; with the sizes they take 12 bytes a frame.
    """

    codec: Codec
    config: bytes
    timescale: int
    channels: int
    bit_depth: int
    priming_ticks: int
    frame_ticks: int
    last_ticks: int
    offsets: Sequence[int]
    sizes: Sequence[int]

    @property
    def total_ticks(self) -> int:
        """What the frames hold, priming and padding included."""
        return (len(self.sizes) - 1) * self.frame_ticks + self.last_ticks

    @property
    def media_ticks(self) -> int:
        """What the frames hold after the priming, the encoder's padding at the end included."""
        return self.total_ticks - self.priming_ticks


def read_encoded(file: BinaryIO) -> EncodedTrack:
    """The one audio track of a file. Raises MediaError if it is not such a file."""
    moov = next((load(file, box) for box in top_boxes(file) if box.type == "moov"), None)
    if moov is None:
        raise MediaError("no moov box", hint="the encoder did not finish the file")
    mdia = moov.at("trak", "mdia")
    stbl = mdia.at("minf", "stbl")
    entry = next(stbl.child("stsd").children(skip=8), None)
    if entry is None or entry.type not in _CODEC_OF_ENTRY:
        raise MediaError(f"no sample entry of a codec that we package: {entry.type if entry else 'none'}")
    codec = _CODEC_OF_ENTRY[entry.type]
    config = _config(codec, entry)
    frames = _in_fragments(file) if moov.find("mvex") else _in_tables(stbl, file.seek(0, 2))
    return EncodedTrack(
        codec=codec,
        config=config,
        timescale=_timescale(mdia.child("mdhd")),
        channels=entry.uint(16, 2),
        bit_depth=entry.uint(18, 2),
        priming_ticks=_priming(codec, config, moov.child("trak")),
        frame_ticks=frames.frame_ticks,
        last_ticks=frames.last_ticks,
        offsets=frames.offsets,
        sizes=frames.sizes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frames:
    frame_ticks: int
    last_ticks: int
    offsets: Sequence[int]
    sizes: Sequence[int]


def _in_fragments(file: BinaryIO) -> _Frames:
    offsets, sizes = array("Q"), array("I")
    durations: list[tuple[int, int]] = []
    for each in fragments(file):
        if len(sizes) + len(each.sizes) > FRAMES_MAX:
            raise MediaError(f"a track of more than {FRAMES_MAX} frames")
        sizes.extend(each.sizes)
        offsets.extend(accumulate(each.sizes[:-1], initial=each.mdat.offset + each.mdat.header))
        durations = _joined([*durations, *_runs(each.durations)])
        frame_ticks, last_ticks = _ticks(durations)
    if not sizes:
        raise MediaError("a track of 0 frames")
    return _Frames(frame_ticks=frame_ticks, last_ticks=last_ticks, offsets=offsets, sizes=sizes)


def _in_tables(stbl: Box, file_bytes: int) -> _Frames:
    sizes = _sizes(stbl.child("stsz"))
    frame_ticks, last_ticks = _ticks(_joined(_durations(stbl.child("stts"), len(sizes))))
    offsets = _offsets(stbl, sizes)
    if any(offset + size > file_bytes for offset, size in zip(offsets, sizes, strict=True)):
        raise MediaError("frames lie past the end of the file", hint="the file is cut off")
    return _Frames(frame_ticks=frame_ticks, last_ticks=last_ticks, offsets=offsets, sizes=sizes)


def _runs(durations: Sequence[int]) -> Iterable[tuple[int, int]]:
    """How many frames last how many ticks, of the frames of a fragment: nearly always all last as long."""
    if durations.count(durations[0]) == len(durations):
        return [(len(durations), durations[0])]
    return ((1, ticks) for ticks in durations)


def _joined(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Runs of one duration: how many frames, and how many ticks each; neighbours of one duration are one run."""
    return [(sum(count for count, _ in alike), ticks) for ticks, alike in groupby(runs, key=lambda each: each[1])]


def _ticks(durations: list[tuple[int, int]]) -> tuple[int, int]:
    """The duration of every frame, and that of the last. Raises MediaError where others differ too, or one is 0."""
    (_, frame_ticks), *others = durations
    if len(others) > 1 or any(count != 1 for count, _ in others) or not all(ticks for _, ticks in durations):
        raise MediaError("frames of different durations cannot be cut on one grid")
    return frame_ticks, others[0][1] if others else frame_ticks


def _config(codec: Codec, entry: Box) -> bytes:
    if codec is Codec.OPUS:
        return entry.child("dOps", AUDIO_ENTRY_FIELDS).payload
    if codec is Codec.FLAC:
        return entry.child("dfLa", AUDIO_ENTRY_FIELDS).payload[FULL_BOX_FIELDS:]
    return audio_specific_config(entry.child("esds", AUDIO_ENTRY_FIELDS).payload[FULL_BOX_FIELDS:])


def audio_specific_config(descriptors: bytes) -> bytes:
    """The AudioSpecificConfig inside an ES descriptor (ISO/IEC 14496-1 §7.2.6)."""
    es_fields, decoder_config_fields = 3, 13
    es = _descriptor(descriptors, 0x03)[es_fields:]
    return _descriptor(_descriptor(es, 0x04)[decoder_config_fields:], 0x05)


def _descriptor(data: bytes, tag: int) -> bytes:
    """The body of the first descriptor, which must have this tag. Its size has 7 bits a byte, at most 4 bytes."""
    if not data or data[0] != tag:
        raise MediaError(f"no descriptor of tag {tag} in esds")
    size = 0
    for position in range(1, min(5, len(data))):
        size = size << 7 | data[position] & 0x7F
        if not data[position] & 0x80:
            return data[position + 1 : position + 1 + size]
    raise MediaError("descriptor in esds has no end to its size")


def _timescale(mdhd: Box) -> int:
    timescale = mdhd.uint(20 if mdhd.uint(0, 1) == 1 else 12, 4)
    if not timescale:
        raise MediaError("timescale of 0")
    return timescale


def _priming(codec: Codec, config: bytes, trak: Box) -> int:
    """AAC: where the edit list starts the media. Opus: pre-skip, in samples at 48 kHz. FLAC has none."""
    if codec is Codec.OPUS:
        return int.from_bytes(config[2:4], "big")
    edts = trak.find("edts")
    if codec is Codec.FLAC or edts is None:
        return 0
    elst = edts.child("elst")
    return elst.uint(16, 8) if elst.uint(0, 1) == 1 else elst.uint(12, 4)


def _durations(stts: Box, frames: int) -> list[tuple[int, int]]:
    """How many frames have which duration, in their order."""
    runs = [(count, ticks) for count, ticks in struct.iter_unpack(">II", _table(stts, 8, 8)) if count]
    if sum(count for count, _ in runs) != frames:
        raise MediaError(f"{frames} frame sizes but {sum(count for count, _ in runs)} durations")
    return runs


def _sizes(stsz: Box) -> Sequence[int]:
    same, count = stsz.uint(4, 4), stsz.uint(8, 4)
    if not 0 < count <= FRAMES_MAX:
        raise MediaError(f"a track of {count} frames")
    if same:
        return array("I", [same]) * count
    return array("I", (size for (size,) in struct.iter_unpack(">I", _table(stsz, 4, 12))))


def _offsets(stbl: Box, sizes: Sequence[int]) -> Sequence[int]:
    """Where each frame lies: chunks of consecutive frames (`stco` or `co64`, `stsc`)."""
    stco = stbl.find("stco")
    if stco is not None:
        chunks = [offset for (offset,) in struct.iter_unpack(">I", _table(stco, 4, 8))]
    else:
        chunks = [offset for (offset,) in struct.iter_unpack(">Q", _table(stbl.child("co64"), 8, 8))]
    runs = [(first, count) for first, count, _ in struct.iter_unpack(">III", _table(stbl.child("stsc"), 12, 8))]
    firsts = [first for first, _ in runs]
    if firsts[:1] != [1] or any(later <= first for first, later in pairwise(firsts)):
        raise MediaError("runs of chunks are not in order")
    ends = [*firsts[1:], len(chunks) + 1]
    offsets = array("Q")
    for (first, per_chunk), end in zip(runs, ends, strict=True):
        for chunk in chunks[first - 1 : end - 1]:
            in_chunk = sizes[len(offsets) : len(offsets) + per_chunk]
            offsets.extend(accumulate(in_chunk[:-1], initial=chunk) if in_chunk else ())
    if len(offsets) != len(sizes):
        raise MediaError(f"{len(sizes)} frames but {len(offsets)} positions")
    return offsets


def _table(box: Box, entry_bytes: int, fields: int) -> bytes:
    """The entries of a table whose count is the last of its `fields` bytes before them."""
    count = box.uint(fields - 4, 4)
    if box.start + fields + count * entry_bytes > box.end:
        raise MediaError(f"table {box.type} is cut off")
    return box.data[box.start + fields : box.start + fields + count * entry_bytes]
