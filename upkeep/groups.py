"""What belongs together in a store, and goes together: a package, a mezzanine with its record, the sizes of a cover."""

import re
from dataclasses import dataclass
from typing import Literal

from model.track import ART_SIDES, is_id
from storage.keys import art_key, mezzanine_record_key, package_key

Kind = Literal["package", "mezzanine", "art"]
_PACKAGE = re.compile(r"recordings/([^/]+)/([^/]+)/[^/]+")
_MEZZANINE = re.compile(r"recordings/([^/]+)/mezzanine/([^/.]+)\.(?:mp4|json)")
_ART = re.compile(r"art/([^/]+)/[0-9]+\.jpg")


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """Objects that are of use only together. `owner` is the recording; empty for a cover."""

    kind: Kind
    owner: str
    own_id: str

    @property
    def prefix(self) -> str:
        """Every key of the group begins so; others may, too: ask `group_of`."""
        match self.kind:
            case "package":
                return f"recordings/{self.owner}/{self.own_id}/"
            case "mezzanine":
                return f"recordings/{self.owner}/mezzanine/{self.own_id}"
            case "art":
                return f"art/{self.own_id}/"

    @property
    def record(self) -> str:
        """The key of the object without which nobody takes the group for whole, but makes it again."""
        match self.kind:
            case "package":
                return package_key(self.owner, self.own_id, "package.json")
            case "mezzanine":
                return mezzanine_record_key(self.owner, self.own_id)
            case "art":
                return art_key(self.own_id, min(ART_SIDES))

    @property
    def name(self) -> str:
        """The group as one word; `group_named` reads it back."""
        return f"{self.kind} {self.owner} {self.own_id}"


def group_named(name: str) -> Group:
    """The group of this name."""
    kind, owner, own_id = name.split(" ")
    assert kind in ("package", "mezzanine", "art")
    return Group(kind, owner, own_id)  # type: ignore[arg-type]  # mypy does not narrow a str to literals


def group_of(key: str) -> Group | None:
    """The group of an object; None for what is in none: what tracks point with, analyses, objects that are not ours."""
    if (found := _MEZZANINE.fullmatch(key)) and is_id(found[1]) and is_id(found[2]):
        return Group("mezzanine", found[1], found[2])
    if (found := _PACKAGE.fullmatch(key)) and is_id(found[1]) and is_id(found[2]):
        return Group("package", found[1], found[2])
    if (found := _ART.fullmatch(key)) and is_id(found[1]):
        return Group("art", "", found[1])
    return None
