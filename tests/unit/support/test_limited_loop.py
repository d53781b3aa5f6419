"""A test on the loop of `segue serve` ends when its time is over."""

import asyncio
import signal
import time
from collections.abc import Iterator
from types import FrameType

import pytest

from tests.support.limited_loop import limited_event_loop


@pytest.fixture
def alarm_that_fails() -> Iterator[None]:
    """What pytest-timeout does, in a moment and not in two minutes."""

    def fail(number: int, frame: FrameType | None) -> None:
        pytest.fail("time is over")

    before, left = signal.signal(signal.SIGALRM, fail), signal.setitimer(signal.ITIMER_REAL, 0.05)
    began_s = time.monotonic()
    yield
    signal.signal(signal.SIGALRM, before)
    signal.setitimer(signal.ITIMER_REAL, max(0.1, left[0] - (time.monotonic() - began_s)))


def test_who_waits_for_what_never_comes_is_stopped_and_told_of(
    alarm_that_fails: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not by a limit of the test's own: the loop lets the signal's failure end it."""
    ends = pytest.raises(RuntimeError, match="stopped before Future completed")
    with asyncio.Runner(loop_factory=limited_event_loop) as runner, ends:
        runner.run(_wait())
    assert "in _wait" in capsys.readouterr().err


async def _wait() -> None:
    await asyncio.Event().wait()
