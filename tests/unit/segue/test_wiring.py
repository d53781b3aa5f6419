"""What settings become."""

import pytest

from model.errors import UsageError
from segue.config import load
from segue.wiring import ingest_settings_of


def test_librosa_has_to_be_installed_to_be_chosen() -> None:
    """It is not in the environment of the tests: the error says how to get it."""
    with pytest.raises(UsageError) as caught:
        ingest_settings_of(load({"features": "librosa"}, {}))
    assert "segue[librosa]" in caught.value.hint
