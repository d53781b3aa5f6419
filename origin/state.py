"""What an application holds for its handlers, and a request for its log line."""

from collections.abc import Iterator

from aiohttp import web

from origin.access import Gate
from origin.admission import Admission
from origin.answers import Answers
from origin.cache_policy import ResourceClass
from origin.cache_status import Trace
from origin.encoding import Document
from origin.health import HealthState, Probe
from origin.hot_cache import HotCache
from origin.library import Library
from origin.observe import Metrics
from origin.settings import OriginSettings
from origin.vitals import Vitals
from protection.keys import KeyRing

SETTINGS = web.AppKey("settings", OriginSettings)
LIBRARY = web.AppKey("library", Library)
ANSWER_LOG = web.AppKey("answer_log", Answers)
METRICS = web.AppKey("metrics", Metrics)
ADMISSION = web.AppKey("admission", Admission)
HEALTH = web.AppKey("health", HealthState)
ANSWERS = web.AppKey("answers", HotCache[Document])  # of the API, by what they say
PROBE = web.AppKey("probe", Probe)
VITALS = web.AppKey("vitals", Vitals)
PLAYER = web.AppKey("player", dict[str, Document])

KEYS = web.AppKey("keys", KeyRing)
GATE = web.AppKey("gate", Gate)
REQUEST_IDS = web.AppKey("request_ids", Iterator[str])

REQUEST_ID = web.RequestKey("request_id", str)
KIND = web.RequestKey("kind", ResourceClass)
TRACE = web.RequestKey("trace", Trace)
BEGAN_S = web.RequestKey("began_s", float)  # by time.monotonic: the clock of a loop may be coarse
FIRST_BYTE_S = web.RequestKey("first_byte_s", float)  # from there to the answer's head
