"""A listener's account over HTTP: made without a name, proven by a key, which can be replaced."""

import asyncio

from msgspec import Struct

from catalog.listeners import Listeners
from discovery.operations import Call, Group, Operation, Served, Who
from model.errors import ListenerUnknown, NotAllowed


class NewListener(Struct, frozen=True, kw_only=True):
    """A listener and its key, which is shown this once."""

    listener_id: str
    key: str


class Me(Struct, frozen=True, kw_only=True):
    """The listener who asks; `created_s` counts seconds since the epoch."""

    listener_id: str
    created_s: int


SIGN_UP = Operation(
    method="POST",
    path="/api/v1/listeners",
    summary="a new listener, and the key that proves it",
    answer=NewListener,
    status=201,
    group=Group.SIGN_UP,
    refusals=(NotAllowed,),
)
ME = Operation(
    method="GET", path="/api/v1/listeners/me", summary="the listener whose key was sent", answer=Me, who=Who.LISTENER
)
NEW_KEY = Operation(
    method="POST",
    path="/api/v1/listeners/me/key",
    summary="another key in the place of the one that was sent, which is none from now on",
    answer=NewListener,
    status=201,
    who=Who.LISTENER,
    group=Group.SIGN_UP,
)


class Accounts:
    """The operations; `is_open` says whether anybody may become a listener."""

    def __init__(self, listeners: Listeners, *, is_open: bool) -> None:
        self._listeners = listeners
        self._is_open = is_open
        self.served = (Served(SIGN_UP, self.sign_up), Served(ME, self.me), Served(NEW_KEY, self.new_key))

    async def sign_up(self, _: Call) -> NewListener:
        """Make a listener. Raises NotAllowed."""
        if not self._is_open:
            raise NotAllowed("ask the operator for a key")
        made, key = await asyncio.to_thread(self._listeners.add)
        return NewListener(listener_id=made.listener_id, key=key)

    async def me(self, call: Call) -> Me:
        """The listener. Raises ListenerUnknown if it was removed in this moment."""
        found = await asyncio.to_thread(self._listeners.get, call.listener_id)
        if found is None:
            raise ListenerUnknown("this is no listener's key")
        return Me(listener_id=found.listener_id, created_s=found.created_s)

    async def new_key(self, call: Call) -> NewListener:
        """Replace the key. Raises ListenerUnknown if the listener was removed in this moment."""
        key = await asyncio.to_thread(self._listeners.new_key, call.listener_id)
        if key is None:
            raise ListenerUnknown("this is no listener's key")
        return NewListener(listener_id=call.listener_id, key=key)
