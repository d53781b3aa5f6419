"""A piece of a track file on its way: a growing buffer that any number of readers follow, without copying it."""

import asyncio
from collections.abc import AsyncGenerator

from origin.cache_status import Tier
from storage.base import ByteRange


class Coming:
    """The bytes of one piece as they come; followed by readers, filled by one writer.

    `tier` is where they come from: None is the store. A reader holds no more than the piece, however slow it is.
    """

    def __init__(self, piece: ByteRange) -> None:
        self.piece = piece
        self.tier: Tier | None = None
        self.wanted = False  # by anybody, ever
        self.expected = False  # begun for a request that has still to get here
        self._chunks: list[bytes] = []
        self._received_bytes = 0
        self._error: Exception | None = None
        self._grown = asyncio.Event()  # set for a moment, for those who wait then

    @property
    def missing_bytes(self) -> int:
        """How many bytes have still to come."""
        return self.piece.size_bytes - self._received_bytes

    def add(self, chunk: bytes) -> None:
        """The next bytes: some, and not more than are missing."""
        assert 0 < len(chunk) <= self.missing_bytes
        self._chunks.append(chunk)
        self._received_bytes += len(chunk)
        self._tell()

    def whole(self) -> bytes:
        """All bytes, which have come."""
        assert self.missing_bytes == 0
        return b"".join(self._chunks)

    def fail(self, error: Exception) -> None:
        """The rest will not come: every reader who needs it gets this error."""
        self._error = error
        self._tell()

    async def follow(self, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """Bytes `start` to `end` of the track file, which lie in the piece, as they come."""
        self.wanted = True
        at, number = self.piece.start, 0
        while at < end:
            while number == len(self._chunks):
                if self._error is not None:
                    raise self._error
                await self._grown.wait()
            chunk = self._chunks[number]
            part = chunk[max(0, start - at) : max(0, end - at)]
            at, number = at + len(chunk), number + 1
            if part:
                yield part

    def _tell(self) -> None:
        self._grown.set()
        self._grown.clear()
