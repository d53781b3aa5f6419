"""Errors as HTTP."""

import json

import pytest
from aiohttp import web

from model import errors
from origin.errors import code_of, refusal, status_of


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.ObjectNotFound("x"), 404, "object-not-found"),
        (errors.TrackUnknown("x"), 404, "track-unknown"),
        (errors.RangeNotSatisfiable("x"), 416, "range-not-satisfiable"),
        (errors.StorageUnavailable("x"), 503, "storage-unavailable"),
        (errors.StorageDenied("x"), 502, "storage-denied"),
        (errors.StorageError("x"), 500, "storage-error"),
        (errors.RecordMalformed("x"), 500, "record-malformed"),
        (errors.UsageError("x"), 400, "usage"),
        (TimeoutError(), 504, "deadline"),
        (web.HTTPNotFound(), 404, "not-found"),
        (web.HTTPMethodNotAllowed("PUT", ["GET"]), 405, "method-not-allowed"),
        (web.HTTPRequestEntityTooLarge(1, 2), 413, "body-too-large"),
        (web.HTTPExpectationFailed(), 417, "http-417"),
        (ZeroDivisionError("secret"), 500, "internal"),
    ],
)
def test_an_error_has_its_status_and_code(error: Exception, status: int, code: str) -> None:
    """One mapping for all errors; what nobody foresaw is 500."""
    assert (status_of(error), code_of(error)) == (status, code)


def test_a_refusal_says_its_code_and_nothing_else() -> None:
    """The body is a code in JSON: no path, no message, no trace."""
    response = refusal(503, "storage-unavailable", retry_after_s=3)
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == {"error": "storage-unavailable"}
    assert (response.content_type, response.headers["Retry-After"]) == ("application/json", "3")
