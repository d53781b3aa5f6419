"""How much of other people's streams is read, at most. Hostile servers and files are normal."""

import asyncio
from dataclasses import dataclass

from model.errors import InspectionLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one inspection; what lies past them is told as not looked into."""

    bytes_max: int = 2 << 30
    segment_bytes_max: int = 64 << 20
    init_bytes_max: int = 4 << 20
    playlist_bytes_max: int = 8 << 20
    requests_max: int = 20_000
    playlists_max: int = 100
    playlists_in_folder_max: int = 2_000
    segments_max: int = 20_000  # of one playlist: more than a day of 6 s
    redirects_max: int = 5
    request_s: float = 30.0
    total_s: float = 900.0
    parallel: int = 4


class Budget:
    """What is left of the bytes, requests and seconds of an inspection."""

    def __init__(self, limits: Limits) -> None:
        self._bytes, self._requests = limits.bytes_max, limits.requests_max
        self._ends = asyncio.get_running_loop().time() + limits.total_s
        self._limits = limits

    def request(self) -> None:
        """Count a request. Raises InspectionLimit if there are no more, or no more time."""
        if self._requests <= 0:
            raise InspectionLimit(f"more than {self._limits.requests_max} requests")
        if asyncio.get_running_loop().time() >= self._ends:
            raise InspectionLimit(f"more than {self._limits.total_s:.0f} s")
        if self._bytes <= 0:
            raise InspectionLimit(f"more than {self._limits.bytes_max} bytes")
        self._requests -= 1

    def took(self, size_bytes: int) -> None:
        """Count bytes that were read."""
        self._bytes -= size_bytes
