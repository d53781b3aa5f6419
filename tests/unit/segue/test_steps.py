"""How far a long job is told to be."""

import json

import pytest

from segue.output import Output
from segue.steps import Steps, size_text


class Clock:
    """Seconds that go by as the test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_json_lines_come_at_most_once_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    """With the sums of the step so far, which begin anew with each."""
    clock = Clock()
    steps = Steps(Output(as_json=True), clock=clock)
    steps.step("mark")
    for _ in range(10):
        clock.now += 0.25
        steps.add(2, 100)
    steps.step("sweep")
    clock.now += 1
    steps.add(1)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        {"event": "progress", "step": "mark", "objects": 8, "bytes": 400},
        {"event": "progress", "step": "mark", "objects": 16, "bytes": 800},
        {"event": "progress", "step": "sweep", "objects": 1, "bytes": 0},
    ]


def test_people_are_told_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, so that stdout stays the result."""
    clock = Clock()
    steps = Steps(Output(as_json=False), clock=clock)
    steps.step("read")
    steps.add(1)
    clock.now = 31
    steps.add(1, 2_500_000)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "read: 2 objects, 2.5 MB\n")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_500_000, "1.5 MB"),
        (2 * 10**9, "2.0 GB"),
        (10**15, "1000.0 TB"),
    ],
)
def test_sizes_are_told_in_thousands(size: int, text: str) -> None:
    """With one digit after the point."""
    assert size_text(size) == text
