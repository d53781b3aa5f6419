"""The access log: what a line holds, and what players told with their requests, which is counted too."""

import logging
from collections.abc import Mapping
from typing import Any

from origin.cache_policy import ResourceClass
from origin.cmcd import NOTHING, Told, told_with
from origin.metrics_table import LOG_LINES_LEFT_OUT
from origin.observe import Metrics
from origin.settings import OriginSettings

log = logging.getLogger("origin.serve")  # the access log's name

# docs/operations.md explains each; a line has those that say something.
FIELDS = (
    *("method", "url_path", "status", "resource", "sent_bytes", "duration_ms", "first_byte_ms", "request_id"),
    *("cmcd", "one_of", "remote"),
)
_UNHEARD_MAX = 64  # what players told, until it is read: by then it costs a quarter of what it would cost alone
_PATH_MAX = 256  # characters; clients choose it
_PRIVATE = "sid"  # CMCD's id of a listener's session


class Answers:
    """Hears what players tell and logs answers, cheaply where there is nothing of either."""

    def __init__(self, metrics: Metrics, settings: OriginSettings) -> None:
        self._metrics = metrics
        self._every = settings.access_log_every
        self._private = settings.log_listeners
        self._turn = 0
        self._unheard: list[tuple[str, Mapping[str, str]]] = []
        metrics.settle_by(self._hear_all)

    def heard(self, query: str, headers: Mapping[str, str]) -> Told:
        """What the player told with this raw query and these headers, counted; no more of them is looked at."""
        told = told_with(query, headers)
        if told:
            self._metrics.player_told(told)
        return told

    def hear_later(self, query: str, headers: Mapping[str, str]) -> None:
        """Count what the player told soon, and at the latest when the figures are looked at: reading it while one
        answer after another goes out costs them all their place in the processor's caches."""
        self._unheard.append((query, headers))
        if len(self._unheard) >= _UNHEARD_MAX:
            self._hear_all()

    def _hear_all(self) -> None:
        unheard, self._unheard = self._unheard, []
        for query, headers in unheard:
            self.heard(query, headers)

    def wanted(self, status: int) -> bool:
        """Whether this answer is to have a line; asked once for each. Errors always have one, if any has."""
        if not log.isEnabledFor(logging.INFO):
            return False
        if self._every == 1 or status >= 400:
            return True
        self._turn = (self._turn + 1) % self._every
        if self._turn:
            self._metrics.count(LOG_LINES_LEFT_OUT)
        return self._turn == 0

    def log(
        self,
        kind: ResourceClass,
        status: int,
        *,
        method: str,
        path: str,
        sent_bytes: int,
        duration_s: float,
        first_byte_s: float | None = None,
        told: Told = NOTHING,
        remote: object,
        request_id: str,
    ) -> None:
        """Write the line of an answer: `sent_bytes` with its head, `duration_s` from the head of the request to the
        last byte. `path` is without token; `remote` is the address of a socket, or of a client."""
        line: dict[str, Any] = {
            "method": method,
            "url_path": path[:_PATH_MAX],
            "status": status,
            "resource": str(kind),
            "sent_bytes": sent_bytes,
            "duration_ms": _ms(duration_s),
            "first_byte_ms": _ms(duration_s if first_byte_s is None else first_byte_s),
            "request_id": request_id,
        }
        log.info("request served", extra=line | self._more(told, remote))

    def _more(self, told: Told, remote: object) -> dict[str, Any]:
        """What only some lines have; of listeners only what `log_listeners` allows."""
        more: dict[str, Any] = {}
        if told is not NOTHING:
            more["cmcd"] = {key: told[key] for key in sorted(told) if self._private or key != _PRIVATE}
        if self._every > 1:
            more["one_of"] = self._every
        if self._private:
            more["remote"] = remote[0] if isinstance(remote, tuple) else remote
        return more


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 3)
