"""The door: whose key, or whose app password, a request proves itself by."""

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
            if listener_id := self._listeners.of_key(shown.text):
                return listener_id
            raise Refused(Code.WRONG_KEY, "invalid API key")
        if not self._keys:
            raise Refused(Code.TOKEN_REFUSED, "there are no app passwords here: use an API key")
        passwords = self._passwords.of(shown.login) if is_id(shown.login) else []
        known = [each for each in passwords if self._keys.has(each.key_set)]
        if shown.is_of(self._keys.master(each.key_set).app_password(each.password_id) for each in known):
            self._listeners.used(shown.login)
            return shown.login
        raise Refused(Code.WRONG_LOGIN, "wrong user name or app password")
