"""Hypothesis for all tests: no deadline on a busy two-core machine, and the same examples on every run of CI. At the
end is told by which means tests did what not every machine lets them do."""

import os

import pytest
from hypothesis import settings

settings.register_profile("segue", deadline=None, max_examples=60)
settings.register_profile("segue-ci", settings.get_profile("segue"), derandomize=True)
settings.load_profile("segue-ci" if os.environ.get("CI") else "segue")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest begin first, so that no worker is left with one in the end."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each test that recorded its `means`."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            if means := dict(report.user_properties).get("means"):
                terminalreporter.write_line(f"MEANS {report.nodeid.rpartition('::')[2]}: {means}")
