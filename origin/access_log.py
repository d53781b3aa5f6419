"""aiohttp's word that an answer is out: it is counted and logged."""

import time as clock

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.web_request import BaseRequest

from origin.access import path_of
from origin.answers import Answers
from origin.cache_policy import ResourceClass
from origin.observe import Metrics
from origin.state import BEGAN_S, FIRST_BYTE_S, KIND, REQUEST_ID
from origin.tokens import unsealed


def access_log_class(metrics: Metrics, answers: Answers) -> type[AbstractAccessLogger]:
    """What aiohttp calls for each answer, once its last byte is written."""

    class AccessLog(AbstractAccessLogger):
        """Counts and logs each answer."""

        def log(self, request: BaseRequest, response: web.StreamResponse, time: float) -> None:
            kind = request.get(KIND, ResourceClass.OTHER)  # what the parser refused has none
            # A loop's clock may be coarse, and `time` is by it.
            duration_s = clock.monotonic() - request[BEGAN_S] if BEGAN_S in request else time
            sent_bytes, first_byte_s = request.writer.output_size, request.get(FIRST_BYTE_S)
            metrics.request_served(
                kind, response.status, sent_bytes=sent_bytes, duration_s=duration_s, first_byte_s=first_byte_s
            )
            told = answers.heard(request.rel_url.raw_query_string, request.headers)
            if answers.wanted(response.status):
                answers.log(
                    kind,
                    response.status,
                    method=request.method,
                    path=unsealed(path_of(request)),
                    sent_bytes=sent_bytes,
                    duration_s=duration_s,
                    first_byte_s=first_byte_s,
                    told=told,
                    remote=request.remote,
                    request_id=request.get(REQUEST_ID, ""),
                )

    return AccessLog
