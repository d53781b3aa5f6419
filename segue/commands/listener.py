"""`segue listener`: accounts of listeners: add one, list them, remove one with all it made, give it a new key, or app
passwords for players that only know names and passwords."""

import argparse

from catalog.listeners import Listeners
from model.errors import UsageError
from segue.config import Config
from segue.loop import run_loop
from segue.output import Output
from segue.wiring import opened_listeners

HELP = "accounts of listeners: add, list, remove, new key"
SETTINGS = ("store", "catalog", "listeners")
EXAMPLE = "segue listener add --name kitchen --store file:store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and with whom."""
    parser.add_argument("action", choices=("add", "list", "remove", "key"), help="key: a new one in place of the old")
    parser.add_argument("listener_id", nargs="?", default="", metavar="LISTENER_ID", help="for remove and key")
    parser.add_argument("--name", default="", help="for add: what you want to know it by")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Do it. A key is printed this once: what is kept of it is a hash."""
    if not (config["store"] or config["catalog"] or config["listeners"]):
        raise UsageError("whose listeners?", hint="say --store file:PATH as `segue serve` has it, or --listeners FILE")
    needs_one = arguments.action in ("remove", "key")
    if needs_one != bool(arguments.listener_id):
        hint = "`segue listener list` shows them" if needs_one else "only remove and key take one"
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
            case "remove":
                if not listeners.remove(arguments.listener_id):
                    raise _unknown(arguments.listener_id)
                output.data({"event": "removed", "listener_id": arguments.listener_id})
                output.say(f"removed {arguments.listener_id} and all that was its own")
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
