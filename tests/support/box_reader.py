"""A reader of ISO-BMFF boxes for tests, written from the specifications as tables; it shares no code with Segue.

Every bit of every box is accounted for: a type that is in no table, fields that a box is too short for, bytes that are
left over, reserved bits that are set and unknown flags are all errors. A layout is a line of `name:bits`; names that
begin with `reserved` must be 0. Clauses are of ISO/IEC 14496-12 unless said.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field


class BoxError(Exception):
    """The bytes are not what the specification says."""


@dataclass(frozen=True)
class Layout:
    """What a box holds after its header: fields, then rows or boxes or raw bytes."""

    fields: str = ""
    full: bool = False
    version: int = 0
    flags: int = 0  # that may be set, besides those of optional fields
    rows: str = ""
    rows_counted_by: str = ""  # the field that counts rows; without it they reach to the end
    boxes: bool = False
    raw: bool = False
    optional: tuple[tuple[int, str], ...] = ()  # by flag, after the fields
    optional_in_rows: tuple[tuple[int, str], ...] = ()


_HEAD = "creation_time:32 modification_time:32"
_AUDIO_ENTRY = (  # §12.2.3
    "reserved:48 data_reference_index:16 reserved2:64 channelcount:16 samplesize:16 reserved3:32 samplerate:32"
)
_LOUDNESS = (  # §12.2.7, version 0
    "reserved:3 downmix_id:7 drc_set_id:6 sample_peak:12 true_peak:12 peak_system:4 peak_reliability:4 count:8"
)
_METHODS = "method:8 value:8 system:4 reliability:4"
_CONTAINER = Layout(boxes=True)
_EMPTY_TABLE = Layout("entry_count:32", full=True)

LAYOUTS = {
    **dict.fromkeys("moov trak edts mdia minf dinf stbl mvex udta ludt moof traf".split(), _CONTAINER),  # noqa: SIM905
    "ftyp": Layout("major_brand:32 minor_version:32", rows="brand:32"),  # §4.3
    "mvhd": Layout(  # §8.2.2
        f"{_HEAD} timescale:32 duration:32 rate:32 volume:16 reserved:16 reserved2:64 matrix:288 reserved3:192 "
        "next_track_id:32",
        full=True,
    ),
    "tkhd": Layout(  # §8.3.2
        f"{_HEAD} track_id:32 reserved:32 duration:32 reserved2:64 layer:16 alternate_group:16 volume:16 reserved3:16 "
        "matrix:288 width:32 height:32",
        full=True,
        flags=0x7,
    ),
    "elst": Layout(  # §8.6.6
        "entry_count:32",
        full=True,
        rows="segment_duration:32 media_time:32 rate:16 rate_fraction:16",
        rows_counted_by="entry_count",
    ),
    "mdhd": Layout(f"{_HEAD} timescale:32 duration:32 reserved:1 language:15 reserved2:16", full=True),  # §8.4.2
    "hdlr": Layout("reserved:32 handler_type:32 reserved2:96", full=True, raw=True),  # §8.4.3
    "smhd": Layout("balance:16 reserved:16", full=True),  # §12.2.2
    "dref": Layout("entry_count:32", full=True, boxes=True),  # §8.7.2
    "url ": Layout(full=True, flags=0x1),
    "stsd": Layout("entry_count:32", full=True, boxes=True),  # §8.5.2
    **dict.fromkeys(("mp4a", "Opus", "fLaC"), Layout(_AUDIO_ENTRY, boxes=True)),
    "esds": Layout(full=True, raw=True),  # ISO/IEC 14496-14 §5.6
    "btrt": Layout("buffer_bytes:32 largest_bps:32 average_bps:32"),  # §8.5.2
    "dOps": Layout(  # Encapsulation of Opus in ISO BMFF §4.3.2
        "version:8 channels:8 pre_skip:16 input_rate:32 gain:16 mapping_family:8"
    ),
    "dfLa": Layout(  # Encapsulation of FLAC in ISO BMFF §3.3.2; STREAMINFO of RFC 9639 §8.2
        "last:1 block_type:7 length:24 smallest_block:16 largest_block:16 smallest_frame:24 largest_frame:24 rate:20 "
        "channels_less_1:3 depth_less_1:5 samples:36 md5:128",
        full=True,
    ),
    "stts": _EMPTY_TABLE,  # §8.6.1
    "stsc": _EMPTY_TABLE,  # §8.7.4
    "stco": _EMPTY_TABLE,  # §8.7.5
    "stsz": Layout("sample_size:32 sample_count:32", full=True),  # §8.7.3
    "sgpd": Layout(  # §8.9.3, version 1, of the 2-byte entries of `roll` (§10.1)
        "grouping_type:32 default_length:32 entry_count:32",
        full=True,
        version=1,
        rows="roll_distance:16",
        rows_counted_by="entry_count",
    ),
    "tlou": Layout(_LOUDNESS, full=True, rows=_METHODS, rows_counted_by="count"),
    "alou": Layout(_LOUDNESS, full=True, rows=_METHODS, rows_counted_by="count"),
    "trex": Layout("track_id:32 description:32 duration:32 size:32 sample_flags:32", full=True),  # §8.8.3
    "sidx": Layout(  # §8.16.3
        "reference_id:32 timescale:32 earliest:64 first_offset:64 reserved:16 count:16",
        full=True,
        version=1,
        rows="reference_type:1 size:31 duration:32 starts_with_sap:1 sap_type:3 sap_delta:28",
        rows_counted_by="count",
    ),
    "mfhd": Layout("sequence:32", full=True),  # §8.8.5
    "tfhd": Layout(  # §8.8.7
        "track_id:32",
        full=True,
        flags=0x020000,
        optional=(
            (0x1, "base_data_offset:64"),
            (0x2, "description:32"),
            (0x8, "duration:32"),
            (0x10, "size:32"),
            (0x20, "sample_flags:32"),
        ),
    ),
    "tfdt": Layout("decode_time:64", full=True, version=1),  # §8.8.12
    "sbgp": Layout(  # §8.9.2
        "grouping_type:32 count:32", full=True, rows="samples:32 group:32", rows_counted_by="count"
    ),
    "trun": Layout(  # §8.8.8
        "count:32",
        full=True,
        optional=((0x1, "data_offset:32"), (0x4, "first_sample_flags:32")),
        rows="",
        rows_counted_by="count",
        optional_in_rows=((0x100, "duration:32"), (0x200, "size:32"), (0x400, "sample_flags:32"), (0x800, "offset:32")),
    ),
    "mdat": Layout(raw=True),
}  # fmt: skip


@dataclass
class Box:
    """A box as it was read. `start` and `size` are of the whole box."""

    type: str
    start: int
    size: int
    flags: int = 0
    values: dict[str, int] = field(default_factory=dict)
    rows: list[dict[str, int]] = field(default_factory=list)
    boxes: list["Box"] = field(default_factory=list)
    raw: bytes = b""

    def __getitem__(self, name: str) -> int:
        return self.values[name]

    def all(self, kind: str) -> list["Box"]:
        """The boxes of a type in this one."""
        return [box for box in self.boxes if box.type == kind]

    def one(self, path: str) -> "Box":
        """The box at a path of types, each of which must be there once."""
        found = self
        for kind in path.split("/"):
            (found,) = found.all(kind)
        return found

    def walk(self) -> Iterator["Box"]:
        """This box and all in it."""
        yield self
        for box in self.boxes:
            yield from box.walk()


class _Bits:
    def __init__(self, data: bytes, start: int, end: int, what: str) -> None:
        self.data, self.at, self.end, self.what = data, 8 * start, 8 * end, what

    def take(self, layout: str) -> dict[str, int]:
        values = {}
        for part in layout.split():
            name, _, bits = part.partition(":")
            values[name] = self._number(int(bits))
            if name.startswith("reserved") and values[name]:
                raise BoxError(f"{self.what}: {name} is not 0")
        return values

    def _number(self, bits: int) -> int:
        first, end = self.at // 8, -(-(self.at + bits) // 8)
        if self.at + bits > self.end:
            raise BoxError(f"{self.what}: ends before its fields do")
        number = int.from_bytes(self.data[first:end], "big") >> (8 * end - self.at - bits)
        self.at += bits
        return number & ((1 << bits) - 1)


def read_boxes(data: bytes, start: int = 0, end: int | None = None) -> list[Box]:
    """The boxes that fill `data` from `start` to `end`. Raises BoxError."""
    found, end = [], len(data) if end is None else end
    while start < end:
        head = _Bits(data, start, end, f"box at {start}").take("size:32 type:32")
        size, kind = head["size"], head["type"].to_bytes(4, "big").decode("ascii")
        if not 8 <= size <= end - start:
            raise BoxError(f"{kind} at {start}: {size} bytes")
        if kind not in LAYOUTS:
            raise BoxError(f"{kind} at {start}: in none of our tables")
        found.append(_read(data, start, size, kind))
        start += size
    return found


def _read(data: bytes, start: int, size: int, kind: str) -> Box:
    layout, box = LAYOUTS[kind], Box(kind, start, size)
    bits = _Bits(data, start + 8, start + size, f"{kind} at {start}")
    if layout.full:
        head = bits.take("version:8 flags:24")
        box.flags = head["flags"]
        if head["version"] != layout.version:
            raise BoxError(f"{bits.what}: version {head['version']}")
        if box.flags & ~(layout.flags | sum(flag for flag, _ in layout.optional + layout.optional_in_rows)):
            raise BoxError(f"{bits.what}: flags {box.flags:#x}")
    box.values = bits.take(layout.fields) | bits.take(_present(layout.optional, box.flags))
    row = " ".join((layout.rows, _present(layout.optional_in_rows, box.flags))).strip()
    if layout.rows_counted_by:
        box.rows = [bits.take(row) for _ in range(box[layout.rows_counted_by])]
    elif row:
        while bits.at < bits.end:
            box.rows.append(bits.take(row))
    if layout.boxes:
        box.boxes = read_boxes(data, bits.at // 8, bits.end // 8)
    elif layout.raw:
        box.raw = data[bits.at // 8 : bits.end // 8]
    elif bits.at != bits.end:
        raise BoxError(f"{bits.what}: {(bits.end - bits.at) // 8} bytes are left over")
    if "entry_count" in box.values and layout.boxes and box["entry_count"] != len(box.boxes):
        raise BoxError(f"{bits.what}: {len(box.boxes)} entries, not {box['entry_count']}")
    return box


def _present(optional: tuple[tuple[int, str], ...], flags: int) -> str:
    return " ".join(fields for flag, fields in optional if flags & flag)


def descriptors(data: bytes) -> dict[int, bytes]:
    """The descriptors that fill `data`, by tag (ISO/IEC 14496-1 §8.3.3). Raises BoxError."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        tag, size, more = data[at], 0, True
        at += 1
        while more:
            size, more = size << 7 | data[at] & 0x7F, bool(data[at] & 0x80)
            at += 1
        if at + size > len(data) or tag in found:
            raise BoxError(f"descriptor {tag} of {size} bytes")
        found[tag] = data[at : at + size]
        at += size
    return found
