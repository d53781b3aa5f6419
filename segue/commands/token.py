"""`segue token`: make a token, with which a listener may ask the origin for keys and media."""

import argparse
import time

from model.errors import UsageError
from origin.tokens import Grant, mint, path_prefix
from segue.config import Config
from segue.output import Output

HELP = "make a token, with which a listener may ask the origin for keys and media"
SETTINGS = ()
EXAMPLE = "segue token --acl '/keys/*' --acl '/tracks/*' --acl '/recordings/*' --seconds 3600"
SECONDS = 3600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the token allows. The key that signs it is SEGUE_TOKEN_KEY."""
    parser.add_argument(
        "--acl", action="append", metavar="PATTERN", help="paths that it is for, with * for anything; repeatable [/*]"
    )
    parser.add_argument("--seconds", type=int, default=SECONDS, metavar="N", help=f"how long it is good [{SECONDS}]")
    parser.add_argument("--from", type=int, dest="start", metavar="TIME", help="not before, in seconds since the epoch")
    parser.add_argument("--id", default="", help="what your logs know the session by")
    parser.add_argument("--data", default="", help="anything of your own")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Print a token."""
    keys: tuple[bytes, ...] = config["token_key"]
    if not keys:
        hint = "set SEGUE_TOKEN_KEY as the origin has it: `openssl rand -hex 32` makes one"
        raise UsageError("no key to sign tokens with", hint=hint)
    begins_s = int(time.time()) if arguments.start is None else arguments.start
    grant = Grant(
        acl=tuple(arguments.acl or ["/*"]),
        expires_s=begins_s + arguments.seconds,
        starts_s=arguments.start,
        session_id=arguments.id,
        payload=arguments.data,
    )
    try:
        token = mint(grant, keys[0])
    except ValueError as error:
        raise UsageError(f"no such token ({error})", hint="patterns are paths, such as /keys/*") from error
    output.data({"event": "token", "token": token, "path_prefix": path_prefix(token), "expires_at": grant.expires_s})
    output.text(token)
    return 0
