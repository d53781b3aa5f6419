"""Playlist files: what goes out comes back, others read it as we mean it, and hostile ones are refused in time."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import m3u8
import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.playlists.entries import BYTES_MAX, ENTRIES_MAX, TEXT_CHARS_MAX, Entry, EntryList, PlaylistFileInvalid
from discovery.playlists.formats import FORMATS, read_playlist
from tests.unit.discovery.playlists.samples import PLAYLISTS, is_location, located_first

_XSPF = "{http://xspf.org/ns/0/}"
_ORDER = ["location", "identifier", "title", "creator", "album", "trackNum", "duration"]
_EVIL = """<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<playlist version="1" xmlns="http://xspf.org/ns/0/"><title>&b;</title><trackList/></playlist>"""


@pytest.mark.parametrize("name", ["xspf", "jspf"])
@given(playlist=PLAYLISTS)
def test_xspf_and_jspf_lose_nothing(name: str, playlist: EntryList) -> None:
    """Names, numbers, milliseconds, every URI, and the order."""
    form = FORMATS[name]
    meant = replace(playlist, entries=tuple(map(located_first, playlist.entries)))
    assert form.read(form.write(playlist)) == meant
    assert read_playlist(form.write(playlist)) == meant


@given(playlist=PLAYLISTS)
def test_m3u8_keeps_what_it_has_words_for(playlist: EntryList) -> None:
    """Order, names, the first URI, whole seconds; an artist ends where the first " - " is."""
    found = read_playlist(FORMATS["m3u8"].write(playlist), "m3u8")
    assert (found.name, found.comment) == (playlist.name, playlist.comment)
    assert len(found.entries) == len(playlist.entries)
    for got, meant in zip(found.entries, playlist.entries, strict=True):
        assert (got.album, got.uris) == (meant.album, meant.uris[:1])
        assert got.duration_s == (None if meant.duration_s is None else max(1, round(meant.duration_s)))
        if f"{meant.artist} - ".index(" - ") == len(meant.artist):
            assert (got.artist, got.title) == (meant.artist, meant.title)


@given(playlist=PLAYLISTS)
def test_xspf_follows_its_rules(playlist: EntryList) -> None:
    """A second reader of XML finds the elements that the specification has, each where and as often as it may be."""
    root = ElementTree.fromstring(FORMATS["xspf"].write(playlist))
    assert (root.tag, root.attrib) == (f"{_XSPF}playlist", {"version": "1"})
    names = [child.tag for child in root]
    assert names[-1] == f"{_XSPF}trackList" and names.count(f"{_XSPF}trackList") == 1
    tracks = root.findall(f"{_XSPF}trackList/{_XSPF}track")
    for track, entry in zip(tracks, playlist.entries, strict=True):
        found = [(child.tag.removeprefix(_XSPF), child.text or "") for child in track]
        assert [name for name, _ in found] == sorted((name for name, _ in found), key=_ORDER.index)
        texts = dict(found)
        assert texts.get("title", "") == entry.title
        assert texts.get("creator", "") == entry.artist
        assert [text for name, text in found if name == "location"] == [uri for uri in entry.uris if is_location(uri)]
        assert all(int(texts[name]) > 0 for name in ("trackNum", "duration") if name in texts)


@given(playlist=PLAYLISTS)
def test_m3u8_is_read_by_others(playlist: EntryList) -> None:
    """The m3u8 package finds as many entries, with our seconds."""
    entries = [
        replace(entry, uris=("/a.m3u8",), title=entry.title or "a", duration_s=7.2) for entry in playlist.entries
    ]
    text = FORMATS["m3u8"].write(EntryList(entries=tuple(entries))).decode()
    found = [(segment.uri, segment.duration) for segment in m3u8.loads(text).segments]
    assert found == [("/a.m3u8", 7.0)] * len(entries)


@given(playlist=PLAYLISTS)
def test_jspf_is_json_as_its_specification_has_it(playlist: EntryList) -> None:
    """`playlist.track` is a list, and so are locations and identifiers; durations are milliseconds."""
    document = json.loads(FORMATS["jspf"].write(playlist))
    for track, entry in zip(document["playlist"]["track"], playlist.entries, strict=True):
        assert isinstance(track.get("location", []), list) and isinstance(track.get("identifier", []), list)
        assert track.get("duration", 0) == round(1000 * (entry.duration_s or 0))


def test_files_of_other_programs_are_read() -> None:
    """Attributes in EXTINF, no EXTINF at all, Latin-1, a byte order mark, Windows line ends."""
    lines = [
        "\ufeff#EXTM3U",
        "#PLAYLIST:Été",
        '#EXTINF:215.4 tvg-id="x",Björk - Jóga',
        "..\\Björk\\Jóga.mp3",
        "",
        "b.ogg",
    ]
    text = "\r\n".join(lines)
    found = read_playlist(text.encode(), "M3U")
    joga = Entry(title="Jóga", artist="Björk", duration_s=215.4, uris=("..\\Björk\\Jóga.mp3",))
    assert found == EntryList(name="Été", entries=(joga, Entry(uris=("b.ogg",))))
    assert read_playlist("#EXTINF:1,Björk - Jóga\na".encode("latin-1")).entries[0].title == "Jóga"


def test_xspf_of_other_programs_is_read() -> None:
    """Extensions are passed over, what they contain too; another encoding is understood."""
    text = """<?xml version="1.0" encoding="ISO-8859-1"?>
    <playlist version="1" xmlns="http://xspf.org/ns/0/" xmlns:vlc="http://www.videolan.org/vlc/playlist/ns/0/">
      <title>Sommer &amp; Söhne</title>
      <extension application="x"><title>no</title>
        <vlc:node title="n"><trackList><track/></trackList></vlc:node></extension>
      <trackList><track>
        <location>file:///m/a%20b.mp3</location><title><![CDATA[Jóga]]></title>
        <extension application="x"><title>no</title></extension><duration>215400</duration><vlc:id>0</vlc:id>
      </track></trackList></playlist>"""
    found = read_playlist(text.encode("latin-1"))
    assert found.name == "Sommer & Söhne"
    assert found.entries == (Entry(title="Jóga", duration_s=215.4, uris=("file:///m/a%20b.mp3",)),)


def test_jspf_of_other_programs_is_read() -> None:
    """A location that is no list, a duration that is text, fields that nobody knows."""
    track = {"title": "Jóga", "creator": "Björk", "identifier": "urn:a", "duration": "215400", "extension": {"x": [1]}}
    found = read_playlist(json.dumps({"playlist": {"title": 7, "track": [track]}}).encode())
    assert found == EntryList(entries=(Entry(title="Jóga", artist="Björk", duration_s=215.4, uris=("urn:a",)),))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (_EVIL.encode(), ""),
        (b"<!DOCTYPE playlist SYSTEM 'file:///etc/passwd'><playlist/>", ""),
        (b"<rss/>", ""),
        (b"<playlist>", ""),
        (b'<?xml version="1.0" encoding="no-such"?><playlist/>', ""),
        (b"<playlist>" + b"<a>" * 100 + b"</a>" * 100 + b"</playlist>", ""),
        (b"{", ""),
        (b"[]", "jspf"),
        (b'{"playlist": {"track": [1]}}', ""),
        (b"[" * 100_000, "jspf"),
        (b'{"playlist": ' + b"9" * 10_000 + b"}", ""),
        (b"\x00\x01", ""),
        (b"\xff\xfe#\0E\0", "m3u8"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\na.m4s\n", "m3u8"),
        (b"a\n" * (ENTRIES_MAX + 1), "m3u8"),
        (b"<playlist><trackList>" + b"<track/>" * (ENTRIES_MAX + 1) + b"</trackList></playlist>", ""),
        (b'{"playlist": {"track": [' + b"{}," * ENTRIES_MAX + b"{}]}}", ""),
        (b" " * (BYTES_MAX + 1), "m3u8"),
        (b"", "pls"),
    ],
)  # fmt: skip
def test_what_is_no_playlist_is_refused(data: bytes, name: str) -> None:
    """With an error that says why; nothing is expanded and nothing is opened."""
    with pytest.raises(PlaylistFileInvalid):
        read_playlist(data, name)


@given(data=st.binary(max_size=200), name=st.sampled_from(["", *FORMATS]))
def test_junk_gives_a_playlist_or_its_error(data: bytes, name: str) -> None:
    """Nothing else, and what comes out can be written in every format."""
    try:
        found = read_playlist(data, name)
    except PlaylistFileInvalid:
        return
    for form in FORMATS.values():
        assert len(form.read(form.write(found)).entries) == len(found.entries)


def test_long_and_broken_text_is_made_fit() -> None:
    """Control characters, halves of characters and megabytes do not get further than this."""
    track = {"title": "a\ud800\u0007\u2028b\uffff", "creator": "x" * 10_000, "identifier": ["u" * 9_000, "#no", "a\nb"]}
    entry = read_playlist(json.dumps({"playlist": {"track": [track]}}).encode()).entries[0]
    assert entry.title == "a   b"
    assert len(entry.artist) == TEXT_CHARS_MAX
    assert entry.uris == ()
    for form in FORMATS.values():
        assert form.read(form.write(EntryList(entries=(entry,)))).entries[0] == entry
