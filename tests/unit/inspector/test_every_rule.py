"""Every rule finds its breach in a stream of anybody, and only that; a sound stream breaks none."""

import pytest

from inspector.gather import gather
from inspector.judge import RULE_IDS, RULES, Inspection, judged
from inspector.limits import Limits
from model.rendition import Codec
from tests.support.held import BASE, Held
from tests.unit.inspector.breaches import (
    AAC,
    ALL,
    ENCRYPTED,
    FIRST,
    INIT,
    MAP_LINE,
    OF_BOXES,
    OF_PLAYLISTS,
    OF_SOUNDS,
    OF_STREAMS,
    OF_TEXT,
    STBL,
    Breach,
)
from tests.unit.inspector.sounds import packed, transport
from tests.unit.inspector.streams import Files, in_ranges, in_segments, media_text, number_after, text, within


async def looked_at(breach: Breach) -> Inspection:
    """What is found in it."""
    source = Held(
        breach.files,
        headers=breach.headers,
        redirects=breach.redirects,
        no_ranges=breach.no_ranges,
        insecure=breach.insecure,
    )
    return judged(await gather(source, BASE + breach.entry, Limits()))


@pytest.mark.parametrize(
    "files", [in_segments(), in_ranges(), packed(), transport()], ids=["segments", "ranges", "packed", "MPEG-TS"]
)
async def test_a_sound_stream_breaks_no_rule(files: Files) -> None:
    """Ours, in both forms, and sound without boxes: nothing is found, nothing is left out."""
    inspection = await looked_at(Breach(found=set(), files=files))
    assert (inspection.findings, inspection.unseen, inspection.sound) == ((), (), True)


async def test_dates_and_steering_as_they_should_be_break_no_rule() -> None:
    """One range told in two tags (RFC 8216 §8.10), one class that goes from range to range, a pathway that is there."""
    dates = (
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000+01:00",
        '#EXT-X-DATERANGE:ID="a",START-DATE="2025-12-31T23:00:01Z",PLANNED-DURATION=59.993,SCTE35-OUT=0xFC00',
        '#EXT-X-DATERANGE:ID="a",END-DATE="2025-12-31T23:01:00.993Z",DURATION=59.993,X-COM-EXAMPLE="b"',
        '#EXT-X-DATERANGE:ID="c",CLASS="song",START-DATE="2025-12-31T23:00:00Z",END-ON-NEXT=YES',
        '#EXT-X-DATERANGE:ID="d",CLASS="song",START-DATE="2025-12-31T23:00:09Z",END-ON-NEXT=YES',
        "#EXTINF",
    )
    steering = '#EXT-X-CONTENT-STEERING:SERVER-URI="s.json",PATHWAY-ID="."\n#EXT-X-STREAM-INF'
    files = text(media_text(in_segments(), "#EXTINF", "\n".join(dates)), "index.m3u8", "#EXT-X-STREAM-INF", steering)
    assert (await looked_at(Breach(found=set(), files=files))).findings == ()


async def test_encryption_that_is_told_of_breaks_no_rule() -> None:
    """Nor does an init section for both, where the fragments say that they are of the entry in the clear."""
    key = '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="data:,",IV=0x' + "0" * 32
    told = text(ENCRYPTED, FIRST, "#EXTINF", f"{key}\n#EXTINF")
    assert (await looked_at(Breach(found=set(), files=told))).findings == ()
    clear = _with_a_clear_entry(ENCRYPTED)
    assert (await looked_at(Breach(found=set(), files=clear))).findings == ()


def _with_a_clear_entry(files: Files) -> Files:
    """A second sample entry, without encryption, of which all samples are by default."""
    entry = AAC[INIT][AAC[INIT].index(b"mp4a" + bytes(6)) - 4 :]
    clear = entry[: int.from_bytes(entry[:4])]
    files = files | {INIT: within(files[INIT], (*STBL, b"stsd"), clear)}
    files = number_after(files, INIT, b"stsd", 4, 1)
    return number_after(files, INIT, b"trex", 8, 1)


async def test_what_an_init_section_breaks_is_told_once() -> None:
    """However often a playlist names it."""
    bare = ALL["no ludt"].files
    again = text(bare, FIRST, "aac-1/1.mp4\n", f"aac-1/1.mp4\n#EXT-X-DISCONTINUITY\n{MAP_LINE}")
    found = [each.rule for each in (await looked_at(Breach(found=set(), files=again))).findings]
    assert (found.count("APPLE-2.19"), found.count("APPLE-8.15")) == (2, 1)  # one for each rendition


@pytest.mark.parametrize(("codec", "told"), [(Codec.OPUS, {"APPLE-2.2"}), (Codec.FLAC, {"APPLE-2.3"})])
async def test_the_other_families_only_miss_apples_devices(codec: Codec, told: set[str]) -> None:
    """Both forms."""
    for files in (in_segments(codec), in_ranges(codec)):
        inspection = await looked_at(Breach(found=told, files=files))
        assert {each.rule for each in inspection.findings} == told


@pytest.mark.parametrize("name", ALL)
async def test_a_breach_is_found_and_nothing_else(name: str) -> None:
    """The rules that are broken, each with where, what and how to mend it."""
    breach = ALL[name]
    inspection = await looked_at(breach)
    assert {each.rule for each in inspection.findings} == breach.found
    for each in inspection.findings:
        assert each.resource.startswith(BASE)
        assert each.section and each.message and each.how_to_fix


def test_every_rule_is_broken_somewhere() -> None:
    """A rule without a stream that breaks it does not count; ids are unique."""
    assert set().union(*(breach.found for breach in ALL.values())) == set(RULE_IDS)
    assert len(set(RULE_IDS)) == len(RULE_IDS)
    assert len(ALL) == sum(map(len, (OF_TEXT, OF_PLAYLISTS, OF_BOXES, OF_STREAMS, OF_SOUNDS)))


def test_every_rule_says_where_it_is_written_and_what_to_do() -> None:
    """Nobody is told off without a reason."""
    assert all(each.section and each.how_to_fix for each in RULES)
