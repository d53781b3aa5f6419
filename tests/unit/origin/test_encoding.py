"""Content codings and the documents that have them."""

import gzip
import random

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.encoding import Coded, document, etag_of

PLAYLIST = b"#EXTM3U\n" + b"#EXTINF:6.080000,\nsegment.mp4\n" * 40
CODED = document(PLAYLIST, media_type="x/y", modified_s=1)
PLAIN = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("br", "br"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", "br"),
        ("br;q=0.8, gzip;q=1.0", "gzip"),
        ("br;q=0.5, gzip;q=0.5", "br"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0, *", "gzip"),
        ("gzip;q=0, *", "br"),
        ("gzip;q=0, *;q=0.1", "br"),
        ("br;q=0, gzip;q=0, *", ""),
        ("*", "br"),
        ("*;q=0, gzip", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("gzip ; q=0.5", "gzip"),
        ("identity, gzip", "gzip"),
        ("identity;q=0.5, gzip;q=0.4, br;q=0.6", "br"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("", ""),
        ("identity", ""),
        ("deflate", ""),
        ("gzip;q=0", ""),
        ("gzip;q=0.000", ""),
        ("identity;q=1, gzip;q=0.5, br;q=0.9", ""),
        ("gzipped", ""),
        ("not-gzip", ""),
        ("gzip;q=2", ""),
        ("gzip;q=-1", ""),
        ("gzip;q=x", ""),
        (";;,,q=1", ""),
        # who refuses plain bytes too gets them all the same, not a 406
        ("*;q=0", ""),
        ("identity;q=0", ""),
        ("identity;q=0, zstd", ""),
    ],
)
def test_the_coding_liked_most_is_sent(accept: str, coding: str) -> None:
    """RFC 9110 §12.5.3, with q-values, `*` and q=0; of two that are liked as much, brotli."""
    assert CODED.coded_for(accept).coding == coding


@given(st.text(max_size=40) | st.text(alphabet="gzipbr*;q=01., identy", max_size=40))
def test_no_accept_encoding_raises(accept: str) -> None:
    """Junk is a wish for some bytes that we have, never an error."""
    assert CODED.coded_for(accept) in (CODED.plain, *CODED.coded)


def test_each_coding_has_a_tag_of_its_own() -> None:
    """A strong tag names bytes: the coded ones are others. All stand for the same text."""
    made = [CODED.plain, *CODED.coded]
    assert [each.coding for each in made] == ["", "br", "gzip"]
    assert len({each.etag for each in made}) == len({each.body for each in made}) == 3
    assert all(PLAIN[each.coding](each.body) == PLAYLIST for each in made)
    assert CODED.size_bytes == sum(len(each.body) for each in made)


def test_equal_documents_are_equal_bytes_and_tags() -> None:
    """No clock in the gzip header: every node sends the same."""
    assert document(PLAYLIST, media_type="x/y", modified_s=1) == CODED


@pytest.mark.parametrize("body", [b"", b"short", random.Random(1).randbytes(300)])
def test_what_no_coding_shrinks_stays_plain(body: bytes) -> None:
    """A client that accepts codings gets plain bytes where they are fewer, and the answer does not vary."""
    made = document(body, media_type="x/y", modified_s=None)
    plain = Coded(body=body, etag=made.plain.etag)
    assert (made.coded_for("gzip, br"), made.coded) == (plain, ())


def test_a_tag_is_a_strong_quoted_string() -> None:
    """128 bits of the content hash, in quotes, with no W/."""
    assert etag_of("0123456789abcdef" * 4) == '"0123456789abcdef0123456789abcdef"'
