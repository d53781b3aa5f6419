"""`segue gc`: find what no track needs any more, and with --delete remove it; safe while others publish."""

import argparse
import re
import time

from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_store
from segue.output import Output
from segue.steps import Steps, size_text
from upkeep.gc import Collector, Garbage, collect

HELP = "find what no track needs any more; --delete removes it"
SETTINGS = ("store",)
EXAMPLE = "segue gc --store file:store --grace 7d --delete"
_GRACE = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """[--grace TIME] [--dry-run | --delete]."""
    parser.add_argument(
        "--grace",
        type=_grace_s,
        default=7 * 86_400,
        metavar="TIME",
        help="how long things stay that are not needed any more: 36h, 7d; at least 1h [7d]",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="only say what would go; the default")
    what.add_argument("--delete", action="store_true", help="remove it")


def _grace_s(text: str) -> int:
    found = _GRACE.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"not a time: {text!r}; write 90m, 36h or 7d")
    return int(found[1]) * _SECONDS[found[2]]


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Collect; 0 also when there was nothing to collect."""
    return run_loop(_run(config, arguments.grace, output, delete=arguments.delete))


async def _run(config: Config, grace_s: int, output: Output, *, delete: bool) -> int:
    def found(each: Garbage) -> None:
        output.data(
            {
                "event": "garbage",
                "kind": each.kind,
                "name": each.name,
                "reason": each.reason,
                "objects": each.objects,
                "bytes": each.size_bytes,
            }
        )
        output.text(f"{each.reason:12}{each.kind:10}{size_text(each.size_bytes):>10}  {each.name}")

    async with opened_store(config) as store:
        done = await collect(
            Collector(
                store=store,
                now_s=int(time.time()),
                grace_s=grace_s,
                delete=delete,
                found=found,
                report=Steps(output),
            )
        )
    output.data(
        {
            "event": "summary",
            "found": done.groups,
            "found_bytes": done.size_bytes,
            "deleted": done.deleted_groups,
            "deleted_objects": done.deleted_objects,
            "deleted_bytes": done.deleted_bytes,
            "revived": done.revived,
        }
    )
    can = f"{done.groups} things of {size_text(done.size_bytes)} can go"
    if delete:
        output.say(
            f"{can}; {done.deleted_groups} of {size_text(done.deleted_bytes)} went, {done.revived} are in use again"
        )
    else:
        output.say(f"{can}; nothing was deleted" + ("; say --delete" if done.groups else ""))
    return 0
