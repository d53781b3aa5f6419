"""A sound track file has no findings; each kind of damage has its own."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import BytesIO

import pytest

from cmaf.read import Fragment, ParsedTrack, read_track_file
from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from model.segment import SegmentedRendition
from packager.verify import check_track_file
from tests.unit.cmaf.samples import LOUDNESS, Made, made

Damage = Callable[[ParsedTrack], ParsedTrack]


def _rendition(codec: Codec, one: Made, loudness: LoudnessReport = LOUDNESS) -> SegmentedRendition:
    bitrate_bps = 0 if codec is Codec.FLAC else 128_000
    return SegmentedRendition(
        rendition=Rendition(rendition_id=f"{codec}-128", codec=codec, bitrate_bps=bitrate_bps),
        timescale=one.file.timescale,
        priming_ticks=one.file.priming_ticks,
        init_size_bytes=one.file.init_size_bytes,
        index_size_bytes=one.file.index_size_bytes,
        segments=one.file.segments,
        sha256=one.file.sha256,
        loudness=loudness,
    )


@cache
def _good(codec: Codec) -> tuple[ParsedTrack, SegmentedRendition]:
    one = made(codec, 10 * 48_000 + 77)
    return read_track_file(BytesIO(one.data)), _rendition(codec, one)


def _rules(parsed: ParsedTrack, rendition: SegmentedRendition) -> set[str]:
    return {rule for rule, _, _ in check_track_file(parsed, rendition)}


def _fragments(**changes: object) -> Damage:
    """Something else in the second fragment."""

    def damage(parsed: ParsedTrack) -> ParsedTrack:
        first, second, *others = parsed.fragments
        changed: Fragment = replace(second, **changes)  # type: ignore[arg-type]  # one field at a time
        return replace(parsed, fragments=(first, changed, *others))

    return damage


@pytest.mark.parametrize("codec", list(Codec))
def test_a_sound_file_has_no_findings(codec: Codec) -> None:
    """As it comes from the assembler, read back by the reader."""
    assert _rules(*_good(codec)) == set()


@pytest.mark.parametrize(
    ("codec", "rules", "damage"),
    [
        (Codec.AAC, {"CMAF-brands"}, lambda it: replace(it, brands=("isom",))),
        (Codec.AAC, {"CMAF-brands"}, lambda it: replace(it, brands=("cmfc", "iso6"))),
        (Codec.AAC, {"CMAF-entry"}, lambda it: replace(it, sample_entry="Opus")),
        (Codec.FLAC, {"CMAF-entry"}, lambda it: replace(it, sample_entry="flac")),
        (Codec.AAC, {"CMAF-format"}, lambda it: replace(it, timescale=44_100)),
        (Codec.AAC, {"CMAF-format"}, lambda it: replace(it, channels=1)),
        (Codec.AAC, {"CMAF-edit-list"}, lambda it: replace(it, edit_media_time=None)),
        (Codec.AAC, {"CMAF-edit-list"}, lambda it: replace(it, edit_media_time=2_112)),
        (Codec.OPUS, {"CMAF-edit-list"}, lambda it: replace(it, edit_media_time=312)),
        (Codec.OPUS, {"OPUS-pre-skip"}, lambda it: replace(it, config=it.config[:2] + b"\0\0" + it.config[4:])),
        (Codec.OPUS, {"OPUS-pre-skip"}, lambda it: replace(it, config=b"")),
        (Codec.OPUS, {"CMAF-roll"}, lambda it: replace(it, roll_distance=None)),
        (Codec.AAC, {"CMAF-roll"}, lambda it: replace(it, roll_distance=-2)),
        (Codec.FLAC, {"CMAF-roll"}, lambda it: replace(it, roll_distance=-1)),
        (Codec.AAC, {"CMAF-sections"}, lambda it: replace(it, init_size_bytes=it.init_size_bytes - 1)),
        (Codec.AAC, {"CMAF-sections"}, lambda it: replace(it, index_size_bytes=it.index_size_bytes + 12)),
        (Codec.AAC, {"CMAF-sidx"}, lambda it: replace(it, index=())),
        (Codec.AAC, {"CMAF-sidx"}, lambda it: replace(it, index=(it.index[0], it.index[0], *it.index[2:]))),
        (Codec.AAC, {"CMAF-segments", "CMAF-sidx"}, lambda it: replace(it, fragments=it.fragments[:-1])),
        (Codec.AAC, {"CMAF-segments"}, _fragments(offset_bytes=7)),
        (Codec.AAC, {"CMAF-segments", "CMAF-sidx"}, _fragments(size_bytes=7)),
        (Codec.AAC, {"CMAF-segments", "CMAF-sidx", "CMAF-tfdt"}, _fragments(duration_ticks=1_024)),
        (Codec.AAC, {"CMAF-tfdt"}, _fragments(decode_time=46_081)),
        (Codec.AAC, {"CMAF-trun"}, _fragments(frames_size_bytes=7)),
        (Codec.AAC, {"APPLE-2.23"}, lambda it: replace(it, loudness_lufs=None)),
        (Codec.AAC, {"APPLE-2.23"}, lambda it: replace(it, loudness_lufs=-13.5)),
        (Codec.AAC, {"APPLE-2.23"}, lambda it: replace(it, true_peak_dbtp=-1.2)),
    ],
)
def test_each_damage_is_found(codec: Codec, rules: set[str], damage: Damage) -> None:
    """One thing altered: these rules are broken, and no others."""
    parsed, rendition = _good(codec)
    assert _rules(damage(parsed), rendition) == rules


def test_another_priming_than_told_is_found() -> None:
    """The description says one thing, the file another."""
    for codec, rule in ((Codec.AAC, "CMAF-edit-list"), (Codec.OPUS, "OPUS-pre-skip")):
        parsed, rendition = _good(codec)
        assert _rules(parsed, replace(rendition, priming_ticks=rendition.priming_ticks + 1)) == {rule}


def test_a_rate_that_is_not_48_khz_is_found() -> None:
    """Even if file and description agree on it: players stop where the rate changes inside a stream."""
    parsed, rendition = _good(Codec.AAC)
    assert _rules(replace(parsed, timescale=44_100), replace(rendition, timescale=44_100)) == {"CMAF-format"}


@pytest.mark.parametrize("lufs", [None, -69.0, -57.75, -14.13, -5.0])
def test_loudness_at_the_ends_of_its_field_is_sound(lufs: float | None) -> None:
    """Silence has none, and what is softer than the field can say is told as its least."""
    report = LoudnessReport(integrated_lufs=lufs, true_peak_dbtp=None if lufs is None else lufs + 3)
    one = made(Codec.AAC, 48_000, loudness=report)
    assert _rules(read_track_file(BytesIO(one.data)), _rendition(Codec.AAC, one, report)) == set()
