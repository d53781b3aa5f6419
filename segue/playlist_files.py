"""Playlist files of an operator's, single or in folders: taken in, and written."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote

from catalog.ledger import Ledger, place_of
from catalog.playlists import PlaylistRow
from catalog.search_postings import Group
from catalog.shelves import Shelves
from discovery.playlists.entries import BYTES_MAX, PlaylistFileInvalid
from discovery.playlists.formats import BY_SUFFIX, FORMATS, read_playlist
from discovery.playlists.library import Imported, Library
from discovery.playlists.match import LookUps
from discovery.playlists.nsp import read_nsp, write_nsp
from discovery.search import SearchIndex
from discovery.search_follow import compare
from model.album import artist_id_of
from model.errors import PipelineError, UsageError
from segue.config import Config
from segue.opened import opened_postings
from segue.output import Output

SUFFIXES = frozenset(f".{suffix}" for suffix in (*BY_SUFFIX, "nsp")) - {".json"}
_SEARCHES_MAX = 100_000  # an operator waits
_CANDIDATES = 10
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')
_NAME_BYTES_MAX = 200


def import_playlists(library: Library, listener_id: str, named: Sequence[str], config: Config, output: Output) -> int:
    """A playlist of each file that was named or is in a folder that was; 1 if any could not be taken."""
    files = list(_found(named))
    if not files:
        raise UsageError("no playlist files found", subject=", ".join(named), hint=", ".join(sorted(SUFFIXES)))
    failed = entries = missing = 0
    with ExitStack() as opened:
        postings = opened.enter_context(opened_postings(config))
        compare(library.catalog, postings)
        search, ledger = SearchIndex(postings), opened.enter_context(Ledger(config.catalog_path))
        for path in files:
            try:
                taken = _import(library, listener_id, path, _look_ups(library, search, ledger, path.parent))
            except PipelineError as error:
                failed += 1
                output.data({"event": "failed", "file": str(path), "code": error.code, "message": str(error)})
                output.say(f"not imported: {path}: {error}")
                continue
            entries += taken.playlist.entries
            missing += len(taken.missing)
            _tell(taken, path, output)
    output.data(
        {"event": "summary", "playlists": len(files) - failed, "failed": failed, "entries": entries, "missing": missing}
    )
    output.say(f"{len(files) - failed} playlists, {entries} entries, {missing} without a track, {failed} files failed")
    return 1 if failed else 0


def export_playlists(
    library: Library, rows: Sequence[PlaylistRow], output: Output, *, form: str, into: Path | None, base_url: str
) -> int:
    """The playlists as files in a folder; a single one on stdout where no folder was named."""
    if into is None:
        if len(rows) != 1:
            raise UsageError("several playlists", hint="name one, or a folder for them: --into FOLDER")
        if output.as_json:
            raise UsageError("a file on stdout is not JSON lines", hint="say --into FOLDER, or leave out --json")
        sys.stdout.buffer.write(_written(library, rows[0], form, base_url))
        sys.stdout.buffer.flush()
        return 0
    if form == "nsp":
        rows = [row for row in rows if row.rules]
    taken: set[str] = set()
    try:
        into.mkdir(parents=True, exist_ok=True)
        for row in rows:
            path = into / f"{_file_name(row, taken)}.{form}"
            path.write_bytes(_written(library, row, form, base_url))
            output.data({"event": "exported", "playlist_id": row.playlist_id, "file": str(path)})
            output.text(str(path))
    except OSError as error:
        raise UsageError(f"cannot write ({error.strerror})", subject=str(into), hint="name another folder") from error
    output.data({"event": "summary", "playlists": len(rows)})
    return 0


def read_bytes(path: Path) -> bytes:
    """What is in a file of a playlist's size. Raises PlaylistFileInvalid."""
    try:
        with path.open("rb") as file:
            return file.read(BYTES_MAX + 1)
    except OSError as error:
        raise PlaylistFileInvalid(f"cannot be read ({error.strerror})", subject=str(path)) from error


def _found(named: Sequence[str]) -> Iterator[Path]:
    """The files that were named, and in folders all with a suffix of SUFFIXES, by name, hidden ones left out."""
    for path in map(Path, named):
        if not path.is_dir():
            yield path
            continue
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for name in sorted(files):
                if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                    yield Path(folder) / name


def _import(library: Library, listener_id: str, path: Path, look_ups: LookUps) -> Imported:
    suffix, data = path.suffix.lower().removeprefix("."), read_bytes(path)
    if suffix == "nsp":
        return Imported(library.take_in_rules(listener_id, read_nsp(data), name=path.stem), {})
    found = read_playlist(data, suffix if suffix in BY_SUFFIX else "")
    return library.take_in(listener_id, found, look_ups, name=path.stem)


def _look_ups(library: Library, search: SearchIndex, ledger: Ledger, folder: Path) -> LookUps:
    """By names, and by the files that were ingested here."""
    shelves = Shelves(library.catalog)

    def track_of_file(uri: str) -> str:
        for path in _paths(uri, folder):
            row = ledger.last(place_of(path))
            if row is not None and row.track_id:
                return row.track_id
        return ""

    def searched(text: str) -> list[str]:
        found = search.search(text, limit=_CANDIDATES, groups=frozenset([Group.TRACK]))
        return [each.track_id for each in found.tracks]

    return LookUps(
        rows_of=library.catalog.rows_of,
        of_artist=lambda name: shelves.tracks_by(artist_id_of(name), 1000),
        search=searched,
        track_of_file=track_of_file,
        searches_max=_SEARCHES_MAX,
    )


def _paths(uri: str, folder: Path) -> Iterator[Path]:
    """The files that a URI, or a path beside the playlist, may mean here."""
    if uri.startswith("file:"):
        yield Path(unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", uri)))
    elif "://" not in uri and "\0" not in uri:
        yield folder / uri
        yield folder / unquote(uri)
        yield folder / uri.replace("\\", "/")


def _written(library: Library, row: PlaylistRow, form: str, base_url: str) -> bytes:
    if form != "nsp":
        return FORMATS[form].write(library.give_out(row, base_url=base_url))
    if not row.rules:
        raise UsageError("no rules make this playlist", subject=row.playlist_id, hint="export it as a list")
    return write_nsp(row.name, row.comment, row.rules)


def _file_name(row: PlaylistRow, taken: set[str]) -> str:
    """The playlist's name as a file may have it; with its id if another has the same."""
    name = _NOT_IN_NAMES.sub("_", row.name).strip(". ")
    name = name.encode()[:_NAME_BYTES_MAX].decode("utf-8", "ignore") or row.playlist_id
    if name.casefold() in taken:
        name = f"{name} {row.playlist_id}"
    taken.add(name.casefold())
    return name


def _tell(taken: Imported, path: Path, output: Output) -> None:
    row = taken.playlist
    said = {"playlist_id": row.playlist_id, "file": str(path), "name": row.name, "entries": row.entries}
    output.data({"event": "imported", **said, "missing": len(taken.missing)})
    output.text(f"{row.playlist_id}  {row.name}  ({row.entries} entries)")
    for n, entry in taken.missing.items():
        names = {"title": entry.title, "artist": entry.artist, "uri": entry.uris[0] if entry.uris else ""}
        output.data({"event": "missing", "playlist_id": row.playlist_id, "entry": n + 1, **names})
        output.say(f"no track: {path} {n + 1}: {' - '.join(filter(None, names.values()))}")
