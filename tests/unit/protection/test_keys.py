"""Content keys: derived, reproducible, unlike each other, and in no text."""

from itertools import product

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from model.errors import KeyMissing
from model.track import is_id
from protection.keys import KeyRing, MasterKey

ONE, OTHER = MasterKey(bytes(range(32))), MasterKey(bytes(32))
CLEAR, ELSE = "ab" * 32, "cd" * 32


@given(secret=st.binary(min_size=32, max_size=32), period=st.integers(0, 10**6))
def test_a_content_key_is_what_hkdf_expands(secret: bytes, period: int) -> None:
    """RFC 5869, by another implementation: a key can be made again without this code."""
    key_id = "abcdefghijklmnopqrstuvwxyz"
    info = b"segue content key 1\0" + key_id.encode() + b"\0" + period.to_bytes(8, "big")
    theirs = HKDFExpand(algorithm=SHA256(), length=16, info=info).derive(secret)
    assert MasterKey(secret).content_key(key_id, period) == theirs


def test_other_master_keys_other_media_and_other_periods_have_other_keys() -> None:
    """And the same ones have the same, on any machine."""
    made = [
        master.content_key(master.key_id_of(clear), period)
        for master, clear, period in product((ONE, OTHER), (CLEAR, ELSE), range(3))
    ]
    assert len(set(made)) == len(made) == 12
    assert {len(each) for each in made} == {16}
    again = MasterKey(bytes(range(32)))
    assert (again.key_set, again.key_id_of(CLEAR)) == (ONE.key_set, ONE.key_id_of(CLEAR))


def test_names_of_keys_are_ids_of_ours() -> None:
    """They stand in records and URLs."""
    assert is_id(ONE.key_set) and is_id(ONE.key_id_of(CLEAR))
    assert ONE.key_set != OTHER.key_set


def test_no_text_has_the_secret() -> None:
    """Whatever is printed or logged."""
    shown = f"{ONE!r} {ONE} {KeyRing((ONE,))!r}"
    assert ONE.secret.hex() not in shown and repr(ONE.secret) not in shown and "secret" not in shown


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_master_key_of_another_size_cannot_be(size: int) -> None:
    """Cut short or too long."""
    with pytest.raises(ValueError, match="32 bytes"):
        MasterKey(bytes(size))


def test_the_newest_protects_and_all_of_them_open() -> None:
    """What an older master key protected goes on to play."""
    ring = KeyRing((OTHER, ONE))
    assert ring.current is ONE
    assert ring.master(OTHER.key_set) is OTHER
    assert ring.has(OTHER.key_set) and not KeyRing((ONE,)).has(OTHER.key_set)
    with pytest.raises(KeyMissing, match=OTHER.key_set):
        KeyRing((ONE,)).master(OTHER.key_set)
    with pytest.raises(KeyMissing):
        _ = KeyRing().current


def test_an_app_password_is_the_ids_and_the_keys() -> None:
    """Other ids and other keys have others; it can be typed, and is as long as it needs to be."""
    made = ONE.app_password("a" * 20)
    assert len(made) == 24 and made.isalnum() and made == made.lower()
    assert made == ONE.app_password("a" * 20)
    assert len({made, ONE.app_password("b" * 20), OTHER.app_password("a" * 20), ONE.key_set[:24]}) == 4
