"""What tests with a real ffmpeg share."""

import asyncio

import pytest

from avtool.locate import Ffmpeg, locate


@pytest.fixture(scope="session")
def tool() -> Ffmpeg:
    """The ffmpeg that comes with Segue."""
    return asyncio.run(locate())
