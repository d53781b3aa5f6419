"""Which requests are plain."""

import pytest

from origin.plain_request import plain_headers, plain_line, without_told

HOST = b"Host: music.example\r\n"
BROWSER = (
    HOST + b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\n"
    b"Accept-Language: en\r\nOrigin: https://player.example\r\nReferer: https://player.example/\r\nDNT: 1\r\n"
    b'Sec-Fetch-Mode: cors\r\nSec-CH-UA: "Chromium";v="140"\r\nConnection: keep-alive\r\nPriority: u=1, i\r\n'
)


def plain(fields: bytes) -> bool:
    return plain_headers(b"\r\n" + fields + b"\r\n", headers_max=64) is not None


@pytest.mark.parametrize(
    "fields", [HOST, BROWSER, b"host:x\r\n", HOST + b"If-None-Match: \r\n", HOST + b"CF-Ray: 1-A\r\n"]
)
def test_what_players_and_cdns_send_is_plain(fields: bytes) -> None:
    """Nothing in it changes an answer, or it is among what an answer is kept for."""
    assert plain(fields)


@pytest.mark.parametrize(
    "field",
    [
        b"Range: bytes=0-1",
        b"If-Range: x",
        b"If-Match: *",
        b"If-Unmodified-Since: x",
        b"Expect: 100-continue",
        b"Transfer-Encoding: chunked",
        b"Content-Length: 0",
        b"Upgrade: h2c",
        b"Connection: close",
        b"Connection: keep-alive, Upgrade",
        b"Authorization: Basic eA==",
        b"Cookie: hdnts=x",
        b"Host: y",
        b"Trailer: x",
        b"TE: trailers",
        b"X-Unheard-Of: 1",
        b"Accept : x",
        b" Accept: x",
        b"\tfolded",
        b"Accept",
        b": x",
        b"Accept: \xc3\xa9",
        b"Accept: a\x00b",
        b"Accept: a\nb",
        b"Accept: a\rb",
        b"Accept\xc3\xa9: x",
        b"\r\nGET / HTTP/1.1",
    ],
)
def test_what_may_change_an_answer_is_not_plain(field: bytes) -> None:
    """Nor is what is not in its usual form, or there twice."""
    assert not plain(HOST + field + b"\r\n")


def test_a_block_is_whole_and_alone() -> None:
    """Without its empty line, or with more behind it, it is not plain; nor without a host."""
    for block in (b"", b"\r\n", b"\r\n\r\n", b"\r\n" + HOST, b"\r\n" + HOST + b"\r", b"\r\n" + HOST + b"\r\nX"):
        assert plain_headers(block, headers_max=64) is None
    assert not plain(b"Accept: */*\r\n")
    assert plain_headers(b"\r\n" + BROWSER + b"\r\n", headers_max=5) is None


def test_variants_differ_by_coding_and_conditions_alone() -> None:
    """Requests that get equal answers have equal variants, however their headers are ordered and spelled."""

    def variant(fields: bytes) -> bytes:
        found = plain_headers(b"\r\n" + HOST + fields + b"\r\n", headers_max=64)
        assert found is not None
        return found.variant

    assert variant(b"Accept-Encoding: gzip\r\nVia: a\r\n") == variant(b"via: b\r\naccept-encoding:\t gzip \r\n")
    different = (b"", b"Accept-Encoding: gzip\r\n", b"Accept-Encoding: \r\n", b"If-None-Match: gzip\r\n")
    assert len({variant(each) for each in different}) == len(different)
    assert variant(b"Accept-Encoding: -\r\n") != variant(b"")


def test_request_ids_are_taken_if_they_are_good() -> None:
    """As the application does; and headers that change with every request are not worth remembering."""
    found = plain_headers(b"\r\n" + HOST + b"X-Request-Id: a-1\r\n\r\n", headers_max=64)
    assert found is not None and found.request_id == "a-1" and not found.lasting and not found.conditional
    found = plain_headers(b"\r\n" + HOST + b"X-Request-Id: a b\r\n\r\n", headers_max=64)
    assert found is not None and found.request_id == ""


@pytest.mark.parametrize(
    "line",
    [b"GET /a?b HTTP/1.1", b"GET /a%41 HTTP/1.1", b"GET /a HTTP/1.0", b"POST /a HTTP/1.1", b"GET  /a HTTP/1.1", b""],
)
def test_other_request_lines_are_not_plain(line: bytes) -> None:
    """Only GET and HEAD of a path in its one spelling."""
    assert plain_line(line) is None
    assert plain_line(b"HEAD /a/b-1.mp4 HTTP/1.1") == ("HEAD", "/a/b-1.mp4")


def test_what_a_player_tells_is_taken_off_the_line() -> None:
    """The rest is the line of one who tells nothing."""
    told = "CMCD=bl%3D7300%2Csid%3D%22a-b%22%2Cnor%3D%221.mp4%22"
    assert without_told(f"GET /a/0.mp4?{told} HTTP/1.1".encode()) == (b"GET /a/0.mp4 HTTP/1.1", told)
    assert without_told(b"HEAD /a?CMCD= HTTP/1.1") == (b"HEAD /a HTTP/1.1", "CMCD=")


@pytest.mark.parametrize(
    "query",
    ["", "CMCD", "cmcd=su", "x=1", "CMCD=su&x=1", "x=1&CMCD=su", "CMCD=su#f", "CMCD=su?", "CMCD=%z0", "CMCD=a b",
     'CMCD="', "CMCD=su%", "hdnts=x&CMCD=su", "CMCD=su;x", "CMCD=\x00", "CMCD=\u00e9", "CMCD=su=1"],
)  # fmt: skip
def test_any_other_query_stays_in_its_line(query: str) -> None:
    """Which is then not plain."""
    line = f"GET /a/0.mp4?{query} HTTP/1.1".encode("latin-1")
    assert without_told(line) == (line, "")
    assert plain_line(line) is None
