"""The door: who needs a token, where it is looked for, and what a path may be spelled like.

Tokens are looked for in front of the path (`/t/{token}/…`), then in the query (`?hdnts=`), then in the cookies; the
first that is there counts. What lies behind the door never sees one: neither handlers nor logs.
"""

import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.web_request import BaseRequest

from model.errors import ObjectNotFound, TokenRefused
from origin.cache_policy import ResourceClass, resource_class
from origin.form import plain
from origin.settings import Auth, OriginSettings
from origin.tokens import NAMES, PREFIX, Grant, is_for_one_url, read_as_sent, split_prefix

TOKEN = web.RequestKey("token", str)  # what stood in front of the path, as it was sent
_FRONT = PREFIX.encode()
# Players of the Subsonic API prove who they are by what that has for it, and get a token for media.
_FOR_ALL = frozenset({ResourceClass.PAGE, ResourceClass.OPERATIONS, ResourceClass.SUBSONIC})

RequestFactory = Callable[..., BaseRequest]


class Gate:
    """Lets requests in, or refuses them. Who made a token and what it allows is worked out once and kept for at most
    `tokens_kept_max` tokens; refusals are not, so strangers cannot drive out what is known."""

    def __init__(self, settings: OriginSettings, *, clock: Callable[[], float] = time.time) -> None:
        self._auth = settings.auth
        self._clock = clock

        @lru_cache(settings.tokens_kept_max)
        def grant(sent: str, path: str) -> Grant:
            return read_as_sent(sent, path, keys=settings.token_keys, salt=settings.token_salt)

        self._grant = grant

    def admit(self, raw_path: str) -> str | None:
        """The path without the token in front, if that alone lets a GET of it in; None if only `check` can tell.

        Cheap, for answers that are ready. The path is as it was sent; with a query only `check` can tell.
        """
        token, path = split_prefix(raw_path)
        if "%" in path or "?" in path or "#" in path:
            return None
        kind = resource_class(path)
        if token is None:
            return None if self._needs_token(kind) else path
        try:
            self._let_in(token, path, kind, ip="")
        except TokenRefused:
            return None
        return path

    def check(self, request: BaseRequest) -> None:
        """Raises TokenRefused unless the request may be answered, and ObjectNotFound for a path that is spelled oddly.

        A preflight needs no token: browsers send it without cookies, and its answer is the same for all.
        """
        path = request.rel_url.raw_path
        if "%" in path or request.rel_url.raw_fragment:  # no URL of ours has either: one resource has one spelling
            raise ObjectNotFound("no URL here is percent-encoded, or has a fragment", subject=path)
        kind, token = resource_class(path), request.get(TOKEN)
        if token is None:
            if not self._needs_token(kind) or request.method == "OPTIONS":
                return
            token = next(_beside_the_path(request), "")  # "" is none
        self._let_in(token, path, kind, ip=request.remote or "")

    def admit_line(self, line: bytes) -> bytes | None:
        """A request line, as `admit` takes paths: without the token, or None."""
        method, _, rest = line.partition(b" ")
        target, _, version = rest.rpartition(b" ")
        if self._auth is Auth.NONE and not target.startswith(_FRONT):
            return line  # keys are never ready
        path = self.admit(target.decode("latin-1"))
        return None if path is None else b" ".join((method, path.encode("latin-1"), version))

    @property
    def known(self) -> int:
        """How many tokens are kept."""
        return self._grant.cache_info().currsize

    def shared(self, kind: ResourceClass) -> bool:
        """Whether caches in front may keep an answer for everybody: not what only we would have asked a token for."""
        return self._auth is not Auth.TOKEN or kind in _FOR_ALL

    def _needs_token(self, kind: ResourceClass) -> bool:
        return kind is ResourceClass.KEY or (self._auth is not Auth.NONE and kind not in _FOR_ALL)

    def _let_in(self, token: str, path: str, kind: ResourceClass, *, ip: str) -> None:
        """What needs no token is still refused under one that is no good, so nobody fills caches with such URLs."""
        grant = self._grant(token, path if is_for_one_url(token) else "")
        now_s = self._clock()
        allowed = grant.holds(now_s=now_s, ip=ip) if kind in _FOR_ALL else grant.allows(path, now_s=now_s, ip=ip)
        if not allowed:
            raise TokenRefused("token refused")


def token_aside(make: RequestFactory) -> RequestFactory:
    """A factory of plain requests that takes the token off the path: all that comes after sees the path alone."""

    def making(message: Any, *rest: Any) -> BaseRequest:
        message = plain(message)
        token, path = split_prefix(message.url.raw_path)
        if token is None:
            return make(message, *rest)
        url = message.url.with_path(path, encoded=True, keep_query=True)
        request = make(message._replace(path=url.raw_path_qs, url=url), *rest)
        request[TOKEN] = token
        return request

    return making


def path_of(request: BaseRequest) -> str:
    """The decoded path of a request, without the token in front: what it is about, and what may be logged."""
    return unquote(request.rel_url.raw_path)


def _beside_the_path(request: BaseRequest) -> Iterator[str]:
    """Tokens in the query, then in cookies, as they were sent."""
    query = request.rel_url.raw_query_string.split("&")
    cookies = [each.strip() for line in request.headers.getall("Cookie", []) for each in line.split(";")]
    for pairs in (query, cookies):
        named = [each.partition("=") for each in pairs]
        yield from (text for wanted in NAMES for name, _, text in named if name == wanted)
