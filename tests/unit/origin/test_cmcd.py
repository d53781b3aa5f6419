"""CMCD as players send it, and as nobody should."""

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.cmcd import KEYS, NOTHING, parse, told_with

# What hls.js 1.6 sent from our own page for a segment, ids changed.
OF_HLS_JS = {
    "CMCD-Status": "rtp=1000",
    "CMCD-Object": "br=198,d=1920,ot=a",
    "CMCD-Session": 'cid="aaaaaaaaaaaaaaaaaaaa",sf=h,sid="4e3c4ad1-1893-48b5-b055-bb8bd39477f8",st=v',
    "CMCD-Request": 'bl=1000,dl=1000,mtp=1100,nor="..%2F..%2Fbbbbbbbbbbbbbbbb%2Fopus-96%2F2.mp4",su',
}


def test_every_type_of_value() -> None:
    """Whole numbers, decimals, true by its name alone, tokens, strings."""
    told = parse('bl=21300 , bs,cid="a, \\"b\\"" ,ot=a,pr=1.25,sf=h,st=v,su=?0,v=1')
    assert told == {
        "bl": 21300,
        "bs": True,
        "cid": 'a, "b"',
        "ot": "a",
        "pr": 1.25,
        "sf": "h",
        "st": "v",
        "su": False,
        "v": 1,
    }


def test_lists_of_version_two_give_their_first_item() -> None:
    """`br=(128;a 64)` is what version 1 writes as `br=128`."""
    told = parse('bl=(21300),br=(128;a 64),mtp=(5000;v 9),cdn="x",sta=p,v=2,ltc=12,bg')
    assert told == {"bl": 21300, "br": 128, "mtp": 5000, "cdn": "x", "sta": "p", "v": 2, "ltc": 12, "bg": True}


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "=", "bl", "bl=", "bl=-1", "bl=1e9", "bl=١", "bl=" + "9" * 13, "BL=1", "bl==1", "ot=zz", 'sid=abc',
        'sid="open', "bs=1", "bs=true", "su=?2", "pr=fast", "pr=nan", "pr=inf", "com.example-key=5", "x=1",
        "nor=..%2F1", 'nor="..%2Ftoken"', "nrr=0-9", "bl=()", "bl=(", "br=(a b)", '"bl=1"', 'url="https://x/"',
        'sid="\x00"', 'cid="ä"',
    ],
)  # fmt: skip
def test_junk_is_passed_over(text: str) -> None:
    """What is unknown, malformed, an address or a key of somebody's own is not there, and what follows is read."""
    assert parse(text) == {}
    if '"' not in text and "(" not in text:
        assert parse(f"{text},ot=a") == {"ot": "a"}


def test_everything_is_bounded() -> None:
    """Long texts are not read at all, ids are cut at CTA-5004's 64 characters, and odd places end it."""
    assert parse("bl=1," + "a=1," * 1000) == {}
    assert parse("a=1," * 70 + "bl=1") == {}
    assert parse(f'sid="{"x" * 100}"') == {"sid": "x" * 64}
    assert parse("?," * 4 + "bl=1") == {}


def test_query_and_headers_are_one() -> None:
    """Percent-encoded in the query, spread over four headers; a header counts more, other arguments nothing."""
    query = f"t=1&CMCD={quote('bl=100,ot=a', safe='')}&hdnts=exp%3D1"
    assert told_with(query, {}) == {"bl": 100, "ot": "a"}
    headers = {"CMCD-Request": "bl=200", "CMCD-Session": 'sid="s"', "CMCD-Status": "bs", "CMCD-Object": "br=128"}
    assert told_with(query, headers) == {"bl": 200, "ot": "a", "sid": "s", "bs": True, "br": 128}
    assert told_with("", {}) is NOTHING and told_with("XCMCD=bl%3D1&CMCD", {}) is NOTHING


def test_what_hls_js_sends() -> None:
    """Every key of a real player, but for the address of what it will ask for next."""
    assert told_with("", OF_HLS_JS) == {
        "bl": 1000, "br": 198, "cid": "a" * 20, "d": 1920, "dl": 1000, "mtp": 1100, "ot": "a", "rtp": 1000, "sf": "h",
        "sid": "4e3c4ad1-1893-48b5-b055-bb8bd39477f8", "st": "v", "su": True,
    }  # fmt: skip


@given(st.one_of(st.text(max_size=3000), st.text(alphabet='abcdlmoprstu=,"\\();? .-0123456789', max_size=3000)))
def test_any_text_gives_known_keys_with_values_of_their_type(text: str) -> None:
    """Never an error, never an unknown key, never a string that could not stand in a log line."""
    for told in (parse(text), told_with(f"CMCD={text}", {"CMCD-Session": text})):
        for key, value in told.items():
            assert key in KEYS
            if isinstance(value, str):
                assert len(value) <= 64 and value.isascii() and value.isprintable()
            else:
                assert 0 <= value < 10**12


WHOLE = st.integers(0, 10**9)
WELL_FORMED = st.fixed_dictionaries(
    {},
    optional={
        "bl": WHOLE, "br": WHOLE, "mtp": WHOLE, "bs": st.just(True), "ot": st.sampled_from(["a", "i", "m", "k"]),
        "sid": st.text(alphabet=string.ascii_letters + string.digits + ' -,"\\=()', max_size=64),
    },
)  # fmt: skip


@given(WELL_FORMED)
def test_what_a_player_writes_is_read(told: dict[str, int | bool | str]) -> None:
    """Written by the rules of structured fields, read back the same, as a header and as a query."""

    def pair(key: str, value: int | bool | str) -> str:
        if value is True:
            return key
        if key != "sid":
            return f"{key}={value}"
        escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
        return f'{key}="{escaped}"'

    text = ",".join(pair(key, value) for key, value in told.items())
    assert parse(text) == told
    assert told_with(f"CMCD={quote(text, safe='')}", {}) == told
