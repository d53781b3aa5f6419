"""The key layout of a store: every object has its place here and nowhere else.

tracks/<track_id>/ingest.json                          the ingest report; replaced by a new ingest
tracks/<track_id>/art/<sha256>.jpg                     cover art; never changes
tracks/<track_id>/mezzanine/<ingest_id>.mp4            the lossless mezzanine; never changes
tracks/<track_id>/<package_id>/<rendition_id>.mp4      a CMAF track file; never changes, nor do its neighbours:
tracks/<track_id>/<package_id>/<rendition_id>.m3u8     its byte-range media playlist
tracks/<track_id>/<package_id>/index.m3u8, opus.m3u8   the multivariant playlists
tracks/<track_id>/<package_id>/art.jpg, package.json   cover art; segment index, loudness and tags
tracks/<track_id>/current.json                         names the live package; the one pointer players follow
"""

import re
from dataclasses import dataclass

from model.errors import UsageError
from model.track import is_id

TRACKS = "tracks/"
KEY_BYTES_MAX = 1024  # S3's limit on a key
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CURRENT = re.compile(r"tracks/([^/]+)/current\.json")
_INGEST = re.compile(r"tracks/([^/]+)/ingest\.json")


def checked(key: str) -> str:
    """The key itself, if it is one. Refuses empty parts, `..`, hidden names, control characters and backslashes."""
    if not is_key(key):
        raise UsageError("not an object key", subject=ascii(key[:200]), hint="keys are words joined by '/'")
    return key


def is_key(text: str) -> bool:
    """Whether `text` could be a key. Keys are ASCII, so their characters are their bytes."""
    return len(text) <= KEY_BYTES_MAX and all(_PART.fullmatch(part) for part in text.split("/"))


def checked_prefix(prefix: str) -> str:
    """A prefix to walk: empty, or a key, or a key followed by `/`."""
    if prefix:
        checked(prefix.removesuffix("/"))
    return prefix


def ingest_key(track_id: str) -> str:
    """Where the ingest report of a track lies."""
    return checked(f"{TRACKS}{track_id}/ingest.json")


def current_key(track_id: str) -> str:
    """Where the pointer to the live package lies."""
    return checked(f"{TRACKS}{track_id}/current.json")


def art_key(track_id: str, art_sha256: str) -> str:
    """Where the cover art of a track lies."""
    return checked(f"{TRACKS}{track_id}/art/{art_sha256}.jpg")


def mezzanine_key(track_id: str, ingest_id: str) -> str:
    """Where the mezzanine of an ingest lies."""
    return checked(f"{TRACKS}{track_id}/mezzanine/{ingest_id}.mp4")


def package_key(track_id: str, package_id: str, name: str) -> str:
    """Where a file of a package lies."""
    return checked(f"{TRACKS}{track_id}/{package_id}/{name}")


@dataclass(frozen=True, slots=True)
class TrackPointer:
    """A mutable object of a track, as seen in a listing: its ingest report or its live pointer."""

    track_id: str
    live: bool


def pointer_in(key: str) -> TrackPointer | None:
    """Which track's mutable object this key is; None for everything else."""
    for pattern, live in ((_CURRENT, True), (_INGEST, False)):
        found = pattern.fullmatch(key)
        if found and is_id(found[1]):
            return TrackPointer(found[1], live)
    return None
