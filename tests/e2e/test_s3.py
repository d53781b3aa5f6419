"""The same commands over a real S3 service: publish into a bucket, verify it, serve from it."""

import os
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import imageio_ffmpeg
import m3u8
import pytest

from scripts.s3_server import S3Server
from tests.support.command import ran
from tests.support.served_album import BAGATELLE, make, serving_at


@pytest.fixture(scope="module")
def environment(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What an operator exports: the store, and the keys under the names that AWS tools use."""
    return {
        **os.environ,
        "SEGUE_STORE": s3_server.url("music/catalogue"),
        "SEGUE_CATALOG": str(tmp_path_factory.mktemp("catalog") / "catalog.sqlite3"),
        "AWS_ACCESS_KEY_ID": s3_server.writer.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.writer.secret_key,
    }


def test_a_track_is_published_into_a_bucket_verified_and_played(environment: Mapping[str, str], tmp_path: Path) -> None:
    """Nothing but the store's URL differs from a folder; a second run finds it done."""
    make(BAGATELLE, tmp_path / "album")
    first = ran("publish", tmp_path / "album", cwd=tmp_path, env=environment)
    assert first.status == 0, first.stderr
    (outcome,) = first.outcomes.values()
    again = ran("publish", tmp_path / "album", cwd=tmp_path, env=environment)
    assert again.summary == {"done": 0, "skipped": 1, "failed": 0}
    assert ran("verify", cwd=tmp_path, env=environment).status == 0
    with serving_at(environment["SEGUE_STORE"], environment) as url:
        playlist = f"{url}tracks/{outcome['track_id']}/index.m3u8"
        with urllib.request.urlopen(playlist, timeout=60) as answer:
            variants = m3u8.loads(answer.read().decode(), uri=playlist).playlists
        ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", playlist, "-f", "null", "-"]
        played = subprocess.run(ffmpeg, capture_output=True, timeout=60, check=False)
    assert len(variants) == 5
    assert (played.returncode, played.stderr) == (0, b"")


def test_wrong_keys_are_told_and_not_retried_for_ever(environment: Mapping[str, str], tmp_path: Path) -> None:
    """A wrong secret ends the command with `storage-denied` and a hint."""
    done = ran("ls", cwd=tmp_path, env={**environment, "AWS_SECRET_ACCESS_KEY": "wrong"})
    error = done.lines[-1]
    assert (done.status, error["event"], error["code"]) == (1, "error", "storage-denied")
    assert error["hint"]
