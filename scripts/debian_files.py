"""The files of a Debian package without installing it: works as any user, and with empty package lists."""

import shutil
import subprocess
from pathlib import Path

UPDATE_TIMEOUT_S = 180
DOWNLOAD_TIMEOUT_S = 300
UNPACK_TIMEOUT_S = 60
REASON_CHARACTERS = 300

_PATIENCE = ["-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30"]


class PackageUnavailable(Exception):
    """The package cannot be had on this machine; the text says why."""


def unpack_package(package: str, folder: Path) -> Path:
    """The root of the package's files, under `folder`. apt checks the signatures, as in an installation.

    Uses the machine's package lists; where they are empty or too old, lists of its own, in `folder`.
    Raises PackageUnavailable.
    """
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise PackageUnavailable(f"no {program} on this machine")
    folder = folder.resolve()  # the programs run in folders of their own
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    archive = _download(package, downloads, folder / "apt")
    root = folder / package
    _run(["dpkg-deb", "--extract", str(archive), str(root)], folder, UNPACK_TIMEOUT_S)
    archive.unlink()
    return root


def _download(package: str, downloads: Path, apt: Path) -> Path:
    # The download's own sandbox user may not enter our folder, and would only warn about it.
    command = ["apt-get", "-q", *_PATIENCE, "-o", "APT::Sandbox::User=root"]
    try:
        _run([*command, "download", package], downloads, DOWNLOAD_TIMEOUT_S)
    except PackageUnavailable:
        command += _private_lists(apt)
        # An update in which one of the machine's sources failed may still have brought what we need.
        _run([*command, "update"], downloads, UPDATE_TIMEOUT_S, must_succeed=False)
        _run([*command, "download", package], downloads, DOWNLOAD_TIMEOUT_S)
    archives = sorted(downloads.glob(f"{package}_*.deb"))
    if not archives:
        raise PackageUnavailable(f"apt-get downloaded no archive of {package}")
    return archives[-1]


def _private_lists(apt: Path) -> list[str]:
    """Options for lists and caches under `apt`, so that no rights to the system's are needed."""
    for name in ("lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True, exist_ok=True)
    folders = {"Dir::State::Lists": apt / "lists", "Dir::Cache": apt / "cache"}
    return [part for name, path in folders.items() for part in ("-o", f"{name}={path}")]


def _run(command: list[str], folder: Path, timeout_s: int, *, must_succeed: bool = True) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, timeout=timeout_s, input="", capture_output=True, text=True, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PackageUnavailable(f"no answer within {timeout_s} s: {' '.join(command[:2])}") from error
    if must_succeed and done.returncode != 0:
        reason = " ".join((done.stderr or done.stdout).split())[-REASON_CHARACTERS:]
        raise PackageUnavailable(f"{command[0]}: {reason}")
