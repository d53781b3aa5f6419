"""Run a command's coroutine: so that SIGINT and SIGTERM end it in good order, or on the fastest loop there is."""

import asyncio
import gc
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from model.errors import Interrupted
from segue.heap import keep_one_heap
from segue.time_slice import ask_for_short_slices

Result = TypeVar("Result")


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest loop that there is for this platform."""
    try:
        from uvloop import new_event_loop as fastest  # noqa: PLC0415 - 4 ms that other commands have no use for
    except ImportError:
        return asyncio.new_event_loop()
    return fastest()


def run_server(server: Coroutine[Any, Any, None]) -> None:
    """Run a server, which minds signals itself, to its end."""
    # Cycles are rare in a server; looking for them after every 700 objects takes 0.2 ms for which somebody waits.
    gc.set_threshold(20_000, 20, 20)
    ask_for_short_slices()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(server)


def run_loop(command: Coroutine[Any, Any, Result]) -> Result:
    """The command's result. On SIGINT or SIGTERM it is cancelled, cleans up, and Interrupted is raised."""

    async def guarded() -> Result:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        try:
            return await command
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    keep_one_heap()
    try:
        return asyncio.run(guarded())
    except (asyncio.CancelledError, KeyboardInterrupt) as error:
        raise Interrupted("interrupted", hint="run the same command again: what is done is not done twice") from error
