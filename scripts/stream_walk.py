"""Ask an origin for a track as a player does: playlists, then each rendition's init section and first segment."""

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urljoin

import m3u8

ANSWER_TIMEOUT_S = 20
BODY_BYTES_MAX = 32 << 20

# The origin is on this machine, whatever proxy the environment names.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class StreamBroken(Exception):
    """The origin's answer is not what a player needs; the text names the URL."""


def live_tracks(base_url: str) -> list[dict[str, Any]]:
    """The tracks that the origin lists. Raises StreamBroken."""
    tracks: list[dict[str, Any]] = json.loads(_get(urljoin(base_url, "/api/v1/tracks?limit=500")))["tracks"]
    return tracks


def walk_track(base_url: str, track: dict[str, Any]) -> int:
    """How many renditions of the track answered, over all its codec families. Raises StreamBroken."""
    renditions = 0
    for path in track["playlists"].values():
        for url in _variants(urljoin(base_url, path)):
            _walk_rendition(url)
            renditions += 1
    return renditions


def _variants(url: str) -> list[str]:
    playlist = m3u8.loads(_get(url).decode("utf-8"), uri=url)
    if not playlist.playlists:
        raise StreamBroken(f"no variant streams: {url}")
    return [variant.absolute_uri for variant in playlist.playlists]


def _walk_rendition(url: str) -> None:
    playlist = m3u8.loads(_get(url).decode("utf-8"), uri=url)
    if not playlist.segments or not playlist.segment_map:
        raise StreamBroken(f"no segments or no init section: {url}")
    init, segment = playlist.segment_map[0].absolute_uri, playlist.segments[0].absolute_uri
    _check_boxes(init, wanted=b"moov")
    _check_boxes(segment, wanted=b"moof")


def _check_boxes(url: str, *, wanted: bytes) -> None:
    if wanted not in _get(url)[:65_536]:
        raise StreamBroken(f"no {wanted.decode()} box at the start: {url}")


def _get(url: str) -> bytes:
    try:
        with _open(url, timeout=ANSWER_TIMEOUT_S) as answer:
            body: bytes = answer.read(BODY_BYTES_MAX)
    except (urllib.error.URLError, OSError) as error:
        raise StreamBroken(f"{error}: {url}") from error
    if not body:
        raise StreamBroken(f"an empty answer: {url}")
    return body
