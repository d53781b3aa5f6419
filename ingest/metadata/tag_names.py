"""What every way of tagging calls the same thing. Names are compared without case and signs: `MusicBrainz Album Id`."""

import re
from collections.abc import Sequence

Found = dict[str, list[str]]  # normal name -> values as they are in the file

VALUES_MAX = 20
VALUE_CHARACTERS_MAX = 4_000
_SIGNS = re.compile(r"[^a-z0-9]")
_NAME_CHARACTERS_MAX = 100

# What we keep -> its normal names, the most telling first.
FIELDS: dict[str, tuple[str, ...]] = {
    "title": ("title",),
    "artist": ("artist",),
    "artists": ("artists",),
    "album": ("album",),
    "album_artist": ("albumartist",),
    "track": ("tracknumber", "track", "partnumber"),
    "track_total": ("tracktotal", "totaltracks", "totalparts"),
    "disc": ("discnumber", "disc", "disk"),
    "disc_total": ("disctotal", "totaldiscs"),
    "date": ("date", "daterecorded", "recordeddate", "datereleased", "releasedate", "year"),
    "genres": ("genre",),
    "isrc": ("isrc",),
    "barcode": ("barcode", "upc", "ean", "eanupc", "upcean", "eanupn"),
    "composers": ("composer",),
    "label": ("label", "publisher", "organization"),
    "copyright": ("copyright",),
    "lyrics": ("lyrics", "unsyncedlyrics", "uslt"),
    "compilation": ("compilation",),
    "title_sort": ("titlesort", "titlesortorder"),
    "artist_sort": ("artistsort", "artistsortorder"),
    "album_sort": ("albumsort", "albumsortorder"),
    "album_artist_sort": ("albumartistsort", "albumartistsortorder"),
    "composer_sort": ("composersort", "composersortorder"),
    "mb_recording": ("musicbrainztrackid", "musicbrainzrecordingid"),
    "mb_track": ("musicbrainzreleasetrackid",),
    "mb_release": ("musicbrainzalbumid", "musicbrainzreleaseid"),
    "mb_release_group": ("musicbrainzreleasegroupid",),
    "mb_artists": ("musicbrainzartistid",),
    "mb_album_artists": ("musicbrainzalbumartistid",),
    "track_gain": ("replaygaintrackgain",),
    "track_peak": ("replaygaintrackpeak",),
    "album_gain": ("replaygainalbumgain",),
    "album_peak": ("replaygainalbumpeak",),
    "r128_track": ("r128trackgain",),
    "r128_album": ("r128albumgain",),
}
KNOWN = frozenset(name for names in FIELDS.values() for name in names)

ID3 = {
    "TIT2": "title", "TPE1": "artist", "TALB": "album", "TPE2": "albumartist", "TRCK": "tracknumber",
    "TPOS": "discnumber", "TDRC": "date", "TDRL": "datereleased", "TCON": "genre", "TSRC": "isrc", "TCOM": "composer",
    "TPUB": "label", "TCOP": "copyright", "TCMP": "compilation", "TSOT": "titlesort", "TSOP": "artistsort",
    "TSOA": "albumsort", "TSO2": "albumartistsort", "TSOC": "composersort",
}  # fmt: skip
MP4 = {
    "\xa9nam": "title", "\xa9ART": "artist", "\xa9alb": "album", "aART": "albumartist", "trkn": "tracknumber",
    "disk": "discnumber", "\xa9day": "date", "\xa9gen": "genre", "\xa9wrt": "composer", "\xa9lyr": "lyrics",
    "\xa9lab": "label", "\xa9pub": "publisher", "cprt": "copyright", "cpil": "compilation", "sonm": "titlesort",
    "soar": "artistsort", "soal": "albumsort", "soaa": "albumartistsort", "soco": "composersort",
}  # fmt: skip
# LIST/INFO. (ISRC there means "source", the place a picture came from.)
RIFF = {
    "INAM": "title", "IART": "artist", "IPRD": "album", "ITRK": "tracknumber", "IPRT": "track", "ICRD": "date",
    "IGNR": "genre", "ICOP": "copyright", "IMUS": "composer",
}  # fmt: skip
AIFF = {"NAME": "title", "AUTH": "artist", "(c) ": "copyright"}


def normal(name: str) -> str:
    """The name as all names are compared."""
    return _SIGNS.sub("", name[:_NAME_CHARACTERS_MAX].lower())


def add(found: Found, name: str, values: Sequence[str]) -> None:
    """Keep the values of a normal name, bounded; what was found first stays, and names that nobody asks for go."""
    if name in KNOWN and not found.get(name):
        longest = 50 * VALUE_CHARACTERS_MAX if name in FIELDS["lyrics"] else VALUE_CHARACTERS_MAX
        found[name] = [value[:longest] for value in values[:VALUES_MAX]]
