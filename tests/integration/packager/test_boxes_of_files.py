"""Published track files and the mezzanine, as ffmpeg's encoders give them, against the specifications, rule by rule."""

from collections.abc import Callable

import pytest

from tests.integration.packager.conftest import Shelf
from tests.support.cmaf_rules import RULES, CmafFile

CODECS = {"aac-64": "mp4a", "opus-64": "Opus", "mezzanine": "fLaC"}


@pytest.fixture(scope="module")
def files(published: Shelf) -> dict[str, CmafFile]:
    """The track files of a published track, by what they are."""
    paths = published.folder.glob("recordings/*/*/*.mp4")
    found = {"mezzanine" if path.parent.name == "mezzanine" else path.stem: path for path in paths}
    return {name: CmafFile(path.read_bytes()) for name, path in found.items()}


def test_every_codec_is_there(files: dict[str, CmafFile]) -> None:
    """Each by its sample entry."""
    assert {name: file.codec for name, file in files.items()} == CODECS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("name", list(CODECS))
def test_a_published_file_keeps_every_rule(
    files: dict[str, CmafFile], rule: Callable[[CmafFile], None], name: str
) -> None:
    """The clause is in the rule's own words."""
    rule(files[name])
