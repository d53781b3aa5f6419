"""Which picture is the cover of a file, and that picture in our sizes. For the confined child only."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingest.metadata.art import ART_BYTES_MAX
from ingest.metadata.folder_art import FolderArt
from ingest.metadata.pictures import PictureRefused, pixels_of, sized
from ingest.metadata.tags import FRONT_COVER, OTHER_PICTURE, Embedded
from ingest.scan import plain_file

CACHED_MAX = 8  # covers: the tracks of an album have the same
_ICONS = frozenset([1, 2])  # pictures of 32 × 32 pixels that stand for the file

Pictures = dict[int, bytes]


class Covers:
    """Makes covers, and remembers the last ones: the tracks of an album come together and share theirs."""

    def __init__(self) -> None:
        self._made: OrderedDict[bytes, Pictures | PictureRefused] = OrderedDict()
        self._folder_art = FolderArt()

    def cover(self, path: Path, embedded: Sequence[Embedded], complaints: list[str]) -> Pictures | None:
        """The front cover with the most pixels, embedded or in the folder; else another embedded picture.

        None if there is none that can be shown; why the others cannot goes to `complaints`.
        """
        fronts = [picture.data for picture in embedded if picture.kind == FRONT_COVER] + list(self._in_folder(path))
        others = [picture for picture in embedded if picture.kind not in _ICONS | {FRONT_COVER}]
        others.sort(key=lambda picture: picture.kind != OTHER_PICTURE)
        wanted = [*_largest_first(fronts, complaints), *(picture.data for picture in others)]
        for picture in wanted:
            made = self._sized(picture)
            if not isinstance(made, PictureRefused):
                return made
            complaints.append(f"cover art refused: {made}")
        return None

    def picture(self, path: Path, complaints: list[str]) -> Pictures | None:
        """The cover that this file is, None with a complaint if it is none."""
        try:
            made = self._sized(_content(path))
        except OSError as error:
            complaints.append(f"cover art unreadable: {(error.strerror or str(error)).lower()}")
            return None
        if isinstance(made, PictureRefused):
            complaints.append(f"cover art refused: {made}")
            return None
        return made

    def _sized(self, picture: bytes) -> Pictures | PictureRefused:
        digest = hashlib.sha256(picture).digest()
        made = self._made.pop(digest, None)
        if made is None:
            try:
                made = sized(picture)
            except PictureRefused as refused:
                made = PictureRefused(str(refused))  # without the frames that hold the picture
        self._made[digest] = made
        if len(self._made) > CACHED_MAX:
            self._made.popitem(last=False)
        return made

    def _in_folder(self, path: Path) -> Iterator[bytes]:
        for picture in self._folder_art.beside(path):
            try:
                yield _content(picture)
            except OSError:
                continue


def _content(path: Path) -> bytes:
    with open(path, "rb", opener=plain_file) as file:
        picture = file.read(ART_BYTES_MAX + 1)
    if len(picture) > ART_BYTES_MAX:
        raise OSError(f"a picture of more than {ART_BYTES_MAX >> 20} MiB")
    return picture


def _largest_first(pictures: Sequence[bytes], complaints: list[str]) -> list[bytes]:
    """By pixels; of equal ones, the one that came first goes first."""
    weighed = []
    for picture in pictures:
        try:
            weighed.append((-pixels_of(picture), picture))
        except PictureRefused as refused:
            complaints.append(f"cover art refused: {refused}")
    return [picture for _, picture in sorted(weighed, key=lambda pair: pair[0])]
