"""RFC 9110 §13 and §14, line by line: what a GET or HEAD with these headers gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.conditional import CONDITION_HEADERS, Validators, decide
from origin.http_date import http_date

SIZE = 1000
ETAG = '"abc"'
MODIFIED_S = 784_111_777
SAME = http_date(MODIFIED_S)
EARLIER = http_date(MODIFIED_S - 1)
LATER = http_date(MODIFIED_S + 1)
CURRENT = Validators(size_bytes=SIZE, etag=ETAG, modified_s=MODIFIED_S)
IMMUTABLE = Validators(size_bytes=SIZE, etag=ETAG, modified_s=MODIFIED_S, immutable=True)
UNDATED = Validators(size_bytes=SIZE, etag=ETAG, modified_s=None)

CONDITIONS = [
    # If-Match (§13.1.1): strong comparison
    ({}, 200),
    ({"if-match": ETAG}, 200),
    ({"if-match": "*"}, 200),
    ({"if-match": '"x", "abc"'}, 200),
    ({"if-match": '"x","abc",'}, 200),
    ({"if-match": '"x"'}, 412),
    ({"if-match": 'W/"abc"'}, 412),
    ({"if-match": "abc"}, 412),
    ({"if-match": ""}, 412),
    ({"if-match": '"abc" and more'}, 412),
    # If-Unmodified-Since (§13.1.4): only without If-Match, only a real date
    ({"if-unmodified-since": SAME}, 200),
    ({"if-unmodified-since": LATER}, 200),
    ({"if-unmodified-since": EARLIER}, 412),
    ({"if-unmodified-since": "yesterday"}, 200),
    ({"if-unmodified-since": EARLIER, "if-match": ETAG}, 200),
    # If-None-Match (§13.1.2): weak comparison
    ({"if-none-match": ETAG}, 304),
    ({"if-none-match": 'W/"abc"'}, 304),
    ({"if-none-match": '"x", W/"abc"'}, 304),
    ({"if-none-match": "*"}, 304),
    ({"if-none-match": " * "}, 304),
    ({"if-none-match": '"x"'}, 200),
    ({"if-none-match": '"a,bc", "ab"'}, 200),
    ({"if-none-match": "abc"}, 200),
    ({"if-none-match": '"ab'}, 200),
    ({"if-none-match": '"x", *'}, 200),
    # If-Modified-Since (§13.1.3): ignored beside If-None-Match, ignored if it is no date
    ({"if-modified-since": SAME}, 304),
    ({"if-modified-since": LATER}, 304),
    ({"if-modified-since": EARLIER}, 200),
    ({"if-modified-since": "0"}, 200),
    ({"if-modified-since": SAME, "if-none-match": '"x"'}, 200),
    ({"if-modified-since": EARLIER, "if-none-match": ETAG}, 304),
    # order (§13.2.2): If-Match, then If-None-Match, then Range
    ({"if-match": '"x"', "if-none-match": ETAG}, 412),
    ({"if-match": ETAG, "if-none-match": ETAG}, 304),
    ({"if-none-match": ETAG, "range": "bytes=0-0"}, 304),
    ({"if-match": '"x"', "range": "bytes=0-0"}, 412),
    ({"if-match": ETAG, "range": "bytes=0-0"}, 206),
]

RANGES = [
    ("bytes=0-0", 0, 1),
    ("bytes=0-499", 0, 500),
    ("bytes=500-", 500, 1000),
    ("bytes=999-", 999, 1000),
    ("bytes=0-", 0, 1000),
    ("bytes=0-99999", 0, 1000),
    ("bytes=-1", 999, 1000),
    ("bytes=-500", 500, 1000),
    ("bytes=-99999", 0, 1000),
    ("BYTES=1-2", 1, 3),
    ("bytes= 1-2", 1, 3),
    ("bytes=,1-2,", 1, 3),
    ("bytes=0001-0002", 1, 3),
    ("bytes=5-" + "9" * 5000, 5, 1000),
    ("bytes=-" + "9" * 5000, 0, 1000),
]
IGNORED_RANGES = [
    "",
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes=2-1",
    "bytes=1--2",
    "bytes=--1",
    "bytes=1-2-3",
    "bytes=+1-2",
    "bytes=1 -2",
    "bytes=٣-٤",
    "bytes =0-1",
    "bytes=0-1,2-3",
    "bytes=0-0,-1",
    "bytes=0-0, x",
    "items=0-1",
    "seconds=0-1",
    "0-1",
    "none",
]
UNSATISFIABLE_RANGES = ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=" + "9" * 5000 + "-"]

IF_RANGE = [
    (CURRENT, ETAG, 206),
    (CURRENT, '"x"', 200),
    (CURRENT, 'W/"abc"', 200),
    (CURRENT, '"abc", "x"', 200),
    (CURRENT, "*", 200),
    (CURRENT, "", 200),
    (CURRENT, SAME, 200),
    (IMMUTABLE, SAME, 206),
    (IMMUTABLE, LATER, 200),
    (IMMUTABLE, EARLIER, 200),
    (IMMUTABLE, "junk", 200),
    (UNDATED, "junk", 200),
]


@pytest.mark.parametrize(("headers", "status"), CONDITIONS)
def test_a_condition_decides_the_status(headers: dict[str, str], status: int) -> None:
    """Each line of §13.1, in the order of §13.2.2."""
    assert decide("GET", headers, CURRENT).status == status


@pytest.mark.parametrize(("headers", "status"), CONDITIONS)
def test_head_is_get_without_the_range(headers: dict[str, str], status: int) -> None:
    """HEAD gets the same status, but for a Range, which has no meaning for it (§14.2)."""
    assert decide("HEAD", headers, CURRENT).status == (200 if status == 206 else status)


@pytest.mark.parametrize(("text", "start", "end"), RANGES)
def test_a_range_gets_its_bytes(text: str, start: int, end: int) -> None:
    """206 with exactly the bytes of §14.1.2, and headers that say which."""
    decision = decide("GET", {"range": text}, CURRENT)
    assert (decision.status, decision.start, decision.end) == (206, start, end)
    assert decision.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert decision.headers["Content-Length"] == str(end - start)
    assert decision.headers["ETag"] == ETAG


@pytest.mark.parametrize("text", IGNORED_RANGES)
def test_a_range_that_we_do_not_serve_is_ignored(text: str) -> None:
    """Unknown unit, several ranges, malformed: the whole, never 416 (§14.2)."""
    decision = decide("GET", {"range": text}, CURRENT)
    assert (decision.status, decision.start, decision.end) == (200, 0, SIZE)
    assert "Content-Range" not in decision.headers


@pytest.mark.parametrize("text", UNSATISFIABLE_RANGES)
def test_a_range_past_the_end_is_refused(text: str) -> None:
    """416 tells the size, so that a client can ask again (§15.5.17)."""
    decision = decide("GET", {"range": text}, CURRENT)
    assert (decision.status, decision.headers) == (416, {"Content-Range": "bytes */1000"})


@pytest.mark.parametrize(("current", "condition", "status"), IF_RANGE)
def test_if_range_needs_a_strong_match(current: Validators, condition: str, status: int) -> None:
    """§13.1.5: anything but our strong tag, or the exact date of what never changes, gets the whole."""
    assert decide("GET", {"if-range": condition, "range": "bytes=0-0"}, current).status == status


def test_if_range_without_range_means_nothing() -> None:
    """§13.1.5: a client must not send it, a server must ignore it."""
    assert decide("GET", {"if-range": '"x"'}, CURRENT).status == 200


def test_if_range_is_checked_before_the_range() -> None:
    """A stale client whose range lies past the end gets the new whole, not 416."""
    assert decide("GET", {"if-range": '"x"', "range": "bytes=5000-"}, CURRENT).status == 200


@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
def test_without_a_date_dates_are_ignored(name: str) -> None:
    """What has no Last-Modified cannot be compared by one, and sends none."""
    decision = decide("GET", {name: EARLIER}, UNDATED)
    assert decision.status == 200
    assert "Last-Modified" not in decision.headers


def test_a_whole_answer_describes_itself() -> None:
    """200 carries both validators, the length, and that ranges are welcome; HEAD the same."""
    expected = {"ETag": ETAG, "Last-Modified": SAME, "Accept-Ranges": "bytes", "Content-Length": "1000"}
    assert decide("GET", {}, CURRENT).headers == expected == decide("HEAD", {}, CURRENT).headers


def test_not_modified_repeats_the_tag_alone() -> None:
    """304 says which copy is good, and no metadata of it: no date beside a tag, no length (§15.4.5)."""
    assert decide("GET", {"if-none-match": ETAG}, CURRENT).headers == {"ETag": ETAG}


@given(
    data=st.binary(min_size=1, max_size=60),
    first=st.none() | st.integers(0, 80),
    last=st.none() | st.integers(0, 80),
)
def test_ranges_are_slices(data: bytes, first: int | None, last: int | None) -> None:
    """Any range of any body gives the bytes that Python's slicing gives, or says that there are none."""
    current = Validators(size_bytes=len(data), etag=ETAG, modified_s=MODIFIED_S)
    text = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    decision = decide("GET", {"range": text}, current)
    if (first is None and last is None) or (first is not None and last is not None and last < first):
        assert decision.status == 200
        return
    if first is None:
        assert last is not None
        expected = data[-last:] if last else b""
    else:
        expected = data[first:] if last is None else data[first : last + 1]
    assert data[decision.start : decision.end] == expected
    assert decision.status == (206 if expected else 416)


@given(
    method=st.sampled_from(["GET", "HEAD"]),
    headers=st.dictionaries(
        st.sampled_from(CONDITION_HEADERS),
        st.text(max_size=40) | st.text(alphabet='bytes=W/"*,- 0123456789abcGMT:;', max_size=60),
    ),
)
def test_no_header_raises(method: str, headers: dict[str, str]) -> None:
    """Whatever a client sends, the answer is one of five, and a body lies inside the representation."""
    decision = decide(method, headers, CURRENT)
    assert decision.status in (200, 206, 304, 412, 416)
    assert 0 <= decision.start <= decision.end <= SIZE
    assert (decision.end > decision.start) == (decision.status in (200, 206))
