"""What a sidecar may set: the fields of TrackTags, those of its ids and of ReplayGain by `musicbrainz_` and so on."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from ingest.metadata.clean import cleaned, cleaned_lines
from ingest.metadata.fields import NUMBER_MAX, TRUE, barcode, isrc, uuids
from model.track import MusicBrainzIds, ReplayGain, TrackTags

Value = str | int | float | bool | tuple[str, ...] | None
_FALSE = frozenset(["0", "false", "no"])
_INNER: dict[str, type[MusicBrainzIds | ReplayGain]] = {"musicbrainz": MusicBrainzIds, "replay_gain": ReplayGain}
_EMPTY = TrackTags(title="-")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,3}(\.[0-9]{1,9})?")


def parsed(field: str, raw: object) -> Value:
    """The value of a field, None clears it; `raw` is what JSON has. Raises ValueError that says what it needs."""
    return None if raw is None else FIELDS[field](raw)


def _text(raw: object) -> str:
    return cleaned(_written(raw))


def _lines(raw: object) -> str:
    return cleaned_lines(_written(raw))


def _written(raw: object) -> str:
    if isinstance(raw, str):
        return raw
    if isinstance(raw, int) and not isinstance(raw, bool):
        return str(raw)  # `"date": 1999`
    raise ValueError("needs a text")


def _texts(raw: object) -> tuple[str, ...]:
    values = raw if isinstance(raw, list) else [raw]
    return tuple(dict.fromkeys(filter(None, map(_text, values))))


def _number(raw: object) -> int:
    text = "" if isinstance(raw, bool) else str(raw).strip()
    if not text.isdecimal() or len(text) > 5 or not 0 < int(text) <= NUMBER_MAX:
        raise ValueError(f"needs a whole number from 1 to {NUMBER_MAX}")
    return int(text)


def _flag(raw: object) -> bool:
    text = str(raw).strip().lower()
    if text not in TRUE | _FALSE:
        raise ValueError("needs true or false")
    return text in TRUE


def _decimal(raw: object) -> float:
    text = str(raw).strip()
    if isinstance(raw, bool) or not _DECIMAL.fullmatch(text):
        raise ValueError("needs a number")
    return float(text)


def _isrc(raw: object) -> str:
    return _of_form(isrc(_written(raw)), "an ISRC, as DEABC2400001")


def _barcode(raw: object) -> str:
    return _of_form(barcode(_written(raw)), "a barcode of 8 to 14 digits")


def _uuid(raw: object) -> str:
    return _of_form("".join(uuids([_written(raw)])[:1]), "a UUID")


def _uuids(raw: object) -> tuple[str, ...]:
    return tuple(_uuid(value) for value in (raw if isinstance(raw, list) else [raw]))


def _of_form(value: str, form: str) -> str:
    if not value:
        raise ValueError(f"needs {form}")
    return value


def _kind(name: str, default: object) -> Callable[[Any], Value]:
    special: dict[str, Callable[[Any], Value]] = {"lyrics": _lines, "isrc": _isrc, "barcode": _barcode}
    if name in special:
        return special[name]
    if isinstance(default, bool):
        return _flag
    if isinstance(default, tuple):
        return _texts
    return _text if isinstance(default, str) else _number


def _kinds() -> dict[str, Callable[[Any], Value]]:
    kinds = {}
    for field in fields(TrackTags):
        if field.name not in ("album_named", *_INNER):
            kinds[field.name] = _kind(field.name, getattr(_EMPTY, field.name))
    for field in fields(MusicBrainzIds):
        kinds[f"musicbrainz_{field.name}"] = _uuids if isinstance(field.default, tuple) else _uuid
    for field in fields(ReplayGain):
        kinds[f"replay_gain_{field.name}"] = _decimal
    return kinds


FIELDS = _kinds()
MULTIPLE = frozenset(name for name, kind in FIELDS.items() if kind in (_texts, _uuids))


def applied(tags: TrackTags, values: Mapping[str, Value], *, untitled: str) -> TrackTags:
    """The tags with these values set, and cleared where they are None; `untitled` takes the place of a title."""
    outer: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {name: {} for name in _INNER}
    for field, value in values.items():
        group = next((name for name in _INNER if field.startswith(f"{name}_")), None)
        if group is None:
            outer[field] = getattr(_EMPTY, field) if value is None else value
        else:
            name = field.removeprefix(f"{group}_")
            inner[group][name] = getattr(_INNER[group](), name) if value is None else value
    if "title" in outer and (values["title"] is None or not outer["title"]):
        outer["title"] = untitled
    if "album" in outer:
        outer["album_named"] = bool(outer["album"])
    for group, changes in inner.items():
        outer[group] = replace(getattr(tags, group), **changes)
    return replace(tags, **outer)
