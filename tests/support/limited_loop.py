"""The loop of `segue serve`, for tests that have a limit of time.

pytest-timeout raises from a signal. asyncio's own loop lets that through; uvloop takes it for the failure of a
callback, tells of it and goes on: a test that waits for what never comes would wait for ever.
"""

import asyncio
import sys
from typing import Any

import pytest

from segue.loop import new_event_loop


def limited_event_loop() -> asyncio.AbstractEventLoop:
    """A loop that stops when the time of the test is over, and tells where its tasks are."""
    loop = new_event_loop()
    loop.set_exception_handler(_told)
    return loop


def _told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    loop.default_exception_handler(context)
    if isinstance(context.get("exception"), pytest.fail.Exception):
        for task in asyncio.all_tasks(loop):
            task.print_stack(file=sys.stderr)
        loop.stop()
