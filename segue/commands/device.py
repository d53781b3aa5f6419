"""`segue device`: app passwords for players that know only names and passwords: one for each device of a listener."""

import argparse

from catalog.app_passwords import AppPassword, AppPasswords
from catalog.listener_database import ListenerDatabase
from catalog.listeners import Listeners
from model.errors import UsageError
from protection.keys import KeyRing
from segue.config import Config
from segue.loop import run_loop
from segue.opened import key_ring, opened_listeners
from segue.output import Output

HELP = "app passwords of a listener's devices, for players of the Subsonic API: add, list, remove"
SETTINGS = ("store", "catalog", "listeners", "key_store")
EXAMPLE = "segue device add LISTENER_ID --name phone --store file:store --key-store file:keys"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and for whom."""
    parser.add_argument("action", choices=("add", "list", "remove"), help="remove: its password is none from now on")
    parser.add_argument("listener_id", metavar="LISTENER_ID", help="`segue listener list` shows them")
    parser.add_argument("--name", default="", help="for add: what the device is called; for remove: which one")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Do it. A password is printed this once; what is kept is not enough to make it again without the key store."""
    if not (config["store"] or config["catalog"] or config["listeners"]):
        raise UsageError("whose listeners?", hint="say --store file:PATH as `segue serve` has it, or --listeners")
    if (arguments.action == "list") is bool(arguments.name):
        raise UsageError("add and remove need --name, list has none", hint=f"as in: {EXAMPLE}")
    if arguments.action == "add" and not config["key_store"]:
        hint = "say --key-store file:PATH, as `segue serve` has it: app passwords come from its keys"
        raise UsageError("no key store", hint=hint)
    return run_loop(_run(config, arguments, key_ring(config, create=arguments.action == "add"), output))


async def _run(config: Config, arguments: argparse.Namespace, keys: KeyRing, output: Output) -> int:
    async with opened_listeners(config) as database:
        listener_id = _known(database, arguments.listener_id)
        passwords = AppPasswords(database)
        match arguments.action:
            case "add":
                made = passwords.add(listener_id, arguments.name, keys.current.key_set)
                password = keys.current.app_password(made.password_id)
                output.data({"event": "device", **_told(made), "listener_id": listener_id, "password": password})
                output.text(f"{listener_id}  {password}")
                output.say("user name and app password; the password is shown this once")
            case "list":
                found = passwords.of(listener_id)
                for each in found:
                    output.data({"event": "device", **_told(each), "listener_id": listener_id})
                    output.text(each.device)
                output.data({"event": "summary", "devices": len(found)})
                output.say(f"{len(found)} devices")
            case "remove":
                _remove(passwords, listener_id, arguments.name, output)
    return 0


def _remove(passwords: AppPasswords, listener_id: str, device: str, output: Output) -> None:
    found = [each for each in passwords.of(listener_id) if each.device == device]
    if not found:
        raise UsageError("no such device", subject=device, hint="`segue device list` shows them")
    for each in found:
        passwords.remove(listener_id, each.password_id)
        output.data({"event": "removed", **_told(each), "listener_id": listener_id})
    output.say(f"removed {device}")


def _known(database: ListenerDatabase, listener_id: str) -> str:
    if Listeners(database).get(listener_id) is None:
        raise UsageError("no such listener", subject=listener_id, hint="`segue listener list` shows them")
    return listener_id


def _told(each: AppPassword) -> dict[str, object]:
    return {"device": each.device, "created_s": each.created_s}
