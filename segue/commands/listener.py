"""`segue listener`: accounts of listeners: add one, list them, hand over or delete all it made, give it a new key; copy
all of them into a server."""

import argparse
import json
from collections.abc import Mapping

from catalog.listener_copy import copy_listeners
from catalog.listener_data import export_listener, forget_listener
from catalog.listener_database import ListenerDatabase
from catalog.listener_open import is_server, open_listeners
from catalog.listeners import Listeners
from model.errors import UsageError
from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_listeners
from segue.output import Output

HELP = "accounts of listeners: add, list, export, forget, new key; copy all to a server"
SETTINGS = ("store", "catalog", "listeners")
_FOR_ONE = ("remove", "forget", "export", "key")
_ACTIONS_HELP = (
    "export: all that is kept of one; forget (or remove): delete it; key: a new one in place of the old; "
    "copy: all that the file has into a database without listeners"
)
EXAMPLE = "segue listener add --name kitchen --store file:store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with whom."""
    parser.add_argument("action", choices=("add", "list", *_FOR_ONE, "copy"), help=_ACTIONS_HELP)
    parser.add_argument(
        "listener_id", nargs="?", default="", metavar="LISTENER_ID", help="whom; add, list and copy take none"
    )
    parser.add_argument("--name", default="", help="for add: what you want to know it by")
    parser.add_argument("--to", default="", metavar="URL", help="for copy: postgresql://user@host/database")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Do it. A key is printed this once: what is kept of it is a hash."""
    if not (config["store"] or config["catalog"] or config["listeners"]):
        raise UsageError("whose listeners?", hint="say --store file:PATH as `segue serve` has it, or --listeners")
    needs_one = arguments.action in _FOR_ONE
    if needs_one != bool(arguments.listener_id):
        hint = "`segue listener list` shows them" if needs_one else f"{arguments.action} takes none"
        raise UsageError("no listener was named" if needs_one else "this names no listener", hint=hint)
    if arguments.name and arguments.action != "add":
        raise UsageError("--name is for add", hint="a name cannot be changed")
    if (arguments.action == "copy") != bool(arguments.to):
        raise UsageError("copy takes --to, and nothing else does", hint="--to postgresql://user@host/database")
    return run_loop(_run(config, arguments, output))


async def _run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    async with opened_listeners(config) as database:
        listeners = Listeners(database)
        match arguments.action:
            case "add":
                made, key = listeners.add(arguments.name)
                _show_key(made.listener_id, key, output)
            case "list":
                _list(listeners, output)
            case "remove" | "forget":
                if not forget_listener(database, arguments.listener_id):
                    raise _unknown(arguments.listener_id)
                output.data({"event": "removed", "listener_id": arguments.listener_id})
                output.say(f"removed {arguments.listener_id} and all that was its own")
            case "export":
                if listeners.get(arguments.listener_id) is None:
                    raise _unknown(arguments.listener_id)
                _export(export_listener(database, arguments.listener_id), output)
            case "key":
                new_key = listeners.new_key(arguments.listener_id)
                if new_key is None:
                    raise _unknown(arguments.listener_id)
                _show_key(arguments.listener_id, new_key, output)
            case "copy":
                _copy(config, database, arguments.to, output)
    return 0


def _copy(config: Config, database: ListenerDatabase, url: str, output: Output) -> None:
    if is_server(config.listeners_address) or not is_server(url):
        hint = "--listeners is the file, --to is the server; from server to server PostgreSQL's own pg_dump copies"
        raise UsageError("copy goes from a file to a server", hint=hint)
    with open_listeners(url) as target:
        rows = copy_listeners(database, target)
    for table, count in rows.items():
        output.data({"event": "copied", "table": table, "rows": count})
    output.data({"event": "summary", "listeners": rows["listeners"], "rows": sum(rows.values())})
    output.say(f"{rows['listeners']} listeners copied, {sum(rows.values())} rows: from now on say --listeners {url}")


def _show_key(listener_id: str, key: str, output: Output) -> None:
    output.data({"event": "key", "listener_id": listener_id, "key": key})
    output.text(f"{listener_id}  {key}")
    output.say("the key is shown this once")


def _export(kept: Mapping[str, list[dict[str, object]]], output: Output) -> None:
    output.data({"event": "kept", "tables": kept})
    output.text(json.dumps(kept, ensure_ascii=False, indent=1))
    output.say(f"{sum(map(len, kept.values()))} rows")


def _list(listeners: Listeners, output: Output) -> None:
    found = listeners.all()
    for each in found:
        said = {"listener_id": each.listener_id, "name": each.name, "created_s": each.created_s}
        output.data({"event": "listener", **said})
        output.text(f"{each.listener_id}  {each.name}".rstrip())
    output.data({"event": "summary", "listeners": len(found)})
    output.say(f"{len(found)} listeners")


def _unknown(listener_id: str) -> UsageError:
    return UsageError("no such listener", subject=listener_id, hint="`segue listener list` shows them")
