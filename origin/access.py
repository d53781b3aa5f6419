"""Tokens at the door: what is under `/t/{token}/` is let in or refused, and keys are for those with a token only."""

import time
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from aiohttp import web
from aiohttp.web_request import BaseRequest

from origin.state import ADMITTED, SETTINGS
from origin.tokens import QUERY_NAME, check, split_prefix

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def path_of(request: BaseRequest) -> str:
    """The decoded path of a request, without the token in front: what it is about, and what may be logged."""
    return unquote(split_prefix(request.rel_url.raw_path)[1])


async def admitted(request: web.Request, handler: Answer) -> tuple[web.Request, Answer]:
    """The request without the token in front of its path, and the handler for what is left. Raises TokenRefused.

    A request without one is given back as it is.
    """
    token, path = split_prefix(request.rel_url.raw_path)
    if token is None:
        return request, handler
    inner = request.clone(rel_url=request.rel_url.with_path(path, encoded=True, keep_query=True))
    _check(request, token, inner.path)
    match = await request.app.router.resolve(inner)
    match.add_app(request.app)
    inner._match_info = match  # what aiohttp's own path-normalising middleware does: there is no public way
    inner[ADMITTED] = True
    return inner, match.handler


def require_token(request: web.Request) -> None:
    """Raises TokenRefused unless a token allows this path: in front of it, or as `?hdnts=`."""
    if not request.get(ADMITTED, False):
        _check(request, request.query.get(QUERY_NAME, ""), request.path)


def _check(request: web.Request, token: str, path: str) -> None:
    check(token, path, keys=request.app[SETTINGS].token_keys, now_s=time.time())
