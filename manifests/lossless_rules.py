"""The rules for SCORE, audio groups and a lossless rendition with AAC rungs under it."""

from manifests.codecs import CODECS, spelling_of
from manifests.presentation_rules import Multivariant
from model.rendition import Codec
from model.rule import Breaches, Rule, Severity

_LOSSLESS = frozenset({CODECS[Codec.FLAC], "alac"})
_LOSSY = frozenset({CODECS[Codec.AAC], "mp4a.40.5", "mp4a.40.29"})  # what Apple 2.3 takes


def _nothing_lossless(it: Multivariant) -> Breaches:
    if it.codec is Codec.FLAC and not any(CODECS[Codec.FLAC] in each.codecs for each in it.playlist.variants):
        yield 0, "no lossless variant in the playlist for the lossless family"


def _nothing_under_lossless(it: Multivariant) -> Breaches:
    entries = {spelling_of(entry) for variant in it.playlist.variants for entry in variant.codecs}
    if entries & _LOSSLESS and not entries & _LOSSY:
        yield 0, "a lossless variant, but none in AAC for lines that are too slow for it"


def _some_scores(it: Multivariant) -> Breaches:
    scored = [variant for variant in it.playlist.variants if variant.score is not None]
    for variant in it.playlist.variants:
        if scored and variant.score is None:
            yield variant.line, f"no SCORE, but other variants have one: {variant.uri}"


def _lossless_not_best(it: Multivariant) -> Breaches:
    lossless = [each for each in it.playlist.variants if not _LOSSLESS.isdisjoint(each.codecs)]
    others = [each for each in it.playlist.variants if each not in lossless]
    best = max((each.score for each in others if each.score is not None), default=None)
    for variant in lossless if others else []:
        unsaid = variant.score is None and (it.codec is Codec.FLAC or best is not None)
        if unsaid or (variant.score is not None and best is not None and variant.score <= best):
            yield variant.line, f"SCORE does not place the lossless variant above the others: {variant.uri}"


def _unknown_group(it: Multivariant) -> Breaches:
    known = {group.group_id for group in it.playlist.audio_groups}
    for variant in it.playlist.variants:
        if variant.audio and variant.audio not in known:
            yield variant.line, f"AUDIO names a group that is not there, {variant.audio!a}: {variant.uri}"


LOSSLESS_RULES: tuple[Rule[Multivariant], ...] = (
    Rule(
        "SEGUE-lossless",
        "decision 7",
        Severity.MUST,
        _nothing_lossless,
        "publish lossless.m3u8 only where there is a lossless rendition",
    ),
    Rule(
        "APPLE-2.3",
        "Apple HLS authoring 2.3",
        Severity.SHOULD,
        _nothing_under_lossless,
        "put AAC rungs under it",
    ),
    Rule(
        "APPLE-9.19",
        "Apple HLS authoring 9.19, RFC 8216bis §4.4.6.2",
        Severity.MUST,
        _some_scores,
        "give every variant a SCORE, or none: clients ignore the scores of some",
    ),
    Rule(
        "APPLE-score",
        "Apple HLS authoring appendix: SCORE repairs inversions",
        Severity.MUST,
        _lossless_not_best,
        "give the lossless variant the highest SCORE: quiet music may need fewer bits lossless than in AAC",
    ),
    Rule(
        "RFC8216-4.3.4.2.1",
        "RFC 8216 §4.3.4.2.1",
        Severity.MUST,
        _unknown_group,
        "write the EXT-X-MEDIA of that group, or leave AUDIO out",
    ),
)
