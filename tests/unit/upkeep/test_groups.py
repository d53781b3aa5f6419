"""What belongs together in a store."""

import pytest

from storage.keys import analysis_key, art_key, current_key, mezzanine_key, mezzanine_record_key, package_key, track_key
from upkeep.groups import Group, group_named, group_of

RECORDING, PACKAGE, ART = "r" * 20, "p" * 16, "a" * 16


@pytest.mark.parametrize(
    ("key", "group"),
    [
        (package_key(RECORDING, PACKAGE, "aac-64.mp4"), Group("package", RECORDING, PACKAGE)),
        (package_key(RECORDING, PACKAGE, "package.json"), Group("package", RECORDING, PACKAGE)),
        (mezzanine_key(RECORDING, PACKAGE), Group("mezzanine", RECORDING, PACKAGE)),
        (mezzanine_record_key(RECORDING, PACKAGE), Group("mezzanine", RECORDING, PACKAGE)),
        (art_key(ART, 640), Group("art", "", ART)),
    ],
)
def test_every_object_of_a_group_leads_to_it(key: str, group: Group) -> None:
    """By its key; the group's prefix is the key's, and its name reads back."""
    assert group_of(key) == group
    assert key.startswith(group.prefix)
    assert group_of(group.record) == group
    assert group_named(group.name) == group


@pytest.mark.parametrize(
    "key",
    [
        analysis_key(RECORDING), track_key(RECORDING), current_key(RECORDING), "notes.txt", "recordings/x/y/z.mp4",
        f"recordings/{RECORDING}/{PACKAGE}/deeper/x.mp4", f"recordings/{RECORDING}/mezzanine/{PACKAGE}.txt",
        f"recordings/{RECORDING}/mezzanine/x.mp4", f"art/{ART}/cover.jpg", f"art/{ART}/640.png",
    ],
)  # fmt: skip
def test_all_else_is_in_none(key: str) -> None:
    """Pointers, analyses, and what is not ours: nobody collects them."""
    assert group_of(key) is None
