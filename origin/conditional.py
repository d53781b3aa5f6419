"""What a GET or HEAD gets, by RFC 9110 §13 (conditions) and §14 (ranges). Pure: values in, a decision out.

Order of evaluation is §13.2.2. Nothing that a client can send raises.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from origin.http_date import http_date, parse_http_date

CONDITION_HEADERS = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range")

_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\uffff]*"')
_RANGE_SPEC = re.compile(r"(\d*)-(\d*)", re.ASCII)
_DIGITS_MAX = 18  # more digits than any object's size has; int() of thousands of digits would be slow or refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What a representation can be compared by. `etag` is strong, quotes included.

    `modified_s` is None where no date is known. `immutable` means that the bytes never change under this URL, which
    makes the date a strong validator too.
    """

    size_bytes: int
    etag: str
    modified_s: int | None
    immutable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer: a status, the headers it needs, and for 200 and 206 the bytes `start` to `end` (not included)."""

    status: int
    start: int = 0
    end: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


def decide(method: str, headers: Mapping[str, str], current: Validators) -> Decision:
    """Decide for GET or HEAD. `headers` has lower-case names; repeated lines are joined by commas."""
    if not _precondition_holds(headers, current):
        return Decision(status=412)
    if _unchanged(headers, current):
        return Decision(status=304, headers={"ETag": current.etag})  # §15.4.5: no Last-Modified beside a tag
    if method == "GET" and "range" in headers and _range_wanted(headers, current):
        return _ranged(headers["range"], current)
    return _whole(current)


def _precondition_holds(headers: Mapping[str, str], current: Validators) -> bool:
    if "if-match" in headers:
        wanted = headers["if-match"]
        return wanted.strip() == "*" or current.etag in _entity_tags(wanted)  # strong: a W/ tag never equals ours
    date = parse_http_date(headers.get("if-unmodified-since", ""))
    return date is None or current.modified_s is None or current.modified_s <= date


def _unchanged(headers: Mapping[str, str], current: Validators) -> bool:
    if "if-none-match" in headers:
        known = headers["if-none-match"]
        return known.strip() == "*" or current.etag in [tag.removeprefix("W/") for tag in _entity_tags(known)]
    date = parse_http_date(headers.get("if-modified-since", ""))
    return date is not None and current.modified_s is not None and current.modified_s <= date


def _range_wanted(headers: Mapping[str, str], current: Validators) -> bool:
    condition = headers.get("if-range")
    if condition is None or condition == current.etag:
        return True
    # §13.1.5: a date must be a strong validator and match exactly. Where bytes may change twice within the
    # resolution of a second it is not one.
    return current.immutable and current.modified_s == parse_http_date(condition) is not None


def _entity_tags(text: str) -> tuple[str, ...]:
    tags = []
    position = 0
    while position < len(text):
        if text[position] in " \t,":
            position += 1
            continue
        found = _ENTITY_TAG.match(text, position)
        if found is None:
            return ()
        tags.append(found[0])
        position = found.end()
    return tuple(tags)


def _ranged(text: str, current: Validators) -> Decision:
    unit, _, specs_text = text.partition("=")
    specs = [spec for spec in (part.strip(" \t") for part in specs_text.split(",")) if spec]
    found = _RANGE_SPEC.fullmatch(specs[0]) if len(specs) == 1 else None
    if unit.lower() != "bytes" or found is None or found[0] == "-":
        return _whole(current)  # §14.2: a server may ignore a Range; several ranges cost more than they bring
    size = current.size_bytes
    if not found[1]:
        start, end = max(0, size - _number(found[2])), size
    else:
        start, end = _number(found[1]), min(size, _number(found[2]) + 1) if found[2] else size
        if found[2] and _number(found[2]) < _number(found[1]):
            return _whole(current)
    if start >= size:
        return Decision(status=416, headers={"Content-Range": f"bytes */{size}"})
    return Decision(
        status=206,
        start=start,
        end=end,
        headers=_described(current, end - start) | {"Content-Range": f"bytes {start}-{end - 1}/{size}"},
    )


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits[:_DIGITS_MAX] or "0") if len(digits) <= _DIGITS_MAX else 10**_DIGITS_MAX + len(digits)


def _whole(current: Validators) -> Decision:
    return Decision(status=200, end=current.size_bytes, headers=_described(current, current.size_bytes))


def _described(current: Validators, length: int) -> dict[str, str]:
    return _validators(current) | {"Accept-Ranges": "bytes", "Content-Length": str(length)}


def _validators(current: Validators) -> dict[str, str]:
    headers = {"ETag": current.etag}
    return headers if current.modified_s is None else headers | {"Last-Modified": http_date(current.modified_s)}
