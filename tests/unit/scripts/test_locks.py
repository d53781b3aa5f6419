"""The lock files fit pyproject.toml: what is installed is what is declared, and nothing unlocked is fetched."""

import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
LOCKS = ("run", "build", "dask", "librosa", "dev", "node", "study", "scale", "shaka", "lock")
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def lock_text(name: str) -> str:
    """The lock file as written."""
    return (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")


def pins(name: str) -> dict[NormalizedName, str]:
    """Package -> version of the lock file, for this interpreter."""
    found = {}
    for line in lock_text(name).replace("\\\n", "").splitlines():
        requirement = Requirement(line.partition("--hash")[0])
        if requirement.marker is None or requirement.marker.evaluate():
            (specifier,) = requirement.specifier
            assert specifier.operator == "==", line
            found[canonicalize_name(requirement.name)] = specifier.version
    return found


def declared(name: str) -> list[Requirement]:
    """What pyproject.toml asks for in this lock, included groups too."""
    groups = PYPROJECT["dependency-groups"]
    written = [*PYPROJECT["project"]["dependencies"]] if name in ("run", "dask", "librosa", "dev", "study") else []
    written += PYPROJECT["project"]["optional-dependencies"].get(name, [])
    pending = [*groups.get(name, [])]
    while pending:
        entry = pending.pop()
        if isinstance(entry, dict):
            pending += groups[entry["include-group"]]
        else:
            written.append(entry)
    return [Requirement(entry) for entry in written]


@pytest.mark.parametrize("name", LOCKS)
def test_every_declared_dependency_is_pinned_within_its_range(name: str) -> None:
    """`make lock` was run after pyproject.toml changed."""
    locked = pins(name)
    for requirement in declared(name):
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"requirements/{name}.txt lacks {requirement}: run make lock"
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}: run make lock"


@pytest.mark.parametrize("name", ["run", "dask", "dev"])
def test_what_dependencies_need_is_pinned_too(name: str) -> None:
    """The lock is complete: pip installs it with --no-deps."""
    locked = pins(name)
    for package in locked:
        for text in metadata.requires(package) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                version = locked.get(canonicalize_name(requirement.name))
                assert version is not None and requirement.specifier.contains(version), f"{package} needs {text}"


@pytest.mark.parametrize("name", ["dask", "librosa", "dev", "study"])
def test_development_uses_what_is_shipped(name: str) -> None:
    """Tests run, and the study measures, with the versions that an installation gets."""
    ours = pins(name)
    for lock in ("run",) if name in ("dask", "librosa") else ("run", "build"):
        for package, version in pins(lock).items():
            assert ours[package] == version


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes_and_no_lock_names_a_host(name: str) -> None:
    """A lock says what to install, never from where."""
    text = lock_text(name)
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 0
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
