"""Hypothesis for all tests: no deadline on a busy two-core machine, and the same examples on every run of CI."""

import os

import pytest
from hypothesis import settings

settings.register_profile("segue", deadline=None, max_examples=60)
settings.register_profile("segue-ci", settings.get_profile("segue"), derandomize=True)
settings.load_profile("segue-ci" if os.environ.get("CI") else "segue")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest begin first, so that no worker is left with one in the end."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)
