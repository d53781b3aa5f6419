"""`segue mirror`: copy a store into another, checked by hash; what is equal is skipped, pointers come last."""

import argparse

from model.errors import PipelineError, UsageError
from segue.config import Config
from segue.loop import run_loop
from segue.opened import credentials
from segue.output import Output
from segue.steps import Steps, size_text
from storage.open import describe, open_store
from upkeep.mirror import mirror

HELP = "copy a store into another, checked by hash"
SETTINGS = ("scratch",)
EXAMPLE = "segue mirror file:store 's3://music/tracks?endpoint=http://127.0.0.1:9000'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """FROM TO [--delete] [--parallel N]."""
    parser.add_argument("from_url", metavar="FROM", help="URL of the store that is copied")
    parser.add_argument("to_url", metavar="TO", help="URL of the store that becomes equal; for S3 the same keys")
    parser.add_argument("--delete", action="store_true", help="remove from TO what FROM does not have")
    parser.add_argument("--parallel", type=_parallel, default=8, metavar="N", help="objects at the same time [8]")


def _parallel(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"not a number from 1 to 64: {text!r}")
    return int(text)


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Mirror; 1 if anything could not be copied."""
    if describe(arguments.from_url) == describe(arguments.to_url):
        raise UsageError("both are the same store", subject=arguments.to_url, hint="name two: segue mirror FROM TO")
    return run_loop(_run(config, arguments, output))


async def _run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    def failed(key: str, error: PipelineError) -> None:
        output.data({"event": "failed", "key": key, "code": error.code, "message": str(error), "hint": error.hint})
        output.text(f"FAILED  {error}")

    keys = credentials(config)
    source, target = (open_store(url, s3_credentials=keys) for url in (arguments.from_url, arguments.to_url))
    try:
        done = await mirror(
            source, target, failed=failed, delete=arguments.delete, jobs=arguments.parallel,
            scratch_dir=config["scratch"] or None, report=Steps(output),
        )  # fmt: skip
    finally:
        await source.close()
        await target.close()
    output.data(
        {
            "event": "summary",
            "copied": done.copied,
            "copied_bytes": done.copied_bytes,
            "equal": done.equal,
            "deleted": done.deleted,
            "failed": done.failed,
        }
    )
    output.say(
        f"{done.copied} objects of {size_text(done.copied_bytes)} copied, {done.equal} were equal, "
        f"{done.deleted} deleted, {done.failed} failed"
    )
    return 1 if done.failed else 0
