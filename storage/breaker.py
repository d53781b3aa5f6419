"""Failing fast while a service is down, so that who asks can do something else at once."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from model.errors import StorageError, StorageUnavailable

Result = TypeVar("Result")


class Breaker:
    """After `failures_max` calls in a row that found the service unavailable, one call at a time finds out whether it
    is back; all others raise StorageUnavailable at once, until one succeeds. With None it lets every call through.
    """

    def __init__(self, failures_max: int | None) -> None:
        self._failures_max = failures_max
        self._failures = 0
        self._probing = False

    @property
    def closed(self) -> bool:
        """Whether it lets every call through now."""
        return self._failures_max is None or self._failures < self._failures_max

    async def run(self, call: Callable[[], Awaitable[Result]], subject: str) -> Result:
        """What `call` returns or raises, unless it is not worth a try."""
        probe = not self.closed
        if probe and self._probing:
            hint = "the errors before this one say why; check that the service is running"
            raise StorageUnavailable("the S3 service is down", subject=subject, hint=hint)
        self._probing = self._probing or probe
        try:
            result = await call()
        except StorageError as error:
            self._failures = self._failures + 1 if isinstance(error, StorageUnavailable) else 0
            raise
        finally:
            if probe:
                self._probing = False
        self._failures = 0
        return result
