"""What tells one release of a recording from another, and which sources belong to one album. Pure text."""

import json
import re
import unicodedata
from collections.abc import Sequence

from model.track import TrackTags

_DISC_FOLDER = re.compile(r"(cd|dis[ck])[ ._-]*\d{1,2}", re.IGNORECASE)


def release_of(tags: TrackTags) -> str:
    """Two sources of one recording with equal releases are one track; with different ones, two.

    A title only counts where there is no track number: correcting its spelling does not make another track.
    """
    if tags.musicbrainz.track:
        return f"musicbrainz {tags.musicbrainz.track.lower()}"
    artist = tags.album_artist or next(iter(tags.artists), "")
    title = tags.title if tags.track_number is None else ""
    return _joined(
        folded(artist), folded(tags.album), str(tags.disc_number or 1), str(tags.track_number), folded(title)
    )


def group_of(tags: TrackTags, folders: Sequence[str]) -> str:
    """The album that a source is worked on with, by its tags; a source without one is a group by itself.

    `folders` are the names of the folders above it, outermost first: they tell albums of one name apart where no
    album artist does. Discs in folders of their own are one album.
    """
    if not tags.album_named:
        return _joined("track", release_of(tags), *folders)
    if tags.musicbrainz.release:
        return _joined("album", tags.musicbrainz.release.lower())
    if tags.album_artist:
        return _joined("album", folded(tags.album), folded(tags.album_artist))
    if folders and _DISC_FOLDER.fullmatch(folders[-1]):
        folders = folders[:-1]
    return _joined("album", folded(tags.album), "", *folders)


def is_album(group: str) -> bool:
    """Whether a group is an album."""
    return group.startswith('["album"')


def folded(text: str) -> str:
    """The text as it is compared: case, width and spacing do not count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _joined(*parts: str) -> str:
    return json.dumps(parts, ensure_ascii=False)
