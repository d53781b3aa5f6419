"""Which requests are plain: nothing in them can change the answer but what is named here. Pure.

What a browser, a player or a CDN sends by the million is recognised without building a request of it. Whatever is not
on these lists, or not in the one usual form, is not plain: it is for the parser, which knows all of HTTP.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from origin.cmcd import HEADER_NAMES, QUERY_NAME

REQUEST_ID_FORM = re.compile(r"[A-Za-z0-9._-]{1,64}")  # what a client may call its request

_LINE = re.compile(r"(GET|HEAD) (/[A-Za-z0-9._/-]*) HTTP/1\.1")
# A query that no answer depends on, as `encodeURIComponent` spells it.
_VERSION = b" HTTP/1.1"
_TOLD = re.compile(
    rf"{QUERY_NAME}=[A-Za-z0-9._~!*'()-]*+(?:%[0-9A-Fa-f][0-9A-Fa-f][A-Za-z0-9._~!*'()-]*+)*+{_VERSION.decode()}".encode()
)
_FIELD = re.compile(rb"([A-Za-z0-9-]+):[ \t]*([\x20-\x7e]*)")
_HOST = re.compile(rb"[A-Za-z0-9.:\[\]-]+")
# An answer is kept for the very values of these.
_CONDITIONS = (b"if-none-match", b"if-modified-since")
_VARIES_BY = (b"accept-encoding", *_CONDITIONS)
# Nothing in the origin reads these.
_IGNORED = frozenset(
    (
        *(b"accept", b"accept-language", b"cache-control", b"cdn-loop", b"dnt", b"forwarded", b"origin", b"pragma"),
        *(b"priority", b"referer", b"save-data", b"true-client-ip", b"upgrade-insecure-requests", b"user-agent"),
        *(b"via", b"x-real-ip", b"x-varnish"),
    )
)
_IGNORED_FAMILIES = (
    *(b"akamai-", b"cf-", b"fastly-", b"x-akamai-", b"x-amz-cf-", b"x-forwarded-"),
    *(b"sec-ch-", b"sec-fetch-", b"sec-gpc"),
)
# What players tell of themselves: it is counted, and changes no answer.
_CMCD = {name.lower().encode(): name for name in HEADER_NAMES}


@dataclass(frozen=True, slots=True)
class PlainHeaders:
    """What the headers of a plain request say."""

    variant: bytes  # equal only for requests that get equal answers
    request_id: str  # the one that was offered; empty if there is none, or no good one
    conditional: bool  # whether there may be nothing to send
    cmcd: Mapping[str, str]  # what a player tells of itself
    lasting: bool  # whether the next requests of this client are likely to have the same bytes


def plain_line(line: bytes) -> tuple[str, str] | None:
    """Method and path of a request line; None unless the path is its own canonical form and has no query."""
    found = _LINE.fullmatch(line.decode("latin-1"))
    return None if found is None else (found[1], found[2])


def without_told(line: bytes) -> tuple[bytes, str]:
    """A request line without its query, and that query, if what the player tells (CMCD) is all that is in it."""
    target, mark, rest = line.partition(b"?")
    if not mark or _TOLD.fullmatch(rest) is None:
        return line, ""
    return target + _VERSION, rest.removesuffix(_VERSION).decode("ascii")


def plain_headers(block: bytes, *, headers_max: int) -> PlainHeaders | None:
    """What the headers say, None if they are not plain.

    `block` is all that follows the request line: it begins with the line's CRLF. If it does not end with the first
    empty line, there is more than one request, or less, and it is not plain.
    """
    first, *lines, before_last, last = block.split(b"\r\n") if block.count(b"\r\n") > 2 else (b"?", b"", b"")
    if first or before_last or last or len(lines) > headers_max:
        return None
    values: dict[bytes, bytes] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            return None
        name, value = field[1].lower(), field[2].rstrip(b" ")
        if name in values or not _is_plain(name, value):
            return None
        values[name] = value
    if b"host" not in values:
        return None
    variant = b"\n".join([values.get(name, b"\0") for name in _VARIES_BY])
    request_id = values.get(b"x-request-id", b"").decode("ascii")
    if not REQUEST_ID_FORM.fullmatch(request_id):
        request_id = ""
    told = {header: values[name].decode("ascii") for name, header in _CMCD.items() if name in values}
    conditional = not values.keys().isdisjoint(_CONDITIONS)
    lasting = not (told or conditional or b"x-request-id" in values)
    return PlainHeaders(variant, request_id, conditional, told, lasting)


def _is_plain(name: bytes, value: bytes) -> bool:
    if name in _IGNORED or name in _VARIES_BY or name in _CMCD or name == b"x-request-id":
        return True
    if name == b"host":
        return _HOST.fullmatch(value) is not None
    if name == b"connection":
        return value.lower() == b"keep-alive"
    return name.startswith(_IGNORED_FAMILIES)
