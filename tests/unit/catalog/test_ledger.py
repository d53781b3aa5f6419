"""The ledger: what is known of a source file in one state."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.ledger import CoverRow, Ledger, Outline, Refusal, SourceRow, SourceStamp

REFUSAL = Refusal(judge="1", code="source-truncated", message="the file is cut off", hint="copy it again")


def stamped(folder: Path, name: str = "a.flac") -> SourceStamp:
    """The stamp of a new file."""
    (folder / name).write_bytes(b"music")
    return SourceStamp.of(folder / name)


def test_a_source_is_recalled_only_in_the_very_state_it_was_seen_in(tmp_path: Path) -> None:
    """Size, times and inode: another of any of them is another state."""
    first = stamped(tmp_path)
    with Ledger() as ledger:
        assert ledger.recall(first) is None
        row = SourceRow(stamp=first.text, sha256="ab" * 32, recording_id="r" * 20, track_id="t" * 20)
        ledger.remember(first.path, row)
        assert ledger.recall(SourceStamp.of(tmp_path / "a.flac")) == row
        for field in ("size_bytes", "mtime_ns", "ctime_ns", "inode"):
            assert ledger.recall(replace(first, **{field: getattr(first, field) + 1})) is None
        assert ledger.last(first.path) == row


def test_a_refusal_is_kept_until_the_file_is_taken(tmp_path: Path) -> None:
    """With the words that the operator saw."""
    stamp = stamped(tmp_path)
    with Ledger(tmp_path / "ledger") as ledger:
        ledger.remember(stamp.path, SourceRow(stamp=stamp.text, refusal=REFUSAL))
    with Ledger(tmp_path / "ledger") as again:
        found = again.recall(stamp)
        assert found is not None
        assert found.refusal == REFUSAL
        again.remember(stamp.path, SourceRow(stamp=stamp.text, sha256="cd" * 32))
        assert again.last(stamp.path) == SourceRow(stamp=stamp.text, sha256="cd" * 32)


def test_bytes_are_known_under_any_name(tmp_path: Path) -> None:
    """A copy of a file that was heard need not be heard."""
    with Ledger() as ledger:
        ledger.remember(b"/a", SourceRow(stamp="1", sha256="ab", recording_id="r"))
        ledger.remember(b"/b", SourceRow(stamp="1", sha256="cd"))
        assert ledger.recording_of("ab") == "r"
        assert ledger.recording_of("cd") is None


def test_bytes_are_known_with_their_places_and_tracks() -> None:
    """Only where they became one."""
    with Ledger() as ledger:
        ledger.remember(b"/b", SourceRow(stamp="1", sha256="ab", track_id="t"))
        ledger.remember(b"/a", SourceRow(stamp="1", sha256="ab", track_id="u"))
        ledger.remember(b"/c", SourceRow(stamp="1", sha256="ab"))
        assert ledger.tracks_of("ab") == [(b"/a", "u"), (b"/b", "t")]


def test_the_files_of_a_track_are_listed() -> None:
    """In order, whatever order they came in; names are bytes."""
    with Ledger() as ledger:
        for path in (b"/z", b"/\xff", b"/a"):
            ledger.remember(path, SourceRow(stamp="1", track_id="t"))
        ledger.remember(b"/other", SourceRow(stamp="1", track_id="u"))
        assert ledger.holders("t") == [b"/a", b"/z", b"/\xff"]


def test_a_cover_holds_for_what_it_was_made_of() -> None:
    """With what there was to complain of."""
    row = CoverRow(made_of="x", art_id="a", warnings=("cover art refused: é",))
    with Ledger() as ledger:
        ledger.remember_cover(b"/a", row)
        assert ledger.cover(b"/a", "x") == row
        assert ledger.cover(b"/a", "y") is None
        assert ledger.cover(b"/b", "x") is None


def test_outlines_hold_for_one_state(tmp_path: Path) -> None:
    """A length that nobody knows is None."""
    stamp = stamped(tmp_path)
    with Ledger() as ledger:
        assert ledger.outline(stamp) is None
        for outline in (Outline(seconds=61.5, group="x"), Outline(seconds=None, group="y")):
            ledger.remember_outline(stamp, outline)
            assert ledger.outline(stamp) == outline
        assert ledger.outline(replace(stamp, mtime_ns=1)) is None


def test_a_relative_path_and_its_absolute_form_are_one_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger does not depend on where a command was started."""
    stamp = stamped(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert SourceStamp.of(Path("a.flac")) == stamp
    assert os.fsdecode(stamp.path) == str(tmp_path / "a.flac")
