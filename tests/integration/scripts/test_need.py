"""scripts/need.sh: a missing system package is installed, or whoever lacks the rights is told the command."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NEED = Path(__file__).resolve().parents[3] / "scripts/need.sh"
TIMEOUT_S = 20


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs: a shell, an `id` that says root, and an apt-get that installs what the test wants."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "env", "test", "touch"):
        (programs / name).symlink_to(shutil.which(name) or name)
    _program(programs / "id", "echo 0")
    _program(
        programs / "apt-get", f'echo "$*" >> {tmp_path}/apt.log; case "$*" in *install*) touch {tmp_path}/there;; esac'
    )
    return tmp_path


def need(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script's end, on that machine."""
    environ = {**os.environ, "PATH": str(machine / "bin")}
    return subprocess.run(
        [str(machine / "bin/bash"), str(NEED), *arguments],
        env=environ, timeout=TIMEOUT_S, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_nothing_is_done_where_the_package_is_there(machine: Path) -> None:
    """The second run installs nothing."""
    (machine / "there").touch()
    assert need(machine, "tool", "test", "-e", str(machine / "there")).returncode == 0
    assert not (machine / "apt.log").exists()


def test_root_gets_it_installed(machine: Path) -> None:
    """As root the package is installed, from lists that were fetched first."""
    assert need(machine, "tool", "test", "-e", str(machine / "there")).returncode == 0
    update, install = (machine / "apt.log").read_text().splitlines()
    assert update.endswith("update")
    assert install.endswith("install -y --no-install-recommends tool")


def test_anyone_else_is_told_the_command(machine: Path) -> None:
    """Without rights nothing is tried; the hint can be pasted."""
    _program(machine / "bin/id", "echo 1000")
    done = need(machine, "tool", "test", "-e", str(machine / "there"))
    assert done.returncode == 3
    assert "hint: sudo apt-get install --no-install-recommends tool" in done.stderr
    assert not (machine / "apt.log").exists()


def test_another_system_is_told_what_is_missing(machine: Path) -> None:
    """Where there is no apt-get the message names the package."""
    (machine / "bin/apt-get").unlink()
    done = need(machine, "tool", "test", "-e", str(machine / "there"))
    assert done.returncode == 3
    assert "error: missing: tool" in done.stderr


def test_an_installation_that_did_not_help_is_an_error(machine: Path) -> None:
    """What still fails after the installation is named, not passed over."""
    done = need(machine, "tool", "test", "-e", str(machine / "elsewhere"))
    assert done.returncode == 3
    assert "installed tool, but this still fails" in done.stderr


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n".replace("/bin/sh", shutil.which("sh") or "/bin/sh"))
    path.chmod(0o755)
