"""Who may keep what for how long: a table from the class of a resource to its caching headers. Pure.

`Cache-Control` is for browsers, `CDN-Cache-Control` (RFC 9213) for the tiers in front of us, and the surrogate keys
let a CDN purge by track, recording, package, rendition or art. Nothing varies by cookie, user agent or query.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from manifests.codecs import MULTIVARIANT_NAMES


class ResourceClass(StrEnum):
    """What a URL names, as far as caches and metrics care."""

    MEDIA = "media"  # init sections, segments, track files
    PLAYLIST = "playlist"  # media playlists
    MULTIVARIANT = "multivariant"  # and the MPD, which is as much
    PERSONAL = "personal"  # playlists as a listener may hear them
    LIVE = "live"  # media playlists of stations
    PACKAGE = "package"  # the live package.json
    ART = "art"  # the cover of a track, as it is now
    PICTURE = "picture"  # a cover by its content
    KEY = "key"  # for those with a token
    API = "api"
    SUBSONIC = "subsonic"  # for other people's players: each answer is for who asks, and handlers say so
    PAGE = "page"  # the player
    OPERATIONS = "operations"  # health and metrics
    OTHER = "other"


_FOREVER = "public, max-age=31536000, immutable"
_LIVE = "public, max-age=10, stale-while-revalidate=60, stale-if-error=86400"
_LIVE_CDN = "max-age=60, stale-while-revalidate=60, stale-if-error=86400"
_SHORT = "public, max-age=5"
_WINDOW = "public, max-age=2"  # a third of a target duration, after which there is another
_NEVER = "no-store"

_TABLE: Mapping[ResourceClass, tuple[str, str]] = MappingProxyType(
    {
        ResourceClass.MEDIA: (_FOREVER, "max-age=31536000, immutable"),
        ResourceClass.PLAYLIST: (_FOREVER, "max-age=31536000, immutable"),
        ResourceClass.MULTIVARIANT: (_LIVE, _LIVE_CDN),
        ResourceClass.LIVE: (_WINDOW, "max-age=2"),
        ResourceClass.PERSONAL: ("private, no-store", _NEVER),
        ResourceClass.PACKAGE: (_LIVE, _LIVE_CDN),
        ResourceClass.ART: (_LIVE, _LIVE_CDN),
        ResourceClass.PICTURE: (_FOREVER, "max-age=31536000, immutable"),
        ResourceClass.KEY: (_NEVER, _NEVER),
        ResourceClass.API: (_SHORT, "max-age=5, stale-while-revalidate=30, stale-if-error=86400"),
        ResourceClass.PAGE: ("public, max-age=60", "max-age=60, stale-while-revalidate=60, stale-if-error=86400"),
        ResourceClass.SUBSONIC: (_NEVER, _NEVER),
        ResourceClass.OPERATIONS: (_NEVER, _NEVER),
        ResourceClass.OTHER: (_NEVER, _NEVER),
    }
)
_ERRORS_KEPT_BRIEFLY = frozenset({404, 405})  # CloudFront keeps both for 10 s if we say nothing
_BUSY = frozenset({429, 500, 502, 503, 504})
_OF_RECORDINGS = {".mp4": ResourceClass.MEDIA, ".m3u8": ResourceClass.PLAYLIST}
_TRACK_ART = re.compile(r"art(-\d+)?\.jpg")


def resource_class(path: str) -> ResourceClass:
    """The class of what a path names, or would name if it existed."""
    parts = path.split("/")
    name = parts[-1]
    match parts[1:-1]:
        case ["tracks", _]:
            return _class_of_track(name)
        case ["recordings", _, *_]:
            return _OF_RECORDINGS.get(name[name.rfind(".") :], ResourceClass.OTHER)
        case ["joined", *_]:
            return ResourceClass.MEDIA if name.endswith(".mp4") else ResourceClass.OTHER
        case ["albums" | "playlists" | "mixes" | "stations", *_] if name.endswith(".m3u8"):
            return _class_of_list(parts)
        case ["my-playlists" | "my-mixes", *_]:
            return ResourceClass.PERSONAL
        case ["art", _]:
            return ResourceClass.PICTURE
        case ["keys", _, *_]:
            return ResourceClass.KEY
    if path.startswith("/api/"):
        return ResourceClass.API
    if path.startswith("/rest/"):
        return ResourceClass.SUBSONIC
    if path in ("/healthz", "/readyz", "/metrics"):
        return ResourceClass.OPERATIONS
    is_page = parts[0] == "" and (len(parts) == 2 or parts[1:-1] == ["vendor"])
    return ResourceClass.PAGE if is_page else ResourceClass.OTHER


def _class_of_track(name: str) -> ResourceClass:
    if name.endswith((".m3u8", ".mpd")):
        return ResourceClass.MULTIVARIANT
    if name == "package.json":
        return ResourceClass.PACKAGE
    return ResourceClass.ART if _TRACK_ART.fullmatch(name) else ResourceClass.OTHER


def _class_of_list(parts: Sequence[str]) -> ResourceClass:
    """Of a playlist of a list or a station: `["", kind, id, name]`, or the same with the list's state."""
    if len(parts) == 4:
        window = parts[1] == "stations" and parts[-1] not in MULTIVARIANT_NAMES.values()
        return ResourceClass.LIVE if window else ResourceClass.MULTIVARIANT
    return ResourceClass.PLAYLIST if len(parts) == 5 and parts[1] != "stations" else ResourceClass.OTHER


def caching(kind: ResourceClass, *, shared: bool = True) -> dict[str, str]:
    """The caching headers of a good answer (200, 206, 304); unless `shared`, for the asking client alone."""
    browser, cdn = _TABLE[kind]
    if not shared:
        browser, cdn = browser.replace("public", "private"), _NEVER
    return {"Cache-Control": browser, "CDN-Cache-Control": cdn}


def caching_of_error(status: int, *, retry_after_s: int, shared: bool = True) -> dict[str, str]:
    """The caching headers of an error: 404 and 405 are kept a few seconds if they are `shared`, all others never."""
    if status in _ERRORS_KEPT_BRIEFLY and shared:
        return {"Cache-Control": _SHORT, "CDN-Cache-Control": "max-age=5"}
    headers = {"Cache-Control": _NEVER, "CDN-Cache-Control": _NEVER}
    return headers | {"Retry-After": str(retry_after_s)} if status in _BUSY else headers


def surrogate_keys(keys: Iterable[str]) -> dict[str, str]:
    """Purge keys as Fastly, Cloudflare and Akamai read them."""
    words = tuple(keys)
    if not words:
        return {}
    return {"Surrogate-Key": " ".join(words), "Cache-Tag": ",".join(words), "Edge-Cache-Tag": ",".join(words)}
