"""Reading a CMAF track file back, whoever wrote it. Shares no code with cmaf.write."""

import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from cmaf.boxes import Box, TopBox, load, top_boxes
from cmaf.encoded import AUDIO_ENTRY_FIELDS, FULL_BOX_FIELDS, audio_specific_config
from cmaf.fragments import DEFAULT_TICKS, default_fields
from model.errors import MediaError


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One `moof` with its `mdat`, as found. Times in ticks of the track's timescale. `rolled_frames` are those that
    `sbgp` puts into the first `roll` group of the header."""

    offset_bytes: int
    size_bytes: int
    sequence: int
    decode_time: int
    duration_ticks: int
    frame_count: int
    frames_size_bytes: int
    media_size_bytes: int
    rolled_frames: int
    box_types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedTrack:
    """A CMAF track file as found. `edit_media_time` is None where there is no edit list; `config` is the
    AudioSpecificConfig, or the payload of `dOps` or `dfLa`; `bitrates_bps` are the largest and the average of `btrt`;
    loudness comes from `ludt`."""

    brands: tuple[str, ...]
    init_size_bytes: int
    header_box_types: tuple[str, ...]
    sample_entry: str
    config: bytes
    timescale: int
    entry_rate_hz: int
    channels: int
    bit_depth: int
    bitrates_bps: tuple[int, int] | None
    edit_media_time: int | None
    roll_distance: int | None
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    album_loudness_lufs: float | None
    album_true_peak_dbtp: float | None
    index: tuple[tuple[int, int], ...]  # size in bytes and duration in ticks of each reference of `sidx`
    index_size_bytes: int
    fragments: tuple[Fragment, ...]


def read_track_file(file: BinaryIO) -> ParsedTrack:
    """Everything that a track file says of itself. Raises MediaError for what is not one."""
    tops = list(top_boxes(file))
    by_type = {top.type: top for top in reversed(tops)}
    for needed in ("ftyp", "moov"):
        if needed not in by_type:
            raise MediaError(f"no {needed} box")
    moov = load(file, by_type["moov"])
    trak = moov.child("trak")
    mdia = trak.child("mdia")
    stbl = mdia.at("minf", "stbl")
    entry = next(stbl.child("stsd").children(skip=8), None)
    if entry is None:
        raise MediaError("no sample entry")
    index = load(file, by_type["sidx"]) if "sidx" in by_type else None
    lufs, peak_dbtp = _loudness(trak, "tlou")
    album_lufs, album_peak_dbtp = _loudness(trak, "alou")
    mdhd = mdia.child("mdhd")
    trex = moov.at("mvex", "trex")
    return ParsedTrack(
        brands=_brands(load(file, by_type["ftyp"])),
        init_size_bytes=by_type["moov"].offset + by_type["moov"].size,
        header_box_types=tuple(_types(moov)),
        sample_entry=entry.type,
        config=_config(entry),
        timescale=mdhd.uint(20 if mdhd.uint(0, 1) else 12, 4),
        entry_rate_hz=entry.uint(24, 4) >> 16,
        channels=entry.uint(16, 2),
        bit_depth=entry.uint(18, 2),
        bitrates_bps=_bitrates(entry),
        edit_media_time=_edit(trak),
        roll_distance=_roll(stbl),
        loudness_lufs=lufs,
        true_peak_dbtp=peak_dbtp,
        album_loudness_lufs=album_lufs,
        album_true_peak_dbtp=album_peak_dbtp,
        index=tuple(_references(index)) if index else (),
        index_size_bytes=by_type["sidx"].size if index else 0,
        fragments=tuple(_fragments(file, tops, default_ticks=trex.uint(12, 4))),
    )


_ROLL = int.from_bytes(b"roll", "big")
_DEPTH_MAX = 8  # boxes inside boxes; CMAF has 7
_CONTAINERS = {"moov", "trak", "edts", "mdia", "minf", "dinf", "stbl", "mvex", "udta", "moof", "traf"}


def _types(box: Box, depth: int = 1) -> Iterator[str]:
    """The types of a box and of all boxes inside it, in order."""
    if depth > _DEPTH_MAX:
        raise MediaError("boxes are nested too deeply")
    yield box.type
    if box.type in _CONTAINERS:
        for child in box.children():
            yield from _types(child, depth + 1)


def _brands(ftyp: Box) -> tuple[str, ...]:
    text = ftyp.payload.decode("latin-1")
    return (text[:4], *(text[i : i + 4] for i in range(8, len(text) - 3, 4)))


def _config(entry: Box) -> bytes:
    for kind in ("dOps", "dfLa"):
        found = entry.find(kind, AUDIO_ENTRY_FIELDS)
        if found is not None:
            return found.payload
    return audio_specific_config(entry.child("esds", AUDIO_ENTRY_FIELDS).payload[FULL_BOX_FIELDS:])


def _bitrates(entry: Box) -> tuple[int, int] | None:
    btrt = entry.find("btrt", AUDIO_ENTRY_FIELDS)
    return None if btrt is None else (btrt.uint(4, 4), btrt.uint(8, 4))


def _edit(trak: Box) -> int | None:
    edts = trak.find("edts")
    if edts is None:
        return None
    elst = edts.child("elst")
    if elst.uint(4, 4) != 1:
        raise MediaError(f"an edit list of {elst.uint(4, 4)} edits")
    return elst.uint(16, 8) if elst.uint(0, 1) else elst.uint(12, 4)


def _roll(stbl: Box) -> int | None:
    sgpd = stbl.find("sgpd")
    if sgpd is None or sgpd.uint(4, 4) != _ROLL:
        return None
    return int.from_bytes(sgpd.payload[16:18], "big", signed=True)


def _loudness(trak: Box, kind: str) -> tuple[float | None, float | None]:
    """Loudness and true peak of the track (`tlou`) or its album (`alou`)."""
    udta = trak.find("udta")
    ludt = udta.find("ludt") if udta else None
    info = ludt.find(kind) if ludt else None
    if info is None:
        return None, None
    peak = info.uint(6, 3) & 0xFFF
    return info.uint(12, 1) / 4 - 57.75, (20 - peak / 32) if peak else None


def _references(sidx: Box) -> Iterator[tuple[int, int]]:
    first = 24 if sidx.uint(0, 1) == 0 else 32
    for number in range(sidx.uint(first - 2, 2)):
        size, ticks = sidx.uint(first + 12 * number, 4), sidx.uint(first + 12 * number + 4, 4)
        if size >> 31:
            raise MediaError("a segment index that refers to another index")
        yield size, ticks


def _fragments(file: BinaryIO, tops: list[TopBox], *, default_ticks: int) -> Iterator[Fragment]:
    for moof_top, mdat in itertools.zip_longest(tops, tops[1:]):
        if moof_top.type != "moof":
            continue
        if mdat is None or mdat.type != "mdat":
            raise MediaError(f"moof is followed by {mdat.type if mdat else 'nothing'}, not by mdat")
        moof = load(file, moof_top)
        trafs = [child for child in moof.children() if child.type == "traf"]
        inside = list(trafs[0].children()) if trafs else []
        truns = [child for child in inside if child.type == "trun"]
        if len(trafs) != 1 or len(truns) != 1:
            raise MediaError("a CMAF fragment has one traf with one trun")
        tfhd, tfdt = (_first(inside, kind) for kind in ("tfhd", "tfdt"))
        ticks, size = _frames(truns[0], default_fields(tfhd).get(DEFAULT_TICKS, default_ticks))
        yield Fragment(
            offset_bytes=moof_top.offset,
            size_bytes=moof_top.size + mdat.size,
            sequence=moof.child("mfhd").uint(4, 4),
            decode_time=tfdt.uint(4, 8 if tfdt.uint(0, 1) else 4),
            duration_ticks=ticks,
            frame_count=truns[0].uint(4, 4),
            frames_size_bytes=size,
            media_size_bytes=mdat.size - mdat.header,
            rolled_frames=_rolled(inside),
            box_types=tuple(_types(moof)),
        )


def _first(inside: Sequence[Box], kind: str) -> Box:
    """The first box of a type in a `traf`."""
    found = next((box for box in inside if box.type == kind), None)
    if found is None:
        raise MediaError(f"box traf has no {kind} box")
    return found


def _rolled(inside: Sequence[Box]) -> int:
    """How many frames of a `traf` belong to the first group of type `roll` in the header."""
    frames = 0
    for sbgp in inside:
        if sbgp.type != "sbgp" or sbgp.uint(4, 4) != _ROLL:
            continue
        first = 16 if sbgp.uint(0, 1) else 12
        for entry in range(min(sbgp.uint(first - 4, 4), (sbgp.end - sbgp.start) // 8)):
            count, group = sbgp.uint(first + 8 * entry, 4), sbgp.uint(first + 8 * entry + 4, 4)
            frames += count if group == 1 else 0
    return frames


def _frames(trun: Box, default_ticks: int) -> tuple[int, int]:
    """Total duration and total size of the frames of a run."""
    flags, count = trun.uint(1, 3), trun.uint(4, 4)
    present = [bool(flags & bit) for bit in (0x100, 0x200, 0x400, 0x800)]
    columns = sum(present)
    first = 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    if not present[1] or trun.start + first + 4 * columns * count > trun.end:
        raise MediaError("trun without its frame sizes")
    table = struct.unpack_from(f">{columns * count}I", trun.data, trun.start + first)
    ticks = sum(table[::columns]) if present[0] else default_ticks * count
    return ticks, sum(table[present[0] :: columns])
