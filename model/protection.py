"""How a rendition is encrypted: what players, the origin and `verify` must know, and never a key itself."""

from dataclasses import dataclass
from enum import StrEnum

from model.track import is_id


class ProtectionMethod(StrEnum):
    """How segments are encrypted. AES-128: each one as a whole, CBC with PKCS#7 padding (RFC 8216 §4.3.2.4)."""

    AES_128 = "aes-128"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """The keys of one rendition by name. `key_set` names the master key that they are derived from, `key_id` what is
    encrypted with them. Each key is for `rotation_segments` segments in a row, one *period*; 0: one key for all.
    """

    method: ProtectionMethod
    key_set: str
    key_id: str
    rotation_segments: int = 0

    def __post_init__(self) -> None:
        if not is_id(self.key_set) or not is_id(self.key_id):
            raise ValueError(f"malformed id of a key: {self.key_set!r} {self.key_id!r}")
        if self.rotation_segments < 0:
            raise ValueError(f"a key is for at least one segment: {self.rotation_segments}")

    def period_of(self, segment_index: int) -> int:
        """Which period the segment belongs to; both count from 0."""
        return segment_index // self.rotation_segments if self.rotation_segments else 0
