"""The library as old players know it: one folder of artists, which are folders of albums, which are folders of songs.

Each function is an endpoint of its name. The ids are those of artists and albums.
"""

from collections.abc import Sequence

from catalog.schema import TrackRow
from discovery.subsonic.answer import Element
from discovery.subsonic.asked import Asked
from discovery.subsonic.browse import IGNORED_ARTICLES, SONGS_MAX, Browse
from discovery.subsonic.items import indexed

ROOT = "1"
_ROOT_NAME = "Music"


def get_music_folders(browse: Browse, asked: Asked) -> Element:
    """There is one."""
    return {"musicFolders": {"musicFolder": [{"id": int(ROOT), "name": _ROOT_NAME}]}}


def get_indexes(browse: Browse, asked: Asked) -> Element:
    """Every artist, by letter."""
    newest = browse.newest_s()
    found = {"lastModified": newest * 1000, "ignoredArticles": IGNORED_ARTICLES}
    return {"indexes": {**found, "index": indexed(browse.shelves.artists())}}


def get_music_directory(browse: Browse, asked: Asked) -> Element:
    """What is in the folder of all music, of an artist, or of an album."""
    folder_id = asked.text("id")
    if folder_id == ROOT:
        inside = [
            {"id": each.artist_id, "parent": ROOT, "isDir": True, "title": each.artist, "coverArt": each.art_id}
            for each in browse.shelves.artists()
        ]
        return _directory(ROOT, _ROOT_NAME, None, inside)
    if albums := browse.shelves.albums_of([folder_id]):
        songs = browse.songs(browse.shelves.tracks_on(folder_id))
        return _directory(folder_id, albums[0].album, albums[0].artist_id, songs)
    shelf = browse.artist_shelf(folder_id)
    folders = [folder(each) for each in browse.albums(browse.shelves.albums_by(shelf.artist_id))]
    singles = [row for row in browse.shelves.tracks_by(shelf.artist_id, SONGS_MAX) if _is_single(row)]
    return _directory(folder_id, shelf.artist, ROOT, [*folders, *browse.songs(singles)])


def get_album_list(browse: Browse, asked: Asked) -> Element:
    """Albums, a page at a time, in one of many orders."""
    return {"albumList": {"album": [folder(each) for each in browse.get_album_list2(asked)["albumList2"]["album"]]}}


def get_starred(browse: Browse, asked: Asked) -> Element:
    """Everything with a star."""
    return {"starred": _with_folders(browse.get_starred2(asked)["starred2"])}


def search2(browse: Browse, asked: Asked) -> Element:
    """What a listener typed."""
    return {"searchResult2": _with_folders(browse.search3(asked)["searchResult3"])}


def get_similar_songs(browse: Browse, asked: Asked) -> Element:
    """Songs like a song, or to play after an album or an artist."""
    return {"similarSongs": browse.get_similar_songs2(asked)["similarSongs2"]}


def get_artist_info(browse: Browse, asked: Asked) -> Element:
    """What else is known of an artist: nothing."""
    return {"artistInfo": browse.get_artist_info2(asked)["artistInfo2"]}


def folder(album: Element) -> Element:
    """An album as a folder."""
    about = {"parent": album["artistId"], "isDir": True, "title": album["name"], "album": album["name"]}
    return {**album, **about, "mediaType": "album"}


def _with_folders(found: Element) -> Element:
    return {**found, "album": [folder(each) for each in found["album"]]}


def _directory(folder_id: str, name: str, parent: str | None, inside: Sequence[Element]) -> Element:
    return {"directory": {"id": folder_id, "parent": parent, "name": name, "child": inside}}


def _is_single(row: TrackRow) -> bool:
    return not row.album
