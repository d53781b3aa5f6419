"""Errors as HTTP: one status and one code for each kind, and a body that tells strangers nothing else."""

import json

from aiohttp import web

from model.errors import (
    ConsentMissing,
    ListeningUnavailable,
    ObjectNotFound,
    Overloaded,
    PipelineError,
    RangeNotSatisfiable,
    SearchUnavailable,
    StorageDenied,
    StorageUnavailable,
    TokenRefused,
    TrackUnknown,
    UsageError,
)
from origin.cache_policy import caching_of_error

_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (ObjectNotFound, 404),
    (TrackUnknown, 404),
    (RangeNotSatisfiable, 416),
    (TokenRefused, 403),
    (ConsentMissing, 403),
    (Overloaded, 503),
    (StorageUnavailable, 503),
    (SearchUnavailable, 503),
    (ListeningUnavailable, 503),
    (StorageDenied, 502),
    (UsageError, 400),
    (TimeoutError, 504),
)
_CODES = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 431: "head-too-large", 504: "deadline"}


def status_of(error: Exception) -> int:
    """The HTTP status that an error is answered with; 500 for every one that nobody foresaw."""
    if isinstance(error, web.HTTPException):
        return error.status
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def code_of(error: Exception) -> str:
    """The stable code of an error: its own, or one for its status."""
    if isinstance(error, PipelineError):
        return error.code
    status = status_of(error)
    return _CODES.get(status, "internal" if status >= 500 else f"http-{status}")


def refusal(status: int, code: str, *, retry_after_s: int) -> web.Response:
    """An error answer: a code in JSON, and how long caches may keep it."""
    headers = caching_of_error(status, retry_after_s=retry_after_s)
    body = json.dumps({"error": code}).encode() + b"\n"
    return web.Response(status=status, body=body, headers=headers | {"Content-Type": "application/json"})
