"""Which content coding a client wants (RFC 9110 §12.5.3), and small bodies held in every coding we offer.

Only playlists, JSON and text come coded; media is compressed as it is.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass

_GZIP_LEVEL = 6
_WORTH_CODING_BYTES = 256  # below, the gzip frame and a second cache entry cost more than they save
_ETAG_HEX = 32  # 128 bits of SHA-256
_CODING = re.compile(r"([^\s;,]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?", re.ASCII)


def gzip_wanted(accept_encoding: str) -> bool:
    """Whether to send gzip: accepted, and not liked less than the plain bytes. Junk is as if it were not there."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        found = _CODING.fullmatch(item.strip(" \t"))
        if found:
            weights[found[1]] = float(found[2] or 1)
    gzip_weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip_weight > 0 and gzip_weight >= weights.get("identity", 0.0)


def etag_of(sha256: str) -> str:
    """A strong entity tag from a content hash: equal bytes have equal tags, on every node."""
    return f'"{sha256[:_ETAG_HEX]}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A body in one coding, with its own strong entity tag."""

    body: bytes
    etag: str
    coding: str = ""  # the Content-Encoding; empty for plain bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A small body in memory, plain and, where that is smaller, gzipped."""

    media_type: str
    modified_s: int | None
    plain: Coded
    gzipped: Coded | None = None

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        return len(self.plain.body) + (len(self.gzipped.body) if self.gzipped else 0)

    def coded_for(self, accept_encoding: str) -> Coded:
        """The coding to send to a client that accepts these."""
        return self.gzipped if self.gzipped and gzip_wanted(accept_encoding) else self.plain


def document(body: bytes, *, media_type: str, modified_s: int | None) -> Document:
    """A document of these bytes, coded once and for all."""
    plain = _coded(body, "")
    small = gzip.compress(body, _GZIP_LEVEL, mtime=0) if len(body) >= _WORTH_CODING_BYTES else body
    gzipped = _coded(small, "gzip") if len(small) < len(body) else None
    return Document(media_type=media_type, modified_s=modified_s, plain=plain, gzipped=gzipped)


def _coded(body: bytes, coding: str) -> Coded:
    # The tag hashes the coded bytes: two zlib versions that code differently must not share a strong tag.
    return Coded(body=body, etag=etag_of(hashlib.sha256(body).hexdigest()), coding=coding)
