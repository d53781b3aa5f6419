"""The ledger: which state of which source file was read, what it is, and why it was refused. A second run is cheap.

All of it can be found out again from the files and the store; nothing in it depends on the clock or on the order in
which sources were worked on.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.database import Opened


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStamp:
    """What tells one state of a source from another without reading it. `path` is absolute, as bytes.

    An object in a bucket has a `version`, the service's name for its bytes, and of the rest only its size.
    """

    path: bytes
    size_bytes: int
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    version: str = ""

    @classmethod
    def of(cls, path: Path) -> "SourceStamp":
        """The stamp of the file as it is now; OSError as os.stat raises it."""
        found = path.stat()
        return cls(
            path=place_of(path),
            size_bytes=found.st_size,
            mtime_ns=found.st_mtime_ns,
            ctime_ns=found.st_ctime_ns,
            inode=found.st_ino,
        )

    @property
    def text(self) -> str:
        """Everything but the path, as one text."""
        if self.version:
            return f"{self.size_bytes}-{self.version}"
        return f"{self.size_bytes}-{self.mtime_ns}-{self.ctime_ns}-{self.inode}"


def place_of(path: Path) -> bytes:
    """How the ledger calls the place of a file: absolute, as bytes. Links are not followed: they may be replaced."""
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow them


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a source was not taken, and by which version of the judge: another may think otherwise."""

    judge: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """What is known of a source in one state: its bytes, the recording and the track that it is, or why it is none."""

    stamp: str
    sha256: str = ""
    recording_id: str = ""
    track_id: str = ""
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a batch is planned by: how long the source is (None: unknown) and which album it belongs to."""

    seconds: float | None
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverRow:
    """Which cover was made of what is in and beside a source, and what there was to complain of."""

    made_of: str
    art_id: str
    warnings: tuple[str, ...] = ()


_COLUMNS = "stamp, sha256, recording_id, track_id, judge, code, message, hint"


class Ledger(Opened):
    """The ledger, in a database of its own or one that it shares with the catalog.

    Every call blocks for a moment: call it through asyncio.to_thread. Safe to use from several threads at once.
    Raises CatalogError.
    """

    def recall(self, stamp: SourceStamp) -> SourceRow | None:
        """What is known of the file in exactly this state."""
        row = self.last(stamp.path)
        return row if row is not None and row.stamp == stamp.text else None

    def last(self, path: bytes) -> SourceRow | None:
        """What was last known of the file at `path`, whatever state it is in now."""
        found = self._database.select(f"SELECT {_COLUMNS} FROM sources WHERE path = ?", (path,))
        return _row(found[0]) if found else None

    def remember(self, path: bytes, row: SourceRow) -> None:
        """Remember what the file in this state is; earlier states of the same path are forgotten."""
        why = row.refusal
        refusal = (why.judge, why.code, why.message, why.hint) if why else ("", "", "", "")
        with self._database.writing() as db:
            db.execute(
                f"INSERT OR REPLACE INTO sources (path, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (path, row.stamp, row.sha256, row.recording_id, row.track_id, *refusal),
            )

    def recording_of(self, sha256: str) -> str | None:
        """The recording that these bytes are, under whatever name they were seen before."""
        query = "SELECT recording_id FROM sources WHERE sha256 = ? AND recording_id != '' LIMIT 1"
        found = self._database.select(query, (sha256,))
        return str(found[0][0]) if found else None

    def tracks_of(self, sha256: str) -> list[tuple[bytes, str]]:
        """The paths at which these bytes were seen, in order, and the tracks that they are there."""
        query = "SELECT path, track_id FROM sources WHERE sha256 = ? AND track_id != '' ORDER BY path"
        return [(path, track_id) for path, track_id in self._database.select(query, (sha256,))]

    def holders(self, track_id: str) -> list[bytes]:
        """The paths of all sources that are this track, in order."""
        found = self._database.select("SELECT path FROM sources WHERE track_id = ? ORDER BY path", (track_id,))
        return [path for (path,) in found]

    def outline(self, stamp: SourceStamp) -> Outline | None:
        """The outline of the file in exactly this state."""
        query = "SELECT seconds, album FROM outlines WHERE path = ? AND stamp = ?"
        found = self._database.select(query, (stamp.path, stamp.text))
        return Outline(seconds=found[0][0], group=found[0][1]) if found else None

    def remember_outline(self, stamp: SourceStamp, outline: Outline) -> None:
        """Remember the outline of the file in this state."""
        with self._database.writing() as db:
            values = (stamp.path, stamp.text, outline.seconds, outline.group)
            db.execute("INSERT OR REPLACE INTO outlines VALUES (?, ?, ?, ?)", values)

    def cover(self, path: bytes, made_of: str) -> CoverRow | None:
        """The cover of the source at `path`, if it was made of exactly this."""
        query = "SELECT art_id, warnings FROM covers WHERE path = ? AND made_of = ?"
        found = self._database.select(query, (path, made_of))
        return CoverRow(made_of=made_of, art_id=found[0][0], warnings=tuple(json.loads(found[0][1]))) if found else None

    def last_cover(self, path: bytes) -> CoverRow | None:
        """The cover that was last made for the source at `path`."""
        found = self._database.select("SELECT made_of, art_id, warnings FROM covers WHERE path = ?", (path,))
        return (
            CoverRow(made_of=found[0][0], art_id=found[0][1], warnings=tuple(json.loads(found[0][2])))
            if found
            else None
        )

    def remember_cover(self, path: bytes, row: CoverRow) -> None:
        """Remember the cover of the source at `path`."""
        with self._database.writing() as db:
            values = (path, row.made_of, row.art_id, json.dumps(row.warnings))
            db.execute("INSERT OR REPLACE INTO covers VALUES (?, ?, ?, ?)", values)


def _row(values: tuple[Any, ...]) -> SourceRow:
    stamp, sha256, recording_id, track_id, judge, code, message, hint = values
    refusal = Refusal(judge=judge, code=code, message=message, hint=hint) if code else None
    return SourceRow(stamp=stamp, sha256=sha256, recording_id=recording_id, track_id=track_id, refusal=refusal)
