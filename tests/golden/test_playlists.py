"""The rendered playlists of one fixed package, byte by byte. `make golden` rewrites them; review the diff."""

import os
from pathlib import Path

import pytest

from manifests.build import media_playlist, multivariant, quotable, segment_playlist, session_data_of
from manifests.dash import render_mpd
from manifests.playlist import Playlist
from manifests.render import render
from model.package import Package
from model.rendition import Codec
from model.track import TrackTags
from tests.unit.manifests.samples import LADDER, PRIMING_TICKS, coded, cut, lossless, media_uri, package_of

FOLDER = Path(__file__).parent / "playlists"
UPDATE = os.environ.get("GOLDEN_UPDATE") == "1"
TAGS = TrackTags(title='Łódź (12" Mix)', artists=("Zoë", "The Band"), album="One, Two")


def package() -> Package:
    """40 s with the priming of AAC and Opus, at rates that breathe a little, and lossless."""
    durations = {codec: cut(40 * 48_000 + priming) for codec, priming in PRIMING_TICKS.items()}
    renditions = [coded(each, durations[each.codec], percents=(70, 104, 98, 101, 110, 93)) for each in LADDER]
    return package_of([*renditions, lossless(durations[Codec.FLAC], track_file="../mezzanine/qrstuvwxyz234567.mp4")])


def documents() -> dict[str, bytes]:
    """Everything that is reviewed here: the playlists, and the MPD as the packager writes it."""
    mpd = render_mpd(package(), uri_of=lambda each: each.track_file_path, title=quotable(TAGS.title))
    return {name: render(playlist) for name, playlist in playlists().items()} | {"index.mpd": mpd}


def playlists() -> dict[str, Playlist]:
    """Each form that the packager writes (opus.m3u8, ranges) or the origin shows (index.m3u8, segments)."""
    made = package()
    aac, opus, flac = made.rendition("aac-128"), made.rendition("opus-96"), made.rendition("flac")
    assert aac and opus and flac
    target_s, base = made.target_duration_s, f"../../recordings/{made.recording_id}/{made.package_id}"
    return {
        "index.m3u8": multivariant(
            made,
            Codec.AAC,
            uri_of=lambda each: f"{base}/{each}.m3u8",
            session_data=session_data_of(TAGS, art_uri="../../art/abcdefghijklmnop/640.jpg"),
        ),
        "opus.m3u8": multivariant(made, Codec.OPUS, uri_of=media_uri),
        "lossless.m3u8": multivariant(made, Codec.FLAC, uri_of=media_uri),
        "aac-128-ranges.m3u8": media_playlist(aac, target_duration_s=target_s, track_file_uri="aac-128.mp4"),
        "aac-128-segments.m3u8": segment_playlist(aac, target_duration_s=target_s),
        "opus-96-ranges.m3u8": media_playlist(opus, target_duration_s=target_s, track_file_uri="opus-96.mp4"),
        "flac-ranges.m3u8": media_playlist(flac, target_duration_s=target_s, track_file_uri=flac.track_file_path),
    }


@pytest.mark.parametrize("name", documents())
def test_a_playlist_renders_to_the_reviewed_bytes(name: str) -> None:
    """A change of what players see shows in review."""
    data = documents()[name]
    if UPDATE:
        (FOLDER / name).write_bytes(data)
    assert (FOLDER / name).read_bytes() == data, "if the change is meant: make golden, and review the diff"


def test_no_reviewed_playlist_is_left_over() -> None:
    """A form that is no longer made has no file: remove it by hand."""
    assert {path.name for path in FOLDER.iterdir()} <= set(documents())
