"""M3U and M3U8 as music players write them: a list of files, not HLS. Pure.

`#PLAYLIST:` has the name, `#EXTINF:` seconds and "artist - title", `#EXTALB:` the album; a line of its own is where the
music is. HLS media playlists are spelled alike and are something else: one line for each segment of one track.
"""

import re

from discovery.playlists.entries import (
    COMMENT_CHARS_MAX,
    Entry,
    EntryList,
    PlaylistFileInvalid,
    check_count,
    check_size,
    clean,
    clean_lines,
    clean_uri,
    seconds_of,
)

NOWHERE = "segue:missing"  # stands where a player expects a file, for an entry that has none
_SPLIT = " - "
_HLS = re.compile(r"^#EXT-X-", re.MULTILINE)
_EXTINF = re.compile(r"\s*(-?\d{1,9}(?:\.\d{1,9})?)?([^,]{0,1000}),")  # what stands between: attributes of some players


def read_m3u(data: bytes) -> EntryList:
    """The playlist that a file has. UTF-8, or Latin-1 where it is not. Raises PlaylistFileInvalid."""
    check_size(data)
    if b"\0" in data:
        raise PlaylistFileInvalid("not text", hint="M3U8 is UTF-8")
    text = _decoded(data)
    if _HLS.search(text):
        hint = "a music playlist has a line for each track, and no line that begins with #EXT-X-"
        raise PlaylistFileInvalid("this is an HLS playlist, the segments of one track", hint=hint)
    name, comment, said = "", "", Entry()
    entries: list[Entry] = []
    for line in text.splitlines():
        tag, _, value = line.partition(":")
        match tag.upper():
            case "#PLAYLIST":
                name = clean(value)
            case "#SEGUE-COMMENT" if len(comment) < COMMENT_CHARS_MAX:
                comment = f"{comment}\n{value}"
            case "#EXTINF":
                said = _described(value, said)
            case "#EXTALB":
                said = Entry(title=said.title, artist=said.artist, album=clean(value), duration_s=said.duration_s)
            case _ if line.strip() and not line.startswith("#"):
                entries.append(_located(said, line))
                check_count(len(entries))
                said = Entry()
    return EntryList(name=name, comment=clean_lines(comment), entries=tuple(entries))


def write_m3u(playlist: EntryList) -> bytes:
    """The playlist as extended M3U8: UTF-8, a line feed after each line."""
    lines = ["#EXTM3U"]
    if playlist.name:
        lines.append(f"#PLAYLIST:{playlist.name}")
    lines += [f"#SEGUE-COMMENT:{line}" for line in playlist.comment.splitlines()]
    for entry in playlist.entries:
        seconds = -1 if entry.duration_s is None else max(1, round(entry.duration_s))
        if entry.title or entry.artist or seconds > 0:
            named = entry.artist or _SPLIT in entry.title
            lines.append(f"#EXTINF:{seconds},{entry.artist + _SPLIT if named else ''}{entry.title}")
        if entry.album:
            lines.append(f"#EXTALB:{entry.album}")
        lines.append(entry.uris[0] if entry.uris else NOWHERE)
    return ("\n".join(lines) + "\n").encode()


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _described(value: str, said: Entry) -> Entry:
    """What an EXTINF line says; a title alone has no " - " in it."""
    found = _EXTINF.match(value)
    seconds = seconds_of(float(found[1])) if found and found[1] else None
    text = value[found.end() :] if found else value
    artist, split, title = text.partition(_SPLIT)
    if not split:
        artist, title = "", text
    return Entry(title=clean(title), artist=clean(artist), album=said.album, duration_s=seconds)


def _located(said: Entry, line: str) -> Entry:
    uri = clean_uri(line)
    uris = (uri,) if uri and uri != NOWHERE else ()
    return Entry(title=said.title, artist=said.artist, album=said.album, duration_s=said.duration_s, uris=uris)
