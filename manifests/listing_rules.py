"""The rules for what only a listing can hold: text, keys, discontinuities, alternate renditions, codec families."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial

from manifests import listing_text as reader
from manifests.listing import ListedTag, ListedVariant, Listing, MediaListing, MultivariantListing
from manifests.playlist import PlaylistByteRange
from model.rule import Breaches, Rule, Severity
from model.timebase import MICROSECONDS

APPLE_TARGET_S = 6
HE_AAC_BPS_MAX = 64_000
DEFAULT_PATHWAY = "."  # of a variant that names none (RFC 8216bis §4.4.6.2)
_IV = re.compile(r"0[xX][0-9A-Fa-f]{1,32}")
_HE_AAC = frozenset({"mp4a.40.5", "mp4a.40.29"})
_MEDIA_TYPES = frozenset({"AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"})


def _troubles(rule: str, it: Listing) -> Breaches:
    for trouble in it.troubles:
        if trouble.rule == rule:
            yield trouble.line, trouble.message


def _of_reader(rule: str) -> Callable[[Listing], Breaches]:
    """The reader's own troubles of this rule."""
    return partial(_troubles, rule)


def _bad_iv(it: MediaListing) -> Breaches:
    for key in dict.fromkeys((each.key.line, each.key.iv) for each in it.segments if each.key):
        line, iv = key
        if iv is not None and not _IV.fullmatch(iv):
            yield line, f"IV is no hexadecimal number of 128 bits: {iv[:40]!a}"


def _map_without_iv(it: MediaListing) -> Breaches:
    maps = {each.init_map.line: each.init_map.key for each in it.segments if each.init_map}
    for line, key in maps.items():
        if key and key.hides_boxes and key.iv is None:
            yield line, "the map is encrypted with AES-128 and its key has no IV: there is no sequence number to take"


def _overlap(it: MediaListing) -> Breaches:
    ends: dict[str, int] = {}
    ranges: list[tuple[int, str, PlaylistByteRange | None]] = []
    seen_maps: set[int] = set()
    for each in it.segments:
        if each.init_map and each.init_map.line not in seen_maps:
            seen_maps.add(each.init_map.line)
            ranges.append((each.init_map.line, each.init_map.uri, each.init_map.byte_range))
        ranges.append((each.line, each.uri, each.byte_range))
    for line, uri, byte_range in ranges:
        if byte_range is None:
            continue
        if byte_range.offset_bytes < ends.get(uri, 0):
            yield line, f"the range starts at byte {byte_range.offset_bytes}, one before ended at {ends[uri]}"
        ends[uri] = max(ends.get(uri, 0), byte_range.end_bytes)


def _other_than_6_s(it: MediaListing) -> Breaches:
    long_enough = sum(each.duration_us for each in it.segments) >= 2 * APPLE_TARGET_S * MICROSECONDS
    if long_enough and it.target_duration_s and it.target_duration_s != APPLE_TARGET_S:
        yield 0, f"the target duration is {it.target_duration_s} s"


MEDIA_LISTING_RULES: tuple[Rule[MediaListing], ...] = (
    Rule(
        reader.SEGMENT,
        "RFC 8216 §4.3.2.1",
        Severity.MUST,
        _of_reader(reader.SEGMENT),
        "write #EXTINF:<seconds>, and the segment's URI on the line after it",
    ),
    Rule(
        reader.SEGMENT_TAGS,
        "RFC 8216 §4.3.2.5",
        Severity.MUST,
        _of_reader(reader.SEGMENT_TAGS),
        "write #EXT-X-MAP with the URI of the init section",
    ),
    Rule(
        "RFC8216-4.3.2.2-syntax",
        "RFC 8216 §4.3.2.2",
        Severity.MUST,
        _of_reader("RFC8216-4.3.2.2-syntax"),
        "write <length>@<offset> with every range",
    ),
    Rule(
        reader.MEDIA_TAGS,
        "RFC 8216 §4.3.3",
        Severity.MUST,
        _of_reader(reader.MEDIA_TAGS),
        "write EXT-X-TARGETDURATION, and each tag of the whole playlist at most once",
    ),
    Rule(
        "RFC8216-4.3.2.4",
        "RFC 8216 §4.3.2.4",
        Severity.MUST,
        _of_reader("RFC8216-4.3.2.4"),
        "write METHOD=AES-128 or SAMPLE-AES with the key's URI, or METHOD=NONE alone",
    ),
    Rule(
        "RFC8216-4.3.2.4-iv",
        "RFC 8216 §4.3.2.4, §4.2",
        Severity.MUST,
        _bad_iv,
        "write IV=0x and 32 hexadecimal digits",
    ),
    Rule(
        "RFC8216-4.3.2.5-iv",
        "RFC 8216 §4.3.2.5",
        Severity.MUST,
        _map_without_iv,
        "give that key an IV, or put EXT-X-MAP in the clear before the first EXT-X-KEY",
    ),
    Rule(
        "CLIENT-overlap",
        "RFC 8216 §4.3.2.2: each segment is a sub-range of its own",
        Severity.SHOULD,
        _overlap,
        "write the ranges as they follow each other in the file",
    ),
    Rule(
        "APPLE-7.5",
        "Apple HLS authoring 7.5",
        Severity.SHOULD,
        _other_than_6_s,
        "cut segments of about 6 s, unless shorter ones are worth their requests to you",
    ),
)


def _groups(it: MultivariantListing) -> dict[tuple[str, str], list[ListedTag]]:
    groups: dict[tuple[str, str], list[ListedTag]] = defaultdict(list)
    for each in it.renditions:
        groups[each["TYPE"], each["GROUP-ID"]].append(each)
    return groups


def _incomplete_rendition(it: MultivariantListing) -> Breaches:
    for each in it.renditions:
        missing = [name for name in ("TYPE", "GROUP-ID", "NAME") if not each[name]]
        if missing:
            yield each.line, f"EXT-X-MEDIA without {' and '.join(missing)}"
        elif each["TYPE"] not in _MEDIA_TYPES:
            yield each.line, f"TYPE of EXT-X-MEDIA is none that HLS has: {each['TYPE'][:40]!a}"
        if each["DEFAULT"] == "YES" and each["AUTOSELECT"] == "NO":
            yield each.line, "DEFAULT=YES with AUTOSELECT=NO"


def _same_name(it: MultivariantListing) -> Breaches:
    for (_, group), members in _groups(it).items():
        lines: dict[str, list[int]] = defaultdict(list)
        for each in members:
            lines[each["NAME"]].append(each.line)
        for name, named in lines.items():
            if name and len(named) > 1:
                yield named[1], f"{len(named)} renditions have the NAME {name[:80]!a} in the group {group[:80]!a}"


def _two_defaults(it: MultivariantListing) -> Breaches:
    for (_, group), members in _groups(it).items():
        defaults = [each for each in members if each["DEFAULT"] == "YES"]
        if len(defaults) > 1:
            yield defaults[1].line, f"{len(defaults)} renditions with DEFAULT=YES in the group {group[:80]!a}"


def _other_members(it: MultivariantListing) -> Breaches:
    first: dict[str, tuple[str, set[str]]] = {}
    for (kind, group), members in _groups(it).items():
        names = {each["NAME"] for each in members}
        known_group, known = first.setdefault(kind, (group, names))
        if names != known:
            yield members[0].line, f"the group {group[:80]!a} has other members than the group {known_group[:80]!a}"


def _audio(it: MultivariantListing) -> Iterator[ListedTag]:
    return (each for each in it.renditions if each["TYPE"] == "AUDIO")


def _no_language(it: MultivariantListing) -> Breaches:
    for each in _audio(it):
        if not each["LANGUAGE"]:
            yield each.line, f"no LANGUAGE: {each['NAME'][:80]!a}"


def _no_channels(it: MultivariantListing) -> Breaches:
    for each in _audio(it):
        if not each["CHANNELS"]:
            yield each.line, f"no CHANNELS: {each['NAME'][:80]!a}"


def _rates_in_a_group(it: MultivariantListing) -> Breaches:
    """Members that are the same to a listener: equal in name, or variants of this playlist themselves."""
    variants = {each.uri for each in it.variants}
    for (kind, group), members in _groups(it).items():
        if kind != "AUDIO":
            continue
        alike: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for each in members:
            if each["URI"]:
                name = "" if each["URI"] in variants else each["NAME"]
                told = ("LANGUAGE", "ASSOC-LANGUAGE", "CHARACTERISTICS", "CHANNELS")
                alike[(name, *(each[attribute] for attribute in told))].add(each["URI"])
        count = max(map(len, alike.values()), default=0)
        if count > 1:
            yield members[0].line, f"the group {group[:80]!a} holds {count} encodings of the same sound"


def _entries(variant: ListedVariant) -> set[str]:
    return {entry.casefold() for entry in variant.codecs}


def _opus_for_apple(it: MultivariantListing) -> Breaches:
    opus = [each for each in it.variants if "opus" in _entries(each)]
    if opus:
        yield opus[0].line, f"{len(opus)} of {len(it.variants)} variants are in Opus, which Apple's list does not have"


def _he_aac_above_64k(it: MultivariantListing) -> Breaches:
    for variant in it.variants:
        rate_bps = variant.average_bandwidth_bps or variant.bandwidth_bps
        if _entries(variant) & _HE_AAC and rate_bps > HE_AAC_BPS_MAX * 11 // 10 and not variant["RESOLUTION"]:
            yield variant.line, f"HE-AAC at {rate_bps} bit/s: {variant.uri}"


def _bad_steering(it: MultivariantListing) -> Breaches:
    for each in it.steering[1:]:
        yield each.line, "EXT-X-CONTENT-STEERING a second time"
    pathways = {variant["PATHWAY-ID"] or DEFAULT_PATHWAY for variant in it.variants}
    for each in it.steering:
        if not each["SERVER-URI"]:
            yield each.line, "EXT-X-CONTENT-STEERING without SERVER-URI"
        if each["PATHWAY-ID"] and each["PATHWAY-ID"] not in pathways:
            yield each.line, f"no variant has the PATHWAY-ID to begin with: {each['PATHWAY-ID'][:40]!a}"


def _no_pathway(it: MultivariantListing) -> Breaches:
    for each in it.steering[:1]:
        if not each["PATHWAY-ID"]:
            yield each.line, "no PATHWAY-ID: until the steering server answers, clients begin with any of them"


def _version(it: MultivariantListing) -> Breaches:
    for need in it.needs:
        if it.version < need.version:
            yield need.line, f"EXT-X-VERSION is {it.version}, {need.what} needs {need.version}"


def _either(rule: str, section: str, how_to_fix: str) -> Rule[Listing]:
    return Rule(rule, section, Severity.MUST, _of_reader(rule), how_to_fix)


EITHER_LISTING_RULES: tuple[Rule[Listing], ...] = (
    _either(
        reader.TEXT,
        "RFC 8216 §4.1",
        "write UTF-8 without a byte order mark or control characters, and tags of one kind of playlist only",
    ),
    _either(
        reader.ATTRIBUTES,
        "RFC 8216 §4.2",
        'write NAME=VALUE or NAME="TEXT" as each attribute wants it, each name once, joined by commas',
    ),
    _either(
        reader.VARIABLES,
        "RFC 8216bis §4.3, §4.4.2.3",
        "define the variable before it is used, or write the value in its place",
    ),
)

MULTIVARIANT_LISTING_RULES: tuple[Rule[MultivariantListing], ...] = (
    Rule(
        reader.MULTIVARIANT_TAGS,
        "RFC 8216 §4.3.4.2",
        Severity.MUST,
        _of_reader(reader.MULTIVARIANT_TAGS),
        "write #EXT-X-STREAM-INF with BANDWIDTH, and the media playlist's URI on the next line",
    ),
    Rule(
        "RFC8216BIS-8",
        "RFC 8216bis §8",
        Severity.MUST,
        _version,
        "raise EXT-X-VERSION to what the tags need",
    ),
    Rule(
        "RFC8216-4.3.4.1",
        "RFC 8216 §4.3.4.1",
        Severity.MUST,
        _incomplete_rendition,
        "write TYPE, GROUP-ID and NAME; a default rendition may be selected automatically, too",
    ),
    Rule(
        "RFC8216-4.3.4.1.1-name",
        "RFC 8216 §4.3.4.1.1",
        Severity.MUST,
        _same_name,
        "give each rendition of a group a NAME of its own; bit rates of one sound belong into variants",
    ),
    Rule(
        "RFC8216-4.3.4.1.1-default",
        "RFC 8216 §4.3.4.1.1",
        Severity.MUST,
        _two_defaults,
        "leave DEFAULT=YES with one rendition of the group",
    ),
    Rule(
        "RFC8216-4.3.4.1.1-members",
        "RFC 8216 §4.3.4.1.1",
        Severity.MUST,
        _other_members,
        "list the same renditions, by NAME, in every group of one TYPE",
    ),
    Rule(
        "APPLE-8.10",
        "Apple HLS authoring 8.10",
        Severity.MUST,
        _no_language,
        "write LANGUAGE; zxx for music without words",
    ),
    Rule(
        "RFC8216-4.3.4.1-channels",
        "RFC 8216 §4.3.4.1",
        Severity.SHOULD,
        _no_channels,
        'write CHANNELS="2" for stereo',
    ),
    Rule(
        "CLIENT-group",
        "hls.js 1.7 and video.js 8 adapt between variants, not inside an audio group",
        Severity.MUST,
        _rates_in_a_group,
        "write plain variants without AUDIO, or one group for each bit rate",
    ),
    Rule(
        "APPLE-2.2",
        "Apple HLS authoring 2.2",
        Severity.SHOULD,
        _opus_for_apple,
        "offer Opus in a multivariant playlist of its own, beside one with AAC for Apple's devices",
    ),
    Rule(
        "APPLE-2.4",
        "Apple HLS authoring 2.4",
        Severity.SHOULD,
        _he_aac_above_64k,
        "encode AAC-LC above 64 kbit/s",
    ),
    Rule(
        "RFC8216BIS-4.4.6.6",
        "RFC 8216bis §4.4.6.6",
        Severity.MUST,
        _bad_steering,
        "write EXT-X-CONTENT-STEERING once, with SERVER-URI, and a PATHWAY-ID that variants have",
    ),
    Rule(
        "APPLE-9.18",
        "Apple HLS authoring 9.18",
        Severity.SHOULD,
        _no_pathway,
        "write PATHWAY-ID with the pathway to begin with",
    ),
)
