"""The formats of playlist files as a table: what each is called, and how it is read and written. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from discovery.playlists.entries import EntryList, PlaylistFileInvalid
from discovery.playlists.jspf import read_jspf, write_jspf
from discovery.playlists.m3u import read_m3u, write_m3u
from discovery.playlists.xspf import read_xspf, write_xspf


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format: its name is its suffix, too."""

    name: str
    media_type: str
    also: tuple[str, ...]  # other suffixes that are read as it
    read: Callable[[bytes], EntryList]
    write: Callable[[EntryList], bytes]


FORMATS = {
    each.name: each
    for each in (
        Format(
            name="m3u8", media_type="audio/x-mpegurl; charset=utf-8", also=("m3u",), read=read_m3u, write=write_m3u
        ),
        Format(name="xspf", media_type="application/xspf+xml", also=(), read=read_xspf, write=write_xspf),
        Format(name="jspf", media_type="application/json", also=("json",), read=read_jspf, write=write_jspf),
    )
}  # fmt: skip
BY_SUFFIX = {suffix: each for each in FORMATS.values() for suffix in (each.name, *each.also)}


def read_playlist(data: bytes, name: str = "") -> EntryList:
    """The playlist of a file: by the format of this name or suffix, else by how its first character looks.

    Raises PlaylistFileInvalid.
    """
    if name:
        form = BY_SUFFIX.get(name.lower())
        if form is None:
            raise PlaylistFileInvalid("not a format of playlists", subject=name, hint=f"known: {', '.join(FORMATS)}")
        return form.read(data)
    first = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return {b"<": read_xspf, b"{": read_jspf}.get(first, read_m3u)(data)
