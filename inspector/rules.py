"""The rules for a whole stream: what playlists say against what init sections and segments hold, and the delivery."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

from cmaf.look import InitLook
from inspector.frames import CLOCK_HZ, SoundLook
from inspector.gathered import FMP4, PACKED, TS, Delivery, MediaTrack, Stream
from manifests.codecs import spelling_of
from manifests.listing import ListedVariant
from model.rule import Breaches, Place, Rule, Severity
from model.timebase import MICROSECONDS, decimal_seconds

GZIP_LEAST_BYTES = 256  # below, the frame of gzip costs more than it saves
PLAYLIST_TYPES = frozenset({"application/vnd.apple.mpegurl", "audio/mpegurl", "application/x-mpegurl"})
MEDIA_TYPES = frozenset(
    {
        *("audio/mp4", "video/mp4", "application/mp4", "video/iso.segment", "audio/iso.segment"),
        *("video/mp2t", "audio/aac", "audio/mpeg", "audio/ac3", "audio/eac3", "text/vtt"),
    }
)
_ONLY_IN_FMP4 = frozenset({"flac", "alac", "mp4a.40.42"})
_SHORTENED_PART = 2  # an EXTINF that lacks half of what the edit list skips, or more, was shortened by it


def _mishaps(rule: str, it: Stream) -> Breaches:
    for mishap in it.mishaps:
        if mishap.rule == rule:
            yield mishap.place, mishap.message


def _of_gathering(rule: str) -> Callable[[Stream], Breaches]:
    """What went wrong while resources were asked for."""
    return partial(_mishaps, rule)


def _tracks_of(it: Stream, variant: ListedVariant) -> list[MediaTrack]:
    by_uri = it.by_uri()
    groups = it.multivariant.audio_of(variant) if it.multivariant else ()
    uris = dict.fromkeys([variant.uri, *(each["URI"] for each in groups)])
    return [by_uri[uri] for uri in uris if uri in by_uri]


def _variants(it: Stream) -> tuple[ListedVariant, ...]:
    return it.multivariant.variants if it.multivariant else ()


def _other_codecs(it: Stream) -> Breaches:
    for variant in _variants(it):
        said = {spelling_of(entry) or entry for entry in variant.codecs}
        kinds = [codecs for track in _tracks_of(it, variant) for codecs in _held(track)]
        held = next((codecs[-1] for codecs in kinds if not said & set(codecs)), None)
        if said and held:
            message = f"CODECS is {','.join(variant.codecs)}, but {held} is in its media: {variant.uri}"
            yield Place(line=variant.line, resource=it.location), message


def _held(track: MediaTrack) -> Iterator[tuple[str, ...]]:
    """The entries that would be right in CODECS, for each kind of sound in a track."""
    yield from (init.codecs for init in track.inits.values() if init.audio_tracks and init.codecs)
    yield from dict.fromkeys(part.sound.codecs for part in track.parts if part.sound and part.sound.codecs)


def _not_in_fmp4(it: Stream) -> Breaches:
    for variant in _variants(it):
        entries = {entry.casefold() for entry in variant.codecs} & _ONLY_IN_FMP4
        kinds = {part.kind for track in _tracks_of(it, variant) for part in track.parts}
        if entries and kinds & {TS, PACKED} and FMP4 not in kinds:
            yield (
                Place(line=variant.line, resource=it.location),
                f"{','.join(sorted(entries))} in {kinds.pop()} segments",
            )


_Format = tuple[str, int, int]  # codec, rate, channels


def _format_of(init: InitLook | None, sound: SoundLook | None) -> _Format | None:
    if sound and sound.frames:
        return sound.codecs[-1], sound.sample_rate_hz, sound.channels
    return (init.sample_entry, init.sample_rate_hz, init.channels) if init and init.audio_tracks else None


def _formats(track: MediaTrack) -> list[_Format | None]:
    """Of each segment, None where it is not known."""
    pairs = zip(track.listing.segments, track.parts, strict=False)
    return [_format_of(track.init_of(segment), part.sound) for segment, part in pairs]


def _told(found: _Format) -> str:
    return f"{found[0]}, {found[1]} Hz, {found[2]} channels"


def _unmarked_change(it: Stream) -> Breaches:
    for track in it.tracks:
        pairs = pairwise(zip(track.listing.segments, _formats(track), strict=False))
        for (before, old), (after, new) in pairs:
            if before.period == after.period and old and new and old != new:
                place = Place(line=after.line, resource=track.location)
                yield place, f"{_told(old)} becomes {_told(new)} without EXT-X-DISCONTINUITY"


def _key_unsaid(it: Stream) -> Breaches:
    for track in it.tracks:
        pairs = zip(track.listing.segments, track.parts, strict=False)
        found = [
            Place(line=segment.line, resource=track.location, segment=number)
            for number, (segment, part) in enumerate(pairs)
            if not segment.key and part.look and any(each.protected for each in part.look.fragments)
        ]
        if found:
            more = f" (and in {len(found) - 1} more segments)" if len(found) > 1 else ""
            yield found[0], f"the samples are encrypted, and no EXT-X-KEY says so{more}"


def _other_discontinuities(it: Stream) -> Breaches:
    ended = [track for track in it.tracks if track.listing.ended and track.listing.segments]
    for track in ended[1:]:
        counts = [each.listing.segments[-1].period for each in (ended[0], track)]
        if counts[0] != counts[1]:
            message = f"{counts[1]} discontinuities, {counts[0]} in {ended[0].location}"
            yield Place(resource=track.location), message


def _start_us(track: MediaTrack) -> tuple[int, int] | None:
    """When the first segment starts and how long one of its frames lasts, in microseconds."""
    init, first = track.first_init(), track.parts[0] if track.parts else None
    sound, look = (first.sound, first.look) if first else (None, None)
    if sound and sound.frames and sound.starts is not None:
        frame_us = sound.samples * MICROSECONDS // sound.frames // sound.sample_rate_hz
        return sound.starts * MICROSECONDS // CLOCK_HZ, frame_us
    if not init or not init.timescale or not look or not look.fragments or not look.frames:
        return None
    begins = look.fragments[0].decode_time
    if begins is None:
        return None
    frame_us = look.duration_ticks * MICROSECONDS // look.frames // init.timescale
    return begins * MICROSECONDS // init.timescale, frame_us


def _other_start(it: Stream) -> Breaches:
    known = [(track, start) for track in it.tracks if track.listing.ended and (start := _start_us(track))]
    for track, (begins_us, frame_us) in known[1:]:
        first, (first_us, first_frame_us) = known[0]
        if abs(begins_us - first_us) > max(frame_us, first_frame_us):
            seconds, others = decimal_seconds(begins_us), decimal_seconds(first_us)
            message = f"the media starts at {seconds} s, at {others} s in {first.location}"
            box = "moof/traf/tfdt" if track.parts[0].look else ""
            yield Place(resource=track.location, box=box, segment=0), message


def _other_format(it: Stream) -> Breaches:
    seen: dict[str, tuple[_Format, str]] = {}
    for track in it.tracks:
        found = next((each for each in _formats(track) if each), None)
        if found is None:
            continue
        first, where = seen.setdefault(found[0], (found, track.location))
        if first != found:
            box = "moov/trak/mdia/minf/stbl/stsd" if track.inits else ""
            yield Place(resource=track.location, box=box), f"{_told(found)}, but {_told(first)} in {where}"


def _shortened_first(it: Stream) -> Breaches:
    for track in it.tracks:
        init, look = track.first_init(), track.parts[0].look if track.parts else None
        if not init or not look or not init.edit_media_time or not init.timescale:
            continue
        first = track.listing.segments[0]
        lacking = look.duration_ticks - first.duration_us * init.timescale // MICROSECONDS
        if init.edit_media_time // _SHORTENED_PART < lacking < 2 * init.edit_media_time:
            message = f"the first EXTINF is {lacking} ticks shorter than its media, as if the edit list were applied"
            yield Place(line=first.line, resource=track.location), message


def _once_each(it: Stream, wrong: Callable[[Delivery], str]) -> Breaches:
    """One breach for each kind of resource: a server treats all of a kind alike."""
    told: dict[tuple[str, str], int] = {}
    for each in it.deliveries:
        message = wrong(each)
        if message:
            told[each.what, message] = told.get((each.what, message), 0) + 1
    for (what, message), count in told.items():
        first = next(each for each in it.deliveries if each.what == what and wrong(each) == message)
        more = f" (and for {count - 1} more)" if count > 1 else ""
        yield Place(resource=first.location), f"{what}: {message}{more}"


def _delivered(wrong: Callable[[Delivery], str]) -> Callable[[Stream], Breaches]:
    return lambda it: _once_each(it, wrong)


def _not_gzipped(it: Delivery) -> str:
    coded = it.headers.get("content-encoding", "").strip().lower()
    large = it.what == "playlist" and it.size_bytes >= GZIP_LEAST_BYTES
    return "not gzip, though the client accepts it" if large and coded not in ("gzip", "x-gzip") else ""


def _wrong_type(it: Delivery) -> str:
    media_type = it.headers.get("content-type", "").partition(";")[0].strip().lower()
    right = media_type in (PLAYLIST_TYPES if it.what == "playlist" else MEDIA_TYPES)
    return "" if right else f"Content-Type is {media_type[:80] or 'missing'}"


def _no_cors(it: Delivery) -> str:
    allowed = it.headers.get("access-control-allow-origin", "")
    return "" if allowed else "no Access-Control-Allow-Origin: pages of other sites cannot play it"


STREAM_RULES: tuple[Rule[Stream], ...] = (
    Rule(
        "RFC8216-4.1-playlist",
        "RFC 8216 §4.1",
        Severity.MUST,
        _of_gathering("RFC8216-4.1-playlist"),
        "serve a playlist there: UTF-8 text whose first line is #EXTM3U",
    ),
    Rule(
        "RFC8216-6.2.1",
        "RFC 8216 §6.2.1",
        Severity.MUST,
        _of_gathering("RFC8216-6.2.1"),
        "publish the resource before the playlist that names it, and keep it as long",
    ),
    Rule(
        "RFC8216-3",
        "RFC 8216 §3",
        Severity.MUST,
        _of_gathering("RFC8216-3"),
        "is it an error page, or a file by itself? write segments of fMP4, each with moof and mdat",
    ),
    Rule(
        "APPLE-12.1",
        "Apple HLS authoring 12.1 to 12.3",
        Severity.MUST,
        _of_gathering("APPLE-12.1"),
        "offer TLS 1.2 or later with ECDHE, and a certificate that browsers trust, of 2048 bits (RSA) or 256 (EC)",
    ),
    Rule(
        "CLIENT-scheme",
        "clients follow http and https only",
        Severity.MUST,
        _of_gathering("CLIENT-scheme"),
        "write URIs relative to the playlist",
    ),
    Rule(
        "RFC8216-4.3.4.2-codecs",
        "RFC 8216 §4.3.4.2, Apple HLS authoring 9.1",
        Severity.MUST,
        _other_codecs,
        "write CODECS from the decoder configuration in the init section",
    ),
    Rule(
        "APPLE-2.25",
        "Apple HLS authoring 2.25",
        Severity.MUST,
        _not_in_fmp4,
        "put FLAC, Apple Lossless and xHE-AAC into fMP4",
    ),
    Rule(
        "RFC8216-4.3.2.3",
        "RFC 8216 §4.3.2.3, Apple HLS authoring 2.11, 8.13",
        Severity.MUST,
        _unmarked_change,
        "write #EXT-X-DISCONTINUITY before the new EXT-X-MAP, or resample to one format",
    ),
    Rule(
        "RFC8216-4.3.2.4-unsaid",
        "RFC 8216 §4.3.2.4, ISO/IEC 23001-7 §8.2",
        Severity.MUST,
        _key_unsaid,
        "write EXT-X-KEY before the first encrypted segment: METHOD=SAMPLE-AES, with samples in the scheme cbcs",
    ),
    Rule(
        "APPLE-8.15",
        "Apple HLS authoring 8.15",
        Severity.MUST,
        _other_discontinuities,
        "write the same discontinuities into all media playlists",
    ),
    Rule(
        "APPLE-8.7",
        "Apple HLS authoring 8.7, RFC 8216 §6.2.4",
        Severity.MUST,
        _other_start,
        "start the timelines of all renditions at the same time",
    ),
    Rule(
        "CLIENT-format",
        "ffmpeg, mpv and VLC stop, or play rubbish, where the rate or the channels change",
        Severity.SHOULD,
        _other_format,
        "encode all bit rates of a codec at one sample rate and with the same channels",
    ),
    Rule(
        "CLIENT-first-extinf",
        "Shaka Player 5.2 loses as much music at the first boundary",
        Severity.SHOULD,
        _shortened_first,
        "write EXTINF as the sum of the sample durations, what the edit list skips included",
    ),
    Rule(
        "APPLE-10.1",
        "Apple HLS authoring 10.1",
        Severity.MUST,
        _delivered(_not_gzipped),
        "send playlists with Content-Encoding: gzip",
    ),
    Rule(
        "APPLE-10.4",
        "Apple HLS authoring 10.4, RFC 8216 §4",
        Severity.SHOULD,
        _delivered(_wrong_type),
        "send application/vnd.apple.mpegurl for playlists, audio/mp4 for fMP4",
    ),
    Rule(
        "APPLE-8.18",
        "Apple HLS authoring 8.18",
        Severity.MUST,
        _delivered(lambda it: "answered by a redirect" if it.redirects and it.what != "playlist" else ""),
        "name the final URL in the playlist",
    ),
    Rule(
        "CLIENT-cors",
        "browsers, Fetch standard",
        Severity.SHOULD,
        _delivered(_no_cors),
        "send Access-Control-Allow-Origin: * with playlists and media",
    ),
    Rule(
        "CLIENT-range",
        "RFC 8216 §4.3.2.2, RFC 9110 §14.2",
        Severity.MUST,
        _delivered(lambda it: "the byte range was not what came" if it.range_ignored else ""),
        "serve byte ranges with 206 and Content-Range, or write segments as files of their own",
    ),
)
