"""Who asks: by a key, or by a token of an app password; never by a password."""

from hashlib import md5

import pytest

from discovery.subsonic.asked import Asked, Code, Refused
from discovery.subsonic.credentials import Key, Token, credentials_of


def _asked(**values: str) -> Asked:
    return Asked({name: [value] for name, value in values.items()})


def test_a_key_or_a_token() -> None:
    """One of both."""
    assert credentials_of(_asked(apiKey="sk_1", v="1.16.1")) == Key("sk_1")
    assert credentials_of(_asked(u="ann", t="ab", s="salted")) == Token("ann", "ab", "salted")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, Code.MISSING),
        ({"u": "ann"}, Code.MISSING),
        ({"u": "ann", "t": "ab"}, Code.MISSING),
        ({"u": "ann", "t": "ab", "s": "short"}, Code.GENERIC),
        ({"u": "ann", "p": "secret"}, Code.MECHANISM_REFUSED),
        ({"u": "ann", "p": "enc:736563726574"}, Code.MECHANISM_REFUSED),
        ({"apiKey": "sk_1", "u": "ann"}, Code.SEVERAL_MECHANISMS),
        ({"apiKey": "sk_1", "t": "ab", "s": "salted"}, Code.SEVERAL_MECHANISMS),
    ],
)
def test_what_does_not_prove_anything(values: dict[str, str], code: Code) -> None:
    """Each has the number that OpenSubsonic gives it."""
    with pytest.raises(Refused) as refused:
        credentials_of(_asked(**values))
    assert refused.value.code is code
    assert "secret" not in str(refused.value)


def test_a_token_is_of_one_password_and_its_salt() -> None:
    """As Subsonic makes it; case of the hexadecimal digits does not count."""
    token = md5(b"sesamec19b2d", usedforsecurity=False).hexdigest()
    assert Token("ann", token, "c19b2d").is_of(["other", "sesame"])
    assert Token("ann", token.upper(), "c19b2d").is_of(["sesame"])
    assert not Token("ann", token, "c19b2e").is_of(["sesame"])
    assert not Token("ann", token, "c19b2d").is_of(["other"])
    assert not Token("ann", token, "c19b2d").is_of([])
    assert not Token("ann", "né", "c19b2d").is_of(["sesame"])
