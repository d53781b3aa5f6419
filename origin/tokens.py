"""Tokens of Akamai's EdgeAuth 2.0 form: who has one may ask for certain paths until a certain time. Pure.

`st=…~exp=…~acl=…~id=…~data=…~hmac=…`: fields in this order, joined by `~`; the HMAC-SHA-256 is over all that stands
before it, in hexadecimal digits. `acl` lists patterns, joined by `!`, in which `*` stands for anything. A CDN that
knows the form can check the same tokens at its edge. A token rides in front of a path, `/t/{token}/…`, percent-encoded:
relative URIs inherit it, so playlists are the same bytes for all listeners (decision 8).
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from model.errors import TokenRefused

TOKEN_CHARACTERS_MAX = 1024
QUERY_NAME = "hdnts"
PREFIX = "/t/"
_TIME = r"[0-9]{1,12}"
_TEXT = r"[!-}]{1,256}"  # printable ASCII, without the space and the `~` that would end the field
_FORM = re.compile(
    rf"(?:st=(?P<st>{_TIME})~)?exp=(?P<exp>{_TIME})~acl=(?P<acl>[!-}}]+)"
    rf"(?:~id=(?P<id>{_TEXT}))?(?:~data=(?P<data>{_TEXT}))?"
)
_END_IN_PATH = re.compile(r"(?:~|%7[Ee])hmac(?:=|%3[Dd])[0-9a-f]{64}(?=/|\Z)")
_SEAL = re.compile(r"(?P<signed>.*)~hmac=(?P<hmac>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token allows: paths that match one of `acl`, from `starts_s` (None: always) until `expires_s`, in seconds
    since the epoch. `session_id` and `payload` are the operator's own."""

    acl: tuple[str, ...]
    expires_s: int
    starts_s: int | None = None
    session_id: str = ""
    payload: str = ""

    def allows(self, path: str, *, now_s: float) -> bool:
        """Whether the path, decoded and without a token in front, may be asked for now."""
        started = self.starts_s is None or self.starts_s <= now_s
        return started and now_s <= self.expires_s and any(_matches(pattern, path) for pattern in self.acl)


def mint(grant: Grant, key: bytes) -> str:
    """The token of a grant. Raises ValueError for one that the form cannot hold."""
    fields = [] if grant.starts_s is None else [f"st={grant.starts_s}"]
    fields += [f"exp={grant.expires_s}", f"acl={'!'.join(grant.acl)}"]
    fields += [f"id={grant.session_id}"] if grant.session_id else []
    fields += [f"data={grant.payload}"] if grant.payload else []
    signed = "~".join(fields)
    if _parsed(signed) != grant:
        raise ValueError("a field is empty, too long, or holds a blank, a ~ or what is not ASCII")
    token = f"{signed}~hmac={_hmac(signed, key)}"
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise ValueError(f"the token is longer than {TOKEN_CHARACTERS_MAX} characters")
    return token


def check(token: str, path: str, *, keys: Sequence[bytes], now_s: float) -> None:
    """Raises TokenRefused, without saying why, unless one of the keys made this token and it allows the path now."""
    sealed = _SEAL.fullmatch(token) if len(token) <= TOKEN_CHARACTERS_MAX and token.isascii() else None
    if sealed is None:
        raise TokenRefused("token refused")
    made = [hmac.compare_digest(_hmac(sealed["signed"], key), sealed["hmac"]) for key in keys]  # all, whichever fits
    grant = _parsed(sealed["signed"]) if any(made) else None
    if grant is None or not grant.allows(path, now_s=now_s):
        raise TokenRefused("token refused")


def path_prefix(token: str) -> str:
    """What to put before a path: `/t/…`, without a slash at its end."""
    return PREFIX + quote(token, safe="~!*=")


def split_prefix(raw_path: str) -> tuple[str | None, str]:
    """The token in front of a path as it was sent, None if there is none, and the path behind it, still encoded.

    Slashes in the token may have been decoded on the way, as some proxies do: it ends where its HMAC does.
    """
    if not raw_path.startswith(PREFIX):
        return None, raw_path
    rest = raw_path.removeprefix(PREFIX)
    found = _END_IN_PATH.search(rest)
    end = found.end() if found else (rest + "/").index("/")
    return unquote(rest[:end]), rest[end:] or "/"


def _hmac(signed: str, key: bytes) -> str:
    return hmac.digest(key, signed.encode(), "sha256").hex()


def _parsed(signed: str) -> Grant | None:
    found = _FORM.fullmatch(signed)
    if found is None:
        return None
    return Grant(
        acl=tuple(found["acl"].split("!")),
        expires_s=int(found["exp"]),
        starts_s=None if found["st"] is None else int(found["st"]),
        session_id=found["id"] or "",
        payload=found["data"] or "",
    )


def _matches(pattern: str, path: str) -> bool:
    """In one pass from left to right, so that no pattern can make it slow."""
    first, *rest = pattern.split("*")
    if not rest:
        return path == pattern
    *middle, last = rest
    at = len(first)
    for piece in middle:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return path.startswith(first) and path.endswith(last) and len(path) - len(last) >= at
