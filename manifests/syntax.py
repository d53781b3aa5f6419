"""The small pieces of a playlist's text: attribute lists, integers, durations, byte ranges (RFC 8216 §4.2, §4.3.2)."""

import re
from decimal import Decimal

from model.timebase import utc_ms

_INTEGER = re.compile(r"[0-9]{1,20}")
_SECONDS = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?")
_DECIMAL = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_RANGE = re.compile(r"([0-9]{1,20})(?:@([0-9]{1,20}))?")
_HEX = re.compile(r"0[xX]([0-9a-fA-F]{1,64})")
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=(?:"([^"]*)"|([^",\s]+))(?:,|\Z)')

REWRITE = "this is not as RFC 8216 says; write the playlist again with the packager"


class Junk(ValueError):
    """What is wrong and what would be right; `line` if it is another than the one being read."""

    def __init__(self, message: str, hint: str = REWRITE, *, line: int | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.line = line


class AttributeList:
    """An attribute list (RFC 8216 §4.2): each name at most once, each value of the kind that is asked for."""

    def __init__(self, tag: str, text: str, *, line: int) -> None:
        self.line = line
        self._tag = tag
        self._quoted: dict[str, str] = {}
        self._bare: dict[str, str] = {}
        position = 0
        while position < len(text):
            found = _ATTRIBUTE.match(text, position)
            if not found or (found.end() == len(text) and text.endswith(",")):
                raise Junk(f"{tag}: not an attribute list", 'write NAME=VALUE or NAME="TEXT", joined by commas')
            name, quoted, bare = found.groups()
            if name in self._quoted or name in self._bare:
                raise Junk(f"{tag}: {name} a second time", "leave one of them (RFC 8216 §4.2)")
            (self._bare if quoted is None else self._quoted)[name] = bare if quoted is None else quoted
            position = found.end()

    def quoted(self, name: str) -> str | None:
        """The text of a quoted-string, None if the attribute is not there."""
        if name in self._bare:
            raise Junk(f"{self._tag}: {name} is not quoted", f'write {name}="…"', line=self.line)
        return self._quoted.get(name)

    def required_quoted(self, name: str) -> str:
        """The text of a quoted-string that must be there."""
        text = self.quoted(name)
        if text is None:
            raise Junk(f"{self._tag} without {name}", f"{name} is required (RFC 8216 §4.3)", line=self.line)
        return text

    def required_word(self, name: str) -> str:
        """An enumerated-string that must be there."""
        if name not in self._bare:
            raise Junk(f"{self._tag} without an unquoted {name}", f"write {name}=<word>", line=self.line)
        return self._bare[name]

    def octets(self, name: str, size_bytes: int) -> bytes | None:
        """A hexadecimal-sequence as so many bytes, None if the attribute is not there."""
        if name not in self._bare and name not in self._quoted:
            return None
        found = _HEX.fullmatch(self._bare.get(name, ""))
        if not found or len(found[1]) > 2 * size_bytes:
            hint = f"write {name}=0x and {2 * size_bytes} hexadecimal digits"
            raise Junk(f"{self._tag}: {name} is not {size_bytes} bytes", hint, line=self.line)
        return int(found[1], 16).to_bytes(size_bytes, "big")

    def texts(self, prefix: str) -> tuple[tuple[str, str], ...]:
        """The quoted-strings whose names begin so, in their order."""
        return tuple((name, text) for name, text in self._quoted.items() if name.startswith(prefix))

    def integer(self, name: str) -> int | None:
        """A decimal-integer, None if the attribute is not there."""
        if name in self._quoted:
            raise Junk(f"{self._tag}: {name} is quoted", f"write {name}=<digits>", line=self.line)
        return integer_of(name, self._bare[name], line=self.line) if name in self._bare else None

    def decimal(self, name: str) -> Decimal | None:
        """A decimal-floating-point, None if the attribute is not there."""
        text = self.word(name)
        if text is not None and not _DECIMAL.fullmatch(text):
            raise Junk(f"{self._tag}: {name} is no decimal number: {text[:40]!a}", f"write {name}=1.5", line=self.line)
        return None if text is None else Decimal(text)

    def word(self, name: str) -> str | None:
        """An enumerated-string, None if the attribute is not there."""
        if name in self._quoted:
            raise Junk(f"{self._tag}: {name} is quoted", f"write {name}=WORD", line=self.line)
        return self._bare.get(name)


def integer_of(name: str, text: str, *, least: int = 0, line: int | None = None) -> int:
    """A decimal-integer that is at least `least`."""
    if not _INTEGER.fullmatch(text) or int(text) < least:
        raise Junk(f"{name} is not an integer from {least}: {text[:40]!a}", "write decimal digits only", line=line)
    return int(text)


def microseconds_of(value: str) -> int:
    """EXTINF's seconds in microseconds; a seventh decimal rounds half up."""
    seconds, comma, _ = value.partition(",")
    found = _SECONDS.fullmatch(seconds)
    if not found or not comma:
        raise Junk(f"EXTINF is not <seconds>,: {value[:40]!a}", "write decimal seconds and a comma: #EXTINF:6.080000,")
    decimals = (found[2] or "").ljust(7, "0")
    return int(found[1] + decimals[:6]) + (decimals[6] >= "5")


def byte_range_of(value: str) -> tuple[int, int | None]:
    """`n@o` as length and offset; the offset of `n` alone is None."""
    found = _RANGE.fullmatch(value)
    if not found or not int(found[1]):
        raise Junk(f"not a byte range: {value[:40]!a}", "write <length>@<offset>")
    return int(found[1]), int(found[2]) if found[2] else None


def date_ms_of(name: str, value: str) -> int:
    """A date with its time zone, in milliseconds since the epoch."""
    try:
        return utc_ms(value)
    except (ValueError, OverflowError) as error:
        raise Junk(f"{name} is no date: {value[:40]!a}", "write 2026-01-01T00:00:00.000Z") from error


def moment_of(text: str) -> int | None:
    """A date and time of anybody in milliseconds since the epoch, None for what is none; without a zone it is UTC."""
    for zone in ("", "Z"):
        try:
            return utc_ms(text.strip() + zone)
        except (ValueError, OverflowError):
            continue
    return None
