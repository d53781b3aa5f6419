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
        (Codec.AAC, {"CMAF-allowed"}, lambda it: replace(it, header_box_types=(*it.header_box_types, "meta"))),
        (Codec.AAC, {"CMAF-allowed"}, _fragments(box_types=("moof", "mfhd", "traf", "uuid"))),
        (Codec.AAC, {"CMAF-format", "CMAF-btrt"}, lambda it: replace(it, timescale=44_100)),
        (Codec.AAC, {"CMAF-format", "CMAF-config"}, lambda it: replace(it, channels=1)),
        (Codec.AAC, {"CMAF-config"}, lambda it: replace(it, entry_rate_hz=44_100)),
        (Codec.FLAC, {"CMAF-config"}, lambda it: replace(it, bit_depth=16)),
        (Codec.FLAC, {"CMAF-config"}, lambda it: replace(it, config=it.config + bytes.fromhex("81000000"))),
        (Codec.AAC, {"CMAF-config"}, lambda it: replace(it, config=b"")),
        (Codec.AAC, {"CMAF-config"}, lambda it: replace(it, config=bytes.fromhex("119056e580"))),  # SBR present
        (Codec.OPUS, {"CMAF-config"}, lambda it: replace(it, config=it.config[:8] + b"\x01\0\0")),  # a gain
        (Codec.AAC, {"CMAF-edit-list"}, lambda it: replace(it, edit_media_time=None)),
        (Codec.AAC, {"CMAF-edit-list"}, lambda it: replace(it, edit_media_time=2_112)),
        (Codec.OPUS, {"CMAF-edit-list"}, lambda it: replace(it, edit_media_time=312)),
        (Codec.OPUS, {"OPUS-pre-skip"}, lambda it: replace(it, config=it.config[:2] + b"\0\0" + it.config[4:])),
        (Codec.OPUS, {"OPUS-pre-skip", "CMAF-config"}, lambda it: replace(it, config=b"")),
        (Codec.OPUS, {"CMAF-roll"}, lambda it: replace(it, roll_distance=None)),
        (Codec.AAC, {"CMAF-roll"}, lambda it: replace(it, roll_distance=-2)),
        (Codec.FLAC, {"CMAF-roll"}, lambda it: replace(it, roll_distance=-1)),
        (Codec.FLAC, {"CMAF-roll"}, _fragments(rolled_frames=1)),
        (Codec.OPUS, {"CMAF-roll"}, _fragments(rolled_frames=0)),
        (Codec.AAC, {"CMAF-sections"}, lambda it: replace(it, init_size_bytes=it.init_size_bytes - 1)),
        (Codec.AAC, {"CMAF-sections"}, lambda it: replace(it, index_size_bytes=it.index_size_bytes + 12)),
        (Codec.AAC, {"CMAF-sidx"}, lambda it: replace(it, index=())),
        (Codec.AAC, {"CMAF-sidx"}, lambda it: replace(it, index=(it.index[0], it.index[0], *it.index[2:]))),
        (Codec.AAC, {"CMAF-segments", "CMAF-sidx", "CMAF-btrt"}, lambda it: replace(it, fragments=it.fragments[:-1])),
        (Codec.AAC, {"CMAF-segments"}, _fragments(offset_bytes=7)),
        (Codec.AAC, {"CMAF-segments", "CMAF-sidx"}, _fragments(size_bytes=7)),
        (Codec.AAC, {"CMAF-segments", "CMAF-sidx", "CMAF-tfdt", "CMAF-btrt"}, _fragments(duration_ticks=1_024)),
        (Codec.AAC, {"CMAF-tfdt"}, _fragments(decode_time=46_081)),
        (Codec.AAC, {"CMAF-trun", "CMAF-btrt"}, _fragments(frames_size_bytes=7)),
        (Codec.AAC, {"CMAF-btrt"}, lambda it: replace(it, bitrates_bps=None)),
        (Codec.AAC, {"CMAF-btrt"}, lambda it: replace(it, bitrates_bps=(it.bitrates_bps[0], it.bitrates_bps[1] + 1))),
        (Codec.AAC, {"CMAF-btrt"}, lambda it: replace(it, bitrates_bps=(it.bitrates_bps[0], it.bitrates_bps[1] - 1))),
        (Codec.AAC, {"CMAF-btrt"}, lambda it: replace(it, bitrates_bps=(it.bitrates_bps[1] - 1, it.bitrates_bps[1]))),
        (Codec.AAC, {"APPLE-2.23"}, lambda it: replace(it, loudness_lufs=None)),
        (Codec.AAC, {"APPLE-2.23"}, lambda it: replace(it, loudness_lufs=-13.5)),
        (Codec.AAC, {"APPLE-2.23"}, lambda it: replace(it, true_peak_dbtp=-1.2)),
        (Codec.AAC, {"APPLE-2.23"}, lambda it: replace(it, album_loudness_lufs=-14.0)),
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
    found = _rules(replace(parsed, timescale=44_100), replace(rendition, timescale=44_100))
    assert found == {"CMAF-format", "CMAF-btrt"}


@pytest.mark.parametrize("lufs", [None, -69.0, -57.75, -14.13, -5.0])
def test_loudness_at_the_ends_of_its_field_is_sound(lufs: float | None) -> None:
    """Silence has none, and what is softer than the field can say is told as its least."""
    report = LoudnessReport(integrated_lufs=lufs, true_peak_dbtp=None if lufs is None else lufs + 3)
    one = made(Codec.AAC, 48_000, loudness=report)
    assert _rules(read_track_file(BytesIO(one.data)), _rendition(Codec.AAC, one, report)) == set()


def test_the_loudness_of_the_album_is_checked_where_it_is_known() -> None:
    """As the track's: told as it was measured, or found."""
    album = LoudnessReport(integrated_lufs=-11.2, true_peak_dbtp=-0.4)
    one = made(Codec.AAC, 48_000, album_loudness=album)
    parsed, rendition = read_track_file(BytesIO(one.data)), _rendition(Codec.AAC, one)
    assert list(check_track_file(parsed, replace(rendition, album_loudness=album))) == []
    for other in (None, replace(album, integrated_lufs=-12.0), replace(album, true_peak_dbtp=-0.5)):
        found = check_track_file(parsed, replace(rendition, album_loudness=other))
        assert {rule for rule, _, _ in found} == {"APPLE-2.23"}
