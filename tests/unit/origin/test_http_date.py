"""HTTP dates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.http_date import http_date, parse_http_date

EXAMPLE_S = 784_111_777  # RFC 9110 §5.6.7's own example


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_all_three_forms_are_read(text: str) -> None:
    """A recipient must take the preferred form and both obsolete ones."""
    assert parse_http_date(text) == EXAMPLE_S


def test_the_preferred_form_is_written() -> None:
    """What we send is an IMF-fixdate."""
    assert http_date(EXAMPLE_S) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_two_digit_years_before_1970_are_of_this_century() -> None:
    """`-24` is 2024, for there was no HTTP in 1924."""
    assert parse_http_date("Monday, 01-Jan-24 00:00:00 GMT") == 1_704_067_200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "now",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
        " Sun, 06 Nov 1994 08:49:37 GMT",
    ],
)
def test_anything_else_is_no_date(text: str) -> None:
    """No guessing: a date that is not exactly one is as if it had not been sent."""
    assert parse_http_date(text) is None


def test_a_leap_second_is_a_date() -> None:
    """`:60` is legal; it counts as the last second of its minute."""
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_http_date("Sat, 31 Dec 2016 23:59:59 GMT")


@given(st.integers(0, 4_102_444_800))
def test_written_dates_read_back(seconds: int) -> None:
    """Every second until 2100 survives the way there and back."""
    assert parse_http_date(http_date(seconds)) == seconds


@given(st.text(max_size=40))
def test_junk_never_raises(text: str) -> None:
    """Junk is no date, and no error."""
    assert parse_http_date(text) is None or isinstance(parse_http_date(text), int)
