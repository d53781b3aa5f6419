"""Lyrics as OpenSubsonic shows them, from a tag: lines, with the time of each where the tag is in LRC. Pure."""

import re

from discovery.subsonic.answer import Element

_TIME = re.compile(r"\[(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?\]")
_ABOUT = re.compile(r"\[[a-z#]+:[^\]]*\]\s*", re.IGNORECASE)  # [ar:…], [length:…]
LINES_MAX = 10_000


def structured(lyrics: str, *, artist: str, title: str) -> list[Element]:
    """The lyrics of a song, in a list that is empty if there are none."""
    lines = [each.strip() for each in lyrics.splitlines()[:LINES_MAX]]
    shown = [each for each in lines if not _ABOUT.fullmatch(each)]
    timed = sorted(((start_ms, text) for each in shown for start_ms, text in _timed(each)), key=lambda pair: pair[0])
    found: list[Element] = [{"start": start_ms, "value": text} for start_ms, text in timed]
    found = found or [{"value": each} for each in shown]
    if not lyrics.strip() or not found:
        return []
    return [{"displayArtist": artist, "displayTitle": title, "lang": "und", "synced": bool(timed), "line": found}]


def plain(lyrics: str) -> str:
    """The lyrics without times."""
    lines = (_TIME.sub("", each).strip() for each in lyrics.splitlines()[:LINES_MAX] if not _ABOUT.fullmatch(each))
    return "\n".join(lines).strip()


def _timed(line: str) -> list[tuple[int, str]]:
    """A line once for each of the times before it."""
    at, starts = 0, list[int]()
    while found := _TIME.match(line, at):
        minutes, seconds, fraction = found.groups()
        starts.append(60_000 * int(minutes) + 1000 * int(seconds) + int((fraction or "0").ljust(3, "0")))
        at = found.end()
    return [(start, line[at:].strip()) for start in starts]
