"""What cannot be looked at is told and is no fault; what is too much is left."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.frames import look_at_packed
from inspector.gather import gather
from inspector.gathered import ENCRYPTED, FMP4, PACKED, TEXT, TS, UNKNOWN, kind_of
from inspector.judge import Inspection, judged
from inspector.latm import look_at_latm
from inspector.limits import Limits
from inspector.transport import look_at_transport
from tests.support.held import BASE, Held
from tests.unit.inspector.sounds import AAC, LATM, latm, packed, transport
from tests.unit.inspector.streams import Files, in_segments, media_text, text

FIRST = "aac-1.m3u8"
LATM_STEREO = bytes.fromhex("20001190")  # a configuration: AAC-LC, 48 kHz, two channels


async def looked_at(files: Files, *, entry: str = "index.m3u8", limits: Limits | None = None) -> Inspection:
    """What is found from the entry down."""
    return judged(await gather(Held(files), BASE + entry, limits or Limits()))


async def test_encrypted_segments_are_not_looked_into() -> None:
    """Their sizes count, their boxes do not, the map in the clear does."""
    key = '#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x00000000000000000000000000000001\n#EXTINF'
    files = media_text(in_segments(), "#EXTINF", key)
    files |= {name: bytes(len(data)) for name, data in files.items() if "/" in name and "init" not in name}
    inspection = await looked_at(files)
    assert inspection.findings == ()
    assert {part.kind for track in inspection.stream.tracks for part in track.parts} == {ENCRYPTED}
    assert [each.reason for each in inspection.unseen] == [
        "encrypted segments: without keys their boxes are not looked into"
    ] * 2


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (transport(kinds=(LATM,), sound=latm), "frames of LATM, without a configuration that we know"),
        (transport(kinds=(AAC, 0x1B)), "streams beside the sound in MPEG-TS"),
    ],
    ids=["LATM", "pictures"],
)
async def test_what_is_not_known_inside_of_mpeg_ts_is_told_and_is_no_fault(files: Files, said: str) -> None:
    """Only what the playlists say is judged."""
    inspection = await looked_at(files)
    assert inspection.findings == ()
    assert [each.reason for each in inspection.unseen] == [said]


@given(at=st.lists(st.integers(min_value=0, max_value=2_000), min_size=1, max_size=20), value=st.binary(max_size=40))
def test_junk_without_boxes_raises_nothing(at: list[int], value: bytes) -> None:
    """Wherever it stands in a segment, or alone: something is told, nothing breaks."""
    for look, data in (
        (look_at_packed, packed()["0.aac"][:2_000]),
        (look_at_packed, b"\x0b\x77\0\0\x08\x40\x40".ljust(192, b"\0") * 10),
        (look_at_latm, latm(30, LATM_STEREO)),
        (look_at_transport, transport()["0.ts"][:2_068]),
    ):
        for place in at:
            data = data[:place] + value + data[place + len(value) :]
        for each in (data, value, data[:4] + value):
            assert look(each).samples >= 0


def test_frames_for_more_channels_last_no_longer() -> None:
    """Dependent frames of E-AC-3 belong to those before them; what is cut off in one is told."""
    whole, more = (bytes([0x0B, 0x77, kind << 6, 31, 0x3E, 0x80, 0]).ljust(64, b"\0") for kind in (0, 1))
    look = look_at_packed(5 * (whole + more))
    assert (look.codecs, look.channels, look.frames, look.samples, look.flaw) == (("ec-3",), 5, 5, 5 * 1_536, "")
    assert "breaks off after 63" in look_at_packed(whole + more[:-1]).flaw


def test_one_configuration_is_that_of_all_elements() -> None:
    """Wherever it is said; another one than of AAC-LC is not known."""
    late = latm(9) + latm(1, LATM_STEREO)
    assert [look_at_latm(each).samples for each in (late, latm(10, LATM_STEREO))] == [10_240, 10_240]
    assert (look_at_latm(late).sample_rate_hz, look_at_latm(late).channels) == (48_000, 2)
    assert look_at_latm(latm(10, bytes.fromhex("20003190"))).frames == 0


async def test_a_live_stream_is_no_broken_vod() -> None:
    """No end, no type: one moment of it is judged, and only by what holds at any moment."""
    files = media_text(in_segments(), "#EXT-X-ENDLIST\n", "")
    inspection = await looked_at(media_text(files, "#EXT-X-PLAYLIST-TYPE:VOD\n", ""))
    assert inspection.findings == ()
    assert len(inspection.unseen) == 2


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(segments_max=3), "more than 3 segments"),
        (Limits(playlists_max=1), "more than 1 playlists"),
        (Limits(segment_bytes_max=3_000), "larger than 3000 bytes"),
    ],
)
async def test_what_is_past_a_limit_is_told_and_is_no_fault(limits: Limits, said: str) -> None:
    """Less is known, nothing is made up."""
    inspection = await looked_at(in_segments(), limits=limits)
    assert [each for each in inspection.findings if each.severity == "must"] == []
    assert said in " ".join(each.reason for each in inspection.unseen)


async def test_a_playlist_with_far_too_many_faults_is_cut_short() -> None:
    """The page and the JSON stay readable."""
    files = text(in_segments(), FIRST, "#EXTINF", "stray\n" * 5_000 + "#EXTINF")
    inspection = await looked_at(files, entry=FIRST)
    assert len(inspection.findings) == 100


async def test_segments_that_cannot_all_be_had_are_each_told() -> None:
    """With the line that names them."""
    files = {name: data for name, data in in_segments().items() if not name.startswith("aac-1/")}
    inspection = await looked_at(files, entry=FIRST)
    missing = [each for each in inspection.findings if each.rule == "RFC8216-6.2.1"]
    assert [each.line for each in missing] == [7, 8, 10, 12, 14, 16, 18]


async def test_a_playlist_of_endless_runs_keeps_nobody_busy() -> None:
    """20,000 segments of a millisecond under a target of a day: no peak is looked for."""
    lines = "#EXTINF:0.001,\nx.mp4\n" * 20_000
    media = f"#EXTM3U\n#EXT-X-TARGETDURATION:86400\n{lines}#EXT-X-ENDLIST\n".encode()
    files = {"m.m3u8": media, "x.mp4": b"\x47", "index.m3u8": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nm.m3u8\n"}
    inspection = await looked_at(files)
    assert inspection.stream.tracks[0].sizes() is None
    assert "APPLE-1.27" not in {each.rule for each in inspection.findings}


def test_kinds_are_told_by_the_first_bytes() -> None:
    """Whatever the name says."""
    assert [kind_of(each) for each in (b"\0\0\0\x18styp", b"WEBVTT\n", b"<html>", b"")] == [
        FMP4,
        TEXT,
        UNKNOWN,
        UNKNOWN,
    ]
    heads = (b"\x47" + bytes(187) + b"\x47", b"ID3\x04", b"\xff\xf1\x50", b"\xff\xfb")
    assert [kind_of(each) for each in heads] == [TS, PACKED, PACKED, PACKED]


def test_limits_have_no_zero() -> None:
    """Each of them lets something through."""
    limits = Limits()
    assert all(getattr(limits, name) > 0 for name in limits.__slots__) and replace(limits) == limits
