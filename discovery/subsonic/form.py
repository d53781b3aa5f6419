"""What a player asks, read from a request: the query and, with POST, a form. A stranger can send one: it has limits."""

from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from discovery.frame import BODY_TIMEOUT_S, read_body
from discovery.subsonic.asked import Asked
from model.errors import MediaTypeRefused

FORM_BYTES_MAX = 64 << 10  # a playlist of 1,000 songs has some 30 kB
FORM = "application/x-www-form-urlencoded"


async def asked_of(request: web.Request, *, timeout_s: float = BODY_TIMEOUT_S) -> Asked:
    """All values of the query and then of the form. What is no UTF-8 in them is replaced.

    Raises MediaTypeRefused for a form that says to be in another charset (Python knows some that are no text), and
    aiohttp's 408 and 413.
    """
    found = list(request.query.items())
    if request.method == hdrs.METH_POST and request.content_type == FORM:
        if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
            raise MediaTypeRefused("must be in UTF-8", subject=hdrs.CONTENT_TYPE)
        form = await read_body(request, FORM_BYTES_MAX, timeout_s)
        found += parse_qsl(form.decode("utf-8", "replace"), keep_blank_values=True)
    values: dict[str, list[str]] = {}
    for name, value in found:
        values.setdefault(name, []).append(value)
    return Asked(values)
