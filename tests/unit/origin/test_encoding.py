"""Content codings and the documents that have them."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.encoding import document, etag_of, gzip_wanted

PLAYLIST = b"#EXTM3U\n" + b"#EXTINF:6.080000,\nsegment.mp4\n" * 40


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
        ("*", True),
        ("gzip;q=0.001", True),
        ("gzip ; q=0.5", True),
        ("identity, gzip", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("identity;q=1, gzip;q=0.5", False),
        ("gzipped", False),
        ("not-gzip", False),
        ("gzip;q=2", False),
        ("gzip;q=-1", False),
        ("gzip;q=x", False),
        (";;,,q=1", False),
    ],
)
def test_gzip_is_sent_to_those_who_want_it(accept: str, wanted: bool) -> None:
    """RFC 9110 §12.5.3, with q-values, `*` and q=0."""
    assert gzip_wanted(accept) is wanted


@given(st.text(max_size=40) | st.text(alphabet="gzip*;q=01., identy", max_size=40))
def test_no_accept_encoding_raises(accept: str) -> None:
    """Junk is a wish for plain bytes or for gzip, never an error."""
    assert gzip_wanted(accept) in (True, False)


def test_each_coding_has_a_tag_of_its_own() -> None:
    """A strong tag names bytes: the gzipped ones are others."""
    made = document(PLAYLIST, media_type="x/y", modified_s=1)
    plain, gzipped = made.coded_for("identity"), made.coded_for("gzip")
    assert (plain.body, plain.coding) == (PLAYLIST, "")
    assert (gzip.decompress(gzipped.body), gzipped.coding) == (PLAYLIST, "gzip")
    assert plain.etag != gzipped.etag


def test_equal_documents_are_equal_bytes_and_tags() -> None:
    """No clock in the gzip header: every node sends the same."""
    first, second = (document(PLAYLIST, media_type="x/y", modified_s=1) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("body", [b"", b"short", bytes(range(256)) * 1])
def test_what_gzip_does_not_shrink_stays_plain(body: bytes) -> None:
    """A client that accepts gzip gets plain bytes where they are fewer."""
    assert document(body, media_type="x/y", modified_s=None).coded_for("gzip").coding == ""


def test_a_tag_is_a_strong_quoted_string() -> None:
    """128 bits of the content hash, in quotes, with no W/."""
    assert etag_of("0123456789abcdef" * 4) == '"0123456789abcdef0123456789abcdef"'
