"""`segue listener`: accounts of listeners: add one, list them, hand over or delete all it made, give it a new key."""

import argparse
import json
from collections.abc import Mapping

from catalog.listener_data import export_listener, forget_listener
from catalog.listeners import Listeners
from model.errors import UsageError
from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_listeners
from segue.output import Output

HELP = "accounts of listeners: add, list, export, forget, new key"
SETTINGS = ("store", "catalog", "listeners")
_ACTIONS_HELP = "export: all that is kept of one; forget (or remove): delete it; key: a new one in place of the old"
EXAMPLE = "segue listener add --name kitchen --store file:store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with whom."""
    parser.add_argument("action", choices=("add", "list", "remove", "forget", "export", "key"), help=_ACTIONS_HELP)
    parser.add_argument(
        "listener_id", nargs="?", default="", metavar="LISTENER_ID", help="whom; add and list take none"
    )
    parser.add_argument("--name", default="", help="for add: what you want to know it by")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Do it. A key is printed this once: what is kept of it is a hash."""
    if not (config["store"] or config["catalog"] or config["listeners"]):
        raise UsageError("whose listeners?", hint="say --store file:PATH as `segue serve` has it, or --listeners")
    needs_one = arguments.action not in ("add", "list")
    if needs_one != bool(arguments.listener_id):
        hint = "`segue listener list` shows them" if needs_one else "add and list take none"
        raise UsageError("no listener was named" if needs_one else "this names no listener", hint=hint)
    if arguments.name and arguments.action != "add":
        raise UsageError("--name is for add", hint="a name cannot be changed")
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
    return 0


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
