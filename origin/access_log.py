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
                self.logger.info("request served", extra=_log_fields(request, response, time))

    return AccessLog


def _log_fields(request: BaseRequest, response: web.StreamResponse, duration_s: float) -> dict[str, Any]:
    return {
        "method": request.method,
        "url_path": path_of(request)[:_PATH_IN_LOG_MAX],
        "status": response.status,
        "resource": str(request.get(KIND, ResourceClass.OTHER)),
        "sent_bytes": request.writer.output_size,
        "duration_ms": round(1000 * duration_s, 3),
        "remote": request.remote,
        "request_id": request.get(REQUEST_ID, ""),
    }
