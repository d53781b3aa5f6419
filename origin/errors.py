"""Errors as HTTP: one status and one code for each kind, and a body that tells strangers nothing else."""

import json
from collections.abc import Mapping
from types import MappingProxyType

from aiohttp import web

from model.errors import (
    ListenersUnavailable,
    ListeningUnavailable,
    ObjectNotFound,
    Overloaded,
    PipelineError,
    RangeNotSatisfiable,
    RequestError,
    SearchUnavailable,
    StorageDenied,
    StorageUnavailable,
    TokenRefused,
    TrackUnknown,
    UsageError,
)
from origin.cache_policy import caching_of_error

NOTHING_TOLD: Mapping[str, str] = MappingProxyType({})
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (ObjectNotFound, 404),
    (TrackUnknown, 404),
    (RangeNotSatisfiable, 416),
    (TokenRefused, 403),
    (Overloaded, 503),
    (StorageUnavailable, 503),
    (SearchUnavailable, 503),
    (ListeningUnavailable, 503),
    (ListenersUnavailable, 503),
    (StorageDenied, 502),
    (UsageError, 400),
    (TimeoutError, 504),
)
_CODES = {
    404: "not-found", 405: "method-not-allowed", 408: "body-too-slow", 413: "body-too-large", 431: "head-too-large",
    504: "deadline",
}  # fmt: skip


def status_of(error: Exception) -> int:
    """The HTTP status that an error is answered with; 500 for every one that nobody foresaw."""
    if isinstance(error, web.HTTPException):
        return error.status
    if isinstance(error, RequestError):
        return error.http_status
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def code_of(error: Exception) -> str:
    """The stable code of an error: its own, or one for its status."""
    if isinstance(error, PipelineError):
        return error.code
    status = status_of(error)
    return _CODES.get(status, "internal" if status >= 500 else f"http-{status}")


def told_of(error: Exception) -> dict[str, str]:
    """What clients may read of an error beside its code."""
    if not isinstance(error, RequestError):
        return {}
    return {"message": error.message} | ({"where": error.subject} if error.subject else {})


def refusal(
    status: int, code: str, *, retry_after_s: int, told: Mapping[str, str] = NOTHING_TOLD, shared: bool = True
) -> web.Response:
    """An error answer: a code in JSON, and how long caches may keep it; not at all unless it is `shared`."""
    headers = caching_of_error(status, retry_after_s=retry_after_s, shared=shared)
    body = json.dumps({"error": code, **told}).encode() + b"\n"
    return web.Response(status=status, body=body, headers=headers | {"Content-Type": "application/json"})
