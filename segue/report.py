"""`--report`: one self-contained page of a batch.

Fragments go to a temporary file as tracks end, memory holds an index of them. The page asks the network for nothing and
forbids itself to: it works from `file:`, and tags from strangers stay text.
"""

import base64
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import IO, NamedTuple, Self

from model.analysis import Analysis
from model.errors import UsageError
from model.events import Status, TrackOutcome
from model.package import Package
from model.track import Track, TrackTags
from segue.page_file import unwritable, write_page
from segue.report_plots import as_url, axes
from segue.report_rows import Album, Entry, album_head, escaped, failure_row, plain_row, track_row
from segue.report_summary import ReportSummary, Tally, summary_html, title

PLOTS_MAX = 10_000
ROWS_MAX = 50_000
FAILURES_MAX = 10_000
ART_BYTES_MAX = 48 << 20  # of all pictures together, as text in the page
_COPY_BYTES = 1 << 20
_ALONE = "\U0010ffff"  # sorts behind all names: tracks without an album come last


class _Row(NamedTuple):
    """Where a fragment lies, and where it belongs: by album, disc, number, title."""

    order: tuple[str, str, str, int, int, str]
    offset: int
    size: int


class ReportWriter:
    """Collects what a batch did, and writes the page.

    Raises UsageError at once if no page can be written at `target`. Calls block for milliseconds; one at a time.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        if target.is_dir():
            raise UsageError("the report must be a file", subject=str(target), hint="say --report report.html")
        try:
            self._fragments: IO[bytes] = tempfile.TemporaryFile(dir=target.parent)  # noqa: SIM115 - close() does
            self._styles: IO[bytes] = tempfile.TemporaryFile(dir=target.parent)  # noqa: SIM115
        except OSError as error:
            raise self._unwritable(error) from error
        self._tracks: list[_Row] = []
        self._failures: list[_Row] = []
        self._albums: dict[tuple[str, str, str], Album] = {}
        self._keys: dict[tuple[str, str], tuple[str, str, str]] = {}
        self._covers: dict[str, str] = {}
        self._tally = Tally()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop what was collected."""
        for file in (self._fragments, self._styles):
            with suppress(OSError):  # a full disk has said so before
                file.close()

    def add(
        self,
        outcome: TrackOutcome,
        *,
        track: Track | None = None,
        package: Package | None = None,
        analysis: Analysis | None = None,
        thumbnail: bytes | None = None,
    ) -> None:
        """One input has ended; with what is known of it. `thumbnail` is the JPEG of the smallest art.

        Raises UsageError if there is no room for it on the disk.
        """
        place = len(self._tracks)
        self._tally.take(outcome, track, bool(outcome.warnings or (track and track.warnings)))
        try:
            if outcome.status is Status.FAILED:
                self._keep(self._failures, FAILURES_MAX, (outcome.code, "", "", 0, 0, ""), failure_row(outcome))
            elif track is None:
                self._keep(self._tracks, ROWS_MAX, (_ALONE, "", "", 0, 0, outcome.source), plain_row(outcome))
            elif place < ROWS_MAX:
                if place >= PLOTS_MAX and analysis:
                    analysis, self._tally.unplotted = None, self._tally.unplotted + 1
                entry = Entry(
                    outcome=outcome,
                    track=track,
                    package=package,
                    analysis=analysis,
                    cover=self._cover(track.art_id, thumbnail),
                )
                self._keep(self._tracks, ROWS_MAX, self._order(entry), track_row(entry))
            else:
                self._tally.unlisted += 1
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, summary: ReportSummary) -> None:
        """Write the page, all or nothing; later calls replace it. Raises UsageError if it cannot be written."""
        write_page(self._target, self._page(summary))

    def _unwritable(self, error: OSError) -> UsageError:
        return unwritable(self._target, error)

    def _keep(self, rows: list[_Row], most: int, order: tuple[str, str, str, int, int, str], fragment: str) -> None:
        if len(rows) >= most:
            self._tally.unlisted += 1
            return
        data = fragment.encode()
        offset = self._fragments.seek(0, os.SEEK_END)
        self._fragments.write(data)
        rows.append(_Row(order, offset, len(data)))

    def _cover(self, art_id: str, thumbnail: bytes | None) -> str:
        """The class that shows this picture, written once however many tracks have it."""
        if thumbnail is None or art_id in self._covers:
            return self._covers.get(art_id, "")
        text = base64.b64encode(thumbnail).decode()
        if self._styles.seek(0, os.SEEK_END) + len(text) > ART_BYTES_MAX:
            return ""
        name = self._covers[art_id] = f"a{len(self._covers)}"
        self._styles.write(f".{name}{{background-image:url(data:image/jpeg;base64,{text})}}\n".encode())
        return name

    def _order(self, entry: Entry) -> tuple[str, str, str, int, int, str]:
        tags = entry.track.tags
        if not tags.album:
            return (_ALONE, "", "", 0, 0, f"{', '.join(tags.artists)}\0{tags.title}".casefold())
        # Guests make no other album of it: what was levelled together is one.
        together = repr(entry.track.album) if entry.track.album else _artist(tags).casefold()
        name = (tags.album.casefold(), together)
        key = self._keys.setdefault(name, (_artist(tags).casefold(), *name))
        album = self._albums.get(key)
        if album is None:
            album = Album(name=tags.album, artist=_artist(tags), date=tags.date, cover=entry.cover)
            self._albums[key] = album
        album.tracks += 1
        album.seconds += entry.seconds
        if entry.track.album is not None:
            album.before, album.gain_db = entry.track.album.loudness, entry.track.gain.applied_db
        return (*key, tags.disc_number or 0, tags.track_number or 0, tags.title.casefold())

    def _page(self, summary: ReportSummary) -> Iterator[bytes]:
        """The page in pieces: what is between the slots of `report_page.html`, and what goes into them."""
        skeleton = (files("segue") / "report_page.html").read_text(encoding="utf-8")
        script = skeleton.partition("<script>")[2].partition("</script>")[0]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        skeleton = skeleton.replace("{{script_hash}}", digest)
        for number_of, piece in enumerate(skeleton.split("{{")):
            slot, _, text = piece.partition("}}") if number_of else ("", "", piece)
            yield from self._slot(slot, summary)
            yield text.encode()

    def _slot(self, slot: str, summary: ReportSummary) -> Iterator[bytes]:
        match slot:
            case "":
                return
            case "covers":
                self._styles.seek(0)
                while piece := self._styles.read(_COPY_BYTES):
                    yield piece
            case "axes":
                yield _axes_style().encode()
            case "title":
                yield title(summary).encode()
            case "summary":
                yield summary_html(summary, self._tally).encode()
            case "failures":
                yield from self._failure_list()
            case "tracks":
                yield from self._track_list()
            case _:
                raise AssertionError(f"report_page.html has a slot that nothing fills: {slot}")

    def _fragment(self, row: _Row) -> bytes:
        self._fragments.seek(row.offset)
        return self._fragments.read(row.size)

    def _failure_list(self) -> Iterator[bytes]:
        if not self._failures:
            return
        kinds = ", ".join(f"{count:,} {escaped(code)}" for code, count in self._tally.codes.most_common())
        yield f'<section class="failures"><h2>Failed</h2><p class="lead">{kinds}</p><ul>\n'.encode()
        for row in sorted(self._failures):
            yield self._fragment(row)
        yield b"</ul></section>\n"

    def _track_list(self) -> Iterator[bytes]:
        here: tuple[str, str, str] | None = None
        for row in sorted(self._tracks):
            if row.order[:3] != here:
                yield b"</section>\n" if here else b""
                here = row.order[:3]
                album = self._albums.get(here)
                alone = "<header><div><h3>Tracks without an album</h3></div></header>\n"
                yield f'<section class="album">{album_head(album) if album else alone}'.encode()
            yield self._fragment(row)
        yield b"</section>\n" if here else b""


def _artist(tags: TrackTags) -> str:
    return tags.album_artist or ("" if tags.compilation else ", ".join(tags.artists[:1]))


def _axes_style() -> str:
    """The picture behind the figures, in the colours of the page by day, by night and on paper."""

    day = as_url(axes(rule="#e4e2dc", soft="#5d5f68", ink="#1c1d21"))
    night = as_url(axes(rule="#2a2c33", soft="#a9abb4", ink="#eeece7"))
    dark = "@media screen and (prefers-color-scheme: dark)"
    return f':root{{--axes:url("{day}")}}\n{dark} {{:root{{--axes:url("{night}")}}}}'
