"""Looking at fragmented MP4 of anybody: an init section and media segments, each by itself, as they come over the wire.

`cmaf.read` refuses what is not a CMAF track file; this reads on and says what it saw. Nothing here raises on bad bytes.
"""

from dataclasses import dataclass
from itertools import islice

from cmaf.boxes import Box, boxes_in
from cmaf.encoded import AUDIO_ENTRY_FIELDS, FULL_BOX_FIELDS, audio_specific_config
from cmaf.fragments import DEFAULT_BYTES, DEFAULT_TICKS, ENTRY, default_fields
from model.errors import MediaError

FRAMES_MAX = 1 << 20  # in one run; 6 s of AAC have 282
BOXES_MAX = 10_000  # at the top of a segment; one cut into low-latency chunks has some hundreds
ENTRIES_MAX = 16  # in one stsd; a track that begins in the clear has two
HEADER_BYTES_MAX = 1 << 20  # of a moof or sidx; one of 6 s takes about 1 kB
_CODEC_OF_ENTRY = {"Opus": "Opus", "fLaC": "fLaC", "alac": "alac", "ac-3": "ac-3", "ec-3": "ec-3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Boxes that could not be read: which, and why."""

    box: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InitLook:
    """What an init section says, of its first audio track. `audio_tracks` is 0 where there is only something else.

    `codecs` are the CODECS entries that are right for it, none if we do not know. `edit_media_time` is None without an
    edit list; `groups` are the sample groups that are described, `mapped` those that samples are put into by default.
    `protected` says of each sample entry whether its samples are encrypted, `default_entry` which one of them (from 1)
    samples are of where a fragment does not say.
    """

    flaws: tuple[Flaw, ...]
    brands: tuple[str, ...] = ()
    tracks: int = 0
    audio_tracks: int = 0
    fragmented: bool = False
    samples: int = 0
    sample_entry: str = ""
    protected: tuple[bool, ...] = ()
    config: bytes | None = None
    codecs: tuple[str, ...] = ()
    timescale: int = 0
    sample_rate_hz: int = 0
    channels: int = 0
    language: str = ""
    edit_media_time: int | None = None
    groups: tuple[str, ...] = ()
    mapped: tuple[str, ...] = ()
    has_rates: bool = False
    has_loudness: bool = False
    default_ticks: int = 0
    default_bytes: int = 0
    default_entry: int = 1

    @property
    def one_sound(self) -> bool:
        """Whether sound is all that there is: then fragments can be looked at, for they are of one track."""
        return self.tracks == self.audio_tracks == 1

    @property
    def pre_skip(self) -> int:
        """Opus: the samples at 48 kHz that `dOps` says to skip."""
        is_opus = self.sample_entry == "Opus" and self.config and len(self.config) >= 4
        return int.from_bytes(self.config[2:4], "big") if is_opus and self.config else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentLook:
    """One `moof` with its `mdat`. `decode_time` is None without `tfdt`; `protected`: its samples are encrypted."""

    trafs: int
    truns: int
    relative: bool
    decode_time: int | None
    duration_ticks: int
    frames: int
    frames_bytes: int
    media_bytes: int
    groups: tuple[str, ...]
    protected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLook:
    """A media segment: its fragments, and what a `sidx` inside it refers to (bytes and ticks of each)."""

    size_bytes: int
    flaws: tuple[Flaw, ...]
    fragments: tuple[FragmentLook, ...]
    index: tuple[tuple[int, int], ...] | None = None
    after_index_bytes: int = 0

    @property
    def duration_ticks(self) -> int:
        """The sum of its sample durations."""
        return sum(each.duration_ticks for each in self.fragments)

    @property
    def frames(self) -> int:
        """How many samples it has."""
        return sum(each.frames for each in self.fragments)


def look_at_init(data: bytes) -> InitLook:
    """What an init section says, as far as its boxes can be read."""
    flaws: list[Flaw] = []
    tops = _tops(data, flaws)
    ftyp = next((box for box in tops if box.type == "ftyp"), None)
    moov = next((box for box in tops if box.type == "moov"), None)
    brands = _brands(ftyp) if ftyp else ()
    if moov is None:
        return InitLook(flaws=(*flaws, Flaw(box="moov", message="no moov box")), brands=brands)
    try:
        return _look_at_movie(moov, brands, flaws)
    except MediaError as error:
        return InitLook(flaws=(*flaws, Flaw(box="moov", message=str(error))), brands=brands)


def look_at_segment(data: bytes, init: InitLook) -> SegmentLook:
    """The fragments of a media segment, as far as its boxes can be read."""
    flaws: list[Flaw] = []
    fragments: list[FragmentLook] = []
    index: tuple[tuple[int, int], ...] | None = None
    after_index = 0
    tops = _tops(data, flaws)
    for number, box in enumerate(tops):
        try:
            if box.type == "moof":
                after = tops[number + 1] if number + 1 < len(tops) else None
                media_bytes = after.end - after.start if after and after.type == "mdat" else 0
                fragments.append(_fragment(box, init, media_bytes))
            elif box.type == "sidx" and index is None:
                index, after_index = references(box), len(data) - box.end
        except MediaError as error:
            flaws.append(Flaw(box=box.type, message=str(error)))
    return SegmentLook(
        size_bytes=len(data),
        flaws=tuple(flaws),
        fragments=tuple(fragments),
        index=index,
        after_index_bytes=after_index,
    )


def look_at_index(data: bytes) -> tuple[tuple[int, int], ...] | None:
    """The references of the `sidx` in the bytes between an init section and the first fragment; None without one."""
    try:
        sidx = next((box for box in boxes_in(data, 0, len(data)) if box.type == "sidx"), None)
        return references(sidx) if sidx else None
    except MediaError:
        return None


def references(sidx: Box) -> tuple[tuple[int, int], ...]:
    """Size in bytes and duration in ticks of each reference of a segment index (ISO/IEC 14496-12 §8.16.3)."""
    first = 24 if sidx.uint(0, 1) == 0 else 32
    count = sidx.uint(first - 2, 2)
    return tuple(
        (sidx.uint(first + 12 * number, 4) & 0x7FFF_FFFF, sidx.uint(first + 12 * number + 4, 4))
        for number in range(count)
    )


def _tops(data: bytes, flaws: list[Flaw]) -> list[Box]:
    tops: list[Box] = []
    try:
        for box in boxes_in(data, 0, len(data)):
            if len(tops) >= BOXES_MAX:
                raise MediaError(f"more than {BOXES_MAX} boxes")
            if box.type in ("moof", "sidx") and box.end - box.start > HEADER_BYTES_MAX:
                raise MediaError(f"{box.type} of {box.end - box.start} bytes is larger than any that we read")
            tops.append(box)
    except MediaError as error:
        flaws.append(Flaw(box=tops[-1].type if tops else "", message=str(error)))
    return tops


def _brands(ftyp: Box) -> tuple[str, ...]:
    text = ftyp.payload.decode("latin-1")
    return (text[:4], *(text[i : i + 4] for i in range(8, len(text) - 3, 4)))


def _look_at_movie(moov: Box, brands: tuple[str, ...], flaws: list[Flaw]) -> InitLook:
    traks = [box for box in moov.children() if box.type == "trak"]
    sounds = [trak for trak in traks if _handler(trak) == "soun"]
    mvex = moov.find("mvex")
    trex = mvex.find("trex") if mvex else None
    if not sounds:
        return InitLook(flaws=tuple(flaws), brands=brands, tracks=len(traks), fragmented=mvex is not None)
    trak = sounds[0]
    mdia = trak.child("mdia")
    mdhd = mdia.child("mdhd")
    stbl = mdia.at("minf", "stbl")
    stsd = stbl.child("stsd")
    entries = list(islice(stsd.children(skip=8), min(max(1, stsd.uint(4, 4)), ENTRIES_MAX)))
    if not entries:
        raise MediaError("no sample entry")
    entry = entries[0]
    kind = _original_format(entry)
    config = _config(entry, kind)
    long = mdhd.uint(0, 1) == 1
    return InitLook(
        flaws=tuple(flaws),
        brands=brands,
        tracks=len(traks),
        audio_tracks=len(sounds),
        fragmented=mvex is not None,
        samples=_samples(stbl),
        sample_entry=kind,
        protected=tuple(_is_protected(each) for each in entries),
        config=config,
        codecs=_codecs(kind, config),
        timescale=mdhd.uint(20 if long else 12, 4),
        sample_rate_hz=entry.uint(24, 2),
        channels=entry.uint(16, 2),
        language=_language(mdhd.uint(32 if long else 20, 2)),
        edit_media_time=_edit(trak),
        groups=_groups(stbl, "sgpd"),
        mapped=(*_groups(stbl, "sbgp"), *_default_groups(stbl)),
        has_rates=entry.find("btrt", AUDIO_ENTRY_FIELDS) is not None,
        has_loudness=_has_loudness(trak),
        default_ticks=trex.uint(12, 4) if trex else 0,
        default_bytes=trex.uint(16, 4) if trex else 0,
        default_entry=trex.uint(8, 4) if trex else 1,
    )


def _handler(trak: Box) -> str:
    hdlr = trak.child("mdia").child("hdlr")
    return hdlr.payload[8:12].decode("latin-1")


def _original_format(entry: Box) -> str:
    """The sample entry before it was encrypted (§8.12.2)."""
    if entry.type != "enca":
        return entry.type
    sinf = entry.find("sinf", AUDIO_ENTRY_FIELDS)
    frma = sinf.find("frma") if sinf else None
    return frma.payload[:4].decode("latin-1") if frma else entry.type


def _is_protected(entry: Box) -> bool:
    """Whether samples of this entry are encrypted, unless a sample group says otherwise (ISO/IEC 23001-7 §8.2)."""
    found: Box | None = entry.find("sinf", AUDIO_ENTRY_FIELDS) if entry.type == "enca" else None
    for name in ("schi", "tenc"):
        found = found.find(name) if found else None
    return bool(found and found.uint(6, 1))


def _config(entry: Box, kind: str) -> bytes | None:
    """The decoder's configuration, None where it is missing or cannot be read."""
    name = {"Opus": "dOps", "fLaC": "dfLa", "mp4a": "esds", "alac": "alac"}.get(kind, "")
    found = entry.find(name, AUDIO_ENTRY_FIELDS) if name else None
    if found is None:
        return None
    if kind == "Opus":
        return found.payload
    if kind != "mp4a":
        return found.payload[FULL_BOX_FIELDS:]
    try:
        return audio_specific_config(found.payload[FULL_BOX_FIELDS:])
    except MediaError:
        return None


def _codecs(kind: str, config: bytes | None) -> tuple[str, ...]:
    if kind != "mp4a":
        return (_CODEC_OF_ENTRY[kind],) if kind in _CODEC_OF_ENTRY else ()
    if not config or len(config) < 2:
        return ()
    object_type = config[0] >> 3
    if object_type == 31:  # escape: 32 and 6 bits (ISO/IEC 14496-3 §1.6.2.1)
        object_type = 32 + ((config[0] & 7) << 3 | config[1] >> 5)
    codecs = [f"mp4a.40.{object_type}"]
    bits = int.from_bytes(config, "big") << 8 >> (8 * len(config) + 8 - 33) if len(config) >= 5 else 0
    if object_type == 2 and bits >> 6 & 0x7FF == 0x2B7 and bits & 1:  # SBR in the way that old decoders pass over
        codecs.append("mp4a.40.5")
    return tuple(codecs)


def _language(packed: int) -> str:
    return "".join(chr((packed >> shift & 0x1F) + 0x60) for shift in (10, 5, 0))


def _edit(trak: Box) -> int | None:
    """Where the media starts: the first edit that shows media; None without an edit list."""
    edts = trak.find("edts")
    elst = edts.find("elst") if edts else None
    if elst is None:
        return None
    wide = elst.uint(0, 1) == 1
    for number in range(min(elst.uint(4, 4), 16)):
        at = 8 + number * (20 if wide else 12)
        media_time = elst.uint(at + (8 if wide else 4), 8 if wide else 4)
        if media_time != (1 << (64 if wide else 32)) - 1:  # -1: an empty edit
            return media_time
    return 0


def _groups(box: Box, kind: str) -> tuple[str, ...]:
    return tuple(each.payload[4:8].decode("latin-1") for each in box.children() if each.type == kind)


def _default_groups(stbl: Box) -> tuple[str, ...]:
    """Groups that hold every sample that no `sbgp` maps (`sgpd` of version 2 with a default, §8.9.3)."""
    found = (each for each in stbl.children() if each.type == "sgpd" and each.payload[:1] == b"\x02")
    return tuple(each.payload[4:8].decode("latin-1") for each in found if any(each.payload[8:12]))


def _has_loudness(trak: Box) -> bool:
    udta = trak.find("udta")
    return udta is not None and udta.find("ludt") is not None


def _samples(stbl: Box) -> int:
    stsz = stbl.find("stsz")
    return stsz.uint(8, 4) if stsz else 0


def _fragment(moof: Box, init: InitLook, media_bytes: int) -> FragmentLook:
    trafs = [box for box in moof.children() if box.type == "traf"]
    truns = [box for traf in trafs for box in traf.children() if box.type == "trun"]
    tfhd = trafs[0].find("tfhd") if trafs else None
    tfdt = trafs[0].find("tfdt") if trafs else None
    flags = tfhd.uint(1, 3) if tfhd else 0
    fields = default_fields(tfhd) if tfhd else {}
    ticks, size = fields.get(DEFAULT_TICKS, init.default_ticks), fields.get(DEFAULT_BYTES, init.default_bytes)
    entry = fields.get(ENTRY, init.default_entry)
    totals = [_frames(trun, ticks, size) for trun in truns[:1000]]
    return FragmentLook(
        trafs=len(trafs),
        truns=len(truns),
        relative=bool(flags & 0x020000) and not flags & 0x1,
        decode_time=tfdt.uint(4, 8 if tfdt.uint(0, 1) else 4) if tfdt else None,
        duration_ticks=sum(each[1] for each in totals),
        frames=sum(each[0] for each in totals),
        frames_bytes=sum(each[2] for each in totals),
        media_bytes=media_bytes,
        groups=tuple(group for traf in trafs for group in _groups(traf, "sbgp")),
        protected=0 < entry <= len(init.protected) and init.protected[entry - 1],
    )


def _frames(trun: Box, default_ticks: int, default_bytes: int) -> tuple[int, int, int]:
    """How many samples a run has, their whole duration and their whole size."""
    flags, count = trun.uint(1, 3), trun.uint(4, 4)
    columns = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    stride = 4 * len(columns)
    first = 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    if count > FRAMES_MAX or trun.start + first + stride * count > trun.end:
        raise MediaError(f"a run of {count} samples in a box of {trun.end - trun.start} bytes")
    rows = range(first, first + stride * count, stride) if stride else range(0)
    return (
        count,
        _column(trun, rows, columns, 0x100, default_ticks * count),
        _column(trun, rows, columns, 0x200, default_bytes * count),
    )


def _column(trun: Box, rows: range, columns: list[int], bit: int, otherwise: int) -> int:
    if bit not in columns:
        return otherwise
    at = 4 * columns.index(bit)
    return sum(trun.uint(row + at, 4) for row in rows)
