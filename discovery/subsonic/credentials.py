"""Who asks: an API key, or a login name with a salted token of an app password. Pure.

Passwords are refused in every form (`p=`): whoever sees one request has them. A token is MD5 because the protocol says
so; what it protects is a random password of one device, which can be withdrawn, and never the listener's key.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from discovery.subsonic.asked import Asked, Code, Refused

_SALT_CHARS_LEAST = 6


@dataclass(frozen=True, slots=True)
class Key:
    """An API key, as `segue listener` gives them out."""

    text: str


@dataclass(frozen=True, slots=True)
class Token:
    """A login name, and what was made of an app password and a salt."""

    login: str
    token: str
    salt: str

    def is_of(self, passwords: Iterable[str]) -> bool:
        """Whether it was made of one of these passwords. Takes as long for a wrong one as for a right one."""
        sent = self.token.lower().encode()
        made = [hashlib.md5(f"{each}{self.salt}".encode(), usedforsecurity=False).hexdigest() for each in passwords]
        return sum(hmac.compare_digest(each.encode(), sent) for each in made) > 0  # all are compared, always


def credentials_of(asked: Asked) -> Key | Token:
    """What a request proves itself by. Raises Refused if that is nothing, too much, or a password."""
    named = {name for name in ("u", "p", "t", "s", "apiKey") if name in asked.values}
    if "apiKey" in named:
        if len(named) > 1:
            raise Refused(Code.SEVERAL_MECHANISMS, "an API key goes without user name, password and token")
        return Key(asked.text("apiKey"))
    if "p" in named:
        raise Refused(Code.MECHANISM_REFUSED, "no passwords: use an API key, or a salted token of an app password")
    token = Token(asked.text("u"), asked.text("t"), asked.text("s"))
    if len(token.salt) < _SALT_CHARS_LEAST:
        raise Refused(Code.GENERIC, f"a salt has at least {_SALT_CHARS_LEAST} characters")
    return token
