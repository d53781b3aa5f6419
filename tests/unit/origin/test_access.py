"""What the gate keeps of tokens, and for how long."""

import pytest

from origin.access import Gate
from origin.settings import Auth, OriginSettings
from origin.tokens import Grant, TokenKey, mint, path_prefix

KEY = TokenKey(secret=b"signing key of tokens")
PATH = "/tracks/a/index.m3u8"


def _front(seconds: int, number: int = 0) -> str:
    return path_prefix(mint(Grant(acl=("/*",), starts_s=1000, expires_s=1000 + seconds, session_id=f"s{number}"), KEY))


def test_what_is_known_of_a_token_does_not_outlive_it() -> None:
    """Before, within, after: asked again and again."""
    now = [999.0]
    gate = Gate(OriginSettings(auth=Auth.TOKEN, token_keys=(KEY,)), clock=lambda: now[0])
    seen = []
    for now[0] in (999.0, 1000.0, 1030.0, 1060.0, 1060.5, 1030.0):
        seen.append(gate.admit(_front(60) + PATH) is not None)
    assert seen == [False, True, True, True, False, True]


def test_only_good_tokens_are_kept_and_not_too_many() -> None:
    """Strangers cannot drive them out, and listeners not fill the memory."""
    gate = Gate(OriginSettings(auth=Auth.TOKEN, token_keys=(KEY,), tokens_kept_max=8), clock=lambda: 1000.0)
    assert gate.admit(_front(60) + PATH) == gate.admit(_front(60, 1) + PATH) == PATH
    for number in range(50):
        assert gate.admit(f"/t/exp=1~acl=%2F*~hmac={number:064}{PATH}") is None
    assert gate.known == 2
    for number in range(20):
        assert gate.admit(_front(60, number) + PATH) == PATH
    assert gate.known == 8


def test_without_keys_there_is_nobody_to_let_in() -> None:
    """So such settings do not exist."""
    with pytest.raises(ValueError, match="nobody"):
        OriginSettings(auth=Auth.TOKEN)
