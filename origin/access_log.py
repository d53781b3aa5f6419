"""A line and a count for each answer, once its last byte is written."""

import logging
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.web_request import BaseRequest

from origin.access import path_of
from origin.cache_policy import ResourceClass
from origin.observe import Metrics
from origin.state import KIND, REQUEST_ID

_PATH_IN_LOG_MAX = 256  # characters; clients choose it


def access_log_class(metrics: Metrics) -> type[AbstractAccessLogger]:
    class AccessLog(AbstractAccessLogger):
        """Counts and logs each answer once its last byte is written."""

        def log(self, request: BaseRequest, response: web.StreamResponse, time: float) -> None:
            kind = request.get(KIND, ResourceClass.OTHER)  # what the parser refused has none
            metrics.request_served(kind, response.status, sent_bytes=request.writer.output_size, duration_s=time)
            if self.logger.isEnabledFor(logging.INFO):
                fields = log_fields(
                    method=request.method,
                    path=path_of(request),
                    status=response.status,
                    kind=kind,
                    sent_bytes=request.writer.output_size,
                    duration_s=time,
                    remote=request.transport.get_extra_info("peername") if request.transport else None,
                    request_id=request.get(REQUEST_ID, ""),
                )
                self.logger.info("request served", extra=fields)

    return AccessLog


def log_fields(
    *,
    method: str,
    path: str,
    status: int,
    kind: str,
    sent_bytes: int,
    duration_s: float,
    remote: object,
    request_id: str,
) -> dict[str, Any]:
    """What the log says of an answer. `path` is decoded and without a token, `remote` a socket's address."""
    return {
        "method": method,
        "url_path": path[:_PATH_IN_LOG_MAX],
        "status": status,
        "resource": str(kind),
        "sent_bytes": sent_bytes,
        "duration_ms": round(1000 * duration_s, 3),
        "remote": remote[0] if isinstance(remote, tuple) else remote,
        "request_id": request_id,
    }
