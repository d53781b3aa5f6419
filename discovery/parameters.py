"""Query parameters of the API as a table: what each is called, what it may be, and how it is read."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from model.errors import QueryInvalid

_DIGITS_MAX = 9  # more than any limit here; keeps int() cheap


class Asked(Protocol):
    """The query of a URL: each name may be there several times."""

    def getall(self, key: str, default: list[str], /) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A whole number from `least` to `most`."""

    name: str
    default: int
    least: int
    most: int
    help: str

    def read(self, asked: Asked) -> int:
        """Its value in a request. Raises QueryInvalid."""
        text = _only(asked, self.name, str(self.default))
        if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX):
            self._refuse()
        if not self.least <= int(text) <= self.most:
            self._refuse()
        return int(text)

    def described(self) -> Mapping[str, Any]:
        """What OpenAPI says of it."""
        schema = {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.default}
        return {"schema": schema}

    def _refuse(self) -> None:
        raise QueryInvalid(f"must be one whole number from {self.least} to {self.most}", subject=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """At most `chars_max` characters; `required` if it has to be there, if only empty."""

    name: str
    chars_max: int
    help: str
    required: bool = False

    def read(self, asked: Asked) -> str:
        """Its value in a request. Raises QueryInvalid."""
        text = _only(asked, self.name, None if self.required else "")
        if len(text) > self.chars_max:
            raise QueryInvalid(f"must have at most {self.chars_max} characters", subject=self.name)
        return text

    def described(self) -> Mapping[str, Any]:
        """What OpenAPI says of it."""
        return {"required": self.required, "schema": {"type": "string", "maxLength": self.chars_max}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Some of these words, with commas between; all if it is not there."""

    name: str
    words: tuple[str, ...]
    help: str

    def read(self, asked: Asked) -> tuple[str, ...]:
        """Its value in a request. Raises QueryInvalid."""
        chosen = _only(asked, self.name, ",".join(self.words)).split(",")
        if not set(chosen) <= set(self.words):
            raise QueryInvalid(f"must be some of {', '.join(self.words)}", subject=self.name)
        return tuple(chosen)

    def described(self) -> Mapping[str, Any]:
        """What OpenAPI says of it."""
        items = {"type": "string", "enum": list(self.words)}
        return {"explode": False, "schema": {"type": "array", "items": items, "minItems": 1, "default": self.words}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Text that a regular expression matches from end to end; empty if it is not there, so that has to match, too."""

    name: str
    pattern: str
    help: str

    def read(self, asked: Asked) -> str:
        """Its value in a request. Raises QueryInvalid."""
        text = _only(asked, self.name, "")
        if not re.fullmatch(self.pattern, text):
            raise QueryInvalid(f"not what it can be: {self.help}", subject=self.name)
        return text

    def described(self) -> Mapping[str, Any]:
        """What OpenAPI says of it."""
        return {"schema": {"type": "string", "pattern": f"^{self.pattern}$"}}


Parameter = Number | Text | Choices | Matching


def read_all(parameters: Iterable[Parameter], asked: Asked) -> Mapping[str, int | str | tuple[str, ...]]:
    """The value of each parameter of a request. Raises QueryInvalid."""
    return {each.name: each.read(asked) for each in parameters}


def _only(asked: Asked, name: str, default: str | None) -> str:
    found = asked.getall(name, [] if default is None else [default])
    if len(found) != 1:
        raise QueryInvalid("must be there once", subject=name)
    return found[0]
