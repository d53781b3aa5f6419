"""Published track files and the mezzanine, as ffmpeg's encoders give them, against the specifications, rule by rule."""

from collections.abc import Callable
from pathlib import Path

import pytest

from model.loudness import LoudnessReport
from model.rendition import Codec, Rendition
from packager.track_files import Encoding, assembled
from tests.integration.packager.conftest import Shelf
from tests.support.cmaf_rules import RULES, CmafFile
from tests.support.fragmented import FRAME, file_of, fragment

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


@pytest.mark.parametrize(("peak_dbtp", "told_dbtp"), [(-1.2, -1.1875), (-1.6, -1.5)])
def test_no_rendition_peaks_above_what_it_tells_of_its_album(
    tmp_path: Path, peak_dbtp: float, told_dbtp: float
) -> None:
    """An encoder adds to the peaks that the album was measured with; where it does not, the album is told as measured.
    The record says what the file says."""
    path, target = tmp_path / "encoded.mp4", tmp_path / "aac-64.mp4"
    path.write_bytes(file_of(fragment([5] * 60)).getvalue())
    encoding = Encoding(
        rendition=Rendition(rendition_id="aac-64", codec=Codec.AAC, bitrate_bps=64_000),
        trim_db=0.0,
        path=path,
        reports=[LoudnessReport(integrated_lufs=-14.0, true_peak_dbtp=peak_dbtp)],
        album_loudness=LoudnessReport(integrated_lufs=-13.0, true_peak_dbtp=-1.5),
    )
    (made,) = assembled(encoding, [target], lengths=[50 * FRAME])
    track, album = CmafFile(target.read_bytes()).trak.one("udta/ludt").boxes
    assert (track["true_peak"], album["true_peak"]) == (round(32 * (20 - peak_dbtp)), 32 * (20 - told_dbtp))
    assert made.album_loudness == LoudnessReport(integrated_lufs=-13.0, true_peak_dbtp=told_dbtp)
