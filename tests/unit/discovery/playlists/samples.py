"""Playlists as hypothesis makes them."""

from dataclasses import replace

from hypothesis import strategies as st

from discovery.playlists.entries import Entry, EntryList, clean, clean_lines, clean_uri
from discovery.playlists.m3u import NOWHERE

TEXTS = st.text(max_size=40).map(clean)
URIS = st.one_of(
    st.text(min_size=1, max_size=40).map(clean_uri),
    st.sampled_from(["/tracks/a/index.m3u8", "https://music.example/a.flac", "segue:track:x", "C:\\Music\\a b.mp3"]),
).filter(lambda uri: uri not in ("", NOWHERE))
ENTRIES = st.builds(
    Entry,
    title=TEXTS,
    artist=TEXTS,
    album=TEXTS,
    track_number=st.none() | st.integers(1, 999),
    duration_s=st.none() | st.integers(1, 10_000_000).map(lambda ms: ms / 1000),
    uris=st.lists(URIS, max_size=3, unique=True).map(tuple),
)
PLAYLISTS = st.builds(
    EntryList,
    name=TEXTS,
    comment=st.text(max_size=80).map(clean_lines),
    entries=st.lists(ENTRIES, max_size=8).map(tuple),
)


def located_first(entry: Entry) -> Entry:
    """The entry with its URIs in the order in which XSPF and JSPF have them."""
    return replace(entry, uris=tuple(sorted(entry.uris, key=lambda uri: not is_location(uri))))


def is_location(uri: str) -> bool:
    """Whether XSPF and JSPF have a URI as a location."""
    return uri.startswith(("http:", "https:", "file:", "ftp:", "/"))
