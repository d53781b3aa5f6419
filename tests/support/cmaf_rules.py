"""What the specifications ask of a CMAF audio track file, a function for each rule; each names its clause.

Read by `tests.support.box_reader`, so that nothing here is shared with what writes or verifies track files. Clauses are
of ISO/IEC 23000-19 (CMAF) unless said; "file format" is ISO/IEC 14496-12.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import ceil

from tests.support.box_reader import Box, descriptors, read_boxes

FRAME_TICKS = {"mp4a": 1_024, "Opus": 960, "fLaC": 3_840}
ROLL_FRAMES = {"mp4a": -1, "Opus": -4}
SYNC_SAMPLE = 2 << 24  # sample_depends_on 2 (on no other), sample_is_non_sync_sample 0
ONE = (1, 1)
SOME = (0, 1)
# Table 3: what a header may hold and must hold, by the box that it is in; "" is the top level.
HEADER = {
    "": {"ftyp": ONE, "moov": ONE, "sidx": SOME},
    "moov": {"mvhd": ONE, "trak": ONE, "mvex": ONE, "udta": SOME},
    "trak": {"tkhd": ONE, "edts": SOME, "mdia": ONE, "udta": SOME},
    "edts": {"elst": ONE},
    "mdia": {"mdhd": ONE, "hdlr": ONE, "elng": SOME, "minf": ONE},
    "minf": {"smhd": ONE, "dinf": ONE, "stbl": ONE},
    "dinf": {"dref": ONE},
    "dref": {"url ": ONE},
    "stbl": {"stsd": ONE, "stts": ONE, "stsc": ONE, "stsz": ONE, "stco": ONE, "sgpd": SOME},
    "stsd": {"mp4a": SOME, "Opus": SOME, "fLaC": SOME},
    "mp4a": {"esds": ONE, "btrt": SOME},
    "Opus": {"dOps": ONE, "btrt": SOME},
    "fLaC": {"dfLa": ONE, "btrt": SOME},
    "mvex": {"mehd": SOME, "trex": ONE},
    "udta": {"ludt": SOME, "cprt": SOME, "kind": SOME},
    "ludt": {"tlou": SOME, "alou": SOME},
}
# Table 5, of which a fragment of one chunk holds this.
CHUNK = {
    "": {"moof": ONE, "mdat": ONE},
    "moof": {"mfhd": ONE, "traf": ONE},
    "traf": {"tfhd": ONE, "tfdt": ONE, "trun": ONE, "sbgp": SOME},
}


@dataclass
class CmafFile:
    """A track file, its boxes, and the parts that rules speak of."""

    data: bytes

    @cached_property
    def boxes(self) -> list[Box]:
        """The boxes at the top."""
        return read_boxes(self.data)

    @property
    def trak(self) -> Box:
        """The one track."""
        return next(box for box in self.boxes if box.type == "moov").one("trak")

    @property
    def stbl(self) -> Box:
        """Its sample tables."""
        return self.trak.one("mdia/minf/stbl")

    @property
    def entry(self) -> Box:
        """Its one sample entry."""
        (entry,) = self.stbl.one("stsd").boxes
        return entry

    @property
    def codec(self) -> str:
        """The type of its sample entry."""
        return self.entry.type

    @property
    def frame_ticks(self) -> int:
        """How long a whole frame lasts."""
        return FRAME_TICKS[self.codec]

    @cached_property
    def fragments(self) -> list[tuple[Box, Box]]:
        """Each `moof` with the box after it."""
        return [(box, self.boxes[at + 1]) for at, box in enumerate(self.boxes) if box.type == "moof"]

    @cached_property
    def durations(self) -> list[int]:
        """Of every frame, in order."""
        default = [moof.one("traf/tfhd").values.get("duration") for moof, _ in self.fragments]
        return [
            row.get("duration", ticks) or 0
            for (moof, _), ticks in zip(self.fragments, default, strict=True)
            for row in moof.one("traf/trun").rows
        ]

    @cached_property
    def sizes(self) -> list[int]:
        """Of every frame, in order."""
        return [row["size"] for moof, _ in self.fragments for row in moof.one("traf/trun").rows]

    def ticks_of(self, moof: Box) -> int:
        """How long a fragment lasts."""
        default = moof.one("traf/tfhd").values.get("duration", 0)
        return sum(row.get("duration", default) for row in moof.one("traf/trun").rows)

    @property
    def priming_ticks(self) -> int:
        """What is skipped at the start: by the edit list in AAC, by the pre-skip in Opus."""
        if self.codec == "Opus":
            return self.entry.one("dOps")["pre_skip"]
        return self.trak.one("edts/elst").rows[0]["media_time"] if self.trak.all("edts") else 0


def _text(number: int) -> str:
    return number.to_bytes(4, "big").decode("ascii")


def _check_table(boxes: list[Box], table: dict[str, dict[str, tuple[int, int]]], where: str = "") -> None:
    allowed = table[where]
    for kind, (least, most) in allowed.items():
        count = sum(box.type == kind for box in boxes)
        assert least <= count <= most, f"{count} {kind} in {where or 'the file'}"
    for box in boxes:
        assert box.type in allowed, f"{box.type} in {where or 'the file'}"
        if box.type in table:
            _check_table(box.boxes, table, box.type)


def header_boxes(file: CmafFile) -> None:
    """§7.3.1 and table 3: only these boxes, these often, `ftyp` first and `mvhd` first in `moov`."""
    head = [box for box in file.boxes if box.type not in ("moof", "mdat")]
    _check_table(head, HEADER)
    assert [box.type for box in file.boxes[:2]] == ["ftyp", "moov"]
    assert file.boxes[1].boxes[0].type == "mvhd"


def chunk_boxes(file: CmafFile) -> None:
    """§7.3.2.3 and table 5: after the header nothing but fragments of one `moof` and one `mdat`, of these boxes."""
    (sidx,) = (at for at, box in enumerate(file.boxes) if box.type == "sidx")
    media = file.boxes[sidx + 1 :]
    assert len(media) % 2 == 0
    for pair in zip(media[::2], media[1::2], strict=True):
        assert [box.type for box in pair] == ["moof", "mdat"]
        _check_table(list(pair), CHUNK)


def brands(file: CmafFile) -> None:
    """§7.2 and A.3: `cmfc`; `caac` for AAC alone, as Opus and FLAC have no media profile. RFC 8216 §3.3: `iso6` up."""
    ftyp = file.boxes[0]
    found = {_text(row["brand"]) for row in ftyp.rows}
    assert (_text(ftyp["major_brand"]), ftyp["minor_version"]) == ("cmfc", 0)
    assert {"cmfc", "iso6"} <= found
    assert ("caac" in found) == (file.codec == "mp4a")


def empty_movie(file: CmafFile) -> None:
    """§7.5: durations of 0 and empty sample tables, for all samples are in fragments; nothing from a clock."""
    moov = file.boxes[1]
    heads = [moov.one("mvhd"), file.trak.one("tkhd"), file.trak.one("mdia/mdhd")]
    assert [head[name] for head in heads for name in ("duration", "creation_time", "modification_time")] == [0] * 9
    assert [file.stbl.one(kind)["entry_count"] for kind in ("stts", "stsc", "stco")] == [0, 0, 0]
    assert file.stbl.one("stsz").values == {"sample_size": 0, "sample_count": 0}


def movie_defaults(file: CmafFile) -> None:
    """File format §8.2.2, §8.3.2: rate 1.0, full volume, unity matrix, no picture; an enabled track of sound."""
    mvhd, tkhd = file.boxes[1].one("mvhd"), file.trak.one("tkhd")
    unity = int.from_bytes(b"".join(n.to_bytes(4, "big") for n in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)), "big")
    assert (mvhd["rate"], mvhd["volume"], mvhd["matrix"]) == (1 << 16, 1 << 8, unity)
    assert (tkhd["layer"], tkhd["alternate_group"], tkhd["volume"], tkhd["matrix"]) == (0, 0, 1 << 8, unity)
    assert (tkhd["width"], tkhd["height"], tkhd.flags & 1) == (0, 0, 1)
    assert mvhd["next_track_id"] > tkhd["track_id"] > 0
    hdlr = file.trak.one("mdia/hdlr")
    assert (_text(hdlr["handler_type"]), hdlr.raw[-1:]) == ("soun", b"\0")
    assert file.trak.one("mdia/minf/smhd")["balance"] == 0


def timescales(file: CmafFile) -> None:
    """Audio timescale = sample rate, so that every time is a whole number of samples."""
    assert file.boxes[1].one("mvhd")["timescale"] == file.trak.one("mdia/mdhd")["timescale"] == 48_000
    assert file.entry["samplerate"] == 48_000 << 16


def language(file: CmafFile) -> None:
    """File format §8.4.2: a language is told, `und` where none is known; three letters of 5 bits."""
    packed = file.trak.one("mdia/mdhd")["language"]
    assert "".join(chr(0x60 + (packed >> shift & 31)) for shift in (10, 5, 0)) == "und"


def data_in_this_file(file: CmafFile) -> None:
    """File format §8.7.2: one data reference, to this very file, and the sample entry refers to it."""
    (url,) = file.trak.one("mdia/minf/dinf/dref").boxes
    assert url.flags == 1
    assert file.entry["data_reference_index"] == 1


def fragment_defaults(file: CmafFile) -> None:
    """File format §8.8.3, §8.8.7: every frame is a sync sample of the one description, frames have one duration: the
    codec's, or its own if there is only one."""
    trex = file.boxes[1].one("mvex/trex")
    track = file.trak.one("tkhd")["track_id"]
    assert (trex["track_id"], trex["description"], trex["sample_flags"]) == (track, 1, SYNC_SAMPLE)
    lone = file.durations if len(file.durations) == 1 else []
    assert trex["duration"] in (file.frame_ticks, *lone)
    assert trex["size"] == 0
    for moof, _ in file.fragments:
        tfhd, trun = moof.one("traf/tfhd"), moof.one("traf/trun")
        assert (tfhd["track_id"], tfhd.values.get("duration", trex["duration"])) == (track, trex["duration"])
        assert tfhd.values.get("sample_flags", SYNC_SAMPLE) == SYNC_SAMPLE
        assert not trun.flags & (0x4 | 0x400 | 0x800), "no flags of single frames, no composition offsets"


def relative_addresses(file: CmafFile) -> None:
    """§7.3.2.3, RFC 8216 §3.3: offsets count from the `moof`, and the frames fill the `mdat` behind it."""
    for moof, mdat in file.fragments:
        tfhd, trun = moof.one("traf/tfhd"), moof.one("traf/trun")
        assert tfhd.flags & 0x020000, "default-base-is-moof"
        assert "base_data_offset" not in tfhd.values
        assert moof.start + trun["data_offset"] == mdat.start + 8
        assert sum(row["size"] for row in trun.rows) == mdat.size - 8


def decode_times(file: CmafFile) -> None:
    """§7.3.2.2, Apple 7.3: a fragment's `tfdt` is the sum of all durations before it, from 0. Sequence numbers rise."""
    ticks = [file.ticks_of(moof) for moof, _ in file.fragments]
    assert [moof.one("traf/tfdt")["decode_time"] for moof, _ in file.fragments] == list(accumulate(ticks, initial=0))[
        :-1
    ]
    assert [moof.one("mfhd")["sequence"] for moof, _ in file.fragments] == list(range(1, len(ticks) + 1))


def frame_durations(file: CmafFile) -> None:
    """Every frame but the very last lasts as long as the codec's frame; the last may be cut, never empty."""
    assert set(file.durations[:-1]) <= {file.frame_ticks}
    assert 0 < file.durations[-1] <= file.frame_ticks


def index(file: CmafFile) -> None:
    """§7.3.3.3, file format §8.16.3: one reference a fragment, of its size and duration, from the byte after `sidx`."""
    (sidx,) = (box for box in file.boxes if box.type == "sidx")
    assert (sidx["reference_id"], sidx["timescale"]) == (file.trak.one("tkhd")["track_id"], 48_000)
    assert (sidx["earliest"], sidx["first_offset"]) == (0, 0)
    assert sidx.start + sidx.size == file.fragments[0][0].start
    found = [(row["size"], row["duration"]) for row in sidx.rows]
    assert found == [(moof.size + mdat.size, file.ticks_of(moof)) for moof, mdat in file.fragments]
    assert {
        (row["reference_type"], row["starts_with_sap"], row["sap_type"], row["sap_delta"]) for row in sidx.rows
    } == {(0, 1, 1, 0)}


def edit_list(file: CmafFile) -> None:
    """§7.5.13: at most one edit, that skips and never waits, at normal speed, of open length. AAC has it for its
    priming; Opus has its pre-skip in `dOps` alone (decision 1, 5), and FLAC has none."""
    assert len(file.trak.all("edts")) == (file.codec == "mp4a")
    for edts in file.trak.all("edts"):
        (row,) = edts.one("elst").rows
        assert (row["segment_duration"], row["rate"], row["rate_fraction"]) == (0, 1, 0)
        assert 0 < row["media_time"] < 1 << 31


def roll_groups(file: CmafFile) -> None:
    """File format §10.1: AAC needs the frame before. Encapsulation of Opus §4.3.6.2: 80 ms, and `sbgp` in the `traf`
    that has the samples. `sgpd` of version 1 in `stbl` has no default, so that every fragment names its group."""
    roll = ROLL_FRAMES.get(file.codec)
    assert len(file.stbl.all("sgpd")) == (roll is not None)
    for sgpd in file.stbl.all("sgpd"):
        assert (_text(sgpd["grouping_type"]), sgpd["default_length"]) == ("roll", 2)
        assert [row["roll_distance"] for row in sgpd.rows] == [roll + (1 << 16) if roll else None]
    for moof, _ in file.fragments:
        groups = [
            (_text(sbgp["grouping_type"]), row["group"], row["samples"])
            for sbgp in moof.one("traf").all("sbgp")
            for row in sbgp.rows
        ]
        assert groups == ([("roll", 1, moof.one("traf/trun")["count"])] if roll else [])


def bit_rates(file: CmafFile) -> None:
    """File format §8.5.2: the largest frame; the most bits that start within any second; all bits over all time."""
    btrt = file.entry.one("btrt")
    starts = list(accumulate(file.durations, initial=0))
    average = 8 * sum(file.sizes) * 48_000 / starts[-1]
    largest = max(
        8 * sum(size for at, size in zip(starts, file.sizes, strict=False) if begin <= at < begin + 48_000)
        for begin in starts[:-1]
    )
    assert btrt["buffer_bytes"] == max(file.sizes)
    assert btrt["average_bps"] == ceil(average)
    assert btrt["largest_bps"] == max(largest, ceil(average))


def loudness(file: CmafFile) -> None:
    """Apple 2.19 to 2.23, file format §12.2.7: of the track as it is, program loudness by BS.1770-4 (2), measured and
    accurate (3); a true peak by the same, or none; a sample peak is not told."""
    for udta in file.trak.all("udta"):
        for info in udta.one("ludt").boxes:
            assert (info["downmix_id"], info["drc_set_id"], info["sample_peak"]) == (0, 0, 0)
            (row,) = info.rows
            assert (row["method"], row["system"], row["reliability"]) == (1, 2, 3)
            assert (info["peak_system"], info["peak_reliability"]) == ((2, 3) if info["true_peak"] else (0, 0))


def decoder_configuration(file: CmafFile) -> None:
    """What CODECS promises: `mp4a.40.2`, `Opus`, `fLaC`, two channels at 48 kHz (one function for each codec)."""
    {"mp4a": _aac, "Opus": _opus, "fLaC": _flac}[file.codec](file)


def _aac(file: CmafFile) -> None:
    """A.3; ISO/IEC 14496-1 §7.2.6: AAC-LC, 48 kHz, two channels, no SBR; the bit rates of `btrt`."""
    assert (file.entry["channelcount"], file.entry["samplesize"]) == (2, 16)
    es = descriptors(file.entry.one("esds").raw)
    assert list(es) == [3]
    assert es[3][:3] == bytes(3), "no identifier in a file (ISO/IEC 14496-14 §3.1.2), no stream priority"
    inner = descriptors(es[3][3:])
    assert inner[6] == b"\x02", "SLConfig predefined for files"
    config, btrt = inner[4], file.entry.one("btrt")
    assert config[:2] == bytes([0x40, 0x15]), "MPEG-4 audio, an audio stream"
    rates = [int.from_bytes(config[a:b], "big") for a, b in ((2, 5), (5, 9), (9, 13))]
    assert rates == [btrt["buffer_bytes"], btrt["largest_bps"], btrt["average_bps"]]
    specific = descriptors(config[13:])[5]
    bits = f"{int.from_bytes(specific, 'big'):0{8 * len(specific)}b}"
    assert bits[:16] == "00010" + "0011" + "0010" + "000", "object type 2, rate 3, two channels, plain frames"
    sync_extension, sbr, absent = f"{0x2B7:011b}", f"{5:05b}", "0"
    assert bits[16:].rstrip("0") in ("", (sync_extension + sbr + absent).rstrip("0")), "SBR is told to be absent"


def _opus(file: CmafFile) -> None:
    """Encapsulation of Opus in ISO BMFF §4.3: 16 in samplesize, big-endian `dOps` of version 0, no gain."""
    assert (file.entry["channelcount"], file.entry["samplesize"]) == (2, 16)
    dops = dict(file.entry.one("dOps").values)
    assert 0 < dops.pop("pre_skip") < 48_000
    assert dops == {"version": 0, "channels": 2, "input_rate": 48_000, "gain": 0, "mapping_family": 0}


def _flac(file: CmafFile) -> None:
    """Encapsulation of FLAC in ISO BMFF §3.3: STREAMINFO alone, marked the last, as the sample entry says; RFC 9639
    §8.2: a fixed block size, frames within the bounds, all samples counted."""
    info = file.entry.one("dfLa")
    assert (info["last"], info["block_type"], info["length"]) == (1, 0, 34)
    assert (info["rate"], info["channels_less_1"] + 1) == (48_000, file.entry["channelcount"])
    assert info["depth_less_1"] + 1 == file.entry["samplesize"]
    assert info["smallest_block"] == info["largest_block"] == file.frame_ticks
    assert info["samples"] in (0, sum(file.durations))
    if info["largest_frame"]:
        assert info["smallest_frame"] <= min(file.sizes[:-1] or file.sizes)
        assert max(file.sizes) <= info["largest_frame"]


RULES: tuple[Callable[[CmafFile], None], ...] = (
    header_boxes,
    chunk_boxes,
    brands,
    empty_movie,
    movie_defaults,
    timescales,
    language,
    data_in_this_file,
    fragment_defaults,
    relative_addresses,
    decode_times,
    frame_durations,
    index,
    edit_list,
    roll_groups,
    bit_rates,
    loudness,
    decoder_configuration,
)
