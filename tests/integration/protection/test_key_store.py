"""The folder of master keys: made once, guarded, and clear about what is wrong with it."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model.errors import KeyMalformed, KeyMissing, KeyStoreUnsafe, UsageError
from protection.key_store import FIRST_KEY, key_folder, load_keys

SECRET = "0f" * 32


def _put(folder: Path, name: str, text: str, mode: int = 0o600) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / name
    file.write_text(text)
    file.chmod(mode)
    return file


def test_it_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """A second start reads the same key; nothing is left over."""
    folder = tmp_path / "deep" / "keys"
    made = load_keys(folder, create=True)
    assert load_keys(folder, create=True) == load_keys(folder) == made
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / FIRST_KEY)}
    assert modes == {"keys": 0o700, FIRST_KEY: 0o600}
    assert [each.name for each in folder.parent.iterdir()] == ["keys"]


def test_all_who_make_it_at_the_same_time_get_the_same_key(tmp_path: Path) -> None:
    """The first one decides."""
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: load_keys(tmp_path / "keys", create=True), range(32)))
    assert len(set(rings)) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["keys"]


def test_the_highest_number_protects(tmp_path: Path) -> None:
    """And other files are none of ours."""
    folder = tmp_path / "keys"
    _put(folder, "0002.key", "ab" * 32 + "\n")
    _put(folder, "0001.key", SECRET)
    _put(folder, "README", "these are keys")
    ring = load_keys(folder)
    assert [each.secret.hex() for each in ring.masters] == [SECRET, "ab" * 32]
    assert ring.current.secret.hex() == "ab" * 32


@pytest.mark.parametrize("create", [False, True])
def test_an_empty_folder_is_not_filled(tmp_path: Path, create: bool) -> None:
    """It may be a disk that is not mounted: a new key would lock everybody out."""
    tmp_path.chmod(0o700)
    with pytest.raises(KeyMissing, match="no key") as caught:
        load_keys(tmp_path, create=create)
    assert "mounted" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Reading makes nothing."""
    with pytest.raises(KeyMissing, match="cannot read"):
        load_keys(tmp_path / "keys")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "file").touch()
    with pytest.raises(KeyMissing, match="cannot make"):
        load_keys(tmp_path / "file" / "keys", create=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0f" * 31, "31 bytes, not 32"),
        ("0f" * 31 + "0", "not a key"),
        ("", "0 bytes"),
        ("0f" * 33, "33"),
        ("zz", "not a key"),
    ],
)
def test_a_key_that_is_cut_short_or_none_is_told(tmp_path: Path, text: str, message: str) -> None:
    """With its file's name, without what is in it."""
    file = _put(tmp_path / "keys", FIRST_KEY, text)
    with pytest.raises(KeyMalformed, match=message) as caught:
        load_keys(file.parent)
    assert caught.value.subject == str(file)
    assert "copy it again" in caught.value.hint
    assert caught.value.__cause__ is None and (not text or text not in str(caught.value) + caught.value.hint)


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o750, 0o600), (0o700, 0o640), (0o700, 0o604)])
def test_keys_that_others_may_read_are_refused(tmp_path: Path, folder_mode: int, file_mode: int) -> None:
    """The hint is the command that mends it."""
    file = _put(tmp_path / "keys", FIRST_KEY, SECRET, file_mode)
    file.parent.chmod(folder_mode)
    with pytest.raises(KeyStoreUnsafe) as caught:
        load_keys(file.parent)
    assert caught.value.hint.startswith("chmod -R go= ")


@pytest.mark.parametrize("inside", ["", "keys", "recordings/../keys"])
def test_a_key_store_inside_the_store_is_refused(tmp_path: Path, inside: str) -> None:
    """By a link too: who copies the store would copy the keys."""
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "link").symlink_to(store)
    for root in (store, tmp_path / "link"):
        with pytest.raises(KeyStoreUnsafe, match="inside the store"):
            key_folder(f"file:{root / inside}", store_folder=store)
    assert key_folder(f"file:{tmp_path / 'store-keys'}", store_folder=store) == tmp_path / "store-keys"
    assert key_folder(f"file:{store}", store_folder=None) == store  # the store is a bucket


@pytest.mark.parametrize("url", ["keys", "s3://bucket/keys", "file:", "file:a\0b"])
def test_what_is_no_folder_is_usage(url: str) -> None:
    """A bucket is no place for keys."""
    with pytest.raises(UsageError, match="not a key store"):
        key_folder(url, store_folder=None)
