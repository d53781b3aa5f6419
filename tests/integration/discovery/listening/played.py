"""Listeners, a catalog of tracks, and what players send about them."""

from typing import Any

from catalog.listener_database import ListenerDatabase
from catalog.schema import TrackRow
from model.track import derived_id, recording_id_of, track_id_of

NOW = 1_790_000_000_000
DURATION_S = 200.0


def track_id(number: int) -> str:
    """The id of a track."""
    return track_id_of(recording_id_of(str(number)), "Album")


def track_row(number: int, *, live: bool = True) -> TrackRow:
    """A track of 200 seconds, as the catalog has it."""
    return TrackRow(
        track_id=track_id(number), ingest_version="1", current_version="1", recording_id=recording_id_of(str(number)),
        package_id=derived_id("package") if live else None, art_id=derived_id("art"), title=f"Song {number}",
        artist="Somebody", album="Album", album_artist="", track_number=1, disc_number=None, duration_s=DURATION_S,
        level_lufs=None, families="", protected=False,
    )  # fmt: skip


def add_listener(database: ListenerDatabase, listener_id: str) -> None:
    """A row that all tables of listeners refer to."""
    with database.writing() as db:
        db.execute("INSERT INTO listeners VALUES (?, ?, 'somebody', 0)", (listener_id, listener_id.encode()))


def event(number: int, kind: str = "complete", **fields: Any) -> dict[str, Any]:
    """What a player sends; by itself a listen of track 1, a play of its own."""
    return {
        "event_id": f"event-{number:06}", "play_id": f"play-{number:06}", "track_id": track_id(1), "kind": kind,
        "at_ms": NOW - 1000, "position_ms": 100_000, "played_ms": 100_000, **fields,
    }  # fmt: skip
