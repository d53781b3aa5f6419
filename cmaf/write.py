"""Writing the boxes of a CMAF audio track file: header, segment index and fragments (ISO/IEC 23000-19).

Bytes depend on the arguments alone: no clock, no random ids. Clause numbers are of ISO/IEC 14496-12 unless said.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from model.loudness import LoudnessReport
from model.rendition import Codec

TRACK_ID = 1
SYNC_SAMPLE = 0x0200_0000  # sample_depends_on = 2: every audio frame here can be decoded by itself
_UNITY_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_LANGUAGE_UND = 0x55C4  # "und", packed as three 5-bit letters (§8.4.2.3)
# Frames a decoder must run before one is right: AAC needs the frame before (overlap), Opus 80 ms, here 4 × 20 ms
# (Encapsulation of Opus in ISO BMFF §4.3.6.2).
_ROLL_DISTANCE = {Codec.AAC: -1, Codec.OPUS: -4}
_BRANDS = {
    Codec.AAC: (b"cmfc", b"iso6", b"caac"),  # caac: the CMAF AAC core media profile (ISO/IEC 23000-19 A.3)
    Codec.OPUS: (b"cmfc", b"iso6", b"iso9"),
    Codec.FLAC: (b"cmfc", b"iso6", b"iso9"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackHeader:
    """What the header of a track file says. Bit rates are those of the frames, in bits per second: the most that starts
    within any second, and the average (§8.5.2). `album_loudness` is told beside the track's own, if there is one."""

    codec: Codec
    config: bytes
    timescale: int
    channels: int
    bit_depth: int
    priming_ticks: int
    frame_ticks: int
    frame_bytes_max: int
    bitrate_max_bps: int
    bitrate_average_bps: int
    loudness: LoudnessReport
    album_loudness: LoudnessReport | None = None


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of `parts`."""
    size = 8 + sum(map(len, parts))
    return struct.pack(">I4s", size, kind) + b"".join(parts)


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def init_section(header: TrackHeader) -> bytes:
    """The CMAF header: `ftyp` and `moov`, one track, no samples."""
    brands = _BRANDS[header.codec]
    ftyp = box(b"ftyp", brands[0], bytes(4), *brands)
    mvhd = full_box(
        b"mvhd",
        0,
        0,
        struct.pack(">IIIIIH10x", 0, 0, header.timescale, 0, 0x10000, 0x100),
        _UNITY_MATRIX,
        bytes(24),
        struct.pack(">I", TRACK_ID + 1),
    )
    trex = full_box(b"trex", 0, 0, struct.pack(">IIIII", TRACK_ID, 1, header.frame_ticks, 0, SYNC_SAMPLE))
    return ftyp + box(b"moov", mvhd, _trak(header), box(b"mvex", trex))


def _trak(header: TrackHeader) -> bytes:
    enabled_in_movie = 0x7
    tkhd = full_box(
        b"tkhd",
        0,
        enabled_in_movie,
        struct.pack(">IIIII8xhhhH", 0, 0, TRACK_ID, 0, 0, 0, 0, 0x100, 0),
        _UNITY_MATRIX,
        bytes(8),
    )
    mdhd = full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, header.timescale, 0, _LANGUAGE_UND, 0))
    hdlr = full_box(b"hdlr", 0, 0, bytes(4), b"soun", bytes(12), b"Segue\0")
    dref = full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1))
    smhd = full_box(b"smhd", 0, 0, bytes(4))
    minf = box(b"minf", smhd, box(b"dinf", dref), _stbl(header))
    parts = [tkhd, *_edit_list(header), box(b"mdia", mdhd, hdlr, minf), *_loudness(header)]
    return box(b"trak", *parts)


def _edit_list(header: TrackHeader) -> list[bytes]:
    """AAC: one edit that skips the priming, of open length (§8.6.6). Opus has its pre-skip in `dOps` alone: with
    an edit list as well, browsers trim twice (docs/decisions/0001-product-decisions.md, 5)."""
    if header.codec is not Codec.AAC or not header.priming_ticks:
        return []
    return [box(b"edts", full_box(b"elst", 0, 0, struct.pack(">IIihh", 1, 0, header.priming_ticks, 1, 0)))]


def _stbl(header: TrackHeader) -> bytes:
    empty = struct.pack(">I", 0)
    tables = [
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), _sample_entry(header)),
        full_box(b"stts", 0, 0, empty),
        full_box(b"stsc", 0, 0, empty),
        full_box(b"stsz", 0, 0, empty, empty),
        full_box(b"stco", 0, 0, empty),
    ]
    roll = _ROLL_DISTANCE.get(header.codec)
    if roll is not None:
        tables.append(full_box(b"sgpd", 1, 0, b"roll", struct.pack(">IIh", 2, 1, roll)))
    return box(b"stbl", *tables)


def _sample_entry(header: TrackHeader) -> bytes:
    fields = struct.pack(
        ">6xH8xHHHHI", 1, header.channels, header.bit_depth, 0, 0, header.timescale << 16
    )  # data_reference_index, …, samplerate as 16.16
    rates = struct.pack(">III", header.frame_bytes_max, header.bitrate_max_bps, header.bitrate_average_bps)
    btrt = box(b"btrt", rates)
    if header.codec is Codec.OPUS:
        return box(b"Opus", fields, box(b"dOps", header.config), btrt)
    if header.codec is Codec.FLAC:
        return box(b"fLaC", fields, full_box(b"dfLa", 0, 0, header.config), btrt)
    return box(b"mp4a", fields, _esds(header), btrt)


def _esds(header: TrackHeader) -> bytes:
    """Elementary stream descriptor of MPEG-4 audio (ISO/IEC 14496-1 §7.2.6)."""
    mpeg4_audio, audio_stream = 0x40, 0x15
    buffer_and_rates = header.frame_bytes_max.to_bytes(3, "big") + struct.pack(
        ">II", header.bitrate_max_bps, header.bitrate_average_bps
    )
    specific = _descriptor(0x05, header.config)
    decoder = _descriptor(0x04, bytes([mpeg4_audio, audio_stream]) + buffer_and_rates + specific)
    return full_box(b"esds", 0, 0, _descriptor(0x03, bytes(3) + decoder + _descriptor(0x06, b"\x02")))


def _descriptor(tag: int, body: bytes) -> bytes:
    if len(body) > 127:
        raise ValueError("a descriptor of one size byte holds at most 127 bytes")
    return bytes([tag, len(body)]) + body


def _loudness(header: TrackHeader) -> list[bytes]:
    """`ludt` with the track's loudness as measured on this very rendition, then the album's (§12.2.7)."""
    reports = ((b"tlou", header.loudness), (b"alou", header.album_loudness))
    infos = [full_box(kind, 0, 0, _loudness_base(report)) for kind, report in reports if report and not report.silent]
    return [box(b"udta", box(b"ludt", *infos))] if infos else []


def _loudness_base(report: LoudnessReport) -> bytes:
    """The fields of LoudnessBaseBox, version 0; values are coded as ISO/IEC 23003-4 has them."""
    assert report.integrated_lufs is not None
    program_loudness, bs1770_4, measured_accurately, unknown = 1, 2, 3, 0
    how = bs1770_4 << 4 | measured_accurately
    value = min(255, max(0, round((report.integrated_lufs + 57.75) * 4)))
    peak, peak_how = unknown, unknown
    if report.true_peak_dbtp is not None:
        peak, peak_how = min(4095, max(1, round((20 - report.true_peak_dbtp) * 32))), how
    return (
        bytes(2)  # downmix_ID, DRC_set_ID: the track as it is
        + peak.to_bytes(3, "big")  # 12 bits of sample peak (0: not measured), 12 bits of true peak
        + bytes([peak_how, 1, program_loudness, value, how])
    )


def fragment_header(
    *,
    codec: Codec,
    sequence: int,
    decode_time: int,
    frame_ticks: int,
    sizes: Sequence[int],
    last_ticks: int,
    first_ticks: int | None = None,
) -> bytes:
    """`moof` and the header of the `mdat` that follows: one `traf`, one `trun`, relative to the `moof` (§8.8).

    `last_ticks` is the duration of the last frame: shorter than the others at the very end of a track. `first_ticks`
    is that of the first one, if it is another than that of all.
    """
    durations = [frame_ticks] * len(sizes)
    durations[-1] = last_ticks
    if first_ticks is not None:
        durations[0] = first_ticks
    default_base_is_moof, has_duration, has_flags = 0x020000, 0x08, 0x20
    tfhd = full_box(
        b"tfhd",
        0,
        default_base_is_moof | has_duration | has_flags,
        struct.pack(">III", TRACK_ID, frame_ticks, SYNC_SAMPLE),
    )
    tfdt = full_box(b"tfdt", 1, 0, struct.pack(">Q", decode_time))
    groups = []
    if codec in _ROLL_DISTANCE:
        groups.append(full_box(b"sbgp", 0, 0, b"roll", struct.pack(">III", 1, len(sizes), 1)))
    mfhd = full_box(b"mfhd", 0, 0, struct.pack(">I", sequence))

    flags, table = _frame_table(frame_ticks, durations, sizes)

    def moof(data_offset: int) -> bytes:
        trun = full_box(b"trun", 0, flags, struct.pack(">Ii", len(sizes), data_offset), table)
        return box(b"moof", mfhd, box(b"traf", tfhd, tfdt, *groups, trun))

    mdat_header = struct.pack(">I4s", 8 + sum(sizes), b"mdat")
    return moof(len(moof(0)) + len(mdat_header)) + mdat_header


def _frame_table(frame_ticks: int, durations: Sequence[int], sizes: Sequence[int]) -> tuple[int, bytes]:
    """The flags of a `trun`, and what they say is there of each frame."""
    has_data_offset, has_durations, has_sizes = 0x1, 0x100, 0x200
    if durations.count(frame_ticks) == len(durations):
        return has_data_offset | has_sizes, struct.pack(f">{len(sizes)}I", *sizes)
    pairs = [value for pair in zip(durations, sizes, strict=True) for value in pair]
    return has_data_offset | has_durations | has_sizes, struct.pack(f">{len(pairs)}I", *pairs)


def segment_index(*, timescale: int, sizes: Sequence[int], durations: Sequence[int]) -> bytes:
    """`sidx`: one reference per fragment, which follow at once (§8.16.3; ISO/IEC 23000-19 §7.3.3.3)."""
    starts_with_sap_type_1 = 0x9000_0000
    references = b"".join(
        struct.pack(">III", size, ticks, starts_with_sap_type_1) for size, ticks in zip(sizes, durations, strict=True)
    )
    fields = struct.pack(">IIQQHH", TRACK_ID, timescale, 0, 0, 0, len(sizes))
    return full_box(b"sidx", 1, 0, fields, references)
