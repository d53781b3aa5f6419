"""The tests' Shaka Packager: found, never skipped."""

from pathlib import Path

import pytest

from tests.support.shaka import PackagerMissing, find_packager


def test_a_missing_packager_says_how_to_get_it(tmp_path: Path) -> None:
    """None is an error with a way out, never a silent skip."""
    with pytest.raises(PackagerMissing, match="hint: make shaka"):
        find_packager("3.8.0", {"3.8.0": tmp_path})
