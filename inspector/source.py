"""Where a stream is read from: the network or a folder, behind one protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from manifests.playlist import PlaylistByteRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of asking for a resource, or for a range of it.

    `headers` (names in lower case) are empty in a folder. `size_bytes` is that of the whole resource, if it is known;
    `range_ignored` tells that a server sent all where a part was asked for.
    """

    location: str
    data: bytes
    size_bytes: int | None = None
    redirects: int = 0
    range_ignored: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Reads resources by location: a URL, or a path inside a folder."""

    @property
    def remote(self) -> bool:
        """Whether resources come over HTTP, with headers to look at."""

    def resolve(self, base: str, uri: str) -> str:
        """The location that a URI in the playlist at `base` leads to. Raises OutOfReach."""

    async def get(
        self, location: str, *, bytes_max: int, byte_range: PlaylistByteRange | None = None, playlist: bool = False
    ) -> Answer:
        """The bytes of a resource, or of a range of it; fewer than the range's where the resource ends before.

        Raises ResourceUnavailable if it cannot be had, InsecureServer where players do not even ask, InspectionLimit
        if it is larger than `bytes_max`.
        """
