"""Published by the command line, served by the origin: every URL is walked, every byte heard, by other readers."""

import asyncio
import io
import json
import math
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import m3u8
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from tests.support.command import Ran, segue
from tests.support.served_album import BAGATELLE, CODA, OVERTURE, make, serving

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
RATE_HZ = 48_000
COVER_PIXELS = 640  # of the songs' covers: they are never enlarged
EACH_TRACK = ("--loudness", "track")
PRIMING = {"mp4a.40.2": 1024, "Opus": 312, "fLaC": 0}
FAMILIES = {"aac": {"mp4a.40.2"}, "opus": {"Opus"}, "lossless": {"fLaC", "mp4a.40.2"}}


def _publish(source: Path, store: Path, *more: str) -> Ran:
    catalog = store.with_suffix(".sqlite")
    return segue("publish", source, "--store", f"file:{store}", "--catalog", catalog, *more, cwd=store.parent)


def _get(url: str) -> tuple[bytes, dict[str, str]]:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read(), dict(answer.headers)


def _decoded(*arguments: str) -> Any:
    """Left channel as floats, decoded by a plain ffmpeg that knows nothing of us."""
    command = [
        FFMPEG,
        "-v",
        "error",
        "-nostdin",
        *arguments,
        "-map",
        "0:a:0",
        "-af",
        "pan=mono|c0=c0",
        "-f",
        "f32le",
        "-",
    ]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout, dtype="<f4")


def _loudness(*arguments: str) -> tuple[float, float]:
    """Integrated loudness and true peak, by a plain ffmpeg."""
    meter = "ebur128=peak=true:framelog=quiet:metadata=1,ametadata=mode=print:file=-"
    command = [FFMPEG, "-v", "error", "-nostdin", *arguments, "-map", "0:a:0", "-af", meter, "-f", "null", "-"]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    integrated = re.findall(r"r128\.I=(\S+)", text)[-1]
    peak = re.findall(r"r128\.true_peak=(\S+)", text)[-1]
    return float(integrated), 20 * math.log10(float(peak))


@dataclass(frozen=True)
class Served:
    """An album as it was published and is served now."""

    url: str
    store: Path
    published: Ran
    tracks: list[dict[str, Any]]

    def recording(self, track: dict[str, Any]) -> Path:
        return self.store / "recordings" / str(track["recording_id"])

    def package(self, track: dict[str, Any]) -> dict[str, Any]:
        path = self.recording(track) / track["package_id"] / "package.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two songs, a mono MP3 at 22 kHz with clipped noise, and a file that is no music."""
    root = tmp_path_factory.mktemp("walk")
    make(CODA, root / "album")
    make(BAGATELLE, root / "album")
    noise = "anoisesrc=color=pink:amplitude=1:seed=5:duration=7:sample_rate=22050,volume=9dB"
    loud = root / "album" / "04 Loud.mp3"
    subprocess.run([FFMPEG, "-v", "error", "-f", "lavfi", "-i", noise, "-ac", "1", str(loud)], check=True, timeout=30)
    (root / "album" / "00 not music.mp3").write_text("this is a text file\n")
    published = _publish(root / "album", root / "store", *EACH_TRACK)
    with serving(root / "store") as url:
        listing = json.loads(_get(f"{url}api/v1/tracks")[0])
        yield Served(url.rstrip("/"), root / "store", published, listing["tracks"])


def _variants(served: Served) -> Iterator[tuple[dict[str, Any], str, Any]]:
    """Every variant of every multivariant playlist, as another reader sees them: track, family, variant."""
    for track in served.tracks:
        for family, path in track["playlists"].items():
            text = _get(served.url + path)[0].decode()
            for variant in m3u8.loads(text, uri=f"{served.url}{path}").playlists:
                yield track, family, variant


def test_a_broken_file_fails_alone_and_the_exit_code_says_so(served: Served) -> None:
    """One JSON line per source and a summary; the broken one has code, message and hint; exit status 1."""
    failed = [line for line in served.published.lines if line.get("status") == "failed"]
    assert served.published.status == 1
    assert [Path(line["source"]).name for line in failed] == ["00 not music.mp3"]
    assert failed[0]["code"] == "source-not-music" and failed[0]["message"] and failed[0]["hint"]
    assert served.published.summary == {"done": 3, "skipped": 0, "failed": 1}
    assert len(served.tracks) == 3


def test_every_cover_answers_in_its_size(served: Served) -> None:
    """Three JPEGs of at most as many pixels a side as their names say, by the track and by their content."""
    for track in served.tracks:
        for side, path in track["art_sizes"].items():
            data, headers = _get(served.url + path)
            with Image.open(io.BytesIO(data)) as picture:
                assert picture.format == "JPEG"
                assert min(int(side), COVER_PIXELS) <= max(picture.size) <= int(side)
            assert (headers["Content-Type"], "immutable" in headers["Cache-Control"]) == ("image/jpeg", True)
            assert _get(f"{served.url}/tracks/{track['track_id']}/art-{side}.jpg")[0] == data


def test_every_url_of_every_playlist_answers_with_the_bytes_of_the_track_file(served: Served) -> None:
    """Init section and segments follow each other to the last byte of the CMAF track file; its index lies between."""
    seen = 0
    for _, family, variant in _variants(served):
        text, headers = _get(variant.absolute_uri)
        assert headers["Content-Type"] == "application/vnd.apple.mpegurl"
        media = m3u8.loads(text.decode(), uri=variant.absolute_uri)
        whole, _ = _get(variant.absolute_uri.replace(".m3u8", ".mp4"))
        pieces = [_get(media.segments[0].init_section.absolute_uri)]
        pieces += [_get(segment.absolute_uri) for segment in media.segments]
        init, body = pieces[0][0], b"".join(data for data, _ in pieces[1:])
        assert whole.startswith(init) and whole.endswith(body)
        assert whole[len(init) + 4 : len(init) + 8] == b"sidx"
        assert int.from_bytes(whole[len(init) : len(init) + 4], "big") == len(whole) - len(init) - len(body)
        assert {headers["Content-Type"] for _, headers in pieces} == {"audio/mp4"}
        assert all("immutable" in headers["Cache-Control"] for _, headers in pieces)
        assert variant.stream_info.codecs in FAMILIES[family]
        seen += 1
    assert seen == 3 * (5 + 4) + 2 * 6  # of the MP3 there is no lossless.m3u8; in the others AAC is under FLAC


def test_bandwidth_is_the_peak_of_the_real_bytes(served: Served) -> None:
    """Recomputed by trying every run of segments of 0.5 to 1.5 target durations (RFC 8216 §4.1), within 1 %."""
    for _, _, variant in _variants(served):
        media = m3u8.loads(_get(variant.absolute_uri)[0].decode(), uri=variant.absolute_uri)
        sizes = [len(_get(segment.absolute_uri)[0]) for segment in media.segments]
        durations = [segment.duration for segment in media.segments]
        rates = []
        for first in range(len(sizes)):
            for end in range(first + 1, len(sizes) + 1):
                seconds = sum(durations[first:end])
                if 0.5 * media.target_duration <= seconds <= 1.5 * media.target_duration:
                    rates.append(8 * sum(sizes[first:end]) / seconds)
        average = 8 * sum(sizes) / sum(durations)
        assert variant.stream_info.average_bandwidth == pytest.approx(average, rel=0.01)
        assert variant.stream_info.bandwidth == pytest.approx(max([*rates, average]), rel=0.01)


def test_each_rendition_has_the_level_that_the_package_states(served: Served) -> None:
    """Played by ffmpeg over HTTP, each is within 0.2 LU of the stated level and at most −1 dBTP; where the peaks left
    room, that level is −14 LUFS."""
    for track, _, variant in _variants(served):
        integrated, peak = _loudness("-i", variant.absolute_uri)
        package = served.package(track)
        assert integrated == pytest.approx(package["level_lufs"], abs=0.2)
        assert peak <= -1.0 + 0.02
    assert {round(served.package(track)["level_lufs"], 1) for track in served.tracks} >= {-14.0}


def test_each_rendition_holds_the_music_to_the_sample(served: Served) -> None:
    """Without its priming a rendition lies exactly on the mezzanine: lag 0, and no sample is missing."""
    for track, _, variant in _variants(served):
        priming = PRIMING[variant.stream_info.codecs]
        package = served.package(track)
        (mezzanine,) = (served.recording(track) / "mezzanine").glob("*.mp4")
        music = _decoded("-i", str(mezzanine))
        heard = _decoded("-flags2", "+skip_manual", "-i", variant.absolute_uri.replace(".m3u8", ".mp4"))
        heard = heard[priming:] if len(heard) >= priming + len(music) else heard
        assert len(music) == package["media_samples"]
        assert len(heard) >= len(music)
        assert _lag(heard[: len(music)], music) == 0


def _lag(heard: Any, music: Any) -> int:
    """By how many samples `heard` comes late, by cross-correlation; the differences of samples make a sharp peak."""
    heard, music = np.diff(heard), np.diff(music)
    size = 1 << (2 * len(music)).bit_length()
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(music, size))
    peak = int(np.argmax(np.fft.irfft(product, size)))
    return peak if peak < size // 2 else peak - size


async def test_the_bucket_alone_is_a_playable_site(served: Served) -> None:
    """A plain web server over the stored files plays: their playlists are byte ranges of the files beside them."""
    app = web.Application()
    app.router.add_static("/", served.store)
    async with TestServer(app, host="127.0.0.1") as server:
        track = served.tracks[0]
        folder = server.make_url(f"/recordings/{track['recording_id']}/{track['package_id']}/")
        for name in ("index.m3u8", "opus.m3u8"):
            # ffmpeg 9.0 asks for neighbouring ranges at once and then loses its place in fMP4, in its own files too.
            ranges = ("-http_seekable", "0", "-http_persistent", "0")
            command = [FFMPEG, "-v", "error", "-nostdin", *ranges, "-i", f"{folder}{name}", "-f", "s16le", "-"]
            # A thread, so that the server in this very process can answer.
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60, check=False)
            assert (done.returncode, done.stderr) == (0, b"")
            assert len(done.stdout) >= served.package(track)["media_samples"] * 2 * 2


def test_verify_finds_nothing_wrong(served: Served) -> None:
    """What was published keeps every rule, by `segue verify` as well."""
    done = segue("verify", "--store", f"file:{served.store}", cwd=served.store.parent)
    assert done.status == 0
    assert [line["findings"] for line in done.lines[:-1]] == [[], [], []]


def test_verify_finds_nothing_wrong_from_outside(served: Served) -> None:
    """Nor as a stranger looks at it: over HTTP, each playlist of each track, headers and all; and in the bucket."""
    urls = [f"{served.url}{path}" for track in served.tracks for path in track["playlists"].values()]
    recordings = [str(served.recording(track)) for track in served.tracks]  # a lossless rendition may be the mezzanine
    done = segue("verify", *urls, *recordings, cwd=served.store.parent)
    *lines, summary = done.lines
    assert (done.status, summary["verified"], summary["broken"]) == (0, len(lines), 0)
    found = {finding["rule"] for line in lines for finding in line["findings"]}
    assert found <= {"APPLE-2.2", "CMAF-language"}  # Opus has a playlist of its own; nobody knows the words' language
    assert [line["not_looked_into"] for line in lines] == [[]] * len(lines)


def test_an_unknown_track_is_a_short_lived_404(served: Served) -> None:
    """Not found is cacheable for seconds only, and says nothing of paths."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        _get(f"{served.url}/tracks/{'a' * 20}/index.m3u8")
    assert refused.value.code == 404
    assert "max-age=5" in refused.value.headers["Cache-Control"]
    refused.value.close()


def test_the_longest_song_starts_with_short_segments(tmp_path: Path) -> None:
    """About 1, 2 and 3 s, then 6.08 s: start-up waits for the whole first segment."""
    make(OVERTURE, tmp_path / "album")
    assert _publish(tmp_path / "album", tmp_path / "store", "--aac", "64", "--opus", "64").status == 0
    playlists = list((tmp_path / "store").glob("recordings/*/*/*-64.m3u8"))
    assert len(playlists) == 2
    for playlist in playlists:
        durations = [segment.duration for segment in m3u8.load(str(playlist)).segments]
        assert durations[:4] == [0.96, 1.92, 2.88, 6.08]
        assert min(durations) >= 0.5
