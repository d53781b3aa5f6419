"""What the names of a file and its folders tell, for music whose tags tell nothing: `Album/CD2/03 Some Title.flac`."""

import re
from dataclasses import dataclass
from pathlib import Path

from ingest.metadata.clean import cleaned
from ingest.scan import printable

_NUMBERED = re.compile(r"(?:(\d)-)?(\d{1,3})[ ._-]+(?=\S)")
# `CD1`, `Disc 2`, `Some Album (Disc 2)`: what stands before belongs to the album.
_DISC = re.compile(r"(?P<album>.*?)[\s._,([-]*\b(?:cd|dis[ck])[ ._-]*(?P<disc>\d{1,2})[)\]]?", re.IGNORECASE)
_VERSION = re.compile(r"\b(live|mix|remix|edit|version|demo|remaster(ed)?|acoustic|instrumental|take)\b", re.IGNORECASE)
_BETWEEN = " - "


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the names say; `stem` is the whole name of the file. `artist` only if it is told apart for certain."""

    stem: str
    title: str
    album: str = ""
    artist: str = ""
    artist_title: str = ""  # the title, if the name also has an artist
    track_number: int | None = None
    disc_number: int | None = None


def named(path: Path) -> Named:
    """What the names of this path say; never raises, and always has a title."""
    stem = _shown(path.stem) or "untitled"
    found = _NUMBERED.match(stem)
    title = stem[found.end() :] if found else stem
    artist, artist_title = _artist_and_title(title)
    album, disc = _album(path.absolute())
    return Named(
        stem=stem,
        title=title,
        album=album,
        artist=artist,
        artist_title=artist_title,
        track_number=(int(found[2]) or None) if found else None,
        disc_number=int(found[1]) or None if found and found[1] else disc,
    )


def _shown(name: str) -> str:
    return cleaned(printable(Path(name))) if name else ""


def _artist_and_title(title: str) -> tuple[str, str]:
    artist, _, rest = title.partition(_BETWEEN)
    if not rest or _BETWEEN in rest or _VERSION.search(rest) or not (_has_letters(artist) and _has_letters(rest)):
        return "", ""
    return artist.strip(), rest.strip()


def _has_letters(text: str) -> bool:
    return any(character.isalpha() for character in text)


def is_disc_folder(folder: Path) -> bool:
    """Whether a folder is one disc of the album that the folder above is named for."""
    found = _DISC.fullmatch(_shown(folder.name))
    return found is not None and not found["album"]


def _album(path: Path) -> tuple[str, int | None]:
    folder = _shown(path.parent.name)
    found = _DISC.fullmatch(folder)
    if found is None:
        return folder, None
    above = _shown(path.parent.parent.name)
    return found["album"] or above, int(found["disc"]) or None
