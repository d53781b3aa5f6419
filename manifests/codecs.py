"""How codecs and files are named to players: CODECS strings, playlist names, suffixes and media types. One table each.

The case of a CODECS string matters: Safari's MSE refuses `opus`, Apple's validator refuses `flac`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from model.rendition import Codec

CODECS: Mapping[Codec, str] = MappingProxyType({Codec.AAC: "mp4a.40.2", Codec.OPUS: "Opus", Codec.FLAC: "fLaC"})
MULTIVARIANT_NAMES: Mapping[Codec, str] = MappingProxyType(
    {Codec.AAC: "index.m3u8", Codec.OPUS: "opus.m3u8", Codec.FLAC: "lossless.m3u8"}
)

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


def family_of(codecs: str) -> Codec | None:
    """The codec family that one CODECS entry names, in exactly our spelling; None for every other."""
    return next((codec for codec, spelling in CODECS.items() if spelling == codecs), None)
