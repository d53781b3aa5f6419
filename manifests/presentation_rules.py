"""The rules for a multivariant playlist, and for it together with the media playlists of its variants."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from manifests.codecs import CODECS, family_of
from manifests.playlist import MediaPlaylist, MultivariantPlaylist, VariantStream
from manifests.rates import average_rate_bps, peak_rate_bps
from manifests.rule import Breaches, Rule, Severity
from model.rendition import Codec
from model.timebase import decimal_seconds

CELLULAR_PEAK_BPS = 192_000
SAME_DURATION_US = 42_668  # two AAC frames of 1024 / 48000 s: what a piece of a run may have for priming
_WITH_LOSSLESS = frozenset({CODECS[Codec.FLAC], CODECS[Codec.AAC]})  # Apple's players move between these two


@dataclass(frozen=True, slots=True, kw_only=True)
class Multivariant:
    """A multivariant playlist, and the codec family that it is meant for, if that is known."""

    playlist: MultivariantPlaylist
    codec: Codec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """A multivariant playlist with the media playlists of its variants, and their segment sizes, both by URI.

    Sizes may be left out where the segments are byte ranges.
    """

    multivariant: MultivariantPlaylist
    media: Mapping[str, MediaPlaylist]
    segment_sizes: Mapping[str, Sequence[int]]

    def pairs(self) -> list[tuple[VariantStream, MediaPlaylist]]:
        """Each variant that has its media playlist, with it."""
        return [(each, self.media[each.uri]) for each in self.multivariant.variants if each.uri in self.media]

    def sizes_of(self, uri: str) -> Sequence[int] | None:
        """The segment sizes of one media playlist; None where not all are known."""
        segments = self.media[uri].segments
        in_ranges = [segment.byte_range.length_bytes for segment in segments if segment.byte_range]
        sizes = self.segment_sizes.get(uri, in_ranges)
        return sizes if len(sizes) == len(segments) else None


def _no_codecs(it: Multivariant) -> Breaches:
    for variant in it.playlist.variants:
        if not variant.codecs:
            yield variant.line, f"no CODECS: {variant.uri}"


def _unknown_codec(it: Multivariant) -> Breaches:
    for variant in it.playlist.variants:
        for entry in variant.codecs:
            if family_of(entry) is None:
                yield variant.line, f"CODECS has {entry!a}, not one of {', '.join(CODECS.values())}: {variant.uri}"


def _mixed_families(it: Multivariant) -> Breaches:
    entries = [entry for variant in it.playlist.variants for entry in variant.codecs]
    expected = {CODECS[it.codec]} if it.codec else set(entries[:1])
    if it.codec is Codec.FLAC or (it.codec is None and set(entries) == _WITH_LOSSLESS):
        expected = set(_WITH_LOSSLESS)
    for variant in it.playlist.variants:
        if not expected.issuperset(variant.codecs):
            said, wanted = ",".join(variant.codecs), " and ".join(sorted(expected))
            yield variant.line, f"{said} in a playlist for {wanted}: {variant.uri}"


def _no_average(it: Multivariant) -> Breaches:
    for variant in it.playlist.variants:
        if variant.average_bandwidth_bps is None:
            yield variant.line, f"no AVERAGE-BANDWIDTH: {variant.uri}"


def _average_above_peak(it: Multivariant) -> Breaches:
    for variant in it.playlist.variants:
        if variant.average_bandwidth_bps is not None and variant.average_bandwidth_bps > variant.bandwidth_bps:
            yield variant.line, f"AVERAGE-BANDWIDTH is above BANDWIDTH: {variant.uri}"


def _spiky(it: Multivariant) -> Breaches:
    for variant in it.playlist.variants:
        if variant.average_bandwidth_bps is not None and variant.bandwidth_bps > 2 * variant.average_bandwidth_bps:
            yield variant.line, f"BANDWIDTH is more than twice AVERAGE-BANDWIDTH: {variant.uri}"


def _nothing_for_cellular(it: Multivariant) -> Breaches:
    peaks_bps = [each.bandwidth_bps for each in it.playlist.variants if CODECS[Codec.AAC] in each.codecs]
    if peaks_bps and min(peaks_bps) > CELLULAR_PEAK_BPS:
        yield 0, f"the lowest AAC variant has a peak above 192 kbit/s: {min(peaks_bps)}"


def _not_independent(it: Multivariant) -> Breaches:
    if not it.playlist.independent_segments:
        yield 0, "no EXT-X-INDEPENDENT-SEGMENTS"


def _unstable_ids(it: Multivariant) -> Breaches:
    counts = Counter(variant.stable_variant_id for variant in it.playlist.variants)
    for variant in it.playlist.variants:
        if not variant.stable_variant_id and len(counts) > 1:
            yield variant.line, f"no STABLE-VARIANT-ID, but other variants have one: {variant.uri}"
        elif variant.stable_variant_id and counts[variant.stable_variant_id] > 1:
            yield variant.line, f"STABLE-VARIANT-ID is not unique: {variant.stable_variant_id}"


def _repeated_session_data(it: Multivariant) -> Breaches:
    counts = Counter((each.data_id, each.language) for each in it.playlist.session_data)
    for data in it.playlist.session_data:
        if counts[data.data_id, data.language] > 1:
            yield data.line, f"EXT-X-SESSION-DATA says this more than once: {data.data_id}"


def _incomplete(it: Presentation) -> Breaches:
    for variant in it.multivariant.variants:
        if variant.uri not in it.media:
            yield variant.line, f"the variant has no media playlist: {variant.uri}"


def _other_target(it: Presentation) -> Breaches:
    pairs = it.pairs()
    for variant, media in pairs[1:]:
        if media.target_duration_s != pairs[0][1].target_duration_s:
            yield 0, f"EXT-X-TARGETDURATION differs from that of {pairs[0][0].uri}: {variant.uri}"


def _other_total(it: Presentation) -> Breaches:
    pairs = it.pairs()
    for variant, media in pairs[1:]:
        if abs(media.duration_us - pairs[0][1].duration_us) > SAME_DURATION_US:
            seconds = decimal_seconds(media.duration_us)
            yield 0, f"the total duration, {seconds} s, differs from that of {pairs[0][0].uri}: {variant.uri}"


def _other_boundaries(it: Presentation) -> Breaches:
    """Codecs differ in priming, so their last segments do too, and with them the place of a short tail."""
    first: dict[tuple[str, ...], tuple[str, list[int]]] = {}
    for variant, media in it.pairs():
        these = list(accumulate(segment.duration_us for segment in media.segments))
        uri, ends = first.setdefault(variant.codecs, (variant.uri, these))
        if len(these) != len(ends) or any(abs(a - b) > 1 for a, b in zip(these, ends, strict=True)):
            yield 0, f"the segment boundaries differ from those of {uri}: {variant.uri}"


def _wrong_bandwidth(it: Presentation) -> Breaches:
    for variant, media in it.pairs():
        sizes = it.sizes_of(variant.uri)
        if sizes is None:
            continue
        durations_us = [segment.duration_us for segment in media.segments]
        peak_bps = peak_rate_bps(sizes, durations_us, media.target_duration_s)
        highest_bps = max(peak_bps, average_rate_bps(sizes, durations_us)) * 11 // 10
        if not peak_bps <= variant.bandwidth_bps <= highest_bps:
            yield variant.line, f"BANDWIDTH is {variant.bandwidth_bps}, the measured peak {peak_bps}: {variant.uri}"


def _wrong_average(it: Presentation) -> Breaches:
    for variant, media in it.pairs():
        sizes, said_bps = it.sizes_of(variant.uri), variant.average_bandwidth_bps
        if sizes is None or said_bps is None:
            continue
        average_bps = average_rate_bps(sizes, [segment.duration_us for segment in media.segments])
        if abs(said_bps - average_bps) * 10 > average_bps:
            yield variant.line, f"AVERAGE-BANDWIDTH is {said_bps}, the measured average {average_bps}: {variant.uri}"


MULTIVARIANT_RULES: tuple[Rule[Multivariant], ...] = (
    Rule(
        "APPLE-9.1",
        "Apple HLS authoring 9.1",
        Severity.MUST,
        _no_codecs,
        "write CODECS for every variant: without it Shaka Player takes all for AAC and fails",
    ),
    Rule(
        "CLIENT-codecs",
        "Apple HLS authoring appendix, Safari's MSE",
        Severity.MUST,
        _unknown_codec,
        "spell it as in the decoder configuration; the case counts",
    ),
    Rule(
        "SEGUE-family",
        "decision 7, Apple HLS authoring 2.2",
        Severity.MUST,
        _mixed_families,
        "move the other codec family to a multivariant playlist of its own",
    ),
    Rule(
        "APPLE-9.14",
        "Apple HLS authoring 9.14",
        Severity.MUST,
        _no_average,
        "write AVERAGE-BANDWIDTH for every variant",
    ),
    Rule(
        "RFC8216-4.3.4.2",
        "RFC 8216 §4.3.4.2",
        Severity.MUST,
        _average_above_peak,
        "write both rates from the segments: BANDWIDTH is an upper bound",
    ),
    Rule(
        "APPLE-1.30",
        "Apple HLS authoring 1.30",
        Severity.SHOULD,
        _spiky,
        "constrain the encoder's rate, if the music allows it",
    ),
    Rule(
        "APPLE-9.21",
        "Apple HLS authoring 9.21",
        Severity.MUST,
        _nothing_for_cellular,
        "add a rung for cellular networks, at most 192 kbit/s at its peak",
    ),
    Rule(
        "APPLE-9.11",
        "Apple HLS authoring 9.11, 9.12",
        Severity.SHOULD,
        _not_independent,
        "write #EXT-X-INDEPENDENT-SEGMENTS: every fragment of ours can be decoded alone",
    ),
    Rule(
        "RFC8216BIS-4.4.6.2",
        "RFC 8216bis §4.4.6.2",
        Severity.MUST,
        _unstable_ids,
        "give every variant its rendition id, or none of them",
    ),
    Rule(
        "RFC8216-4.3.4.4",
        "RFC 8216 §4.3.4.4",
        Severity.MUST,
        _repeated_session_data,
        "write each DATA-ID once for each LANGUAGE",
    ),
)

PRESENTATION_RULES: tuple[Rule[Presentation], ...] = (
    Rule(
        "SEGUE-complete",
        "RFC 8216 §4.3.4.2",
        Severity.MUST,
        _incomplete,
        "publish the media playlist before the multivariant playlist that names it",
    ),
    Rule(
        "APPLE-8.2",
        "Apple HLS authoring 8.2, RFC 8216 §6.2.4",
        Severity.MUST,
        _other_target,
        "take one target duration for the whole package",
    ),
    Rule(
        "APPLE-8.3",
        "Apple HLS authoring 8.3",
        Severity.MUST,
        _other_total,
        "encode every rendition from the same mezzanine, to its end",
    ),
    Rule(
        "APPLE-8.22",
        "Apple HLS authoring 8.22",
        Severity.SHOULD,
        _other_boundaries,
        "cut every rendition of a codec at the same frames",
    ),
    Rule(
        "APPLE-1.27",
        "Apple HLS authoring 1.27, RFC 8216 §4.1",
        Severity.MUST,
        _wrong_bandwidth,
        "write BANDWIDTH from the segments: the peak over runs of 0.5 to 1.5 target durations, never less",
    ),
    Rule(
        "APPLE-1.26",
        "Apple HLS authoring 1.26, RFC 8216 §4.1",
        Severity.MUST,
        _wrong_average,
        "write AVERAGE-BANDWIDTH from the segments: all bytes over the whole duration",
    ),
)
