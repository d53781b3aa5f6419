"""One breach for every rule that a stream of anybody is held against: how to make it, and what must be found."""

import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from cmaf.write import box, full_box
from model.rendition import Codec
from tests.unit.inspector.sounds import FRAMES, LATM, STARTS, adts, latm, packed, timed, transport
from tests.unit.inspector.streams import (
    Files,
    bytes_of,
    empty_segment,
    in_ranges,
    in_segments,
    index_box,
    media_text,
    number_after,
    text,
    within,
)

INDEX, FIRST, INIT = "index.m3u8", "aac-1.m3u8", "aac-1/init.mp4"
MAP_LINE = '#EXT-X-MAP:URI="aac-1/init.mp4"\n'
VARIANT = 'CODECS="mp4a.40.2"'
AUDIO = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{group}",NAME="{name}",LANGUAGE="en",CHANNELS="2"{more}\n'
AAC, OPUS, FLAC = in_segments(), in_segments(Codec.OPUS), in_segments(Codec.FLAC)
RANGED = in_ranges()
SDGP_ROLL, PROL = b"sgpd\x01\x00\x00\x00roll", b"sgpd\x01\x00\x00\x00prol"
STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


@dataclass(frozen=True, kw_only=True)
class Breach:
    """Files that break the rules `found`, and no others; looked at from `entry` down."""

    found: set[str]
    files: Files
    entry: str = INDEX
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    redirects: Mapping[str, int] = field(default_factory=dict)
    no_ranges: bool = False
    insecure: Collection[str] = ()


def _media(lines: str, *, files: Files = AAC) -> Files:
    """More lines before the first segment of the first media playlist."""
    return text(files, FIRST, "#EXTINF", f"{lines}\n#EXTINF")


def _dated(*ranges: str, date: str = "2026-01-01T00:00:00Z") -> Files:
    """Date ranges before the first segment of the first media playlist."""
    return _media("\n".join([f"#EXT-X-PROGRAM-DATE-TIME:{date}", *(f"#EXT-X-DATERANGE:{each}" for each in ranges)]))


def _index(lines: str, *, files: Files = AAC) -> Files:
    """More lines before the first variant."""
    return text(files, INDEX, "#EXT-X-STREAM-INF", f"{lines}#EXT-X-STREAM-INF")


def _grouped(renditions: str) -> Files:
    """Both variants with the audio group `a`."""
    return _index(renditions, files=text(AAC, INDEX, VARIANT, f'{VARIANT},AUDIO="a"', 2))


def _rendition(group: str = "a", name: str = "One", more: str = "") -> str:
    return AUDIO.format(group=group, name=name, more=more)


def _in_init(path: tuple[bytes, ...], extra: bytes) -> Files:
    return AAC | {INIT: within(AAC[INIT], path, extra)}


def _each_init(files: Files, change: Callable[[Files, str], Files]) -> Files:
    for name in [each for each in files if each.endswith("init.mp4")]:
        files = change(files, name)
    return files


def _bare(files: Files, kind: bytes) -> Files:
    """The files with a box of every init section called `free`."""
    return _each_init(files, lambda all_files, name: bytes_of(all_files, name, kind, b"free"))


def _resized(files: Files, name: str, change: int) -> Files:
    """A playlist with the second byte range moved."""
    lines = files[name].decode().splitlines()
    at = [number for number, line in enumerate(lines) if line.startswith("#EXT-X-BYTERANGE")][1]
    length, _, offset = lines[at].partition(":")[2].partition("@")
    lines[at] = f"#EXT-X-BYTERANGE:{length}@{int(offset) + change}"
    return files | {name: ("\n".join(lines) + "\n").encode()}


def _tail(seconds: str) -> Files:
    """Both media playlists with a last EXTINF of another length, and no media to compare it with."""
    return media_text(media_text(AAC, "3.101333", seconds), "#EXT-X-MAP", "#X-NO-MAP")


def _last_of(ticks: int) -> Files:
    """A last segment of one frame that is so long, in both renditions."""
    files = media_text(AAC, "3.101333", f"{ticks / 48_000:.6f}")
    for name in ("aac-1/5.mp4", "aac-2/5.mp4"):
        (at,) = struct.unpack_from(">Q", files[name], files[name].index(b"tfdt") + 8)
        tfhd = full_box(b"tfhd", 0, 0x020028, struct.pack(">III", 1, ticks, 0x0200_0000))
        tfdt = full_box(b"tfdt", 1, 0, struct.pack(">Q", at))
        trun = full_box(b"trun", 0, 0x201, struct.pack(">III", 1, 100, 8))
        moof = box(b"moof", full_box(b"mfhd", 0, 0, bytes(4)), box(b"traf", tfhd, tfdt, trun))
        files |= {name: moof + box(b"mdat", bytes(8))}
    return files


_SWAPPED = (
    ("#EXT-X-MAP", '#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXT-X-MAP'),  # the map is encrypted, and has no IV
)
_RATES = {"APPLE-1.27", "APPLE-1.26"}


def _variants(files: Files, **more: int) -> bytes:
    """The variants of a multivariant playlist, with more attributes."""
    added = "".join(f",{name}={value}" for name, value in more.items())
    _, *variants = files[INDEX].decode().split("#EXT-X-STREAM-INF:")
    return "".join(f"#EXT-X-STREAM-INF:{each.replace(chr(10), added + chr(10), 1)}" for each in variants).encode()


OF_TEXT: dict[str, Breach] = {
    "a control character": Breach(found={"RFC8216-4.1"}, files=_media("#\x01")),
    "a tag of the other kind": Breach(
        found={"RFC8216-4.1"}, files=_media("#EXT-X-STREAM-INFO\n#EXT-X-SESSION-KEY:X=1")
    ),
    "a quoted-string without quotes": Breach(
        found={"RFC8216-4.2"}, files=text(AAC, INDEX, VARIANT, "CODECS=mp4a.40.2")
    ),
    "an attribute twice": Breach(found={"RFC8216-4.2"}, files=text(AAC, INDEX, VARIANT, f"{VARIANT},{VARIANT}")),
    "a variable from nowhere": Breach(
        found={"RFC8216BIS-4.3"},
        files=_media('#EXT-X-DEFINE:QUERYPARAM="token"', files=text(AAC, FIRST, "VERSION:6", "VERSION:11")),
    ),
    "a segment without EXTINF": Breach(found={"RFC8216-4.3.2.1"}, files=_media("stray.mp4")),
    "a map without URI": Breach(
        found={"RFC8216-4.3.2", "APPLE-8.20"}, files=text(AAC, FIRST, MAP_LINE, '#EXT-X-MAP:BYTERANGE="1@0"\n')
    ),
    "half a byte range": Breach(
        found={"RFC8216-4.3.2.2-syntax"}, files=text(AAC, FIRST, "aac-1/0.mp4", "#EXT-X-BYTERANGE:x\naac-1/0.mp4")
    ),
    "a target twice": Breach(found={"RFC8216-4.3.3"}, files=_media("#EXT-X-TARGETDURATION:6")),
    "a key of no method": Breach(found={"RFC8216-4.3.2.4"}, files=_media('#EXT-X-KEY:METHOD=ROT13,URI="k"')),
    "a key without URI": Breach(found={"RFC8216-4.3.2.4"}, files=_media("#EXT-X-KEY:METHOD=AES-128")),
    "an IV that is no number": Breach(
        found={"RFC8216-4.3.2.4-iv"}, files=_media('#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k",IV=0x12g4')
    ),
    "an encrypted map without IV": Breach(found={"RFC8216-4.3.2.5-iv"}, files=text(AAC, FIRST, *_SWAPPED[0])),
    "a date that is none": Breach(found={"RFC8216-4.3.2.6"}, files=_dated(date="yesterday")),
    "a date range of nothing": Breach(
        found={"RFC8216-4.3.2.7"}, files=_dated('START-DATE="yesterday",DURATION=-1', 'ID="b",PLANNED-DURATION=x')
    ),
    "a date range that ends twice": Breach(
        found={"RFC8216-4.3.2.7-end"},
        files=_dated(
            'ID="a",START-DATE="2026-01-01T00:00:09Z",END-DATE="2026-01-01T00:00:08Z"',
            'ID="b",START-DATE="2026-01-01T00:00:00Z",END-DATE="2026-01-01T00:00:08Z",DURATION=9',
        ),
    ),
    "a date range until a next of no class": Breach(
        found={"RFC8216-4.3.2.7-next"},
        files=_dated('ID="a",START-DATE="2026-01-01T00:00:00Z",END-ON-NEXT=YES,DURATION=1,PLANNED-DURATION=1'),
    ),
    "a date range told in two ways": Breach(
        found={"RFC8216-4.3.2.7-id"},
        files=_dated('ID="a",START-DATE="2026-01-01T00:00:00Z"', 'ID="a",START-DATE="2026-01-01T00:00:01Z"'),
    ),
    "date ranges that overlap": Breach(
        found={"RFC8216-4.3.2.7-overlap"},
        files=_dated(
            'ID="a",CLASS="c",START-DATE="2026-01-01T00:00:00Z",DURATION=9',
            'ID="b",CLASS="c",START-DATE="2026-01-01T00:00:08Z",END-ON-NEXT=YES',
        ),
    ),
    "a date range without a date": Breach(
        found={"RFC8216-4.3.2.7-place"}, files=_media('#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:00:00Z"')
    ),
    "a target of 7 s": Breach(
        found={"APPLE-7.5", "APPLE-1.27"}, files=media_text(AAC, "TARGETDURATION:6", "TARGETDURATION:7")
    ),
    "a variant without URI": Breach(
        found={"RFC8216-4.3.4"}, files=AAC | {INDEX: AAC[INDEX] + b"#EXT-X-STREAM-INF:BANDWIDTH=1\n"}
    ),
    "a variable in version 6": Breach(found={"RFC8216BIS-8"}, files=_index('#EXT-X-DEFINE:NAME="x",VALUE="1"\n')),
    "a rendition without NAME": Breach(
        found={"RFC8216-4.3.4.1"}, files=_grouped(_rendition().replace('NAME="One",', ""))
    ),
    "a default that is not chosen": Breach(
        found={"RFC8216-4.3.4.1"}, files=_grouped(_rendition(more=",DEFAULT=YES,AUTOSELECT=NO"))
    ),
    "a name twice": Breach(found={"RFC8216-4.3.4.1.1-name"}, files=_grouped(_rendition() + _rendition())),
    "two defaults": Breach(
        found={"RFC8216-4.3.4.1.1-default"},
        files=_grouped(_rendition(more=",DEFAULT=YES") + _rendition(name="Two", more=",DEFAULT=YES")),
    ),
    "groups of other members": Breach(
        found={"RFC8216-4.3.4.1.1-members"}, files=_grouped(_rendition() + _rendition("b", "Two"))
    ),
    "no such group": Breach(found={"RFC8216-4.3.4.2.1"}, files=text(AAC, INDEX, VARIANT, f'{VARIANT},AUDIO="nowhere"')),
    "no language": Breach(found={"APPLE-8.10"}, files=_grouped(_rendition().replace('LANGUAGE="en",', ""))),
    "no channels": Breach(
        found={"RFC8216-4.3.4.1-channels"}, files=_grouped(_rendition().replace(',CHANNELS="2"', ""))
    ),
    "bit rates in one group": Breach(
        found={"CLIENT-group"},
        files=_grouped(_rendition(more=',URI="aac-1.m3u8"') + _rendition(name="Two", more=',URI="aac-2.m3u8"')),
    ),
    "five bit rates of one name, as Shaka Packager writes them": Breach(
        found={"CLIENT-group", "RFC8216-4.3.4.1.1-name"},
        files=_grouped("".join(_rendition(more=f',URI="aac-{1 + number % 2}.m3u8"') for number in range(5))),
    ),
    "a score for one": Breach(found={"APPLE-9.19"}, files=text(AAC, INDEX, VARIANT, f"{VARIANT},SCORE=1")),
    "Apple Lossless alone, if it were that": Breach(
        found={"APPLE-2.3", "RFC8216-4.3.4.2-codecs"}, files=text(AAC, INDEX, VARIANT, 'CODECS="alac"', 2)
    ),
    "FLAC alone": Breach(found={"APPLE-2.3"}, files=FLAC),
    "a lossless variant that is not the best": Breach(
        found={"APPLE-score"}, files=FLAC | AAC | {INDEX: FLAC[INDEX] + _variants(AAC, SCORE=3)}
    ),
    "steering from nowhere to nowhere": Breach(
        found={"RFC8216BIS-4.4.6.6"}, files=_index('#EXT-X-CONTENT-STEERING:PATHWAY-ID="west"\n')
    ),
    "steering that begins anywhere": Breach(
        found={"APPLE-9.18"}, files=_index('#EXT-X-CONTENT-STEERING:SERVER-URI="s.json"\n')
    ),
    "Opus": Breach(found={"APPLE-2.2"}, files=OPUS),
    "HE-AAC at 128 kbit/s": Breach(
        found={"APPLE-2.4", "RFC8216-4.3.4.2-codecs", *_RATES},
        files=AAC
        | {
            INDEX: b"#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:BANDWIDTH=128000,"
            b'AVERAGE-BANDWIDTH=128000,CODECS="mp4a.40.5"\naac-1.m3u8\n'
        },
    ),
    "ranges that overlap": Breach(found={"CLIENT-overlap", "RFC8216-3"}, files=_resized(RANGED, FIRST, -1)),
}

OF_PLAYLISTS: dict[str, Breach] = {
    "rounds up": Breach(
        found={"RFC8216-4.3.3.1", "APPLE-8.1", "APPLE-8.22", "APPLE-8.3"},
        files=text(AAC, FIRST, "6.080000", "6.500000"),
    ),
    "far too long": Breach(
        found={"RFC8216-4.3.3.1", "APPLE-7.7", "APPLE-8.1", "APPLE-8.22", "APPLE-8.3"},
        files=text(AAC, FIRST, "6.080000", "6.600000"),
    ),
    "no type": Breach(found={"APPLE-8.6"}, files=text(AAC, FIRST, "#EXT-X-PLAYLIST-TYPE:VOD\n", "")),
    "no end": Breach(found={"RFC8216-4.3.3.4"}, files=text(AAC, FIRST, "#EXT-X-ENDLIST\n", "")),
    "no map": Breach(found={"APPLE-8.20"}, files=text(AAC, FIRST, MAP_LINE, "")),
    "version 5": Breach(found={"RFC8216-7"}, files=text(AAC, FIRST, "VERSION:6", "VERSION:5")),
    "a variable in a media playlist": Breach(found={"RFC8216-7"}, files=_media('#EXT-X-DEFINE:NAME="x",VALUE="1"')),
    "not independent, alone": Breach(
        found={"RFC8216-4.3.5.1"}, files=text(AAC, FIRST, "#EXT-X-INDEPENDENT-SEGMENTS\n", ""), entry=FIRST
    ),
    "not independent, neither here nor there": Breach(
        found={"APPLE-9.11"},
        files=media_text(text(AAC, INDEX, "#EXT-X-INDEPENDENT-SEGMENTS\n", ""), "#EXT-X-INDEPENDENT-SEGMENTS\n", ""),
    ),
    "a file that is cut off": Breach(
        found={"RFC8216-4.3.2.2", "CMAF-boxes"}, files=RANGED | {"aac-1.mp4": RANGED["aac-1.mp4"][:-1]}
    ),
    "a tiny tail": Breach(found={"CLIENT-tail", "APPLE-8.20", *_RATES}, files=_tail("0.400000")),
    "a priming taken from the first EXTINF": Breach(
        found={"CLIENT-first-extinf"}, files=media_text(AAC, "0.960000", "0.939000")
    ),
    "EXTINFs that are not the media's": Breach(
        found={"APPLE-8.1", "APPLE-8.22"}, files=text(AAC, FIRST, "2.880000", "2.910000")
    ),
    "no codecs": Breach(found={"APPLE-9.1"}, files=text(AAC, INDEX, f",{VARIANT}", "", 2)),
    "another spelling": Breach(found={"CLIENT-codecs", "APPLE-2.2"}, files=text(OPUS, INDEX, '"Opus"', '"opus"', 2)),
    "a codec of nobody": Breach(
        found={"CLIENT-codecs", "RFC8216-4.3.4.2-codecs"},
        files=text(AAC, INDEX, VARIANT, 'CODECS="mp4a"'),
    ),
    "other codecs than the media": Breach(
        found={"RFC8216-4.3.4.2-codecs"}, files=text(AAC, INDEX, VARIANT, 'CODECS="mp4a.40.42"')
    ),
    "no average": Breach(found={"APPLE-9.14"}, files=text(AAC, INDEX, "AVERAGE-BANDWIDTH=", "X-AVERAGE-BANDWIDTH=")),
    "an average above the peak": Breach(
        found={"RFC8216-4.3.4.2", "APPLE-1.26"}, files=text(AAC, INDEX, "AVERAGE-BANDWIDTH=", "AVERAGE-BANDWIDTH=9")
    ),
    "spiky": Breach(found={"APPLE-1.30", "APPLE-1.27"}, files=text(AAC, INDEX, ":BANDWIDTH=", ":BANDWIDTH=10")),
    "nothing for cellular": Breach(
        found={"APPLE-9.21", "APPLE-1.30", "APPLE-1.27"},
        files=text(AAC, INDEX, ":BANDWIDTH=", ":BANDWIDTH=1000", 2),
    ),
    "a stable id twice": Breach(found={"RFC8216BIS-4.4.6.2"}, files=text(AAC, INDEX, 'ID="aac-2"', 'ID="aac-1"')),
    "session data twice": Breach(
        found={"RFC8216-4.3.4.4"}, files=_index('#EXT-X-SESSION-DATA:DATA-ID="a.b",VALUE="x"\n' * 2)
    ),
    "another target": Breach(
        found={"APPLE-8.2", "APPLE-7.5"}, files=text(AAC, FIRST, "TARGETDURATION:6", "TARGETDURATION:7")
    ),
    "another length": Breach(
        found={"APPLE-8.3", "APPLE-8.22", "APPLE-7.3"},
        files=text(AAC, FIRST, "#EXTINF:6.080000,\naac-1/4.mp4\n", ""),
    ),
    "a bandwidth under the peak": Breach(
        found={"APPLE-1.27", "RFC8216-4.3.4.2"}, files=text(AAC, INDEX, ":BANDWIDTH=1", ":BANDWIDTH=", 1)
    ),
    "an average off": Breach(
        found={"APPLE-1.26"}, files=text(AAC, INDEX, "AVERAGE-BANDWIDTH=", "AVERAGE-BANDWIDTH=7000,X-WAS=")
    ),
}

OF_BOXES: dict[str, Breach] = {
    "no boxes": Breach(found={"CMAF-boxes"}, files=AAC | {"aac-1/3.mp4": AAC["aac-1/3.mp4"][:-9]}),
    "an old brand": Breach(
        found={"RFC8216-3.3-brand"},
        files=AAC | {INIT: box(b"ftyp", b"isom", bytes(4), b"isommp41") + AAC[INIT][AAC[INIT].index(b"moov") - 4 :]},
    ),
    "two sounds": Breach(
        found={"APPLE-2.17"},
        files=_in_init((b"moov",), box(b"trak", box(b"mdia", full_box(b"hdlr", 0, 0, bytes(4), b"soun", bytes(13))))),
    ),
    "no mvex": Breach(found={"RFC8216-3.3-mvex"}, files=bytes_of(AAC, INIT, b"mvex", b"free")),
    "samples in the init section": Breach(found={"RFC8216-3.3-samples"}, files=number_after(AAC, INIT, b"stsz", 8, 7)),
    "an empty last segment, as ffmpeg writes": Breach(
        found={"RFC8216-3.3-moof", *_RATES},
        files=AAC | {"aac-1/5.mp4": empty_segment(), "aac-2/5.mp4": empty_segment()},
    ),
    "no tfdt": Breach(found={"RFC8216-3.3-tfdt"}, files=bytes_of(AAC, "aac-1/2.mp4", b"tfdt", b"free")),
    "a base of its own": Breach(
        found={"RFC8216-3.3-relative"},
        files=bytes_of(AAC, "aac-1/2.mp4", b"tfhd\x00\x02\x00\x28", b"tfhd\x00\x00\x00\x28"),
    ),
    "two runs": Breach(
        found={"CMAF-traf"},
        files=AAC
        | {
            "aac-1/2.mp4": within(AAC["aac-1/2.mp4"], (b"moof", b"traf"), full_box(b"trun", 0, 0, struct.pack(">I", 0)))
        },
    ),
    "samples past the end": Breach(found={"CMAF-trun"}, files=number_after(AAC, "aac-1/2.mp4", b"trun", 12, 10_000)),
    "a hole in the timeline": Breach(found={"APPLE-7.3"}, files=number_after(AAC, "aac-1/2.mp4", b"tfdt", 8, 48_000)),
    "another index": Breach(
        found={"CMAF-sidx"},
        files=AAC | {"aac-1/2.mp4": index_box(len(AAC["aac-1/2.mp4"]) + 1, 138_240) + AAC["aac-1/2.mp4"]},
    ),
    "another index of the whole file": Breach(
        found={"CMAF-sidx"}, files=number_after(RANGED, "aac-1.mp4", b"sidx", 32, 1)
    ),
    "a tail as short as the priming": Breach(found={"CLIENT-hang", "CLIENT-tail", "APPLE-1.27"}, files=_last_of(1_024)),
    "audible priming": Breach(
        found={"APPLE-priming"},
        files=_each_init(AAC, lambda files, name: bytes_of(files, name, b"edts", b"free")),
    ),
    "an edit that skips nothing": Breach(
        found={"APPLE-priming"},
        files=_each_init(AAC, lambda files, name: number_after(files, name, b"elst", 12, -1024)),
    ),
    "no dOps": Breach(found={"OPUS-entry", "APPLE-2.2"}, files=_bare(OPUS, b"dOps")),
    "Opus without roll": Breach(
        found={"OPUS-roll", "APPLE-2.2"},
        files={name: data.replace(b"sbgp", b"free").replace(b"sgpd", b"free") for name, data in OPUS.items()},
    ),
    "Opus with prol": Breach(
        found={"OPUS-prol", "APPLE-2.2"},
        files=_each_init(OPUS, lambda files, name: bytes_of(files, name, SDGP_ROLL, PROL)),
    ),
    "Opus trimmed twice": Breach(
        found={"CLIENT-opus-edit", "APPLE-2.2"},
        files=_each_init(
            OPUS,
            lambda files, name: (
                files
                | {
                    name: within(
                        files[name],
                        (b"moov", b"trak"),
                        box(b"edts", full_box(b"elst", 0, 0, struct.pack(">IIihh", 1, 0, 312, 1, 0))),
                    )
                }
            ),
        ),
    ),
    "no dfLa": Breach(found={"FLAC-entry", "APPLE-2.3"}, files=_bare(FLAC, b"dfLa")),
    "another STREAMINFO": Breach(
        found={"FLAC-entry", "APPLE-2.3"},
        files=_each_init(FLAC, lambda files, name: bytes_of(files, name, b"\x0b\xb8\x03", b"\x0a\xc4\x43")),
    ),
    "no ludt": Breach(found={"APPLE-2.19"}, files=_bare(AAC, b"ludt")),
    "no btrt": Breach(found={"CMAF-btrt"}, files=_bare(AAC, b"btrt")),
    "a language that nobody knows": Breach(
        found={"CMAF-language"},
        files=_each_init(AAC, lambda files, name: bytes_of(files, name, b"\x6b\x18\x00\x00", b"\x55\xc4\x00\x00")),
    ),
}

_SINF = box(b"sinf", box(b"frma", b"mp4a"), box(b"schi", full_box(b"tenc", 0, 0, b"\x00\x00\x01\x08", bytes(16))))
ENCRYPTED = bytes_of(_in_init((*STBL, b"stsd", b"mp4a"), _SINF), INIT, b"mp4a" + bytes(6), b"enca" + bytes(6))

_OTHER = _each_init(
    {name: data for name, data in AAC.items() if name.startswith("aac-1/init")},
    lambda files, name: bytes_of(files, name, b"\x00\x02\x00\x10", b"\x00\x01\x00\x10"),
)[INIT]

OF_STREAMS: dict[str, Breach] = {
    "a page in its place": Breach(found={"RFC8216-4.1-playlist"}, files=AAC | {FIRST: b"<!doctype html>"}),
    "a playlist that leads to itself": Breach(
        found={"RFC8216-4.1-playlist"},
        files=text(AAC, INDEX, "aac-1.m3u8", INDEX),
    ),
    "a segment that is not there": Breach(
        found={"RFC8216-6.2.1"}, files={name: data for name, data in AAC.items() if name != "aac-1/2.mp4"}
    ),
    "a page for a segment": Breach(
        found={"RFC8216-3", "APPLE-1.26"}, files=AAC | {"aac-1/3.mp4": b"<!doctype html><title>404</title>"}
    ),
    "encrypted, and nobody says so": Breach(found={"RFC8216-4.3.2.4-unsaid"}, files=ENCRYPTED),
    "a file of the client's": Breach(
        found={"CLIENT-scheme"}, files=text(AAC, FIRST, "aac-1/2.mp4", "file:///etc/passwd")
    ),
    "FLAC in MPEG-TS": Breach(
        found={"APPLE-2.25", "APPLE-2.3", "RFC8216-3.2", *_RATES},
        files=media_text(
            {
                name: b"\x47" + bytes(187) + b"\x47" + bytes(187) if name.endswith(".mp4") else data
                for name, data in FLAC.items()
            },
            "#EXT-X-MAP",
            "#X-NO-MAP",
        ),
    ),
    "another format without a word": Breach(
        found={"RFC8216-4.3.2.3"},
        files=text(AAC, FIRST, "#EXTINF:6.080000", '#EXT-X-MAP:URI="other.mp4"\n#EXTINF:6.080000')
        | {"other.mp4": _OTHER},
    ),
    "a discontinuity in one": Breach(
        found={"APPLE-8.15"}, files=text(AAC, FIRST, "#EXTINF:6.080000", "#EXT-X-DISCONTINUITY\n#EXTINF:6.080000")
    ),
    "another start": Breach(
        found={"APPLE-8.7"},
        files=AAC
        | {
            name: number_after(AAC, name, b"tfdt", 8, 480_000)[name]
            for name in AAC
            if name.startswith("aac-1/") and name != INIT
        },
    ),
    "mono among stereo": Breach(found={"CLIENT-format"}, files=AAC | {INIT: _OTHER}),
    "plain text": Breach(found={"APPLE-10.1"}, files=AAC, headers={FIRST: {"content-encoding": ""}}),
    "another type": Breach(found={"APPLE-10.4"}, files=AAC, headers={INIT: {"content-type": "text/plain"}}),
    "a server of bad TLS": Breach(
        found={"APPLE-12.1"}, files=AAC, insecure=[name for name in AAC if name.startswith("aac-1/")]
    ),
    "a redirect": Breach(found={"APPLE-8.18"}, files=AAC, redirects={"aac-1/1.mp4": 1}),
    "no CORS": Breach(found={"CLIENT-cors"}, files=AAC, headers={INDEX: {"access-control-allow-origin": ""}}),
    "no ranges": Breach(found={"CLIENT-range"}, files=RANGED, no_ranges=True),
}

PACKED, TRANSPORT = packed(), transport()
UNKNOWN_SOUND = transport(kinds=(LATM,), sound=latm)

OF_SOUNDS: dict[str, Breach] = {
    "packed audio without a time": Breach(found={"RFC8216-3.4"}, files=PACKED | {"0.aac": adts(FRAMES[0])}),
    "a frame that breaks off": Breach(found={"RFC8216-3-frames"}, files=PACKED | {"1.aac": PACKED["1.aac"][:-9]}),
    "a segment that begins inside a frame": Breach(
        found={"RFC8216-3-frames"}, files=PACKED | {"1.aac": timed(STARTS[1]) + adts(FRAMES[1])[-64 * 200 - 9 :]}
    ),
    "a time that jumps": Breach(
        found={"RFC8216-3-time"}, files=packed((STARTS[0], STARTS[1] - 90_000, STARTS[2] - 90_000))
    ),
    "packed audio shorter than its EXTINF": Breach(
        found={"APPLE-8.1"}, files=PACKED | {"2.aac": timed(STARTS[2]) + adts(FRAMES[2] - 3)}
    ),
    "another rate without a word": Breach(
        found={"RFC8216-4.3.2.3"}, files=PACKED | {"2.aac": timed(STARTS[2]) + adts(FRAMES[2], rate=4)}
    ),
    "MPEG-TS that lacks a packet of what is not read": Breach(
        found={"RFC8216-3-frames"},
        files=UNKNOWN_SOUND | {"1.ts": UNKNOWN_SOUND["1.ts"][: 5 * 188] + UNKNOWN_SOUND["1.ts"][6 * 188 :]},
    ),
    "MPEG-TS that is cut off": Breach(found={"RFC8216-3-frames"}, files=TRANSPORT | {"2.ts": TRANSPORT["2.ts"][:-9]}),
    "MPEG-TS without tables": Breach(found={"RFC8216-3.2"}, files=TRANSPORT | {"1.ts": TRANSPORT["1.ts"][2 * 188 :]}),
    "two sounds in MPEG-TS": Breach(found={"APPLE-2.17-ts"}, files=transport(kinds=(0x0F, 0x0F))),
}

ALL: dict[str, Breach] = OF_TEXT | OF_PLAYLISTS | OF_BOXES | OF_STREAMS | OF_SOUNDS
