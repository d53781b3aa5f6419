"""The door: whose key, or whose app password, a request proves itself by."""

from typing import NoReturn

from catalog.app_passwords import AppPasswords
from catalog.listeners import Listeners
from discovery.subsonic.asked import Code, Refused
from discovery.subsonic.credentials import Key, Token
from model.track import is_id
from protection.keys import KeyRing


class Door:
    """Knows listeners by their API keys and, with a key store, by their ids and app passwords."""

    def __init__(self, listeners: Listeners, passwords: AppPasswords, keys: KeyRing) -> None:
        self._listeners = listeners
        self._passwords = passwords
        self._keys = keys

    def admit(self, shown: Key | Token) -> str:
        """The listener's id. Blocks for a moment. Raises Refused."""
        if isinstance(shown, Key):
            return self._listeners.of_key(shown.text) or _refuse(Code.WRONG_KEY, "invalid API key")
        if not self._keys:
            _refuse(Code.TOKEN_REFUSED, "there are no app passwords here: use an API key")
        passwords = self._passwords.of(shown.login) if is_id(shown.login) else []
        known = [each for each in passwords if self._keys.has(each.key_set)]
        if shown.is_of(self._keys.master(each.key_set).app_password(each.password_id) for each in known):
            return shown.login
        _refuse(Code.WRONG_LOGIN, "wrong user name or app password")


def _refuse(code: Code, message: str) -> NoReturn:
    raise Refused(code, message)
