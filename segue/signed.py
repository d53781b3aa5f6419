"""Paths that a listener may follow for a while: with a token in front, where the origin asks for one."""

import time
from collections.abc import Callable
from urllib.parse import quote

from origin.settings import Auth, OriginSettings
from origin.tokens import PREFIX, Grant, mint

GOOD_FOR_S = 12 * 3600  # a long album, paused for lunch
_ACL = ("/tracks/*", "/recordings/*", "/joined/*", "/art/*", "/keys/*")


def signer(settings: OriginSettings) -> Callable[[str], str]:
    """What puts a token in front of a path, for media and all that belongs to it; nothing, if none is asked for."""

    def signed(path: str) -> str:
        grant = Grant(acl=_ACL, expires_s=int(time.time()) + GOOD_FOR_S)
        return f"{PREFIX}{quote(mint(grant, settings.token_keys[0], salt=settings.token_salt), safe='')}{path}"

    return str if settings.auth is Auth.NONE else signed
