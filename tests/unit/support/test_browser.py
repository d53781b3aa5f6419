"""The tests' browser: found or asked for, never skipped."""

from pathlib import Path

import pytest

from tests.support.browser import BrowserMissing, find_chromium


def test_a_missing_browser_says_how_to_get_one() -> None:
    """No browser is an error with a way out, never a silent skip."""
    with pytest.raises(BrowserMissing, match="apt-get install chromium"):
        find_chromium({"PATH": "/nowhere"})


def test_a_named_browser_must_exist(tmp_path: Path) -> None:
    """A wrong name is said, not replaced by whatever lies on PATH."""
    with pytest.raises(BrowserMissing, match="SEGUE_CHROMIUM names no program"):
        find_chromium({"PATH": "/usr/bin", "SEGUE_CHROMIUM": str(tmp_path / "chrome")})


def test_the_named_browser_comes_before_the_path(tmp_path: Path) -> None:
    """Who names a browser gets that one."""
    for folder in ("named", "path"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "chromium").write_text("#!/bin/sh\n")
        (tmp_path / folder / "chromium").chmod(0o755)
    environ = {"PATH": str(tmp_path / "path")}
    assert find_chromium(environ) == str(tmp_path / "path" / "chromium")
    environ["SEGUE_CHROMIUM"] = str(tmp_path / "named" / "chromium")
    assert find_chromium(environ) == str(tmp_path / "named" / "chromium")
