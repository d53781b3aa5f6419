"""The key store: a folder apart from the object store, with one file for each master key.

`0001.key`, `0002.key`, …: 64 hexadecimal digits each. The one with the highest number protects what is new, the
others open what is older. Blocking: read once, when a command starts.
"""

import os
import re
import secrets
import shutil
from pathlib import Path

from model.errors import KeyMalformed, KeyMissing, KeyStoreUnsafe, UsageError
from protection.keys import MASTER_BYTES, KeyRing, MasterKey

FIRST_KEY = "0001.key"
KEY_FILE_BYTES_MAX = 256
_NAME = re.compile(r"[0-9]{4}\.key")
_SCHEME = "file:"
_OTHERS = 0o077  # rights of group and others


def key_folder(url: str, *, store_folder: Path | None) -> Path:
    """The folder of `file:PATH`. Raises UsageError for any other URL, and KeyStoreUnsafe if it is inside the object
    store's folder: who reads or copies the store must not get the keys with it."""
    path = url.removeprefix(_SCHEME)
    if not url.startswith(_SCHEME) or not path or "\0" in path:
        raise UsageError("not a key store", subject=ascii(url), hint="write file:PATH, a folder outside the store")
    folder = Path(path)
    if store_folder is not None and folder.resolve().is_relative_to(store_folder.resolve()):
        hint = "keep keys where the store's readers cannot see them: name a folder outside of it"
        raise KeyStoreUnsafe("the key store is inside the store", subject=str(folder), hint=hint)
    return folder


def load_keys(folder: Path, *, create: bool = False) -> KeyRing:
    """The master keys of a key store.

    With `create`, a folder that does not exist is made, with one new key; whoever comes first decides which. An empty
    folder is never filled: it may be a disk that is not mounted. Raises KeyMissing, KeyMalformed or KeyStoreUnsafe.
    """
    if create and not folder.exists():
        _make(folder)
    try:
        _check_rights(folder)
        files = sorted(each for each in folder.iterdir() if _NAME.fullmatch(each.name))
        keys = tuple(_read(file) for file in files)
    except OSError as error:
        hint = "check --key-store; `segue publish --protect aes-128` makes a folder that does not exist"
        raise KeyMissing(f"cannot read the key store ({error.strerror})", subject=str(folder), hint=hint) from error
    if not keys:
        hint = f"is its disk mounted? To begin with a new key, remove the empty folder; a key's file is {FIRST_KEY}"
        raise KeyMissing("the key store has no key", subject=str(folder), hint=hint)
    return KeyRing(keys)


def _read(file: Path) -> MasterKey:
    _check_rights(file)
    with file.open("rb") as opened:
        text = opened.read(KEY_FILE_BYTES_MAX)
    hint = f"a key file holds {2 * MASTER_BYTES} hexadecimal digits: copy it again from where it came"
    try:
        secret = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        # Without the cause: its text could repeat what is in the file.
        raise KeyMalformed("not a key", subject=str(file), hint=hint) from None
    if len(secret) != MASTER_BYTES:
        raise KeyMalformed(f"the key has {len(secret)} bytes, not {MASTER_BYTES}", subject=str(file), hint=hint)
    return MasterKey(secret)


def _check_rights(path: Path) -> None:
    if path.stat().st_mode & _OTHERS:
        hint = f"chmod -R go= {path}"
        raise KeyStoreUnsafe("others than the owner have rights to the key store", subject=str(path), hint=hint)


def _make(folder: Path) -> None:
    """The folder with its first key, in one step: it appears as a whole, or somebody else's does."""
    making = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        making.mkdir(mode=0o700)
        try:
            _write_key(making / FIRST_KEY)
            making.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first: its key counts
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        raise KeyMissing(f"cannot make the key store ({error.strerror})", subject=str(folder)) from error


def _write_key(file: Path) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as opened:
        opened.write(secrets.token_hex(MASTER_BYTES) + "\n")
        opened.flush()
        os.fsync(opened.fileno())
