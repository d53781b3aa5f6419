"""Which content coding a client wants (RFC 9110 §12.5.3), and small bodies held in every coding we offer.

Only playlists, JSON and text come coded; media is compressed as it is.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass

import brotli

# Measured on a track of nine renditions: gzip's level 9 saves nothing over 6. Brotli's quality 11 saves 4 bytes of a
# media playlist's 222 and 38 of a multivariant's 309, which fit one packet anyway, and takes 1.4 to 40 ms where 5 takes
# 0.02 to 0.4.
_GZIP_LEVEL = 6
_BROTLI_QUALITY = 5
_WORTH_CODING_BYTES = 256  # below, the gzip frame and a second cache entry cost more than they save
_ETAG_HEX = 32  # 128 bits of SHA-256
_CODING = re.compile(r"([^\s;,]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?", re.ASCII)
_ALIASES = {"x-gzip": "gzip"}  # RFC 9110 §8.4.1.3


def weight_of(coding: str, accept_encoding: str) -> float:
    """How much a client likes a coding, 0 to 1; 0 also where it likes plain bytes more. Junk counts as absent.

    Plain bytes are liked only where `identity` is named: they are what is left when nothing else is wanted.
    """
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        found = _CODING.fullmatch(item.strip(" \t"))
        if found:
            weights[_ALIASES.get(found[1], found[1])] = float(found[2] or 1)
    weight = weights.get(coding, weights.get("*", 0.0))
    return weight if weight >= weights.get("identity", 0.0) else 0.0


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
    """A small body in memory: plain, and in those codings that make it smaller, the one that we like most first."""

    media_type: str
    modified_s: int | None
    plain: Coded
    coded: tuple[Coded, ...] = ()

    @property
    def size_bytes(self) -> int:
        """What it holds in memory."""
        return sum(len(each.body) for each in (self.plain, *self.coded))

    def coded_for(self, accept_encoding: str) -> Coded:
        """The coding to send to a client that accepts these. Who refuses all that we have, plain bytes too, gets plain
        bytes (RFC 9110 §12.4.1 lets a server disregard the field): one more kind of answer would help nobody."""
        weights = [weight_of(each.coding, accept_encoding) for each in self.coded]
        best = max(weights, default=0.0)
        return self.coded[weights.index(best)] if best > 0 else self.plain


def document(body: bytes, *, media_type: str, modified_s: int | None) -> Document:
    """A document of these bytes, coded once and for all. Takes a millisecond for 20 kB: call it off the event loop."""
    coded: tuple[Coded, ...] = ()
    if len(body) >= _WORTH_CODING_BYTES:
        smaller = {
            "br": brotli.compress(body, mode=brotli.MODE_TEXT, quality=_BROTLI_QUALITY),
            "gzip": gzip.compress(body, _GZIP_LEVEL, mtime=0),
        }
        coded = tuple(_coded(data, coding) for coding, data in smaller.items() if len(data) < len(body))
    return Document(media_type=media_type, modified_s=modified_s, plain=_coded(body, ""), coded=coded)


def _coded(body: bytes, coding: str) -> Coded:
    # The tag hashes the coded bytes: two versions of a library that code differently must not share a strong tag.
    return Coded(body=body, etag=etag_of(hashlib.sha256(body).hexdigest()), coding=coding)
