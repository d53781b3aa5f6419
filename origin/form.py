"""What a request may look like beside its path: a head of bounded size, a body only where one is meant, and HTTP."""

from typing import Any

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.web_request import BaseRequest

_MAY_HAVE_A_BODY = frozenset({"POST", "PUT", "PATCH", "CONNECT"})  # to aiohttp, all behind a CONNECT is one


def plain(message: Any) -> Any:
    """aiohttp's message of a request without what it would answer in words of its own, or the sender's.

    An expectation that is none is ignored, as RFC 9110 §10.1.1 allows; a version that we do not speak is the nearest
    that we do.
    """
    nearest = min(max(message.version, HttpVersion10), HttpVersion11)
    if message.version != nearest:
        message = message._replace(version=nearest)
    if message.headers.get("Expect", "100-continue").lower() != "100-continue":
        fields = message.headers.copy()
        fields.popall("Expect")
        message = message._replace(headers=type(message.headers)(fields))
    return message


def check_form(request: BaseRequest, *, head_bytes_max: int) -> None:
    """Raises HTTPRequestEntityTooLarge for a body with a method that has none, which is what request smuggling looks
    like, and HTTPRequestHeaderFieldsTooLarge for header fields of more than `head_bytes_max` together."""
    if request.body_exists and request.method not in _MAY_HAVE_A_BODY:
        raise web.HTTPRequestEntityTooLarge(max_size=0, actual_size=request.content_length or 0)
    if sum(len(name) + len(value) for name, value in request.raw_headers) > head_bytes_max:
        raise web.HTTPRequestHeaderFieldsTooLarge


def is_last(request: BaseRequest, answer: web.StreamResponse) -> bool:
    """Whether to close the connection after the answer, for what follows may be no request: a body that was refused or
    did not come, or whatever the sender would rather speak."""
    return answer.status in (408, 413) or request.method == "CONNECT" or "Upgrade" in request.headers
