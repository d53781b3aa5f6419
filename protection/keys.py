"""Master keys, and the content keys that are derived from them. Pure: nothing here is stored.

A content key is HMAC-SHA-256 of the master key over what it is for, which is HKDF-Expand (RFC 5869 §2.3) for outputs
of one block; a master key is random, so HKDF's first step has nothing to extract.
"""

import base64
import hmac
from dataclasses import dataclass, field

from model.errors import KeyMissing

MASTER_BYTES = 32
CONTENT_KEY_BYTES = 16  # AES-128
_KEY_SET_BYTES = 10  # 16 characters of base32
_KEY_ID_BYTES = 16
_APP_PASSWORD_BYTES = 15  # 24 characters of base32


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One secret of 32 random bytes, from which every content key comes. It is in no text that this makes of itself."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != MASTER_BYTES:
            raise ValueError(f"a master key has {MASTER_BYTES} bytes, not {len(self.secret)}")

    @property
    def key_set(self) -> str:
        """The public name of this master key: tells whether a key store has it, and nothing else."""
        return _text(self._expand(b"segue key set 1", _KEY_SET_BYTES))

    def key_id_of(self, clear_sha256: str) -> str:
        """The public name of the keys for these bytes. Other bytes get other keys, equal bytes the same ones."""
        return _text(self._expand(b"segue key id 1\0" + bytes.fromhex(clear_sha256), _KEY_ID_BYTES))

    def content_key(self, key_id: str, period: int) -> bytes:
        """The 16 bytes that encrypt the segments of this period."""
        info = b"segue content key 1\0" + key_id.encode() + b"\0" + period.to_bytes(8, "big")
        return self._expand(info, CONTENT_KEY_BYTES)

    def app_password(self, password_id: str) -> str:
        """The app password of this id: 24 characters that people can type. Equal ids have equal ones."""
        return _text(self._expand(b"segue app password 1\0" + password_id.encode(), _APP_PASSWORD_BYTES))

    def _expand(self, info: bytes, length: int) -> bytes:
        return hmac.digest(self.secret, info + b"\x01", "sha256")[:length]


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The master keys of a key store, oldest first. The last one protects what is new; all of them open."""

    masters: tuple[MasterKey, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.masters)

    @property
    def current(self) -> MasterKey:
        """The master key for what is protected from now on. Raises KeyMissing if there is none."""
        if not self.masters:
            raise KeyMissing("no master key", hint="name the key store with --key-store")
        return self.masters[-1]

    def has(self, key_set: str) -> bool:
        """Whether the master key of this name is there."""
        return any(each.key_set == key_set for each in self.masters)

    def master(self, key_set: str) -> MasterKey:
        """The master key of this name. Raises KeyMissing."""
        for each in self.masters:
            if each.key_set == key_set:
                return each
        hint = "name the key store that the package was protected with, or copy its key files into this one"
        raise KeyMissing("the key store does not have this master key", subject=key_set, hint=hint)


NO_KEYS = KeyRing()


def _text(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()
