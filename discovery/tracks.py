"""Tracks as the API answers them."""

from msgspec import Struct

from catalog.schema import TrackRow
from manifests.codecs import MPD_NAME, MULTIVARIANT_NAMES
from model.rendition import Codec
from model.track import ART_SIDES

_FAMILIES = {Codec.AAC: "aac", Codec.OPUS: "opus", Codec.FLAC: "lossless"}  # as listeners know them
_ART_SIDE = 640  # pixels of "art"; "art_sizes" has all


class Track(Struct, frozen=True, kw_only=True):
    """A live track with the URLs of all that a player needs. `mpd` is null where there is no DASH presentation."""

    track_id: str
    recording_id: str
    package_id: str
    title: str
    artist: str
    album: str
    track_number: int | None
    disc_number: int | None
    year: int | None
    genres: list[str]
    duration_s: float
    level_lufs: float | None
    playlists: dict[str, str]
    mpd: str | None
    protected: bool
    art: str
    art_sizes: dict[str, str]


def track_answer(row: TrackRow) -> Track:
    """A live track, as a row of the catalog has it."""
    assert row.package_id is not None, "only live tracks are shown"
    base = f"/tracks/{row.track_id}"
    playlists = {_FAMILIES[Codec(each)]: f"{base}/{MULTIVARIANT_NAMES[Codec(each)]}" for each in row.families.split()}
    return Track(
        track_id=row.track_id,
        recording_id=row.recording_id,
        package_id=row.package_id,
        title=row.title,
        artist=row.artist,
        album=row.album,
        track_number=row.track_number,
        disc_number=row.disc_number,
        year=row.year,
        genres=list(row.genres),
        duration_s=row.duration_s,
        level_lufs=row.level_lufs,
        playlists=playlists,
        mpd=None if row.protected else f"{base}/{MPD_NAME}",  # DASH has no such protection
        protected=bool(row.protected),  # SQLite has 0 and 1
        art=art_of(row.art_id),
        art_sizes=art_sizes_of(row.art_id),
    )


def art_of(art_id: str) -> str:
    """The URL of a cover."""
    return _art(art_id, _ART_SIDE)


def art_sizes_of(art_id: str) -> dict[str, str]:
    """The URLs of a cover by its sides in pixels."""
    return {str(side): _art(art_id, side) for side in ART_SIDES}


def _art(art_id: str, side: int) -> str:
    return f"/art/{art_id}/{side}.jpg"
