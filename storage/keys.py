"""The key layout of a store: every object has its place here and nowhere else.

tracks/<track_id>/track.json                                the ingest report: tags, loudness, which recording; replaced
tracks/<track_id>/current.json                              names the live package; the one pointer players follow
tracks/features.json                                        written anew when features were made of known recordings
changes/<ms>-<track_id>                                     says that a track changed at this moment; gone after an hour
claims/<claim_id>.json                                      says who works on what; gone when that is done
art/<art_id>/<side>.jpg                                     cover art in three sizes; this and all below never changes:
recordings/<recording_id>/analysis.json                     what the meter heard
recordings/<recording_id>/features.json                     what it sounds like, in a few numbers
recordings/<recording_id>/features-librosa.json             the same as librosa hears it, where that was chosen
recordings/<recording_id>/mezzanine/<mezzanine_id>.mp4      the lossless mezzanine
recordings/<recording_id>/mezzanine/<mezzanine_id>.json     how it was made; written after it
recordings/<recording_id>/<package_id>/<rendition_id>.mp4   a CMAF track file
recordings/<recording_id>/<package_id>/<rendition_id>.m3u8  its byte-range media playlist
recordings/<recording_id>/<package_id>/index.m3u8, opus.m3u8, lossless.m3u8, index.mpd, package.json

Two tracks of one recording share all that is under `recordings/`. A lossless rendition may have no track file of its
own: it is the mezzanine then.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from model.errors import UsageError
from model.features import FeatureSet
from model.track import is_id

TRACKS = "tracks/"
RECORDINGS = "recordings/"
ART = "art/"
CHANGES = "changes/"
CLAIMS = "claims/"
FEATURES_MARK = TRACKS + "features.json"  # a listing of the tracks shows it
KEY_BYTES_MAX = 1024  # S3's limit on a key
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_KEY = re.compile(f"{_PART}(?:/{_PART})*")
_CURRENT = re.compile(r"tracks/([^/]+)/current\.json")
_CHANGE = re.compile(r"changes/([0-9]{13})-([^/]+)")
_TRACK = re.compile(r"tracks/([^/]+)/track\.json")


@lru_cache(4096)  # a read passes here several times with one key, and a listener waits
def checked(key: str) -> str:
    """The key itself, if it is one. Refuses empty parts, `..`, hidden names, control characters and backslashes."""
    if not is_key(key):
        raise UsageError("not an object key", subject=ascii(key[:200]), hint="keys are words joined by '/'")
    return key


def is_key(text: str) -> bool:
    """Whether `text` could be a key. Keys are ASCII, so their characters are their bytes."""
    return len(text) <= KEY_BYTES_MAX and _KEY.fullmatch(text) is not None


def checked_prefix(prefix: str) -> str:
    """A prefix to walk: empty, or a key, or a key followed by `/`."""
    if prefix:
        checked(prefix.removesuffix("/"))
    return prefix


def track_key(track_id: str) -> str:
    """Where the ingest report of a track lies."""
    return checked(f"{TRACKS}{track_id}/track.json")


def current_key(track_id: str) -> str:
    """Where the pointer to the live package lies."""
    return checked(f"{TRACKS}{track_id}/current.json")


def art_key(art_id: str, side: int) -> str:
    """Where cover art of this many pixels a side lies."""
    return checked(f"{ART}{art_id}/{side}.jpg")


def analysis_key(recording_id: str) -> str:
    """Where the analysis of a recording lies."""
    return checked(f"{RECORDINGS}{recording_id}/analysis.json")


def features_key(recording_id: str, features: FeatureSet = FeatureSet.OWN) -> str:
    """Where the features of a recording lie, as this one heard it."""
    name = "features" if features is FeatureSet.OWN else f"features-{features}"
    return checked(f"{RECORDINGS}{recording_id}/{name}.json")


def mezzanine_key(recording_id: str, mezzanine_id: str) -> str:
    """Where a mezzanine lies."""
    return checked(f"{RECORDINGS}{recording_id}/mezzanine/{mezzanine_id}.mp4")


def mezzanine_record_key(recording_id: str, mezzanine_id: str) -> str:
    """Where the record of a mezzanine lies."""
    return checked(f"{RECORDINGS}{recording_id}/mezzanine/{mezzanine_id}.json")


def recording_prefix(recording_id: str) -> str:
    """Under which everything of a recording lies."""
    return checked(f"{RECORDINGS}{recording_id}") + "/"


def package_key(recording_id: str, package_id: str, name: str) -> str:
    """Where a file of a package lies."""
    return checked(f"{RECORDINGS}{recording_id}/{package_id}/{name}")


def track_file_key(recording_id: str, package_id: str, path: str) -> str:
    """Where a track file lies, by its path as seen from the package: in the package, or the mezzanine that it is."""
    shared = path.removeprefix("../")
    if shared == path:
        return package_key(recording_id, package_id, path)
    return checked(f"{RECORDINGS}{recording_id}/{shared}")


@dataclass(frozen=True, slots=True)
class TrackPointer:
    """A mutable object of a track, as seen in a listing: its ingest report or its live pointer."""

    track_id: str
    live: bool


def pointer_in(key: str) -> TrackPointer | None:
    """Which track's mutable object this key is; None for everything else."""
    for pattern, live in ((_CURRENT, True), (_TRACK, False)):
        found = pattern.fullmatch(key)
        if found and is_id(found[1]):
            return TrackPointer(found[1], live)
    return None


@dataclass(frozen=True, slots=True)
class Change:
    """What a key below `changes/` says: a track changed at this moment, by the clock of whoever changed it."""

    track_id: str
    at_ms: int


def change_key(change: Change) -> str:
    """Where it is said that a track changed. Keys sort by moment."""
    return checked(f"{changes_at(change.at_ms)}-{change.track_id}")


def changes_at(at_ms: int) -> str:
    """Comes after the keys of all changes before a moment, and before the others."""
    return f"{CHANGES}{max(at_ms, 0):013}"


def change_in(key: str) -> Change | None:
    """What this key says; None for everything else."""
    found = _CHANGE.fullmatch(key)
    return Change(found[2], int(found[1])) if found and is_id(found[2]) else None


def claim_key(claim_id: str) -> str:
    """Where it is said who works on something."""
    return checked(f"{CLAIMS}{claim_id}.json")
