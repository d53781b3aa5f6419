"""What one process takes on at a time: beyond that it refuses at once, before any work, and serves the rest well.

Two bounds, because there are two kinds of overload. Requests in progress cost memory: they are bounded here, for every
kind but health and metrics, which must tell what goes on. Waiting for the store costs time: it is bounded where the
waiting begins (`coalesce.py`), so that what is in memory is answered while misses are refused.
"""

import logging
import time
from collections.abc import Callable

from aiohttp import web

from model.errors import Overloaded
from origin.cache_policy import ResourceClass
from origin.observe import Metrics
from origin.settings import OriginSettings

log = logging.getLogger(__name__)

_SAY_AGAIN_S = 10.0  # a line for each refused request would be work, when there is too much of it


class Admission:
    """Lets requests in, or not, and keeps count of those that were refused."""

    def __init__(
        self, settings: OriginSettings, metrics: Metrics, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._said_s: float | None = None

    def check(self, request: web.BaseRequest, kind: ResourceClass) -> None:
        """Raises Overloaded if there is no room for this request."""
        if self._metrics.requests_in_progress > self._settings.requests_max and kind is not ResourceClass.OPERATIONS:
            raise Overloaded("too many requests in progress", subject="requests")

    def refused(self, error: Overloaded) -> None:
        """Note that a request was refused, here or where it would have had to wait."""
        so_far = self._metrics.shed(error.subject)
        now_s = self._clock()
        if self._said_s is None or now_s - self._said_s >= _SAY_AGAIN_S:
            self._said_s = now_s
            log.warning("shedding load", extra={"limit": error.subject, "refused": so_far})
