"""What crashed writers leave in a store beside its objects: in no listing, but it takes room."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """Something that a write left. `name` is for people; `ticket` is what its store knows it by, besides.

    `size_bytes` is 0 where the store does not tell. `modified_s`: seconds since the epoch, whole, by the store's clock.
    """

    name: str
    size_bytes: int
    modified_s: int
    ticket: str


@runtime_checkable
class KeepsLeftovers(Protocol):
    """A store that knows what it was left with."""

    def leftovers(self, before_s: int) -> AsyncIterator[Leftover]:
        """What was left and not touched since `before_s`; nothing whose writer is known to be at work."""
        ...

    async def discard(self, leftover: Leftover) -> None:
        """Throw it away; no error if it is gone."""
        ...
