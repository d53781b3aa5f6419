"""Models as files: a folder for each, written beside the others, and `current`, which names the one that counts.

    <folder>/current                     the id of a model, and a line feed; replaced in one step
    <folder>/<model_id>/manifest.json    format, when and how it was made, size and SHA-256 of every array
    <folder>/<model_id>/<array>.npy      never changed; version 1.0, mapped into memory, so that processes share it

Nothing that is read is trusted: no pickles, names and shapes are ours and not the files', every index is within its
bounds, every number finite. Whatever is wrong is ModelMalformed.
"""

import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from discovery.recommend.model import Model
from discovery.recommend.model_arrays import NAMES, Arrays, arrays_of, model_of
from model.errors import ModelMalformed

FORMAT = "segue model 1"
CURRENT, MANIFEST = "current", "manifest.json"
KEPT = 3  # models: that which counts, and those to go back to
MANIFEST_BYTES_MAX = 1 << 20
ARRAY_BYTES_MAX = 2 << 30
_ID = re.compile(r"[0-9]{13}-[0-9a-f]{12}")
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    r"\{'descr': '(<f[48]|<i[48]|\|u1|\|S32)', 'fortran_order': False, 'shape': \((\d{1,9},|\d{1,9}, \d{1,9})\), \} *\n"
)
_HINT = "run `segue train` again, or `segue train --back` for the model before it"


Facts = Mapping[str, float | int | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is told of a model."""

    model_id: str
    made_ms: int
    kind: str
    facts: Facts


def write_model(folder: Path, model: Model, *, made_ms: int, kind: str, facts: Facts) -> About:
    """Write a model and make it the current one; then drop all but the newest KEPT. All or nothing: whoever reads has
    the one before until this is whole and on the disk. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        entries = {name: _write_array(scratch / f"{name}.npy", array) for name, array in arrays_of(model).items()}
        digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
        about = About(model_id=f"{made_ms:013d}-{digest[:12]}", made_ms=made_ms, kind=kind, facts=dict(facts))
        manifest = {"format": FORMAT, "made_ms": made_ms, "kind": kind, "facts": dict(facts), "arrays": entries}
        _write(scratch / MANIFEST, json.dumps(manifest, indent=2).encode())
        scratch.chmod(0o755)
        if not (folder / about.model_id).exists():  # the very same, made twice in a millisecond
            scratch.rename(folder / about.model_id)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    set_current(folder, about.model_id)
    for old in model_ids(folder)[KEPT:]:
        shutil.rmtree(folder / old, ignore_errors=True)
    return about


def set_current(folder: Path, model_id: str) -> None:
    """Make a model the one that counts."""
    handle, name = tempfile.mkstemp(prefix=".current-", dir=folder)
    os.close(handle)
    _write(Path(name), f"{model_id}\n".encode())
    Path(name).chmod(0o644)
    Path(name).replace(folder / CURRENT)
    _sync_folder(folder)


def current_id(folder: Path) -> str | None:
    """The id of the model that counts; None if there is none. Raises ModelMalformed."""
    try:
        with (folder / CURRENT).open("rb") as file:
            text = file.read(64).decode("ascii", "replace").rstrip("\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelMalformed(f"cannot be read ({error.strerror})", subject=str(folder / CURRENT), hint=_HINT) from error
    if not _ID.fullmatch(text):
        raise ModelMalformed("names no model", subject=str(folder / CURRENT), hint=_HINT)
    return text


def model_ids(folder: Path) -> list[str]:
    """The models that are there, whole or not, the newest first."""
    try:
        names = [each.name for each in folder.iterdir()]
    except OSError:
        return []
    return sorted(filter(_ID.fullmatch, names), reverse=True)


def read_about(folder: Path, model_id: str) -> About:
    """What is told of a model. Raises ModelMalformed."""
    return _manifest(folder, model_id)[0]


def read_model(folder: Path, model_id: str) -> Model:
    """A model, its arrays mapped into memory. Reads all of it once, to check it. Raises ModelMalformed."""
    _, entries = _manifest(folder, model_id)
    subject = str(folder / model_id)
    try:
        arrays: Arrays = {name: _read_array(folder / model_id / f"{name}.npy", each) for name, each in entries.items()}
        return model_of(arrays)
    except (OSError, ValueError) as error:
        raise ModelMalformed(f"not a model ({_brief(error)})", subject=subject, hint=_HINT) from error


def _manifest(folder: Path, model_id: str) -> tuple[About, Mapping[str, tuple[int, str]]]:
    path = folder / model_id / MANIFEST
    try:
        with path.open("rb") as file:
            text = file.read(MANIFEST_BYTES_MAX + 1)
        if len(text) > MANIFEST_BYTES_MAX:
            raise ValueError("too large")
        found = json.loads(text)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError("of another format")
        about = About(model_id=model_id, made_ms=int(found["made_ms"]), kind=str(found["kind"]), facts=_facts(found))
        entries = {str(name): (int(size), str(sha256)) for name, (size, sha256) in found["arrays"].items()}
        unknown = entries.keys() - NAMES
        if unknown:
            raise ValueError("arrays of other names")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ModelMalformed(f"not the manifest of a model ({_brief(error)})", subject=str(path), hint=_HINT) from error
    return about, entries


def _facts(found: Mapping[str, object]) -> dict[str, float | int | str]:
    facts = found["facts"]
    if not isinstance(facts, dict) or not all(isinstance(each, (int, float, str)) for each in facts.values()):
        raise ValueError("facts are numbers and words")
    return facts


def _write_array(path: Path, array: NDArray[np.generic]) -> tuple[int, str]:
    """Its size and SHA-256."""
    with path.open("wb") as file:
        npy.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o644)
    return path.stat().st_size, _sha256(path)


def _read_array(path: Path, entry: tuple[int, str]) -> NDArray[np.generic]:
    size, sha256 = entry
    if path.stat().st_size != size or not 0 < size <= ARRAY_BYTES_MAX:
        raise ValueError(f"{path.name} has another size")
    if _sha256(path) != sha256:
        raise ValueError(f"{path.name} has other bytes")
    return _mapped(path, size)


def _mapped(path: Path, size: int) -> NDArray[np.generic]:
    """The array of a file whose header is to the letter one that we write: NumPy's reader would evaluate it."""
    with path.open("rb") as file:
        start = file.read(len(_MAGIC) + 2)
        length = int.from_bytes(start[len(_MAGIC) :], "little")
        header = _HEADER.fullmatch(file.read(length).decode("latin-1"))
    if not start.startswith(_MAGIC) or header is None:
        raise ValueError(f"{path.name} has another header")
    shape = tuple(int(each) for each in header[2].split(",") if each.strip())
    kind, offset = np.dtype(header[1]), len(_MAGIC) + 2 + length
    if offset + math.prod(shape) * kind.itemsize != size:
        raise ValueError(f"{path.name} has another length than its header says")
    mapped = np.memmap(path, dtype=kind, mode="r", offset=offset, shape=shape)
    return mapped.view(np.ndarray)  # the same memory: a memmap itself takes microseconds for every slice


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: bytes) -> None:
    with path.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _brief(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
