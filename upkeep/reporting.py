"""How far a long job is."""

from typing import Protocol


class Report(Protocol):
    """Is told of every step, and of the objects that it went through. Cheap to call."""

    def step(self, name: str) -> None:
        """Something else begins, counted from 0."""
        ...

    def add(self, objects: int, size_bytes: int = 0) -> None:
        """So many objects more."""
        ...


class Silent:
    """A report to nobody."""

    def step(self, name: str) -> None:
        """Taken."""

    def add(self, objects: int, size_bytes: int = 0) -> None:
        """Taken."""


SILENT = Silent()
