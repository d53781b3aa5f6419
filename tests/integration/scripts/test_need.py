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
    for name in ("bash", "chmod", "env", "rm", "test", "touch"):
        (programs / name).symlink_to(shutil.which(name) or name)
    _program(programs / "id", "echo 0")
    installs = f'touch {tmp_path}/there; {tmp_path}/policy; echo "may start: $?" >> {tmp_path}/starts'
    _program(programs / "apt-get", f'echo "$*" >> {tmp_path}/apt.log; case "$*" in *install*) {installs};; esac')
    return tmp_path


def need(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script's end, on that machine."""
    environ = {**os.environ, "PATH": str(machine / "bin"), "NEED_POLICY": str(machine / "policy")}
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


def test_several_packages_come_at_once(machine: Path) -> None:
    """Their names in one word: the lists are fetched once."""
    assert need(machine, "one two", "test", "-e", str(machine / "there")).returncode == 0
    _, install = (machine / "apt.log").read_text().splitlines()
    assert install.endswith("install -y --no-install-recommends one two")


def test_no_service_is_started(machine: Path) -> None:
    """What comes with a daemon is told not to start it (101 of policy-rc.d), and the machine is left as it was."""
    need(machine, "daemon", "test", "-e", str(machine / "there"))
    assert (machine / "starts").read_text() == "may start: 101\n"
    assert not (machine / "policy").exists()


def test_a_policy_of_the_machine_is_left_alone(machine: Path) -> None:
    """An operator's own decision counts."""
    _program(machine / "policy", "exit 104")
    need(machine, "daemon", "test", "-e", str(machine / "there"))
    assert (machine / "starts").read_text() == "may start: 104\n"
    assert (machine / "policy").exists()


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
