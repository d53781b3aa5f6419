"""How codecs and files are named to players: CODECS strings, playlist names, suffixes and media types. One table each.

The case of a CODECS string matters: Safari's MSE refuses `opus`, Apple's validator refuses `flac`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from model.rendition import Codec

CODECS: Mapping[Codec, str] = MappingProxyType({Codec.AAC: "mp4a.40.2", Codec.OPUS: "Opus", Codec.FLAC: "fLaC"})
# RFC 6381, and what Apple's authoring specification lists: AAC-LC, HE-AAC and its second version, xHE-AAC, MP3, …
_AUDIO = (*CODECS.values(), "mp4a.40.5", "mp4a.40.29", "mp4a.40.42", "mp4a.40.34", "alac", "ac-3", "ec-3")
_VIDEO = re.compile(r"(avc[13]|hvc1|hev1|dvh1|dvhe|av01|dav1|vp09|vp08|mp4v|stpp|wvtt)(\.|\Z)")
_ZEROS = re.compile(r"\.0+(?=\d)")
MULTIVARIANT_NAMES: Mapping[Codec, str] = MappingProxyType(
    {Codec.AAC: "index.m3u8", Codec.OPUS: "opus.m3u8", Codec.FLAC: "lossless.m3u8"}
)
# Of lists, for browsers: tracks that were encoded apart meet in their media source (docs/decisions/0032-joined.md).
GAPLESS_NAMES: Mapping[Codec, str] = MappingProxyType({Codec.AAC: "gapless.m3u8", Codec.OPUS: "gapless-opus.m3u8"})

MPD_NAME = "index.mpd"  # all families: DASH players choose among them

PLAYLIST_SUFFIX = ".m3u8"
MPD_SUFFIX = ".mpd"
MEDIA_SUFFIX = ".mp4"
INIT_NAME = "init.mp4"
LOSSLESS_BIT_DEPTH = 24  # as the mezzanine (docs/decisions/0004-mezzanine-48k.md)

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
MPD_TYPE = "application/dash+xml"
MEDIA_TYPE = "audio/mp4"
JSON_TYPE = "application/json"
JPEG_TYPE = "image/jpeg"
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        PLAYLIST_SUFFIX: PLAYLIST_TYPE,
        MPD_SUFFIX: MPD_TYPE,
        MEDIA_SUFFIX: MEDIA_TYPE,
        ".json": JSON_TYPE,
        ".jpg": JPEG_TYPE,
    }
)


def media_type_of(name: str) -> str:
    """The media type of a file or object key by its suffix. Raises KeyError for a suffix that we never publish."""
    return MEDIA_TYPES[name[name.rindex(".") :] if "." in name else name]


def spelling_of(entry: str) -> str:
    """One CODECS entry as it must be spelled; empty for what is no codec of HLS. Video codecs are taken as they are."""
    if _VIDEO.match(entry):
        return entry
    wanted = _ZEROS.sub(".", entry).casefold()
    return next((each for each in _AUDIO if each.casefold() == wanted), entry if wanted.startswith("apac.") else "")
