"""The rules for a multivariant playlist, and for it together with the media playlists of its variants."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from manifests.codecs import CODECS, spelling_of
from manifests.playlist import MediaPlaylist, MultivariantPlaylist, VariantStream
from manifests.rates import average_rate_bps, peak_rate_bps
from model.rendition import Codec
from model.rule import Breaches, Rule, Severity
from model.timebase import decimal_seconds

CELLULAR_PEAK_BPS = 192_000
ROUNDING = 1_000  # of the peak: EXTINFs in milliseconds move it by so little, and no client by any
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

    Sizes may be left out where the segments are byte ranges. `alternates` are the URIs of the members of each variant's
    audio group that have media of their own, by the variant's line; their media playlists are in `media`, too.
    """

    multivariant: MultivariantPlaylist
    media: Mapping[str, MediaPlaylist]
    segment_sizes: Mapping[str, Sequence[int]]
    alternates: Mapping[int, Sequence[str]] = field(default_factory=dict)
    _measured: dict[str, tuple[int, int] | None] = field(default_factory=dict, init=False, compare=False, repr=False)

    def all_media(self) -> list[tuple[str, MediaPlaylist]]:
        """Every media playlist once, with its URI: those of the variants in order, then those of audio groups."""
        others = [uri for uris in self.alternates.values() for uri in uris]
        uris = dict.fromkeys([*(each.uri for each in self.multivariant.variants), *others])
        return [(uri, self.media[uri]) for uri in uris if uri in self.media]

    def is_live(self, variant: VariantStream) -> bool:
        """Whether a variant goes on: what is there of it is one moment of a stream."""
        return variant.uri in self.media and not self.media[variant.uri].ended

    def rates_of(self, variant: VariantStream) -> tuple[int, int] | None:
        """The measured peak and average of a variant, with the dearest member of its audio group (Apple 9.13).

        A group that holds the variant's own playlist is an alternative to it, not an addition. None if not all of the
        sizes are known.
        """
        own = self._rates(variant.uri)
        others = self.alternates.get(variant.line, ())
        if own is None or not others or variant.uri in others:
            return own
        rates = [self._rates(uri) for uri in others]
        known = [each for each in rates if each is not None]
        if len(known) != len(rates):
            return None
        return own[0] + max(peak for peak, _ in known), own[1] + max(average for _, average in known)

    def _rates(self, uri: str) -> tuple[int, int] | None:
        if uri not in self._measured:  # strangers may name one playlist a thousand times
            self._measured[uri] = self._measure(uri)
        return self._measured[uri]

    def _measure(self, uri: str) -> tuple[int, int] | None:
        sizes = self.sizes_of(uri) if uri in self.media else None
        if sizes is None:
            return None
        durations_us = [segment.duration_us for segment in self.media[uri].segments]
        peak_bps = peak_rate_bps(sizes, durations_us, self.media[uri].target_duration_s)
        return peak_bps, average_rate_bps(sizes, durations_us)

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


def _misspelled_codec(it: Multivariant) -> Breaches:
    for variant in it.playlist.variants:
        for entry in variant.codecs:
            spelling = spelling_of(entry)
            if spelling != entry:
                right = f"spelled {spelling}" if spelling else "no codec that HLS clients are known to have"
                yield variant.line, f"CODECS has {entry!a}, which is {right}: {variant.uri}"


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
    playlists = it.all_media()
    for uri, media in playlists[1:]:
        if media.target_duration_s != playlists[0][1].target_duration_s:
            yield 0, f"EXT-X-TARGETDURATION differs from that of {playlists[0][0]}: {uri}"


def _other_total(it: Presentation) -> Breaches:
    playlists = it.all_media()
    for uri, media in playlists[1:]:
        if abs(media.duration_us - playlists[0][1].duration_us) > SAME_DURATION_US:
            seconds = decimal_seconds(media.duration_us)
            yield 0, f"the total duration, {seconds} s, differs from that of {playlists[0][0]}: {uri}"


def _other_boundaries(it: Presentation) -> Breaches:
    """Codecs differ in priming, so their last segments do too, and with them the place of a short tail."""
    codecs = {variant.uri: variant.codecs for variant in it.multivariant.variants}
    first: dict[tuple[str, ...], tuple[str, list[int]]] = {}  # players change between variants of one codec only
    for uri, media in it.all_media():
        these = list(accumulate(segment.duration_us for segment in media.segments))
        other_uri, others = first.setdefault(codecs.get(uri, ()), (uri, these))
        if len(these) != len(others) or any(abs(a - b) > 1 for a, b in zip(these, others, strict=True)):
            yield 0, f"the segment boundaries differ from those of {other_uri}: {uri}"


def _wrong_bandwidth(it: Presentation) -> Breaches:
    for variant in it.multivariant.variants:
        rates = it.rates_of(variant)
        if rates is None:
            continue
        peak_bps, average_bps = rates
        if it.is_live(variant):  # Apple 1.29; it says nothing of a peak that is not in this window
            if peak_bps * 4 > variant.bandwidth_bps * 5:
                yield variant.line, f"BANDWIDTH is {variant.bandwidth_bps}, a live peak {peak_bps}: {variant.uri}"
            continue
        least_bps = peak_bps - peak_bps // ROUNDING
        if not least_bps <= variant.bandwidth_bps <= max(peak_bps, average_bps) * 11 // 10:
            yield variant.line, f"BANDWIDTH is {variant.bandwidth_bps}, the measured peak {peak_bps}: {variant.uri}"


def _wrong_average(it: Presentation) -> Breaches:
    for variant in it.multivariant.variants:
        rates, said_bps = it.rates_of(variant), variant.average_bandwidth_bps
        if rates is None or said_bps is None or it.is_live(variant):  # Apple 1.28 wants an hour of it
            continue
        if abs(said_bps - rates[1]) * 10 > rates[1]:
            yield variant.line, f"AVERAGE-BANDWIDTH is {said_bps}, the measured average {rates[1]}: {variant.uri}"


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
        _misspelled_codec,
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
        "write #EXT-X-INDEPENDENT-SEGMENTS: every audio frame can be decoded alone",
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
