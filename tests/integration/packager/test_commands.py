"""`segue verify` and `segue package` over tracks that share a recording."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from avtool.locate import Ffmpeg
from packager.pipeline import package
from segue.main import main
from storage.filesystem import FilesystemStore
from storage.keys import art_key, current_key, package_key
from tests.integration.packager.conftest import Shelf, put_track, track_of, work_on


@dataclass
class Shop:
    """A store with two live tracks of one recording, and the command line over it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    tracks: set[str]
    package_dir: Path

    def run(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """Exit status, and what was said on stdout."""
        scratch = self.folder.parent / "scratch"
        scratch.mkdir(exist_ok=True)
        status = main([*words, "--json", "--store", f"file:{self.folder}", "--scratch", str(scratch)])
        assert not list(scratch.iterdir())
        return status, [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]


@pytest.fixture
async def shop(
    tool: Ffmpeg, live: FilesystemStore, ingested: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Shop:
    """The published track, and another release of it."""
    other = track_of(ingested.track.mezzanine, "The Very Best")
    await put_track(live, other)
    made = (await package(work_on(tool, live), other.track_id, subject="x")).package
    place = tmp_path / "live" / package_key(made.recording_id, made.package_id, "package.json")
    return Shop(tmp_path / "live", capsys, {other.track_id, ingested.track.track_id}, place.parent)


def test_every_live_track_is_verified(shop: Shop) -> None:
    """Both are sound, by the one package that they have."""
    status, (*tracks, summary) = shop.run("verify")
    assert status == 0
    assert {each["track_id"] for each in tracks} == shop.tracks
    assert {(each["status"], each["package_id"]) for each in tracks} == {("sound", shop.package_dir.name)}
    assert summary == {"event": "summary", "verified": 2, "broken": 0}


def test_damage_of_a_shared_package_concerns_all_its_tracks(shop: Shop, tmp_path: Path) -> None:
    """One byte less in one track file: both are broken, for the same reason, and the page says so of both."""
    damaged, page = shop.package_dir / "aac-64.mp4", tmp_path / "found.html"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    status, (*tracks, summary) = shop.run("verify", "--html", str(page))
    told = page.read_text(encoding="utf-8")
    assert "2 looked at, 2 broken" in told and all(told.count(track_id) == 1 for track_id in shop.tracks)
    assert status == 1
    assert summary == {"event": "summary", "verified": 2, "broken": 2}
    assert {each["status"] for each in tracks} == {"broken"}
    assert [[finding["rule"] for finding in each["findings"]] for each in tracks] == [["SEGUE-hash"]] * 2


def test_a_missing_cover_is_found(shop: Shop, ingested: Shelf) -> None:
    """Players show it, so it is part of what is published."""
    (shop.folder / art_key(ingested.track.art_id, 160)).unlink()
    status, (*tracks, _) = shop.run("verify")
    assert status == 1
    assert {finding["message"] for each in tracks for finding in each["findings"]} == {
        f"{art_key(ingested.track.art_id, 160)} is missing"
    }


def test_a_track_that_is_not_live_is_told(shop: Shop, ingested: Shelf) -> None:
    """Named on the command line, but nothing points to a package."""
    (shop.folder / current_key(ingested.track.track_id)).unlink()
    status, (told, summary) = shop.run("verify", ingested.track.track_id)
    assert (status, told["code"], summary["broken"]) == (1, "track-unknown", 1)


def test_repair_mends_a_shared_package_once(shop: Shop, tmp_path: Path) -> None:
    """The first track finds it broken and makes it again, the second finds it sound."""
    damaged = shop.package_dir / "aac-64.mp4"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1])
    settings = ("--aac", "64", "--opus", "64", "--jobs", "1", "--catalog", str(tmp_path / "catalog.sqlite"))
    status, said = shop.run("package", "--repair", *settings)
    assert status == 0
    assert sorted(each["status"] for each in said if "status" in each) == ["done", "skipped"]
    assert damaged.read_bytes() == whole
    assert shop.run("verify")[0] == 0
