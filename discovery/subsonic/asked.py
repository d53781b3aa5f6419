"""What a player asks: parameters from the query or a form, checked. Pure.

Errors have the numbers of the Subsonic API, and the two that OpenSubsonic adds for keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NoReturn

VALUES_MAX = 1_000  # of one name in one request
_CHARS_MAX = 1_000  # of one value
_DIGITS_MAX = 15


class Code(IntEnum):
    """Why a request failed, as players read it."""

    GENERIC = 0
    MISSING = 10
    WRONG_LOGIN = 40
    TOKEN_REFUSED = 41
    MECHANISM_REFUSED = 42
    SEVERAL_MECHANISMS = 43
    WRONG_KEY = 44
    NOT_ALLOWED = 50
    NOT_FOUND = 70


class Refused(Exception):
    """A request that gets an answer with an error. The message is for people and repeats nothing that was sent."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def not_found(what: str) -> NoReturn:
    """There is no such thing, or it is none of the listener's."""
    raise Refused(Code.NOT_FOUND, f"{what} not found")


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a request: every value of every name, in their order."""

    values: Mapping[str, Sequence[str]]

    def text(self, name: str, default: str | None = None) -> str:
        """One value; raises Refused where there is none and no default."""
        found = self.values.get(name)
        if found is None:
            if default is None:
                raise Refused(Code.MISSING, f"required parameter is missing: {name}")
            return default
        if len(found) != 1:
            self._wrong(name, "must be there once")
        if len(found[0]) > _CHARS_MAX:
            self._wrong(name, f"must have at most {_CHARS_MAX} characters")
        return found[0]

    def number(self, name: str, default: int, *, least: int = 0, most: int) -> int:
        """A whole number of at least `least`; one above `most` counts as `most`, as players expect."""
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX and int(text) >= least):
            self._wrong(name, f"must be a whole number from {least} on")
        return min(int(text), most)

    def flag(self, name: str, *, default: bool) -> bool:
        """`true` or `false`."""
        text = self.text(name, "true" if default else "false").lower()
        if text not in ("true", "false"):
            self._wrong(name, "must be true or false")
        return text == "true"

    def many(self, name: str) -> Sequence[str]:
        """All values of a name, perhaps none."""
        found = self.values.get(name, ())
        if len(found) > VALUES_MAX or any(len(each) > _CHARS_MAX for each in found):
            self._wrong(name, f"must be there at most {VALUES_MAX} times, with at most {_CHARS_MAX} characters")
        return found

    def numbers(self, name: str, *, most: int) -> list[int]:
        """All values of a name, each a whole number."""
        found = self.many(name)
        if not all(each.isascii() and each.isdecimal() and len(each) <= _DIGITS_MAX for each in found):
            self._wrong(name, "must be whole numbers")
        return [min(int(each), most) for each in found]

    def _wrong(self, name: str, what: str) -> NoReturn:
        raise Refused(Code.GENERIC, f"{name} {what}")
