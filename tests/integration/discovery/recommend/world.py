"""A catalog of tracks of several tastes, and a listeners' database with what was played of them."""

from collections.abc import Sequence

from catalog.listener_database import ListenerDatabase
from catalog.plays import PlayRow, Plays
from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.recommend.plays import Played
from model.track import derived_id
from tests.support.listening import TASTES, TRACKS_OF_TASTE, listening, track_of

NOW = 1_790_000_000_000
ANN = "anna" + "a" * 16
NEW = [track_of(TASTES, number) for number in range(2)]  # published last, and nobody has played them


def track_row(track_id: str, title: str, artist: str, *, number: int, live: bool = True) -> TrackRow:
    """A track as the catalog has it, published at `number`."""
    return TrackRow(
        track_id=track_id, ingest_version="1", current_version="1", recording_id=derived_id(track_id),
        package_id=derived_id("package") if live else None, art_id=derived_id("art"), title=title, artist=artist,
        album=f"Album {artist}", album_artist="", track_number=number, disc_number=None, duration_s=200.0,
        level_lufs=None, families="", protected=False, published_s=number,
    )  # fmt: skip


def rows() -> list[TrackRow]:
    """All tracks: artists with five of a taste, and a newcomer."""
    known = [
        track_row(track_of(taste, number), f"Song {taste} {number}", f"Artist {taste} {number % 6}", number=number)
        for taste in range(TASTES)
        for number in range(TRACKS_OF_TASTE)
    ]
    return known + [track_row(track, "New Song", "Newcomer", number=1000) for track in NEW]


def filled_catalog(catalog: Catalog) -> None:
    """Put them in."""
    catalog.apply(rows(), [])


def add_plays(database: ListenerDatabase, played: Sequence[Played], *, skipped: Sequence[str] = ()) -> None:
    """Listeners who agree, with what they heard; `skipped` are tracks that Ann did not want to hear."""
    plays = Plays(database)
    names = sorted({listener for listener, *_ in played} | ({ANN} if skipped else set()))
    with database.writing() as db:
        db.executemany(
            "INSERT OR IGNORE INTO listeners VALUES (?, ?, '', 0)", [(name, name.encode()) for name in names]
        )
    for name in names:
        plays.consent(name, at_ms=NOW)
    for name in names:
        told = [
            _event(name, track, f"{track}-{time}", at_ms=NOW + at, listened=True)
            for listener, track, listens, at in played
            for time in range(listens)
            if listener == name
        ]
        plays.add(told)
    if skipped:
        plays.add([_event(ANN, track, f"skip-{track}", at_ms=NOW, listened=False) for track in skipped])


def _event(listener: str, track: str, play: str, *, at_ms: int, listened: bool) -> PlayRow:
    return PlayRow(
        listener_id=listener, play_id=play, event_id=play, track_id=track, kind="complete", at_ms=at_ms, position_ms=0,
        played_ms=1, source="", reason="", listened=listened, skipped=not listened,
    )  # fmt: skip


def of_ann(taste: int, count: int) -> list[Played]:
    """Ann heard the first tracks of a taste, each twice, the last of them last."""
    return [(ANN, track_of(taste, number), 2, number) for number in range(1, count + 1)]


def everybody() -> list[Played]:
    """What all others heard."""
    return [(listener, track, 1, at) for listener, track, _, at in listening()]
