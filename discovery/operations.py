"""What the API can be asked for, as data: each operation once, for the router, the reader and the OpenAPI document.

Whoever has something to offer describes it and brings the coroutine function that does it:

    class NewPlaylist(Struct, forbid_unknown_fields=True):  # msgspec's: what the body must be, and its JSON Schema
        name: Annotated[str, Meta(min_length=1, max_length=200)]

    CREATE = Operation(
        method="POST", path="/api/v1/playlists", summary="a new playlist", body=NewPlaylist, answer=Playlist,
        status=201, who=Who.LISTENER, group=Group.WRITE,
    )

    async def create(call: Call) -> Playlist: ...  # call.listener_id, call.body.name

    served = (Served(CREATE, create),)  # a line in discovery/web.py adds it to all others

Names in braces in a path are ids, unless `forms` says otherwise; `call.path` has them. What cannot be done is raised as
a RequestError (`ResourceUnknown`, `Conflict`, `NotAllowed`, or one of its own), which has its status and whose message
the client may read. Limits, keys, bodies, conditions and caching are the frame's (`frame.py`).
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from discovery.parameters import Parameter
from model.errors import RequestError

JSON = "application/json"
ID_FORM = "[a-z2-7]{16,26}"
_NAMED = re.compile(r"\{(\w+)\}")


class Who(StrEnum):
    """Who may ask."""

    EVERYONE = "everyone"  # a key is not looked at
    LISTENER = "listener"  # who proves to be one; answers are for nobody else
    EITHER = "either"  # everyone, and a listener has an answer of its own


class Group(StrEnum):
    """What counts as one for rate limits (`rates.py` has the rates)."""

    READ = "read"
    SEARCH = "search"
    WRITE = "write"
    EVENTS = "events"
    HEAVY = "heavy"  # imports, exports, mixes: what takes long
    SIGN_UP = "sign-up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something that the API does: where, what it is asked with, what it answers.

    `body` and `answer` are types that msgspec reads and writes as JSON, or `bytes`: what is sent as it is, as one of
    `body_types` or `answer_types`; None is no body, and for an answer status 204. `kept`: whether caches may keep what
    everyone gets of a GET. `refusals` are errors of its own, beside those that come from what else is said here.
    """

    method: str
    path: str
    summary: str
    answer: Any
    parameters: tuple[Parameter, ...] = ()
    forms: Mapping[str, str] = field(default_factory=dict)  # of names in the path: regular expressions
    body: Any = None
    body_types: tuple[str, ...] = (JSON,)
    body_bytes_max: int = 64 << 10
    answer_types: tuple[str, ...] = (JSON,)
    status: int = 200
    who: Who = Who.EVERYONE
    group: Group = Group.READ
    kept: bool = True
    refusals: tuple[type[RequestError], ...] = ()

    def __post_init__(self) -> None:
        if (self.answer is None) != (self.status == 204):
            raise ValueError(f"204 has no answer, and nothing else has none: {self.method} {self.path}")
        if self.body is not None and self.method not in ("POST", "PUT", "PATCH"):
            raise ValueError(f"a {self.method} has no body: {self.path}")
        if not set(self.forms) <= set(self.names):
            raise ValueError(f"not in the path: {self.path}")

    @property
    def names(self) -> tuple[str, ...]:
        """What the path has in braces."""
        return tuple(_NAMED.findall(self.path))

    def form(self, name: str) -> str:
        """The regular expression that a name in the path stands for."""
        return self.forms.get(name, ID_FORM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What an operation is asked with, checked. `listener_id` is empty where nobody proved to be a listener; `if_match`
    is the header, for what is done to a version of something (`Tagged`)."""

    listener_id: str
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    body_type: str
    if_match: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An answer that is sent as it is; with a `file_name` browsers save it."""

    body: bytes
    media_type: str
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Tagged:
    """An answer about something that has versions. A listener gets its version as entity tag, to name in If-Match."""

    answer: object
    version: str


Handler = Callable[[Call], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Served:
    """An operation and what does it: gives the answer, a `Sent`, a `Tagged`, or None."""

    operation: Operation
    handle: Handler
