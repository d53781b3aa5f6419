"""Tokens of Akamai's EdgeAuth 2.0 form: who has one may ask for certain paths until a certain time. Pure.

`ip=…~st=…~exp=…~acl=…~id=…~data=…~hmac=…`: fields in this order, joined by `~`; the HMAC-SHA-256 is over all that
stands before it, in hexadecimal digits. `acl` lists patterns, joined by `!`, in which `*` stands for anything and `?`
for one character. A token for one URL has no `acl`: the URL is in the hash alone, as `~url=…` behind the other fields,
and so is the salt, `~salt=…`, behind that. A CDN that knows the form can check the same tokens at its edge.

The form has no field for the name of a key, so it leads `data`: `data=kid=NAME`, or `data=kid=NAME,PAYLOAD`. A token
that names a key is good with that key only; one that names none, as other programs make them, with any.

A token rides in front of a path, `/t/{token}/…`, percent-encoded: relative URIs inherit it, so playlists are the same
bytes for all listeners (decision 8).
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import quote, quote_plus, unquote

from model.errors import TokenRefused

TOKEN_CHARACTERS_MAX = 1024
NAMES = ("hdnts", "__token__")  # of the query parameter and the cookie, as Akamai's products call them
PREFIX = "/t/"
_KNOWN_MAX = 1024
_TIME = r"[0-9]{1,12}"
_TEXT = r"[!-}]{1,256}"  # printable ASCII, without the space and the `~` that would end the field
_KEY_ID = r"[A-Za-z0-9._-]{1,32}"  # what `quote_plus` leaves as it is
_FORM = re.compile(
    rf"(?:ip=(?P<ip>{_TEXT})~)?(?:st=(?P<st>{_TIME})~)?exp=(?P<exp>{_TIME})(?:~acl=(?P<acl>[!-}}]+))?"
    rf"(?:~id=(?P<id>{_TEXT}))?(?:~data=(?P<data>{_TEXT}))?"
)
_KEY_OF_DATA = re.compile(rf"kid(?:=|%3d)(?P<key_id>{_KEY_ID})(?:,|%2c|\Z)")
_END_IN_PATH = re.compile(r"(?:~|%7[Ee])hmac(?:=|%3[Dd])[0-9a-f]{64}(?=/|\Z)")
_SEAL_ANYWHERE = re.compile(r"(?<=hmac)(?:=|%3[Dd])[0-9A-Fa-f]{16,}")
_PATTERNS_IN_SENT = re.compile(r"(?:~|%7[Ee])acl(?:=|%3[Dd])")
_SEAL_CHARACTERS_MAX = len("%7Ehmac%3D") + 64
_SEAL = re.compile(r"(?P<signed>.*)~hmac=(?P<hmac>[0-9a-f]{64})")
_ESCAPE = re.compile(r"%[0-9A-F]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """A key that signs tokens, and its name, by which it is changed and withdrawn; "" for a key without one."""

    secret: bytes = field(repr=False)
    key_id: str = ""

    def __post_init__(self) -> None:
        if self.key_id and not re.fullmatch(_KEY_ID, self.key_id):
            raise ValueError("the name of a key has at most 32 letters, digits, dots, _ or -")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token allows: paths that match one of `acl`, or `url` alone, from `starts_s` (None: always) until
    `expires_s`, in seconds since the epoch; only for the address `ip`, if there is one. `session_id` and `payload` are
    the operator's own."""

    expires_s: int
    acl: tuple[str, ...] = ()
    url: str = ""
    starts_s: int | None = None
    ip: str = ""
    session_id: str = ""
    payload: str = ""

    def allows(self, path: str, *, now_s: float, ip: str = "") -> bool:
        """Whether this address ("" if it is not known) may ask now for the path, which has no token in front."""
        return self.holds(now_s=now_s, ip=ip) and (
            _matcher(self.acl).fullmatch(path) is not None if self.acl else path == self.url
        )

    def holds(self, *, now_s: float, ip: str = "") -> bool:
        """Whether it is good now, for this address, whatever is asked for."""
        started = self.starts_s is None or self.starts_s <= now_s
        return started and now_s <= self.expires_s and (not self.ip or _same_address(self.ip, ip))


def mint(grant: Grant, key: TokenKey, *, salt: str = "", escape_early: bool = False) -> str:
    """The token of a grant. Raises ValueError for one that the form cannot hold.

    `escape_early`: percent-encode address, id, data and URL before they are signed, as Akamai's own library does with
    the option of that name, and its edge with "escape token input".
    """
    escape = _escaped if escape_early else str
    data = [f"kid={key.key_id}"] if key.key_id else []
    data += [grant.payload] if grant.payload else []
    fields = [f"ip={escape(grant.ip)}"] if grant.ip else []
    fields += [] if grant.starts_s is None else [f"st={grant.starts_s}"]
    fields += [f"exp={grant.expires_s}"]
    fields += [f"acl={'!'.join(grant.acl)}"] if grant.acl else []
    fields += [f"id={escape(grant.session_id)}"] if grant.session_id else []
    fields += [f"data={escape(','.join(data))}"] if data else []
    signed = "~".join(fields)
    if bool(grant.acl) == bool(grant.url) or any(not each or "!" in each for each in grant.acl):
        raise ValueError("a token is either for patterns or for one URL")
    if not re.fullmatch(r"[!-}]*", grant.url + salt) or not _FORM.fullmatch(signed):
        raise ValueError("a field is empty, too long, or holds a blank, a ~ or what is not ASCII")
    if grant.ip:
        ip_address(grant.ip)
    token = f"{signed}~hmac={_hmac(_source(signed, escape(grant.url), salt), key)}"
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise ValueError(f"the token is longer than {TOKEN_CHARACTERS_MAX} characters")
    return token


def read(token: str, path: str, *, keys: Sequence[TokenKey], salt: str = "") -> Grant:
    """What a token allows that one of the keys made. Raises TokenRefused, without saying why, for any other.

    The path only counts for a token that is for one URL: it is part of what was signed.
    """
    sealed = _SEAL.fullmatch(token) if len(token) <= TOKEN_CHARACTERS_MAX and token.isascii() else None
    fields = _FORM.fullmatch(sealed["signed"]) if sealed else None
    if sealed is None or fields is None:
        raise TokenRefused("token refused")
    url = "" if fields["acl"] else path
    named = _KEY_OF_DATA.match(fields["data"] or "")
    tried = [each for each in keys if named is None or each.key_id == named["key_id"]]
    sources = [_source(sealed["signed"], each, salt) for each in dict.fromkeys((url, _escaped(url)))]
    # All of them, whichever fits.
    made = [hmac.compare_digest(_hmac(source, key), sealed["hmac"]) for key in tried for source in sources]
    if not any(made):
        raise TokenRefused("token refused")
    return Grant(
        expires_s=int(fields["exp"]),
        acl=tuple(fields["acl"].split("!")) if fields["acl"] else (),
        url=url,
        starts_s=None if fields["st"] is None else int(fields["st"]),
        ip=unquote(fields["ip"] or ""),
        session_id=fields["id"] or "",
        payload=(fields["data"] or "")[named.end() if named else 0 :],
    )


@lru_cache(_KNOWN_MAX)
def is_for_one_url(sent: str) -> bool:
    """Whether a token, as it was sent, has no patterns, if it is one: then `read` needs the path."""
    return not _PATTERNS_IN_SENT.search(sent)


def read_as_sent(sent: str, path: str, *, keys: Sequence[TokenKey], salt: str = "") -> Grant:
    """As `read`, for a token as it came in a URL or a cookie: as it is, or percent-encoded as a whole."""
    try:
        return read(sent, path, keys=keys, salt=salt)
    except TokenRefused:
        return read(unquote(sent), path, keys=keys, salt=salt)


def path_prefix(token: str) -> str:
    """What to put before a path: `/t/…`, without a slash at its end."""
    return PREFIX + quote(token, safe="~!*=")


def split_prefix(raw_path: str) -> tuple[str | None, str]:
    """The token in front of a path, None if there is none, and the path behind it; both as they were sent.

    Slashes in the token may have been decoded on the way, as some proxies do: it ends where its HMAC does.
    """
    if not raw_path.startswith(PREFIX):
        return None, raw_path
    rest = raw_path.removeprefix(PREFIX)
    end = (rest + "/").index("/")
    if not _END_IN_PATH.search(rest, max(0, end - _SEAL_CHARACTERS_MAX), end):
        found = _END_IN_PATH.search(rest)
        end = found.end() if found else end
    return rest[:end], rest[end:] or "/"


def unsealed(path: str) -> str:
    """A path without what makes a token good, wherever in it one stands: what it is worth logging for stays."""
    return _SEAL_ANYWHERE.sub("=", path) if "hmac" in path else path


def _source(signed: str, url: str, salt: str) -> str:
    """All that the HMAC is over."""
    return signed + (f"~url={url}" if url else "") + (f"~salt={salt}" if salt else "")


def _hmac(source: str, key: TokenKey) -> str:
    return hmac.digest(key.secret, source.encode(), "sha256").hex()


def _escaped(text: str) -> str:
    """As in a form, but with small hexadecimal digits."""
    return _ESCAPE.sub(lambda found: found[0].lower(), quote_plus(text))


def _same_address(wanted: str, found: str) -> bool:
    try:
        return _plain(wanted) == _plain(found)
    except ValueError:
        return False


def _plain(text: str) -> object:
    """The address; an IPv4 one that was written as IPv6 is the same."""
    address = ip_address(text)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


@lru_cache(_KNOWN_MAX)
def _matcher(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_expression, patterns)), re.DOTALL)


def _expression(pattern: str) -> str:
    """Each piece at its first place and never moved (an atomic group), so that no pattern can make it slow."""
    first, *rest = (re.escape(piece).replace(r"\?", ".") for piece in pattern.split("*"))
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{piece})" for piece in middle if piece) + f".*{last}"
