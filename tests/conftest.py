"""Hypothesis for all tests: no deadline on a busy two-core machine, and the same examples on every run of CI. At the
end is told by which means tests did what not every machine lets them do."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from scripts.s3_server import S3Server
from tests.support.s3_service import s3_service

settings.register_profile("segue", deadline=None, max_examples=60)
settings.register_profile("segue-ci", settings.get_profile("segue"), derandomize=True)
settings.load_profile("segue-ci" if os.environ.get("CI") else "segue")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest begin first, so that no worker is left with one in the end."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    parts = item.path.parts
    return 0 if "e2e" in parts or "cdn" in parts else 2 if "unit" in parts else 1


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3 service on loopback, or the one that is named; who uses it does so under a prefix of their own."""
    with s3_service() as server:
        yield server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each test that recorded its `means`."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            if means := dict(report.user_properties).get("means"):
                terminalreporter.write_line(f"MEANS {report.nodeid.rpartition('::')[2]}: {means}")
