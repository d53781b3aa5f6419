"""A track as the API answers it."""

from catalog.schema import TrackRow
from manifests.codecs import MPD_NAME, MULTIVARIANT_NAMES
from model.rendition import Codec
from model.track import ART_SIDES

_FAMILIES = {Codec.AAC: "aac", Codec.OPUS: "opus", Codec.FLAC: "lossless"}  # as listeners know them
_ART_SIDE = 640  # pixels of "art"; "art_sizes" has all


def track_answer(row: TrackRow) -> dict[str, object]:
    """A live track with the URLs of all that a player needs."""
    base = f"/tracks/{row.track_id}"
    playlists = {_FAMILIES[Codec(each)]: f"{base}/{MULTIVARIANT_NAMES[Codec(each)]}" for each in row.families.split()}
    return {
        "track_id": row.track_id,
        "recording_id": row.recording_id,
        "package_id": row.package_id,
        "title": row.title,
        "artist": row.artist,
        "album": row.album,
        "track_number": row.track_number,
        "disc_number": row.disc_number,
        "year": row.year,
        "genres": list(row.genres),
        "duration_s": row.duration_s,
        "level_lufs": row.level_lufs,
        "playlists": playlists,
        "mpd": None if row.protected else f"{base}/{MPD_NAME}",  # DASH has no such protection
        "protected": bool(row.protected),  # SQLite has 0 and 1
        "art": art_of(row),
        "art_sizes": {str(side): _art(row, side) for side in ART_SIDES},
    }


def art_of(row: TrackRow) -> str:
    """The URL of its cover."""
    return _art(row, _ART_SIDE)


def _art(row: TrackRow, side: int) -> str:
    return f"/art/{row.art_id}/{side}.jpg"
