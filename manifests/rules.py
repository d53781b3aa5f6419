"""The rules that published playlists must keep, and the functions that apply them.

Listings, which may be anybody's, are checked by the same rules as what we write, and by those for what only they can
hold. `RFC8216-` ids are sections of RFC 8216, `APPLE-` ids rules of Apple's HLS authoring specification, `CLIENT-` ids
what players were seen to need, `SEGUE-` ids our own decisions. The functions return every finding; they raise nothing.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from manifests.date_rules import DATE_RULES
from manifests.listing import Listing, MediaListing, MultivariantListing, plain_uri
from manifests.listing_rules import EITHER_LISTING_RULES, MEDIA_LISTING_RULES, MULTIVARIANT_LISTING_RULES
from manifests.lossless_rules import LOSSLESS_RULES
from manifests.media_rules import MEDIA_RULES, Media, MediaTimes
from manifests.playlist import MediaPlaylist, MultivariantPlaylist
from manifests.presentation_rules import MULTIVARIANT_RULES, PRESENTATION_RULES, Multivariant, Presentation
from model.rendition import Codec
from model.rule import Finding, Rule, Severity
from model.segment import SegmentedRendition

__all__ = [
    "LISTING_RULES",
    "PLAIN_RULES",
    "RULE_IDS",
    "Finding",
    "Severity",
    "check_listed_media",
    "check_listed_presentation",
    "check_listing",
    "check_media",
    "check_multivariant",
    "check_presentation",
]

PLAIN_RULES: tuple[Rule[Any], ...] = (*MEDIA_RULES, *MULTIVARIANT_RULES, *LOSSLESS_RULES, *PRESENTATION_RULES)
LISTING_RULES: tuple[Rule[Any], ...] = (
    *EITHER_LISTING_RULES,
    *MEDIA_LISTING_RULES,
    *DATE_RULES,
    *MULTIVARIANT_LISTING_RULES,
)
RULE_IDS: tuple[str, ...] = tuple(each.rule for each in PLAIN_RULES)
_OURS = "SEGUE-"  # decisions that bind us alone
_OF_VOD = frozenset({"RFC8216-4.3.3.4", "APPLE-8.6", "CLIENT-tail"})
_OF_FMP4 = frozenset({"APPLE-8.20"})
_INDEPENDENT = frozenset({"RFC8216-4.3.5.1", "APPLE-9.11"})
_NO_FILES: Mapping[str, int] = MappingProxyType({})
_NO_SIZES: Mapping[str, Sequence[int]] = MappingProxyType({})


def check_media(
    playlist: MediaPlaylist,
    *,
    file_size_bytes: int | None = None,
    rendition: SegmentedRendition | None = None,
) -> tuple[Finding, ...]:
    """What is wrong with one media playlist, by itself.

    Knowing the size of the track file, byte ranges are held against it; knowing its segment index, durations are too.
    """
    subject = Media(playlist=playlist, file_size_bytes=file_size_bytes, rendition=rendition)
    return tuple(finding for rule in MEDIA_RULES for finding in rule.findings(subject))


def check_multivariant(playlist: MultivariantPlaylist, *, codec: Codec | None = None) -> tuple[Finding, ...]:
    """What is wrong with a multivariant playlist, by itself; `codec` is the family that it is meant for."""
    subject = Multivariant(playlist=playlist, codec=codec)
    return tuple(finding for rule in (*MULTIVARIANT_RULES, *LOSSLESS_RULES) for finding in rule.findings(subject))


def check_presentation(
    multivariant: MultivariantPlaylist,
    media: Mapping[str, MediaPlaylist],
    *,
    segment_sizes: Mapping[str, Sequence[int]] = _NO_SIZES,
) -> tuple[Finding, ...]:
    """What does not fit together: the variants, and their media playlists by the URI that the variant has.

    Rates are checked where the segment sizes are known: from the byte ranges, or given by the same URI.
    """
    subject = Presentation(multivariant=multivariant, media=media, segment_sizes=segment_sizes)
    return tuple(finding for rule in PRESENTATION_RULES for finding in rule.findings(subject))


def check_listing(listing: Listing) -> tuple[Finding, ...]:
    """What is wrong with a playlist of anybody that only a listing can hold: text, keys, alternate renditions."""
    findings = [finding for rule in EITHER_LISTING_RULES for finding in rule.findings(listing)]
    if isinstance(listing, MediaListing):
        findings += [finding for rule in (*MEDIA_LISTING_RULES, *DATE_RULES) for finding in rule.findings(listing)]
    else:
        findings += [finding for rule in MULTIVARIANT_LISTING_RULES for finding in rule.findings(listing)]
    return tuple(findings)


def check_listed_media(
    listing: MediaListing,
    *,
    fragmented: bool = False,
    independent: bool = False,
    file_sizes: Mapping[str, int] = _NO_FILES,
    times: MediaTimes | None = None,
) -> tuple[Finding, ...]:
    """What is wrong with a media playlist of anybody by the rules for ours, but for our own decisions.

    A stream that still grows is not held to what a finished one needs. `fragmented`: the segments are fMP4;
    `independent`: a multivariant playlist is asked for that; `file_sizes` are those of ranged resources by URI.
    """
    plain = listing.plain()
    if plain is None:
        return ()
    growing = not listing.ended and listing.playlist_type != "VOD"
    skipped = (_OF_VOD if growing else frozenset()) | (frozenset() if fragmented else _OF_FMP4)
    skipped |= _INDEPENDENT if independent else frozenset()
    subject = Media(playlist=plain, file_sizes=file_sizes, media_times=times, needs=listing.needs)
    return _findings(MEDIA_RULES, subject, skipped)


def check_listed_presentation(
    listing: MultivariantListing,
    media: Mapping[str, MediaListing],
    *,
    segment_sizes: Mapping[str, Sequence[int]] = _NO_SIZES,
) -> tuple[Finding, ...]:
    """What is wrong with a multivariant playlist of anybody by the rules for ours, alone and with its media playlists.

    `media` and `segment_sizes` are by the URI that stands in the playlist. Playlists that grow are not compared: they
    were not read at one moment.
    """
    plain = listing.plain()
    if plain is None:
        return ()
    # Each of them says it for all segments (RFC 8216 §4.3.5.1)
    independent = bool(media) and all(each.independent_segments for each in media.values())
    findings = _findings(
        (*MULTIVARIANT_RULES, *LOSSLESS_RULES),
        Multivariant(playlist=plain),
        _INDEPENDENT if independent else frozenset(),
    )
    ended = {plain_uri(uri): each.plain() for uri, each in media.items() if each.ended and not each.i_frames_only}
    subject = Presentation(
        multivariant=plain,
        media={uri: each for uri, each in ended.items() if each},
        segment_sizes={plain_uri(uri): sizes for uri, sizes in segment_sizes.items()},
        alternates={
            each.line: [plain_uri(member["URI"]) for member in listing.audio_of(each)] for each in listing.variants
        },
    )
    return findings + _findings(PRESENTATION_RULES, subject, frozenset())


def _findings(rules: tuple[Rule[Any], ...], subject: object, skipped: frozenset[str]) -> tuple[Finding, ...]:
    applied = (rule for rule in rules if rule.rule not in skipped and not rule.rule.startswith(_OURS))
    return tuple(finding for rule in applied for finding in rule.findings(subject))
