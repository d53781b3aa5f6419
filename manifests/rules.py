"""The rules that published playlists must keep, and the functions that apply them.

`RFC8216-` ids are sections of RFC 8216, `APPLE-` ids rules of Apple's HLS authoring specification, `CLIENT-` ids what
players were seen to need, `SEGUE-` ids our own decisions. The functions return every finding; they raise nothing.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from manifests.lossless_rules import LOSSLESS_RULES
from manifests.media_rules import MEDIA_RULES, Media
from manifests.playlist import MediaPlaylist, MultivariantPlaylist
from manifests.presentation_rules import MULTIVARIANT_RULES, PRESENTATION_RULES, Multivariant, Presentation
from manifests.rule import Finding, Severity
from model.rendition import Codec
from model.segment import SegmentedRendition

__all__ = ["RULE_IDS", "Finding", "Severity", "check_media", "check_multivariant", "check_presentation"]

RULE_IDS: tuple[str, ...] = (
    *(each.rule for each in MEDIA_RULES),
    *(each.rule for each in MULTIVARIANT_RULES),
    *(each.rule for each in LOSSLESS_RULES),
    *(each.rule for each in PRESENTATION_RULES),
)
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
