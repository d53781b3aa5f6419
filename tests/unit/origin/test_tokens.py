"""Tokens: EdgeAuth's form, whoever made them; and every way of not having one is the same refusal."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import TokenRefused
from origin.tokens import Grant, TokenKey, is_for_one_url, mint, path_prefix, read, read_as_sent, split_prefix

SECRET = bytes.fromhex("52a152a152a152a152a152a152a1")
KEY, OLDER = TokenKey(secret=SECRET), TokenKey(secret=b"older key of the same origin")
NAMED, OTHER = TokenKey(secret=b"a key with a name", key_id="2027-b"), TokenKey(secret=b"another one", key_id="a")
NOW_S = 1_800_000_000
GRANT = Grant(acl=("/keys/*", "/tracks/one/*"), expires_s=NOW_S + 60)
VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=125), min_size=1, max_size=40)


def _by_hand(fields: dict[str, str], key: TokenKey = KEY) -> str:
    """A token put together as Akamai describes it, by nothing of ours."""
    text = "~".join(f"{name}={value}" for name, value in fields.items())
    return f"{text}~hmac={hmac.new(key.secret, text.encode(), hashlib.sha256).hexdigest()}"


def _passes(
    token: str,
    path: str = "/keys/a/b",
    *,
    now_s: float = NOW_S,
    ip: str = "",
    salt: str = "",
    keys: tuple[TokenKey, ...] = (KEY,),
) -> bool:
    try:
        return read(token, path, keys=keys, salt=salt).allows(path, now_s=now_s, ip=ip)
    except TokenRefused as refused:
        assert (str(refused), refused.hint, refused.subject) == ("token refused", "", "")
        return False


# Made by Akamai's own library, akamai-edgeauth 0.3.2 (Apache-2.0), with the key above and end_time=1800000060. It is
# no dependency: it needs a part of setuptools that is gone, and changes the process's time zone when it is imported.
REFERENCE: dict[str, tuple[Grant, dict[str, Any], str]] = {
    "acl": (
        Grant(acl=("/keys/*", "/tracks/one/*"), expires_s=NOW_S + 60),
        {},
        "exp=1800000060~acl=/keys/*!/tracks/one/*"
        "~hmac=a1cc2449756ef35d286c3516d7473dc6eba24d9f0362c56c20edeaae0c8f11b8",
    ),
    "all fields": (
        Grant(
            acl=("/keys/*",), expires_s=NOW_S + 60, starts_s=NOW_S - 1,
            ip="198.51.100.7", session_id="s-1", payload="plan=gold",
        ),
        {},
        "ip=198.51.100.7~st=1799999999~exp=1800000060~acl=/keys/*~id=s-1~data=plan=gold"
        "~hmac=672f7a80c73983b1260b92fa6c3e68e5ce2a23c9f67e572943f35a8f3674f30f",
    ),
    "salt": (
        Grant(acl=("/keys/*",), expires_s=NOW_S + 60),
        {"salt": "pinch-of-salt"},
        "exp=1800000060~acl=/keys/*~hmac=99f14aa8abf85a4f9da029e98b824781b3c0fd7a85e1b26a4ab8d1a99bb4e16f",
    ),
    "one URL": (
        Grant(url="/keys/a/b", expires_s=NOW_S + 60),
        {},
        "exp=1800000060~hmac=bf158ce6841e3cdae713b7e637ac03f3b199455171689cb52f00167134e19691",
    ),
    "one URL, escaped early, salt": (
        Grant(url="/keys/a/b", expires_s=NOW_S + 60, session_id="s/1", payload="plan=gold"),
        {"salt": "pinch-of-salt", "escape_early": True},
        "exp=1800000060~id=s%2f1~data=plan%3dgold"
        "~hmac=c326f4e47348037d92a4debfc1b872169c498d06a7cafb80e8781a698f60d3df",
    ),
    "acl, escaped early": (
        Grant(acl=("/keys/?/b",), expires_s=NOW_S + 60, ip="2001:db8::7", session_id="s:1", payload="kid=b,plan=gold"),
        {"escape_early": True},
        "ip=2001%3adb8%3a%3a7~exp=1800000060~acl=/keys/?/b~id=s%3a1~data=kid%3db%2cplan%3dgold"
        "~hmac=711794becc838ab22dae2085895c9c424aa3be0c7ee36abe018dd16a12fc32df",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFERENCE)
def test_as_akamais_own_library_makes_them(name: str) -> None:
    """The same digits for the same fields; and what it made is good here, for that path, salt and address alone."""
    grant, options, token = REFERENCE[name]
    assert mint(grant, KEY, **options) == token
    key = replace(KEY, key_id="b")
    salt = str(options.get("salt", ""))
    assert _passes(token, ip=grant.ip, salt=salt, keys=(OLDER, key))
    assert not _passes(token, "/else/where", ip=grant.ip, salt=salt, keys=(key,))
    assert not _passes(token, ip=grant.ip, salt=salt + "x", keys=(key,))
    assert _passes(token, ip="203.0.113.1", salt=salt, keys=(key,)) == (not grant.ip)


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
    path = acl[0].replace("*", "x").replace("?", "y")
    for key in (KEY, NAMED):
        token = mint(grant, key)
        assert _passes(token, path, keys=(OLDER, NAMED, KEY), now_s=starts_s or 0)
        for sent in (path_prefix(token), f"/t/{quote(token, safe='')}", f"/t/{token}"):
            found, rest = split_prefix(sent + "/keys/a%20b")
            assert found is not None and rest == "/keys/a%20b"
            assert not is_for_one_url(found)
            assert read_as_sent(found, "", keys=(NAMED, KEY)) == read(token, "", keys=(NAMED, KEY))


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
        ("/a?c", "/abc", True),
        ("/a?c", "/ac", False),
        ("/??*", "/a", False),
        ("/??*", "/ab/c", True),
        ("/*?b", "/ab", True),
        ("/*?b", "/b", False),
        ("/a|/b", "/b", False),
        ("*a*" * 250, "/" + "a" * 249, False),
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
    assert _passes(old, keys=(KEY, OLDER)) and _passes(new, keys=(KEY, OLDER))
    assert (_passes(old), _passes(new)) == (False, True)


def test_a_key_with_a_name_is_named_in_the_token_and_alone_asked() -> None:
    """So one key can be withdrawn: what names it is refused at once, even if its digits are those of another key."""
    token = mint(replace(GRANT, payload="plan=gold"), NAMED)
    assert "~data=kid=2027-b,plan=gold~hmac=" in token
    assert read(token, "", keys=(OTHER, NAMED)).payload == "plan=gold"
    assert not _passes(token, keys=(OTHER, KEY))
    assert not _passes(token, keys=(replace(NAMED, key_id="a"),))
    assert not _passes(token, keys=(replace(NAMED, key_id=""),))
    assert _passes(mint(GRANT, replace(NAMED, key_id="")), keys=(OTHER, NAMED))


@pytest.mark.parametrize("name", ["a b", "a,b", "a~", "ä", "x" * 33, "a=b", "a:b"])
def test_a_name_of_a_key_is_a_plain_word(name: str) -> None:
    """It stands in tokens and in URLs."""
    with pytest.raises(ValueError, match="name of a key"):
        TokenKey(secret=SECRET, key_id=name)


def test_no_text_of_a_key_shows_it() -> None:
    """Settings are printed in tracebacks."""
    shown = repr(TokenKey(secret=b"hush", key_id="name"))
    assert "name" in shown and "hush" not in shown


@pytest.mark.parametrize(
    ("wanted", "found", "fits"),
    [
        ("198.51.100.7", "198.51.100.7", True),
        ("198.51.100.7", "198.51.100.8", False),
        ("198.51.100.7", "::ffff:198.51.100.7", True),
        ("2001:db8::7", "2001:DB8:0::7", True),
        ("2001:db8::7", "2001:db8::8", False),
        ("198.51.100.7", "", False),
        ("198.51.100.7", "unix", False),
    ],
)
def test_an_address_is_compared_as_one(wanted: str, found: str, fits: bool) -> None:
    """However it is written; an unknown one never fits."""
    assert _passes(mint(replace(GRANT, ip=wanted), KEY), ip=found) is fits


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
        lambda token: _by_hand({"exp": f"{NOW_S + 60}", "acl": "/*", "url": "/keys/a/b"}),
        lambda token: _by_hand({"exp": f"{NOW_S + 60}", "acl": "/*", "salt": "x"}),
        lambda token: _by_hand({"exp": f"{NOW_S + 60}", "acl": "/*", "new": "x"}),
        lambda token: _by_hand({"exp": f"{NOW_S + 60}", "acl": "/*", "data": "kid=gone"}),
        lambda token: _by_hand({"exp": f"{NOW_S + 60}", "acl": "/*"}, OLDER),
    ],
)
def test_what_was_not_signed_as_it_stands_is_refused(forge: Callable[[str], str]) -> None:
    """Changed, cut, of another key, or signed and with a field that is none or in the wrong place."""
    assert not _passes(forge(mint(GRANT, KEY)))


@given(st.text(max_size=200))
def test_junk_is_refused(text: str) -> None:
    """With nothing but the refusal."""
    assert not _passes(text)


def test_no_key_no_token() -> None:
    """An origin without keys lets nobody in."""
    assert not _passes(mint(GRANT, KEY), keys=())


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
        replace(GRANT, url="/a"),
        replace(GRANT, acl=(), url="/a b"),
        replace(GRANT, ip="localhost"),
        replace(GRANT, session_id="a~b"),
        replace(GRANT, payload="x" * 257),
        replace(GRANT, acl=("/" + "x" * 1000,)),
    ],
)
def test_what_the_form_cannot_hold_is_not_made(grant: Grant) -> None:
    """Better no token than one that says something else."""
    with pytest.raises(ValueError, match=r"field|longer|pattern|address"):
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


def test_seals_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the comparison that takes as long wherever they differ, and with every key, whichever fits."""
    compared: list[tuple[str, str]] = []
    same = hmac.compare_digest

    def compare(made: str, sent: str) -> bool:
        compared.append((made, sent))
        return same(made, sent)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    sent = mint(GRANT, KEY)
    assert _passes(sent, keys=(KEY, OLDER)) and _passes(sent, keys=(OLDER, KEY))
    assert not _passes(f"{sent[:-1]}{'0' if sent[-1] != '0' else '1'}", keys=(KEY, OLDER))
    assert len(compared) == 6
    assert all(len(made) == len(sent) == 64 for made, sent in compared)
