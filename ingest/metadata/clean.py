"""Text of tags made fit for people: composed, repaired where that is certain, of bounded length, without tricks."""

import re
import unicodedata

TEXT_CHARACTERS_MAX = 500
LINES_CHARACTERS_MAX = 50_000
LOOKED_AT_MAX = 8  # times what is kept, of a text that may have megabytes
# Overrides and isolates turn text around for whoever prints it; a byte order mark inside a text is a stray one.
_DROPPED = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])
_LONGER = re.compile(rb"[\xe0-\xf4]")
_MANY = re.compile(rb"[\xc2-\xf4]")
_LATIN = re.compile(rb"[\xc2\xc3]")
_SHOWN = {value: bytes([value]).decode("cp1252", "ignore") for value in range(0x80, 0xA0)}
# Quotes, dashes and `€` of Windows-1252 that were read as Latin-1, which has control characters there.
_WINDOWS = {value: character for value, character in _SHOWN.items() if character}
# The byte of each character, as Windows (and, where it has none, Latin-1) shows it.
_BYTES = {chr(value): value for value in range(256)} | {character: value for value, character in _WINDOWS.items()}


def repaired(text: str) -> str:
    """The text whose UTF-8 bytes were read as Latin-1 or Windows-1252, if it is certain that they were.

    The whole text has to round-trip, and what comes out must be more than one letter that a sign stands behind:
    `CAFÉ™` is also valid UTF-8, and meant as it is.
    """
    if text.isascii():
        return text
    values = [_BYTES.get(character, -1) for character in text]
    if min(values) < 0:
        return text
    data = bytes(values)
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        return text
    certain = _LATIN.search(data) or _LONGER.search(data) or len(_MANY.findall(data)) > 1
    return whole if certain else text


def cleaned(text: str) -> str:
    """One line: composed (NFC), without control characters, of at most TEXT_CHARACTERS_MAX characters."""
    if len(text) <= TEXT_CHARACTERS_MAX and text.isascii() and text.isprintable():
        return " ".join(text.split())  # most texts are as they should be
    return _composed(" ".join(_plain(text[: LOOKED_AT_MAX * TEXT_CHARACTERS_MAX]).split()), TEXT_CHARACTERS_MAX)


def cleaned_lines(text: str) -> str:
    """Lyrics: as `cleaned`, but with their line breaks, and of at most LINES_CHARACTERS_MAX characters."""
    lines = text[: 2 * LINES_CHARACTERS_MAX].translate(_WINDOWS).splitlines()
    return _composed("\n".join(_plain(line).rstrip() for line in lines).strip(), LINES_CHARACTERS_MAX)


def _plain(text: str) -> str:
    fixed = repaired(text).translate(_WINDOWS).translate(_DROPPED)
    if fixed.isprintable():
        return fixed
    return "".join(" " if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each for each in fixed)


def _composed(text: str, characters_max: int) -> str:
    whole = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be written
    return unicodedata.normalize("NFC", whole)[:characters_max].rstrip()
