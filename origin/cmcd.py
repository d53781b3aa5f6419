"""What players tell of themselves with a request: CMCD (CTA-5004, and the request keys of its second version). Pure.

It comes as `CMCD=` in the query or as `CMCD-*` headers, and anybody can send anything: what is known and well-formed is
taken, all else is passed over without a word. Nothing here may change an answer.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import unquote

Value = bool | int | float | str
Told = Mapping[str, Value]

QUERY_NAME = "CMCD"
HEADER_NAMES = ("CMCD-Object", "CMCD-Request", "CMCD-Session", "CMCD-Status")

_CHANGES = "CMCD-Request"  # from request to request: not worth keeping

NOTHING: Told = MappingProxyType({})
_TEXT_MAX = 2048  # characters of one header, or of the query's value once it is decoded
_PAIRS_MAX = 64
_ODD_MAX = 4  # places where no pair is; then the rest is not worth its time
_STRING_MAX = 64  # characters: CTA-5004's own limit for ids

# A key, then nothing, a quoted string, a list in parentheses (version 2), or what reaches to the next comma; else what
# is no pair, up to the next comma.
_PAIR = re.compile(r' *([a-z]{1,8})(?:=("(?:[^"\\]|\\.)*+" *|\([^()]*\)[^,"()]*|[^,"()]*))?(?:,|$)|[^,]*,|[^,]+')
_COMMA_SEPARATES = re.compile(r'(?:[^"(\\]++|"[^",(\\]*+")*+')  # always, for no string and no list holds one
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,6})?")
_ESCAPED = re.compile(r'(?:[^"\\]|\\["\\])*')
_FIRST_OF_LIST = re.compile(r"\(\s*(\"(?:[^\"\\]|\\.)*\"|[^\s;()]+)")

Reader = Callable[[str], Value | None]


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= 12 and text.isascii() else None


def _decimal(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _true(text: str) -> bool | None:
    return {"": True, "?1": True, "?0": False}.get(text)


def _string(text: str) -> str | None:
    inner = text[1:-1]
    if text[:1] != '"' or text[-1] != '"' or not inner.isprintable() or not inner.isascii():
        return None
    if "\\" in inner:
        if not _ESCAPED.fullmatch(inner):
            return None
        inner = re.sub(r"\\(.)", r"\1", inner)
    return inner[:_STRING_MAX]


def _one_of(*tokens: str) -> Reader:
    return lambda text: text if text in tokens else None


# Left out: nor, nrr and url are addresses, which may have tokens in them; what only events have is not for an origin.
_READERS: dict[str, Reader] = {
    **dict.fromkeys(("ab", "bl", "br", "d", "dl", "lab", "lb", "ltc", "msd", "mtp"), _whole),
    **dict.fromkeys(("pt", "rtp", "sn", "tab", "tb", "tbl", "tpb", "ts", "v"), _whole),
    **dict.fromkeys(("bg", "bs", "su"), _true),
    **dict.fromkeys(("cdn", "cid", "sid"), _string),
    "ot": _one_of("a", "av", "c", "i", "k", "m", "o", "tt", "v"),
    "pr": _decimal,
    "sf": _one_of("d", "h", "o", "s"),
    "st": _one_of("l", "ll", "v"),
    "sta": _one_of("a", "d", "e", "f", "k", "p", "q", "r", "s", "w"),
}
KEYS = frozenset(_READERS)


def parse(text: str) -> Told:
    """The known keys of one header or query value, each with a value of its type; of a list, its first item."""
    if len(text) > _TEXT_MAX:
        return NOTHING
    told: dict[str, Value] = {}
    odd = 0
    for pair in _pairs(text):
        key, found = _read(pair)
        if found is not None:
            told[key] = found
        elif not key:
            odd += 1
            if odd >= _ODD_MAX:
                break
    return told


def _pairs(text: str) -> Iterable[str]:
    """What stands between commas, but for those in strings and lists."""
    if _COMMA_SEPARATES.fullmatch(text):
        return text.removesuffix(",").split(",", _PAIRS_MAX)[:_PAIRS_MAX] if text else ()
    return (found[0].removesuffix(",") for found in itertools.islice(_PAIR.finditer(text), _PAIRS_MAX))


@lru_cache(1024)  # most of what players tell they told before, with other requests
def _read(pair: str) -> tuple[str, Value | None]:
    """A key and its value; no value if it is unknown or ill-formed, and no key either if this is no pair."""
    found = _PAIR.match(pair)
    key, value = found.groups("") if found is not None else ("", "")
    read = _READERS.get(key)
    if read is None:
        return key, None
    return key, read(value.rstrip()) if value[:1] != "(" else _first(read, value)


def told_with(query: str, headers: Mapping[str, str]) -> Told:
    """What a request with this raw query and these headers tells; a header counts more than the query."""
    told: dict[str, Value] = {}
    if QUERY_NAME in query:
        for argument in query.split("&"):
            name, _, value = argument.partition("=")
            if name == QUERY_NAME and len(value) <= 3 * _TEXT_MAX:
                told.update(parse(_decoded(value)))
    for name in HEADER_NAMES:
        text = headers.get(name)
        if text:
            told.update(parse(text) if name == _CHANGES else _parsed_before(text))
    return told or NOTHING


def _decoded(value: str) -> str:
    """A query's value. What CMCD is full of is not left to `unquote`, which takes a microsecond for each."""
    value = value.replace("%3D", "=").replace("%2C", ",").replace("%22", '"')
    return unquote(value) if "%" in value else value


_parsed_before = lru_cache(maxsize=1024)(parse)  # what a player repeats with each request


def _first(read: Reader, text: str) -> Value | None:
    """The first item of a list, read."""
    first = _FIRST_OF_LIST.match(text)
    return read(first[1]) if first else None
