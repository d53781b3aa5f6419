"""Tokens: EdgeAuth's form, whoever made them; and every way of not having one is the same refusal."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import TokenRefused
from origin.tokens import Grant, check, mint, path_prefix, split_prefix

KEY, OLDER = bytes.fromhex("52a152a152a152a152a152a152a1"), b"older key of the same origin"
NOW_S = 1_800_000_000
GRANT = Grant(acl=("/keys/*", "/tracks/one/*"), expires_s=NOW_S + 60)
VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=125), min_size=1, max_size=40)


def _by_hand(fields: dict[str, str], key: bytes = KEY) -> str:
    """A token put together as Akamai describes it, by nothing of ours."""
    text = "~".join(f"{name}={value}" for name, value in fields.items())
    return f"{text}~hmac={hmac.new(key, text.encode(), hashlib.sha256).hexdigest()}"


def _passes(token: str, path: str = "/keys/a/b", *, now_s: float = NOW_S) -> bool:
    try:
        check(token, path, keys=(KEY,), now_s=now_s)
    except TokenRefused as refused:
        assert (str(refused), refused.hint, refused.subject) == ("token refused", "", "")
        return False
    return True


def test_as_openssl_makes_it() -> None:
    """The digits are those of `printf %s 'exp=…~acl=…' | openssl dgst -sha256 -mac HMAC -macopt hexkey:…`."""
    grant = Grant(acl=("/keys/*",), expires_s=1_800_000_060)
    seal = "d2783eb5a8f38a6a4d70013568747f098a7c5bccb6c3de0892e880c75922ca6a"
    assert mint(grant, KEY) == f"exp=1800000060~acl=/keys/*~hmac={seal}"


def test_all_fields_stand_in_edgeauths_order() -> None:
    """st, exp, acl, id, data, hmac."""
    grant = Grant(acl=("/a/*", "/b"), expires_s=2, starts_s=1, session_id="s-1", payload="p=1")
    assert mint(grant, KEY) == _by_hand({"st": "1", "exp": "2", "acl": "/a/*!/b", "id": "s-1", "data": "p=1"})


@given(
    acl=st.lists(VISIBLE.filter(lambda text: "!" not in text), min_size=1, max_size=3).map(tuple),
    starts_s=st.none() | st.integers(0, 10**12 - 1),
    session_id=st.just("") | VISIBLE,
    payload=st.just("") | VISIBLE,
)
def test_every_token_of_ours_passes_where_it_should(
    acl: tuple[str, ...], starts_s: int | None, session_id: str, payload: str
) -> None:
    """Also behind a path, as sent by clients that encode much and by proxies that decode all."""
    grant = Grant(acl=acl, expires_s=10**12 - 1, starts_s=starts_s, session_id=session_id, payload=payload)
    token = mint(grant, KEY)
    check(token, acl[0].replace("*", "x"), keys=(OLDER, KEY), now_s=starts_s or 0)
    assert split_prefix(path_prefix(token) + "/keys/a%20b") == (token, "/keys/a%20b")
    assert split_prefix(f"/t/{quote(token, safe='')}") == (token, "/")
    if "%" not in token:
        assert split_prefix(f"/t/{token}/keys/a") == (token, "/keys/a")


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/keys/*", "/keys/a/b/0", True),
        ("/keys/*", "/keys", False),
        ("/keys/*", "/tracks/keys/", False),
        ("/keys/a", "/keys/a", True),
        ("/keys/a", "/keys/ab", False),
        ("*", "/anything", True),
        ("/keys/*/aac-64/*", "/keys/r/p/aac-64/0", True),
        ("/keys/*/aac-64/*", "/keys/r/p/aac-256/0", False),
        ("/a*a", "/a", False),
        ("/a*b*c", "/abc", True),
        ("/a*bc*c", "/abc", False),
        ("/a.c", "/abc", False),
        ("*" * 200 + "x", "/" + "a" * 2000, False),
    ],
)
def test_patterns(pattern: str, path: str, fits: bool) -> None:
    """`*` is anything, slashes too; all else is itself."""
    assert _passes(mint(replace(GRANT, acl=(pattern,)), KEY), path) is fits


def test_any_pattern_of_the_list_will_do() -> None:
    """And no other path."""
    token = mint(GRANT, KEY)
    assert [_passes(token, path) for path in ("/keys/x", "/tracks/one/x", "/tracks/two/x")] == [True, True, False]


def test_it_counts_from_its_start_to_its_end() -> None:
    """Both seconds belong to it."""
    token = mint(replace(GRANT, starts_s=NOW_S), KEY)
    times = (NOW_S - 1, NOW_S, NOW_S + 60, NOW_S + 61)
    assert [_passes(token, now_s=each) for each in times] == [False, True, True, False]


def test_keys_can_be_changed_without_a_break() -> None:
    """Tokens of either key pass as long as both are there."""
    old, new = mint(GRANT, OLDER), mint(GRANT, KEY)
    for token in (old, new):
        check(token, "/keys/a", keys=(KEY, OLDER), now_s=NOW_S)
    assert (_passes(old), _passes(new)) == (False, True)


@pytest.mark.parametrize(
    "forge",
    [
        lambda token: "",
        lambda token: token[:-1],
        lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
        lambda token: token.replace("exp=18", "exp=19"),
        lambda token: token.replace("/keys/*", "/*"),
        lambda token: token.upper(),
        lambda token: token + "~data=x",
        lambda token: token + "\n",
        lambda token: "x" * 2000,
        lambda token: token.replace("/keys", "/k\u00e9ys"),
        lambda token: _by_hand({"exp": f"{NOW_S + 60}"}),
        lambda token: _by_hand({"acl": "/*"}),
        lambda token: _by_hand({"acl": "/*", "exp": f"{NOW_S + 60}"}),
        lambda token: _by_hand({"exp": "never", "acl": "/*"}),
        lambda token: _by_hand({"exp": f"{NOW_S + 60}", "acl": "/*", "ip": "127.0.0.1"}),
        lambda token: _by_hand({"ip": "127.0.0.1", "exp": f"{NOW_S + 60}", "acl": "/*"}),
        lambda token: _by_hand({"exp": f"{NOW_S + 60}", "acl": "/*"}, OLDER),
    ],
)
def test_what_was_not_signed_as_it_stands_is_refused(forge: Callable[[str], str]) -> None:
    """Changed, cut, of another key, or signed and with a field that we cannot check."""
    assert not _passes(forge(mint(GRANT, KEY)))


@given(st.text(max_size=200))
def test_junk_is_refused(text: str) -> None:
    """With nothing but the refusal."""
    assert not _passes(text)


def test_no_key_no_token() -> None:
    """An origin without keys lets nobody in."""
    with pytest.raises(TokenRefused):
        check(mint(GRANT, KEY), "/keys/a", keys=(), now_s=NOW_S)


@pytest.mark.parametrize(
    "grant",
    [
        replace(GRANT, acl=()),
        replace(GRANT, acl=("",)),
        replace(GRANT, acl=("/a!b",)),
        replace(GRANT, acl=("/a b",)),
        replace(GRANT, acl=("/~a",)),
        replace(GRANT, acl=("/é",)),
        replace(GRANT, expires_s=-1),
        replace(GRANT, session_id="a~b"),
        replace(GRANT, payload="x" * 257),
        replace(GRANT, acl=("/" + "x" * 1000,)),
    ],
)
def test_what_the_form_cannot_hold_is_not_made(grant: Grant) -> None:
    """Better no token than one that says something else."""
    with pytest.raises(ValueError, match=r"field|longer"):
        mint(grant, KEY)


@pytest.mark.parametrize("path", ["/", "/tracks/a", "/t", "/table/x", "*", ""])
def test_a_path_without_a_token_stays_as_it_is(path: str) -> None:
    """`/t/` alone begins one."""
    assert split_prefix(path) == (None, path)


@pytest.mark.parametrize(
    ("path", "split"), [("/t/", ("", "/")), ("/t/x", ("x", "/")), ("/t/x/", ("x", "/")), ("/t/x/a/b", ("x", "/a/b"))]
)
def test_a_token_that_is_none_still_ends_somewhere(path: str, split: tuple[str, str]) -> None:
    """At the next slash; it is refused later."""
    assert split_prefix(path) == split
