"""`segue token`: make a token, with which a listener may ask the origin for keys and media."""

import argparse
import time
from urllib.parse import urlsplit

from model.errors import UsageError
from origin.tokens import Grant, TokenKey, mint, path_prefix
from packager.records import read_track
from segue.commands.tracks import checked_id
from segue.config import Config
from segue.loop import run_loop
from segue.opened import opened_store
from segue.output import Output

HELP = "make a token, with which a listener may ask the origin for keys and media"
SETTINGS = ("store",)
EXAMPLE = "segue token --base-url https://music.example --seconds 3600"
SECONDS = 3600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the token allows. The key that signs it is SEGUE_TOKEN_KEY."""
    parser.add_argument(
        "--acl", action="append", default=[], metavar="PATTERN",
        help="paths that it is for: * is anything, ? one character; repeatable [/*]",
    )  # fmt: skip
    parser.add_argument("--path", action="append", default=[], metavar="PATH", help="a path, as it is; repeatable")
    parser.add_argument(
        "--track", action="append", default=[], metavar="TRACK_ID",
        help="all of a track: playlists, media, keys, cover; repeatable; needs --store",
    )  # fmt: skip
    parser.add_argument(
        "--url", default="", metavar="PATH", help="nothing but this path, which the token does not show"
    )
    parser.add_argument("--seconds", type=int, metavar="N", help=f"how long it is good [{SECONDS}]")
    parser.add_argument("--expires", type=int, metavar="TIME", help="or until when, in seconds since the epoch")
    parser.add_argument("--starts", type=int, metavar="TIME", help="not before, in seconds since the epoch")
    parser.add_argument("--ip", default="", metavar="ADDRESS", help="only for the client that connects from there")
    parser.add_argument("--id", default="", help="what your logs know the session by")
    parser.add_argument("--data", default="", help="anything of your own")
    parser.add_argument("--key-id", metavar="NAME", help="sign with this key of SEGUE_TOKEN_KEY [the first]")
    parser.add_argument(
        "--escape-early", action="store_true", help="percent-encode fields first, for edges that escape token input"
    )
    parser.add_argument(
        "--base-url", type=_base, metavar="URL",
        help="print a URL to open, of an origin here: the player, or what --track, --path or --url names",
    )  # fmt: skip


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Print a token, or a URL with it."""
    key = _key(config["token_key"], arguments.key_id)
    tracks = run_loop(_patterns_of_tracks(config, arguments.track)) if arguments.track else []
    grant = _grant(arguments, tracks)
    try:
        token = mint(grant, key, salt=config["token_salt"], escape_early=arguments.escape_early)
    except ValueError as error:
        raise UsageError(f"no such token ({error})", hint="patterns and paths are such as /keys/*") from error
    prefix = path_prefix(token)
    said = {"token": token, "path_prefix": prefix, "expires_at": grant.expires_s, "key_id": key.key_id}
    if arguments.base_url:
        said["url"] = arguments.base_url + prefix + _first_of(arguments)
    output.data({"event": "token", **said})
    output.text(str(said.get("url", token)))
    return 0


def _key(keys: tuple[TokenKey, ...], key_id: str | None) -> TokenKey:
    if not keys:
        hint = "set SEGUE_TOKEN_KEY as the origin has it: `openssl rand -hex 32` makes one"
        raise UsageError("no key to sign tokens with", hint=hint)
    found = [key for key in keys if key_id in (None, key.key_id)]
    if not found:
        known = ", ".join(key.key_id for key in keys if key.key_id) or "none has a name"
        raise UsageError("no such key of tokens", subject=key_id or "", hint=f"SEGUE_TOKEN_KEY has: {known}")
    return found[0]


async def _patterns_of_tracks(config: Config, track_ids: list[str]) -> list[str]:
    patterns = []
    async with opened_store(config) as store:
        for track_id in map(checked_id, track_ids):
            track = await read_track(store, track_id)
            patterns += [f"/tracks/{track_id}/*", f"/recordings/{track.recording_id}/*"]
            patterns += [f"/keys/{track.recording_id}/*", f"/art/{track.art_id}/*"]
    return list(dict.fromkeys(patterns))


def _grant(arguments: argparse.Namespace, tracks: list[str]) -> Grant:
    if any(mark in path for path in (*arguments.path, arguments.url) for mark in "*?!"):
        raise UsageError("a path has no pattern in it", hint="patterns are for --acl")
    if arguments.seconds is not None and arguments.expires is not None:
        raise UsageError("--seconds and --expires both say when it ends", hint="give one of them")
    acl = (*arguments.acl, *arguments.path, *tracks)
    if acl and arguments.url:
        raise UsageError(
            "a token for --url is for that alone", hint="--path names paths in a token that has others too"
        )
    begins_s = int(time.time()) if arguments.starts is None else arguments.starts
    seconds = SECONDS if arguments.seconds is None else arguments.seconds
    expires_s = begins_s + seconds if arguments.expires is None else arguments.expires
    if expires_s <= begins_s:
        raise UsageError("the token would end before it begins", hint="check --seconds, --expires and --starts")
    return Grant(
        acl=() if arguments.url else acl or ("/*",),
        url=arguments.url,
        expires_s=expires_s,
        starts_s=arguments.starts,
        ip=arguments.ip,
        session_id=arguments.id,
        payload=arguments.data,
    )


def _first_of(arguments: argparse.Namespace) -> str:
    """The path that a URL leads to: what was named first, else the player."""
    if arguments.url or arguments.path:
        return str(arguments.url or arguments.path[0])
    return f"/tracks/{arguments.track[0]}/index.m3u8" if arguments.track else "/"


def _base(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError("a URL such as https://music.example")
    return text.rstrip("/")
