"""`segue playlist`: playlists of a listener: list, show, create, change, share, and files of them in and out."""

import argparse
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.playlists import EntryRow, PlaylistChange, PlaylistRow, Playlists
from discovery.playlists.entries import clean_lines
from discovery.playlists.formats import FORMATS
from discovery.playlists.library import Library, Shown, playlist_name
from discovery.playlists.listening import KeptListening
from discovery.playlists.nsp import RulePlaylist, read_nsp
from discovery.sync import sync
from model.errors import UsageError
from segue.asked import check_listener_id
from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_catalog, opened_listeners, opened_store
from segue.output import Output
from segue.playlist_files import export_playlists, import_playlists, read_bytes

HELP = "playlists of a listener: list, show, change, share; import and export files of them"
SETTINGS = ("store", "catalog", "features", "listeners", "search_index")
EXAMPLE = "segue playlist import ~/Playlists --listener LISTENER_ID --store file:store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What one action works with."""

    library: Library
    listener_id: str
    words: Sequence[str]
    arguments: argparse.Namespace
    config: Config
    output: Output

    @property
    def kept(self) -> Playlists:
        """The stored playlists."""
        return self.library.playlists


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with what."""
    parser.add_argument("action", choices=ACTIONS, help="what to do")
    parser.add_argument(
        "words", nargs="*", metavar="WORD",
        help="create NAME [TRACK_ID...]; add ID TRACK_ID...; remove ID ENTRY...; move ID ENTRY; rename ID NAME; "
        "import FILE|FOLDER...; export [ID...]; show, share, delete, follow, unfollow ID",
    )  # fmt: skip
    parser.add_argument("--listener", default="", metavar="LISTENER_ID", help="whose playlists")
    parser.add_argument("--comment", help="create, rename: what to say about it")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="create, rename: by the rules of an .nsp file")
    parser.add_argument("--before", type=int, metavar="ENTRY", help="add, move: before this entry [at the end]")
    parser.add_argument("--public", action="store_true", help="create, share: whoever has its id may hear it")
    parser.add_argument("--private", action="store_true", help="share: only the owner and who was invited may hear it")
    parser.add_argument("--with", dest="invited", metavar="LISTENER_ID", help="share: this listener may hear it")
    parser.add_argument("--without", dest="parted", metavar="LISTENER_ID", help="share: this listener may not any more")
    parser.add_argument("--format", default="m3u8", choices=[*FORMATS, "nsp"], help="export: of the files [m3u8]")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="export: a file for each playlist, in there")
    parser.add_argument("--base-url", default="", metavar="URL", help="export: where tracks are served")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Bring the catalog up to date with the store, if one was named, and do it."""
    if not (config["store"] or config["catalog"]):
        raise UsageError("whose playlists?", hint="say --store file:PATH as `segue serve` has it, or --catalog FILE")
    check_listener_id(arguments.listener)
    action = ACTIONS[arguments.action]
    least, most = action.words
    if not least <= len(arguments.words) <= most:
        raise UsageError(f"{arguments.action} takes other words", hint=f"segue playlist {action.usage}")
    return run_loop(_run(config, arguments, output))


async def _run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    async with _opened(config) as library:
        task = Task(
            library=library,
            listener_id=arguments.listener,
            words=arguments.words,
            arguments=arguments,
            config=config,
            output=output,
        )
        return ACTIONS[arguments.action].run(task) or 0


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Library]:
    async with opened_catalog(config) as catalog, opened_listeners(config) as database:
        if config["store"]:
            async with opened_store(config) as store:
                await sync(store, catalog)
        yield Library(catalog=catalog, playlists=Playlists(database), listening=KeptListening(database))


def _list(task: Task) -> None:
    rows = task.kept.listed(task.listener_id)
    for row in rows:
        _tell(task, row)
    task.output.data({"event": "summary", "playlists": len(rows)})
    task.output.say(f"{len(rows)} playlists")


def _show(task: Task) -> None:
    row = task.kept.get(task.words[0], task.listener_id)
    _tell(task, row)
    shown, total = task.library.shown(row)
    for each in shown:
        _tell_entry(task, each)
    task.output.data({"event": "summary", "entries": total, "missing": sum(each.track is None for each in shown)})


def _create(task: Task) -> None:
    name, *track_ids = task.words
    if task.arguments.rules is not None:
        if track_ids:
            raise UsageError("a playlist has either rules or tracks", hint="leave one of them out")
        found = read_nsp(read_bytes(task.arguments.rules))
        _tell(task, task.library.take_in_rules(task.listener_id, _renamed(found, name, task.arguments)))
        return
    row = task.kept.create(
        task.listener_id,
        name=playlist_name(name),
        comment=clean_lines(task.arguments.comment or ""),
        public=task.arguments.public,
        entries=task.library.entries_of(track_ids),
    )
    _tell(task, row)


def _renamed(found: RulePlaylist, name: str, arguments: argparse.Namespace) -> RulePlaylist:
    comment = found.comment if arguments.comment is None else clean_lines(arguments.comment)
    public = found.public or arguments.public
    return RulePlaylist(name=name, comment=comment, public=public, rules=found.rules, text=found.text)


def _add(task: Task) -> None:
    playlist_id, *track_ids = task.words
    entries: list[EntryRow] = task.library.entries_of(track_ids)
    task.kept.add(playlist_id, task.listener_id, entries, before=task.arguments.before)
    _tell(task, task.kept.get(playlist_id, task.listener_id))


def _remove(task: Task) -> None:
    playlist_id, *entries = task.words
    task.kept.remove(playlist_id, task.listener_id, list(map(_entry_id, entries)))
    _tell(task, task.kept.get(playlist_id, task.listener_id))


def _move(task: Task) -> None:
    playlist_id, entry = task.words
    task.kept.move(playlist_id, task.listener_id, _entry_id(entry), before=task.arguments.before)
    _tell(task, task.kept.get(playlist_id, task.listener_id))


def _rename(task: Task) -> None:
    playlist_id, name = task.words
    comment, rules = task.arguments.comment, task.arguments.rules
    change = PlaylistChange(
        name=playlist_name(name),
        comment=comment if comment is None else clean_lines(comment),
        rules=rules if rules is None else read_nsp(read_bytes(rules)).text,
    )
    task.kept.change(playlist_id, task.listener_id, change)
    _tell(task, task.kept.get(playlist_id, task.listener_id))


def _share(task: Task) -> None:
    said = task.arguments
    playlist_id = task.words[0]
    if said.public and said.private:
        raise UsageError("--public and --private exclude each other", hint="say one of them")
    if not (said.public or said.private or said.invited or said.parted):
        raise UsageError("shared with whom?", hint=f"segue playlist {ACTIONS['share'].usage}")
    if said.public or said.private:
        task.kept.change(playlist_id, task.listener_id, PlaylistChange(public=said.public))
    if said.invited:
        task.kept.invite(playlist_id, task.listener_id, said.invited)
    if said.parted:
        task.kept.part(playlist_id, task.listener_id, said.parted)
    _tell(task, task.kept.get(playlist_id, task.listener_id))


def _follow(task: Task) -> None:
    task.kept.follow(task.words[0], task.listener_id)
    _tell(task, task.kept.get(task.words[0], task.listener_id))


def _unfollow(task: Task) -> None:
    row = task.kept.get(task.words[0], task.listener_id)
    task.kept.part(row.playlist_id, task.listener_id, task.listener_id)
    _tell(task, row)


def _delete(task: Task) -> None:
    task.kept.delete(task.words[0], task.listener_id)
    task.output.data({"event": "deleted", "playlist_id": task.words[0]})
    task.output.say(f"deleted {task.words[0]}")


def _import(task: Task) -> int:
    return import_playlists(task.library, task.listener_id, task.words, task.config, task.output)


def _export(task: Task) -> int:
    rows = [task.kept.get(each, task.listener_id) for each in task.words] or task.kept.listed(task.listener_id)
    said = task.arguments
    return export_playlists(
        task.library, rows, task.output, form=said.format, into=said.into, base_url=said.base_url.rstrip("/")
    )


def _entry_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise UsageError("not an entry", subject=ascii(text), hint="`segue playlist show` has their numbers")
    return int(text)


def _tell(task: Task, row: PlaylistRow) -> None:
    own = row.listener_id == task.listener_id
    task.output.data(
        {
            "event": "playlist",
            "playlist_id": row.playlist_id,
            "name": row.name,
            "comment": row.comment,
            "public": row.public,
            "own": own,
            "rules": bool(row.rules),
            "entries": row.entries,
            "version": row.version,
        }
    )
    what = "rules" if row.rules else f"{row.entries} entries"
    marks = (", public" if row.public else "") + ("" if own else ", another's")
    task.output.text(f"{row.playlist_id}  {row.name}  ({what}{marks})")


def _tell_entry(task: Task, shown: Shown) -> None:
    entry, track = shown.entry, shown.track
    title, artist = (track.title, track.artist) if track else (entry.title or "?", entry.artist)
    said = {"entry_id": entry.entry_id, "track_id": entry.track_id or None, "title": title, "artist": artist}
    task.output.data({"event": "entry", **said, "missing": track is None})
    name = " · ".join(filter(None, (artist, title)))
    task.output.text(f"{entry.entry_id:6}  {entry.track_id or '-':20}  {name}{'' if track else '  (missing)'}")


@dataclass(frozen=True, slots=True)
class Action:
    """One action: what does it, and how many words it takes."""

    run: Callable[[Task], int | None]
    usage: str
    words: tuple[int, int]


_MANY = 100_000
ACTIONS = {
    "list": Action(_list, "list", (0, 0)),
    "show": Action(_show, "show ID", (1, 1)),
    "create": Action(_create, "create NAME [TRACK_ID...]", (1, _MANY)),
    "add": Action(_add, "add ID TRACK_ID... [--before ENTRY]", (2, _MANY)),
    "remove": Action(_remove, "remove ID ENTRY...", (2, _MANY)),
    "move": Action(_move, "move ID ENTRY [--before ENTRY]", (2, 2)),
    "rename": Action(_rename, "rename ID NAME [--comment COMMENT] [--rules FILE]", (2, 2)),
    "share": Action(_share, "share ID [--public|--private] [--with LISTENER_ID] [--without LISTENER_ID]", (1, 1)),
    "follow": Action(_follow, "follow ID", (1, 1)),
    "unfollow": Action(_unfollow, "unfollow ID", (1, 1)),
    "delete": Action(_delete, "delete ID", (1, 1)),
    "import": Action(_import, "import FILE|FOLDER...", (1, _MANY)),
    "export": Action(_export, "export [ID...] [--into FOLDER]", (0, _MANY)),
}
