"""Re-check a package in the store: playlists against the rules, boxes against the specification, bytes against hashes.

Everything is read back by code that did not write it: manifests.parse and the `m3u8` package for the playlists,
cmaf.read for the boxes, an XML parser for the MPD.
"""

import asyncio
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryFile

from avtool.scratch import scratch_folder
from cmaf.codec_config import decoder_config
from cmaf.read import ParsedTrack, read_track_file
from manifests.codecs import MPD_NAME, MULTIVARIANT_NAMES, PLAYLIST_SUFFIX
from manifests.listing_reader import read_listing
from manifests.parse import parse_media, parse_multivariant
from manifests.playlist import MediaPlaylist
from manifests.rules import Finding, Severity, check_listing, check_media, check_multivariant, check_presentation
from model.errors import KeyMissing, KeyWrong, MediaError, ObjectNotFound, PlaylistError
from model.loudness import LoudnessReport
from model.package import Package
from model.rendition import Codec
from model.segment import SegmentedRendition
from model.track import ART_SIDES, Track
from packager.protect import cleared
from packager.publish import playlists
from packager.second_reader import second_opinion, second_opinion_on_mpd, second_opinion_on_variants
from packager.track_files import sha256_of, track_file_name
from protection.keys import NO_KEYS, KeyRing
from storage.base import ObjectStore
from storage.keys import art_key, package_key, track_file_key

# What CMAF lets into a header and into a chunk (ISO/IEC 23000-19 tables 3 and 5); `ludt` is user data of the track.
_HEADER_BOXES = frozenset([
    "moov", "mvhd", "trak", "tkhd", "edts", "elst", "mdia", "mdhd", "hdlr", "elng", "minf", "smhd", "dinf", "dref",
    "stbl", "stsd", "stts", "stsc", "stsz", "stco", "sgpd", "udta", "cprt", "kind", "ludt", "mvex", "mehd", "trex",
    "pssh",
])  # fmt: skip
_CHUNK_BOXES = frozenset([
    "moof", "mfhd", "traf", "tfhd", "tfdt", "trun", "senc", "saio", "saiz", "sbgp", "sgpd", "subs",
])  # fmt: skip
_ROLL_DISTANCES = {Codec.AAC: -1, Codec.OPUS: -4}
_ENTRIES = {Codec.AAC: "mp4a", Codec.OPUS: "Opus", Codec.FLAC: "fLaC"}
LOUDNESS_STEP_LU = 0.25  # of the field in `ludt`
LOUDNESS_LUFS_MIN = -57.75  # the least that `ludt` can say
PEAK_STEP_DB = 1 / 32


async def verify_package(
    store: ObjectStore, package: Package, *, scratch_dir: str | None = None, keys: KeyRing = NO_KEYS
) -> list[Finding]:
    """Everything that is wrong with a package as it lies in the store; empty if nothing is. Raises StorageError.

    Without `keys`, a protected package is checked as far as players without a token could: hashes, lengths and
    playlists. A finding says then that nobody looked inside.
    """
    findings = [_UNSEEN] if package.protection and not keys else []
    async with scratch_folder(scratch_dir) as scratch:
        for rendition in package.renditions:
            findings += await _verify_track_file(store, package, rendition, scratch, keys)
    findings += await _verify_playlists(store, package)
    return findings


async def verify_art(store: ObjectStore, track: Track) -> list[Finding]:
    """The sizes of a track's cover art that are not in the store. Raises StorageError."""
    findings = []
    for side in ART_SIDES:
        key = art_key(track.art_id, side)
        try:
            await store.head(key)
        except ObjectNotFound:
            findings.append(_finding("SEGUE-object", "track.json", f"{key} is missing", "publish the source again"))
    return findings


def _finding(rule: str, section: str, message: str, how_to_fix: str = "run `segue verify --repair`") -> Finding:
    return Finding(rule=rule, section=section, line=0, message=message, how_to_fix=how_to_fix, severity=Severity.MUST)


_UNSEEN = Finding(
    rule="SEGUE-unseen",
    section="RFC 8216 §4.3.2.4",
    line=0,
    message="protected, and there is no key: hashes and playlists were checked, boxes were not",
    how_to_fix="name the key store with --key-store",
    severity=Severity.SHOULD,
)


async def _verify_track_file(
    store: ObjectStore, package: Package, rendition: SegmentedRendition, scratch: Path, keys: KeyRing
) -> list[Finding]:
    name = track_file_name(rendition.rendition.rendition_id)
    path = scratch / name
    try:
        key = track_file_key(package.recording_id, package.package_id, rendition.track_file_path)
        info = await store.lend(key, path)
    except ObjectNotFound:
        return [_finding("SEGUE-object", "package.json", f"{rendition.track_file_path} is missing")]
    try:
        sha256 = await asyncio.to_thread(sha256_of, path)  # the store's own is of what was put, not of what lies there
        if (info.sha256, sha256, info.size_bytes) != (rendition.sha256, rendition.sha256, rendition.size_bytes):
            return [_finding("SEGUE-hash", "package.json", f"{name} is not the file that package.json describes")]
        seen = await asyncio.to_thread(_looked_into, path, rendition, keys)
    except (KeyMissing, KeyWrong) as error:
        return [_finding("SEGUE-key", "RFC 8216 §4.3.2.4", f"{name}: {error}", error.hint)]
    except MediaError as error:
        return [_finding("CMAF-boxes", "ISO/IEC 14496-12 §4.2", f"{name}: {error}")]
    finally:
        path.unlink()
    found = [*(check_track_file(*seen) if seen else ()), *_check_length(package, rendition)]
    return [_finding(rule, section, f"{name}: {message}") for rule, section, message in found]


def _looked_into(
    path: Path, rendition: SegmentedRendition, keys: KeyRing
) -> tuple[ParsedTrack, SegmentedRendition] | None:
    """What a track file says of itself, and what is to be held against it: both of its form in the clear. None for an
    encrypted one where there are no keys. Blocking."""
    with path.open("rb") as file:
        if rendition.protection is None:
            return read_track_file(file), rendition
        if not keys:
            return None
        with TemporaryFile(dir=path.parent) as opened:
            clear = cleared(rendition, file, opened, master=keys.master(rendition.protection.key_set))
            return read_track_file(opened), clear


def check_track_file(parsed: ParsedTrack, rendition: SegmentedRendition) -> Iterator[tuple[str, str, str]]:
    """Rule, section and message of everything in a track file that is not as it must be."""
    yield from _check_boxes(parsed, rendition.rendition.codec)
    yield from _check_format(parsed, rendition)
    yield from _check_priming(parsed, rendition)
    yield from _check_rolls(parsed, rendition.rendition.codec)
    yield from _check_timeline(parsed, rendition)
    yield from _check_bitrates(parsed)
    yield from _check_loudness("track", (parsed.loudness_lufs, parsed.true_peak_dbtp), rendition.loudness)
    yield from _check_loudness(
        "album", (parsed.album_loudness_lufs, parsed.album_true_peak_dbtp), rendition.album_loudness
    )


def _check_boxes(parsed: ParsedTrack, codec: Codec) -> Iterator[tuple[str, str, str]]:
    if "cmfc" not in parsed.brands or (codec is Codec.AAC and "caac" not in parsed.brands):
        yield "CMAF-brands", "ISO/IEC 23000-19 §7.2", f"brands are {', '.join(parsed.brands)}"
    if strange := sorted(set(parsed.header_box_types) - _HEADER_BOXES):
        yield "CMAF-allowed", "ISO/IEC 23000-19 table 3", f"boxes in the header: {', '.join(strange)}"
    found = {kind for fragment in parsed.fragments for kind in fragment.box_types}
    if strange := sorted(found - _CHUNK_BOXES):
        yield "CMAF-allowed", "ISO/IEC 23000-19 table 5", f"boxes in fragments: {', '.join(strange)}"


def _check_format(parsed: ParsedTrack, rendition: SegmentedRendition) -> Iterator[tuple[str, str, str]]:
    codec = rendition.rendition.codec
    if parsed.sample_entry != _ENTRIES[codec]:
        yield "CMAF-entry", "RFC 6381", f"sample entry {parsed.sample_entry} is not {codec}"
        return
    wanted = (rendition.timescale, rendition.rendition.sample_rate_hz, rendition.rendition.channels)
    if (parsed.timescale, parsed.timescale, parsed.channels) != wanted:
        yield "CMAF-format", "SEGUE decision 3", f"{parsed.timescale} Hz, {parsed.channels} channels"
    try:
        decoded = decoder_config(parsed.sample_entry, parsed.config)
    except MediaError as error:
        yield "CMAF-config", "ISO/IEC 14496-12 §12.2.3", str(error)
        return
    told = (parsed.entry_rate_hz, parsed.channels, parsed.bit_depth)
    if told != (decoded.sample_rate_hz, decoded.channels, decoded.bit_depth):
        yield "CMAF-config", "ISO/IEC 14496-12 §12.2.3", "the sample entry differs from the decoder's configuration"
    if not decoded.plain:
        yield "CMAF-config", "RFC 6381", "the decoder's configuration asks for more than CODECS says"


def _check_priming(parsed: ParsedTrack, rendition: SegmentedRendition) -> Iterator[tuple[str, str, str]]:
    codec, priming = rendition.rendition.codec, rendition.priming_ticks
    edit = priming if codec is Codec.AAC else None
    if parsed.edit_media_time != edit:
        yield "CMAF-edit-list", "SEGUE decision 5", f"edit list skips {parsed.edit_media_time}, not {edit} samples"
    if codec is Codec.OPUS and int.from_bytes(parsed.config[2:4], "big") != priming:
        yield "OPUS-pre-skip", "Opus in ISOBMFF §4.3.2", "dOps has another pre-skip than package.json"


def _check_rolls(parsed: ParsedTrack, codec: Codec) -> Iterator[tuple[str, str, str]]:
    roll = _ROLL_DISTANCES.get(codec)
    if parsed.roll_distance != roll:
        yield "CMAF-roll", "ISO/IEC 14496-12 §10.1", f"roll distance is {parsed.roll_distance}, not {roll}"
    for number, fragment in enumerate(parsed.fragments):
        if fragment.rolled_frames != (0 if roll is None else fragment.frame_count):
            message = (
                f"fragment {number}: {fragment.rolled_frames} of {fragment.frame_count} frames are in a roll group"
            )
            yield "CMAF-roll", "ISO/IEC 14496-12 §8.9.2", message


def _check_length(package: Package, rendition: SegmentedRendition) -> Iterator[tuple[str, str, str]]:
    if rendition.media_ticks != package.media_samples:
        message = f"{rendition.media_ticks} samples of music, not the {package.media_samples} of the track"
        yield "SEGUE-length", "SEGUE decision 5", message


def _check_timeline(parsed: ParsedTrack, rendition: SegmentedRendition) -> Iterator[tuple[str, str, str]]:
    sections = (rendition.init_size_bytes, rendition.index_size_bytes)
    if (parsed.init_size_bytes, parsed.index_size_bytes) != sections:
        yield "CMAF-sections", "package.json", "init section and segment index are not as long as package.json says"
    described = [(each.offset_bytes, each.size_bytes, each.duration_ticks) for each in rendition.segments]
    found = [(each.offset_bytes, each.size_bytes, each.duration_ticks) for each in parsed.fragments]
    if found != described:
        yield "CMAF-segments", "package.json", "fragments are not where, or not as long as, package.json says"
    if list(parsed.index) != [(size, ticks) for _, size, ticks in found]:
        yield "CMAF-sidx", "ISO/IEC 14496-12 §8.16.3", "the segment index differs from the fragments"
    sums = accumulate((each.duration_ticks for each in parsed.fragments), initial=0)
    for number, (fragment, expected) in enumerate(zip(parsed.fragments, sums, strict=False)):
        if fragment.decode_time != expected:
            yield "CMAF-tfdt", "ISO/IEC 23000-19 §7.3.2.2", f"fragment {number} starts at {fragment.decode_time}"
        if fragment.frames_size_bytes != fragment.media_size_bytes:
            yield "CMAF-trun", "ISO/IEC 14496-12 §8.8.8", f"fragment {number}: sizes of frames do not fill its mdat"


def _check_bitrates(parsed: ParsedTrack) -> Iterator[tuple[str, str, str]]:
    section = "ISO/IEC 14496-12 §8.5.2"
    if parsed.bitrates_bps is None:
        yield "CMAF-btrt", section, "the sample entry has no bit rates"
        return
    largest, average = parsed.bitrates_bps
    bits = 8 * sum(each.frames_size_bytes for each in parsed.fragments)
    ticks = sum(each.duration_ticks for each in parsed.fragments)
    if not average * ticks >= bits * parsed.timescale > (average - 1) * ticks:
        yield "CMAF-btrt", section, f"the average bit rate is not {average}"
    if largest < average:
        yield "CMAF-btrt", section, f"the largest bit rate, {largest}, is below the average, {average}"


def _check_loudness(
    what: str, told: tuple[float | None, float | None], measured: LoudnessReport | None
) -> Iterator[tuple[str, str, str]]:
    (lufs, peak), wanted = told, measured.integrated_lufs if measured else None
    if (lufs is None) != (wanted is None) or (
        lufs is not None and wanted is not None and abs(lufs - max(wanted, LOUDNESS_LUFS_MIN)) > LOUDNESS_STEP_LU
    ):
        yield "APPLE-2.23", "Apple HLS authoring 2.23", f"ludt says {lufs} LUFS for the {what}, measured were {wanted}"
    wanted = measured.true_peak_dbtp if measured else None
    if peak is not None and wanted is not None and abs(peak - wanted) > PEAK_STEP_DB:
        yield "APPLE-2.23", "Apple HLS authoring 2.23", f"ludt says {peak} dBTP for the {what}, measured were {wanted}"


async def _verify_playlists(store: ObjectStore, package: Package) -> list[Finding]:
    stored: dict[str, bytes] = {}
    findings: list[Finding] = []
    for name, expected in playlists(package).items():
        try:
            stored[name] = (await store.read(package_key(package.recording_id, package.package_id, name))).data
        except ObjectNotFound:
            findings.append(_finding("SEGUE-object", "package.json", f"{name} is missing"))
            continue
        if stored[name] != expected:
            findings.append(_finding("SEGUE-playlist", "package.json", f"{name} is not the playlist of this package"))
    return findings or check_playlists(package, stored)


def check_playlists(package: Package, stored: dict[str, bytes]) -> list[Finding]:
    """Everything that is wrong with the playlists of a package, which are given by their names."""
    try:
        return list(_playlist_findings(package, stored))
    except PlaylistError as error:
        return [_finding("RFC8216-4.1", "RFC 8216 §4.1", str(error))]


def _playlist_findings(package: Package, stored: dict[str, bytes]) -> Iterator[Finding]:
    for name, data in stored.items():  # as anybody's; what is only advised, we have decided on
        if name.endswith(PLAYLIST_SUFFIX):
            yield from (each for each in check_listing(read_listing(data)) if each.severity is Severity.MUST)
    media: dict[str, MediaPlaylist] = {}
    for each in package.renditions:
        name = f"{each.rendition.rendition_id}.m3u8"
        media[name] = parse_media(stored[name], subject=name)
        yield from check_media(media[name], file_size_bytes=each.size_bytes, rendition=each)
        told = second_opinion(stored[name], media[name])
        yield from (_finding("SEGUE-second-reader", "RFC 8216 §4.3", f"{name}: {message}") for message in told)
    for codec in package.codecs:
        name = MULTIVARIANT_NAMES[codec]
        variants = parse_multivariant(stored[name], subject=name)
        yield from check_multivariant(variants, codec=codec)
        yield from check_presentation(variants, media)
        told = second_opinion_on_variants(stored[name], variants)
        yield from (_finding("SEGUE-second-reader", "RFC 8216 §4.3", f"{name}: {message}") for message in told)
    told = second_opinion_on_mpd(stored[MPD_NAME], package) if MPD_NAME in stored else iter(())
    yield from (_finding("SEGUE-second-reader", "ISO/IEC 23009-1", f"{MPD_NAME}: {message}") for message in told)
