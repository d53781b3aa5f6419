"""The rendered playlists of one fixed package, byte by byte. `make golden` rewrites them; review the diff."""

import os
from pathlib import Path

import pytest

from manifests.build import media_playlist, multivariant, segment_playlist, session_data_of
from manifests.playlist import Playlist
from manifests.render import render
from model.package import Package
from model.rendition import Codec
from model.track import TrackTags
from tests.unit.manifests.samples import LADDER, coded, cut, media_uri, package_of

FOLDER = Path(__file__).parent / "playlists"
UPDATE = os.environ.get("GOLDEN_UPDATE") == "1"
TAGS = TrackTags(title='Łódź (12" Mix)', artists=("Zoë", "The Band"), album="One, Two")


def package() -> Package:
    """40 s with its AAC priming, and 40 s with its Opus pre-skip, at rates that breathe a little."""
    durations = {Codec.AAC: cut(40 * 48_000 + 1_024), Codec.OPUS: cut(40 * 48_000 + 312)}
    renditions = [coded(each, durations[each.codec], percents=(70, 104, 98, 101, 110, 93)) for each in LADDER]
    return package_of(renditions)


def playlists() -> dict[str, Playlist]:
    """Each form that the packager writes (opus.m3u8, ranges) or the origin shows (index.m3u8, segments)."""
    made = package()
    aac, opus = made.rendition("aac-128"), made.rendition("opus-96")
    assert aac and opus
    target_s, base = made.target_duration_s, f"../../recordings/{made.recording_id}/{made.package_id}"
    return {
        "index.m3u8": multivariant(
            made, Codec.AAC, uri_of=lambda each: f"{base}/{each}.m3u8", session_data=session_data_of(TAGS)
        ),
        "opus.m3u8": multivariant(made, Codec.OPUS, uri_of=media_uri),
        "aac-128-ranges.m3u8": media_playlist(aac, target_duration_s=target_s, track_file_uri="aac-128.mp4"),
        "aac-128-segments.m3u8": segment_playlist(aac, target_duration_s=target_s),
        "opus-96-ranges.m3u8": media_playlist(opus, target_duration_s=target_s, track_file_uri="opus-96.mp4"),
    }


@pytest.mark.parametrize("name", playlists())
def test_a_playlist_renders_to_the_reviewed_bytes(name: str) -> None:
    """A change of what players see shows in review."""
    data = render(playlists()[name])
    if UPDATE:
        (FOLDER / name).write_bytes(data)
    assert (FOLDER / name).read_bytes() == data, "if the change is meant: make golden, and review the diff"


def test_no_reviewed_playlist_is_left_over() -> None:
    """A form that is no longer made has no file: remove it by hand."""
    assert {path.name for path in FOLDER.iterdir()} <= set(playlists())
