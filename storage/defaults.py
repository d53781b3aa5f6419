"""What an object is when nobody said: media type and cache control by the suffix of its key."""

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

_BY_SUFFIX = {
    ".mp4": ("audio/mp4", IMMUTABLE),
    ".jpg": ("image/jpeg", IMMUTABLE),
    ".m3u8": ("application/vnd.apple.mpegurl", REVALIDATE),
    ".mpd": ("application/dash+xml", REVALIDATE),
    ".json": ("application/json", REVALIDATE),
}
_UNKNOWN = ("application/octet-stream", REVALIDATE)


def default_media_type(key: str) -> str:
    """The media type that the suffix of `key` stands for."""
    return _of(key)[0]


def default_cache_control(key: str) -> str:
    """The Cache-Control that fits the kind of object that the suffix of `key` stands for."""
    return _of(key)[1]


def _of(key: str) -> tuple[str, str]:
    return next((found for suffix, found in _BY_SUFFIX.items() if key.endswith(suffix)), _UNKNOWN)
