"""Albums and stations as one stream: heard through ffmpeg and hls.js, read by a reader that shares no code with us."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from urllib.request import urlopen

import m3u8
import numpy as np
import pytest
from playwright.async_api import Browser, Page

from catalog.listener_open import open_listeners
from catalog.playlists import EntryRow, Playlists
from model.album import album_id_of
from model.joining import UNTRIMMED_TICKS_MAX
from tests.support.box_reader import read_boxes
from tests.support.command import SHORT_LADDER, segue
from tests.support.cut_album import (
    FFMPEG,
    PublishedTrack,
    decoded_file,
    music,
    tracks_in,
    write_track,
    write_tracks,
)
from tests.support.plain_decode import Frames, alone, frames_of, joined
from tests.support.served_album import serving_at

pytestmark = pytest.mark.asyncio(loop_scope="module")

RATE = 44_100
ALBUMS = {"run": "Album", "apart": "Other"}
FAMILIES = {"aac-64": "index.m3u8", "opus-64": "opus.m3u8", "flac": "lossless.m3u8"}
STATION_FRAME_TICKS = 1024
OUR_FAULTS = {
    "bufferSeekOverHole", "bufferAppendError", "bufferAppendingError", "fragParsingError", "levelParsingError",
    "manifestParsingError", "fragGap",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Two albums of three tracks: one whose music runs on, one of tracks that were encoded apart. And a playlist: the
    second and third of the run, one of the others, the first of the run."""

    url: str
    tracks: dict[str, list[PublishedTrack]]
    playlist_id: str

    def index(self, which: str, rendition: str = "aac-64") -> str:
        """The multivariant playlist of an album, or of the playlist."""
        if which == "mixed":
            return f"{self.url}playlists/{self.playlist_id}/{FAMILIES[rendition]}"
        return f"{self.url}albums/{album_id_of('B', ALBUMS[which])}/{FAMILIES[rendition]}"

    def station(self, which: str) -> str:
        """The multivariant playlist of the station of an album, or of the playlist."""
        if which == "mixed":
            return f"{self.url}stations/playlist-{self.playlist_id}/index.m3u8"
        return f"{self.url}stations/album-{album_id_of('B', ALBUMS[which])}/index.m3u8"

    def frames(self, which: str, rendition: str) -> list[Frames]:
        """The frames of each track, out of its own track file."""
        return [frames_of(track.folder / f"{rendition}.mp4") for track in self.tracks[which]]

    def mezzanines(self, which: str) -> list[Any]:
        """What each track was encoded from."""
        return [decoded_file(track.mezzanine) for track in self.tracks[which]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Published and served by the command line."""
    root = tmp_path_factory.mktemp("joined")
    cuts = [int(RATE * 2.05) + 1234, int(RATE * 4.1) + 4321]
    write_tracks(root / "run", music(int(RATE * 6.15) + 5151, rate=RATE), cuts, rate=RATE)
    (root / "apart").mkdir()
    for number, seconds in enumerate((2.111, 2.777, 3.019), start=1):
        wave = music(int(RATE * seconds), rate=RATE)
        tags = {"track": str(number), "album": ALBUMS["apart"]}
        write_track(root / "apart" / f"{number}.flac", wave[:: (-1) ** number].copy(), rate=RATE, **tags)
    store = ("--store", f"file:{root / 'store'}", "--catalog", str(root / "catalog.sqlite3"), *SHORT_LADDER)
    for which, mode in (("run", "album"), ("apart", "track")):
        ran = segue("publish", which, *store, "--loudness", mode, cwd=root)
        assert ran.status == 0, ran.stderr
    tracks = tracks_in(root / "store")
    of = {which: [each for each in tracks if each.record["tags"]["album"] == album] for which, album in ALBUMS.items()}
    assert [each.position for each in of["run"] + of["apart"]] == [0, 1, 2, None, None, None]
    mixed = [*of["run"][1:], of["apart"][0], of["run"][0]]
    playlist_id = made_playlist(root / "listeners.sqlite3", [each.record["track_id"] for each in mixed])
    listeners = ("--listeners", str(root / "listeners.sqlite3"))
    with serving_at(f"file:{root / 'store'}", os.environ, *listeners) as url:
        yield Served(url=url, tracks={**of, "mixed": mixed}, playlist_id=playlist_id)


def made_playlist(path: Path, track_ids: list[str]) -> str:
    """A public playlist of these tracks, in a database of listeners."""
    owner = "o" * 20
    with open_listeners(path) as database:
        with database.writing() as db:
            db.execute("INSERT INTO listeners VALUES (?, ?, '', 0)", (owner, b"key"))
        entries = [EntryRow(track_id=track_id) for track_id in track_ids]
        return Playlists(database).create(owner, name="Mixed", public=True, entries=entries).playlist_id


def media_of(index: str, rendition: str) -> tuple[str, Any]:
    """The media playlist of a rung as another reader has it, and where it is."""
    listed = m3u8.loads(fetched(index).decode())
    (uri,) = (each.uri for each in listed.playlists if each.uri.endswith(f"{rendition}.m3u8"))
    return urljoin(index, uri), m3u8.loads(fetched(urljoin(index, uri)).decode())


def fetched(url: str) -> bytes:
    """The body of a good answer."""
    with urlopen(url, timeout=30) as response:
        body: bytes = response.read()
    return body


async def heard(url: str, *arguments: str, complains: str = "warning") -> Any:
    """What a plain ffmpeg makes of a stream, as floats; it has nothing to complain of, from this level on."""
    command = [FFMPEG, "-nostdin", "-v", complains, *arguments, "-i", url, "-f", "f64le", "pipe:1"]
    done = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=100)
    assert done.stderr == b""
    return np.frombuffer(done.stdout, "<f8").reshape(-1, 2)


def lag(late: Any, source: Any) -> int:
    """By how many samples the one is late, by cross-correlation."""
    size = 1 << (len(late) + len(source)).bit_length()
    found = int(np.argmax(np.fft.irfft(np.fft.rfft(late[:, 0], size) * np.conj(np.fft.rfft(source[:, 0], size)))))
    return found - size if found > size // 2 else found


def place(whole: Any, part: Any) -> int:
    """Where in the whole it is least unlike the part."""
    size = 1 << (len(whole) + len(part)).bit_length()
    spectra = (np.fft.rfft(each[:, 0], size) for each in (whole, part))
    match = np.fft.irfft(next(spectra) * np.conj(next(spectra)), size)[: len(whole) - len(part) + 1]
    energy = np.concatenate([[0.0], np.cumsum(np.square(whole[:, 0]))])
    return int(np.argmin(energy[len(part) :] - energy[: -len(part)] - 2 * match))


def alike(one: Any, other: Any) -> bool:
    """Whether they are the same to 20 dB, in each fortieth of a second."""
    return all(
        level_db(one[at : at + 1200] - other[at : at + 1200]) < level_db(other[at : at + 1200]) - 20
        for at in range(0, len(other), 1200)
    )


def level_db(signal: Any) -> float:
    """RMS, in dB."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(signal))) + 1e-15))


@pytest.mark.parametrize("rendition", ["aac-64", "opus-64"])
async def test_an_album_that_runs_on_is_its_encoding_again(served: Served, rendition: str) -> None:
    """To the last bit of every sample; so it is the source, neither late nor early, with nothing added or lost."""
    playlist, _ = media_of(served.index("run", rendition), rendition)
    whole = await heard(playlist)
    wanted = joined(served.frames("run", rendition))
    source = np.concatenate(served.mezzanines("run"))
    assert len(wanted) == len(source) <= len(whole) < len(source) + served.frames("run", rendition)[0].frame_ticks
    assert np.array_equal(whole[: len(wanted)], wanted)
    assert lag(whole, source) == 0
    assert level_db(whole[: len(source)] - source) < level_db(source) - 20


@pytest.mark.parametrize("which", [*ALBUMS, "mixed"])
async def test_lossless_tracks_joined_are_the_mezzanines(served: Served, which: str) -> None:
    """Every sample, whether they run on or not."""
    playlist, _ = media_of(served.index(which, "flac"), "flac")
    assert np.array_equal(await heard(playlist), np.concatenate(served.mezzanines(which)))


@pytest.mark.parametrize(("which", "frames"), [("run", 0.0), ("apart", 0.5), ("mixed", 1.0)])
async def test_aac_under_lossless_plays_the_same_at_the_same_time(served: Served, which: str, frames: float) -> None:
    """Each track within half a frame of where FLAC has it, a piece out of its run within one; a whole run to the
    sample. So a player that steps down neither repeats nor skips what anybody could hear."""
    playlist, _ = media_of(served.index(which, "flac"), "flac-aac-64")
    whole, at = await heard(playlist), 0
    for mezzanine in served.mezzanines(which):
        part = whole[at : at + len(mezzanine)]
        assert abs(lag(part, mezzanine)) <= 1024 * frames
        at += len(mezzanine)
    assert 0 <= len(whole) - at < 2 * 1024


@pytest.mark.parametrize(("rendition", "priming"), [("aac-64", 1024), ("opus-64", 312)])
async def test_tracks_that_were_encoded_apart_are_whole(served: Served, rendition: str, priming: int) -> None:
    """Each sample is there at its time; between two lie the rest of a frame and the priming, no more. What the one
    decoder carries from a track into the next is far below the music, and gone after a frame."""
    playlist, _ = media_of(served.index("apart", rendition), rendition)
    whole, at = await heard(playlist), 0
    tracks = served.frames("apart", rendition)
    for number, (frames, mezzanine) in enumerate(zip(tracks, served.mezzanines("apart"), strict=True)):
        assert frames.priming == priming
        at += priming if number else 0
        part, by_itself = whole[at : at + frames.samples], alone(frames)
        assert len(part) == len(mezzanine)
        assert lag(part, mezzanine) == 0
        error, frame = part - by_itself, frames.frame_ticks
        assert level_db(error[:frame]) < level_db(by_itself[:frame]) - 20
        assert level_db(error[frame:]) < level_db(by_itself[frame:]) - 30
        at += frames.samples + -(frames.priming + frames.samples) % frame
    assert len(whole) == at


@pytest.mark.parametrize("rendition", ["aac-64", "opus-64"])
async def test_a_playlist_is_all_its_tracks(served: Served, rendition: str) -> None:
    """In its order; its first two are pieces of a run, which meet to the sample, wherever in the run they are."""
    playlist, _ = media_of(served.index("mixed", rendition), rendition)
    whole, sources = await heard(playlist), served.mezzanines("mixed")
    second, third, apart, first = served.frames("mixed", rendition)
    frame = second.frame_ticks
    together = np.concatenate(sources[:2])
    assert lag(whole[: len(together)], together) == 0
    assert np.array_equal(whole[: len(together)], joined([second, third]))
    at = len(together) + -(second.priming + len(together)) % frame
    for frames, source in ((apart, sources[2]), (first, sources[3])):
        at += frames.priming
        assert lag(whole[at : at + frames.samples], source) == 0
        at += frames.samples + -(frames.priming + frames.samples) % frame
    assert len(whole) == at


@pytest.mark.parametrize("which", [*ALBUMS, "mixed"])
@pytest.mark.parametrize("rendition", list(FAMILIES))
async def test_boxes_and_playlist_are_one_timeline(served: Served, which: str, rendition: str) -> None:
    """By readers of others: each segment begins where the one before ended, and lasts as long as EXTINF says."""
    url, playlist = await asyncio.to_thread(media_of, served.index(which, rendition), rendition)
    bodies = [await asyncio.to_thread(fetched, urljoin(url, each.uri)) for each in playlist.segments]
    times = continuous(bodies)
    assert times[0][0] == 0
    for (_, ticks), segment in zip(times, playlist.segments, strict=True):
        assert abs(segment.duration - ticks / 48_000) < 2e-6
    assert (playlist.playlist_type, playlist.is_endlist, len(playlist.segment_map)) == ("vod", True, 1)
    assert not any(each.discontinuity for each in playlist.segments)
    ranges = playlist.segments[0].dateranges
    titles = [dict(each.x_client_attrs)["x_title"].strip('"') for each in ranges]
    assert titles == [each.record["tags"]["title"] for each in served.tracks[which]]


def continuous(segments: list[bytes]) -> list[tuple[int, int]]:
    """Start and duration of each segment, by its boxes."""
    found = []
    for each in segments:
        moof, _ = read_boxes(each)
        default = moof.one("traf/tfhd")["duration"]
        ticks = sum(row.get("duration", default) for row in moof.one("traf/trun").rows)
        found.append((moof.one("traf/tfdt")["decode_time"], ticks))
    assert all(before[0] + before[1] == after[0] for before, after in pairwise(found))
    return found


async def test_verify_finds_nothing_that_players_need(served: Served) -> None:
    """Our own rules for anybody's streams, on all of them; what it remarks are choices of decision 32."""
    urls = [served.index(which, rendition) for which in ALBUMS for rendition in FAMILIES]
    urls += [served.index("mixed", rendition) for rendition in FAMILIES]
    urls += [served.station("apart").replace("index", "opus")]
    urls += [served.station(which) for which in (*ALBUMS, "mixed")] + [f"{served.url}stations/library/index.m3u8"]
    ran = await asyncio.to_thread(segue, "verify", *urls, cwd=Path.cwd())
    assert [line for line in ran.lines if line["event"] == "verify" and line["status"] != "sound"] == []
    assert ran.status == 0
    found = {finding["rule"] for line in ran.lines for finding in line.get("findings", ())}
    assert found <= {"APPLE-2.19", "CMAF-language", "APPLE-2.2", "APPLE-2.3", "APPLE-7.5"}


async def test_ffmpeg_hears_a_station(served: Served) -> None:
    """For a while, without a complaint and without a hole: the tracks, one after another, again and again."""
    _, playlist = media_of(served.station("run"), "aac-64")
    assert (playlist.target_duration, playlist.is_endlist) == (6, False)
    whole = await heard(urljoin(served.station("run"), "aac-64.m3u8"), "-t", "12", complains="error")
    assert len(whole) == 12 * 48_000
    loud = np.abs(whole).max(axis=1).reshape(-1, 480).max(axis=1)[10:]  # each hundredth of a second, once it runs
    silent = "".join("." if each > 0.1 * loud.max() else "#" for each in loud)
    # Where the last track is followed by the first again: the rest of a frame, and the priming.
    assert max(map(len, silent.split("."))) <= 5


@pytest.mark.parametrize("which", list(ALBUMS))
async def test_a_station_plays_the_frames_of_its_tracks(served: Served, which: str) -> None:
    """In their order, all of them, and no other; on one timeline, on the clock's grid."""
    url, playlist = await asyncio.to_thread(media_of, served.station(which), "aac-64")
    bodies = [await asyncio.to_thread(fetched, urljoin(url, each.uri)) for each in playlist.segments]
    times = continuous(bodies)
    assert {ticks for _, ticks in times} == {270 * STATION_FRAME_TICKS}
    assert times[0][0] == playlist.media_sequence * 270 * STATION_FRAME_TICKS
    played = [frame for each in bodies for frame in frames_in(each)]
    tracks = served.frames(which, "aac-64")
    turn = list(tracks[0].frames)
    for before, track in pairwise(tracks):
        if which == "run":
            if (before.priming + before.samples) % before.frame_ticks:
                turn.pop()
            turn += track.frames[track.priming // track.frame_ticks :]
        else:
            turn += track.frames
    (begin,) = (at for at in range(len(turn)) if played[:20] == [turn[(at + n) % len(turn)] for n in range(20)])
    assert played == [turn[(begin + at) % len(turn)] for at in range(len(played))]


def frames_in(segment: bytes) -> list[bytes]:
    """The frames of a segment, by its boxes."""
    moof, mdat = read_boxes(segment)
    assert moof.one("traf/trun")["data_offset"] == moof.size + 8
    frames, at = [], 0
    for row in moof.one("traf/trun").rows:
        frames.append(mdat.raw[at : at + row["size"]])
        at += row["size"]
    assert at == len(mdat.raw)
    return frames


# Plays a stream in the page's own hls.js until a condition on `seen` holds, and gives what was seen.
PLAY = """
async ([url, untilSeconds, timeoutMs]) => {
  const { default: Hls } = await import('/vendor/hls.mjs');
  const audio = new Audio(), hls = new Hls({ enableWorker: false });
  const seen = { errors: [], ranges: 0, ended: false, at: 0, from: null, titles: [], live: null };
  audio.muted = true;
  hls.on(Hls.Events.ERROR, (_, error) => seen.errors.push([error.details, error.fatal]));
  hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
    seen.live = details.live;
    seen.titles = Object.values(details.dateRanges).map((range) => range.attr['X-TITLE']);
  });
  audio.addEventListener('ended', () => { seen.ended = true; });
  hls.attachMedia(audio);
  hls.loadSource(url);
  const look = () => {
    seen.ranges = Math.max(seen.ranges, audio.buffered.length);
    seen.at = audio.currentTime;
    if (seen.from === null && audio.currentTime > 0 && !audio.paused) seen.from = audio.currentTime;
    return seen.ended || (seen.from !== null && seen.at - seen.from > untilSeconds);
  };
  await new Promise((resolve) => hls.on(Hls.Events.MANIFEST_PARSED, resolve));
  await audio.play();
  const started = performance.now();
  while (!look() && performance.now() - started < timeoutMs) await new Promise((resolve) => setTimeout(resolve, 20));
  seen.duration = audio.duration;
  hls.destroy();
  return seen;
}
"""


async def played(browser: Browser, served: Served, url: str, *, until_s: float) -> dict[str, Any]:
    """What hls.js does with a stream, until so much was played or it ended."""
    page: Page = await browser.new_page()
    try:
        await page.goto(served.url)
        seen: dict[str, Any] = await page.evaluate(PLAY, [url, until_s, 90_000])
    finally:
        await page.close()
    # A busy machine lets the playhead stand and answers come late; what hls.js cannot read or has to skip is ours.
    seen["errors"] = [(details, fatal) for details, fatal in seen["errors"] if fatal or details in OUR_FAULTS]
    return seen


@pytest.mark.parametrize("which", ["run", "mixed"])
async def test_hls_js_plays_across_the_joints(browser: Browser, served: Served, which: str) -> None:
    """To the end, out of one buffer without a hole, knowing which track is on."""
    seen = await played(browser, served, served.index(which), until_s=1000)
    assert seen["errors"] == []
    assert (seen["ended"], seen["ranges"], seen["live"]) == (True, 1, False)
    assert seen["titles"] == [each.record["tags"]["title"] for each in served.tracks[which]]
    _, playlist = await asyncio.to_thread(media_of, served.index(which), "aac-64")
    assert abs(seen["duration"] - sum(each.duration for each in playlist.segments)) < 0.05


async def test_hls_js_plays_a_station(browser: Browser, served: Served) -> None:
    """Longer than it had at the start, across joints, out of one buffer without a hole."""
    began_s = time.monotonic()
    seen = await played(browser, served, served.station("apart"), until_s=8)
    assert seen["errors"] == []
    assert (seen["ended"], seen["ranges"], seen["live"]) == (False, 1, True)
    assert seen["at"] - seen["from"] > 8, f"gave up after {time.monotonic() - began_s:.0f} s"
    assert len(seen["titles"]) > 3


# Plays an album over its joints with the page's own deck, and gives what was heard around each; the last track was
# loaded first. A busy machine may let the playhead wait: then it is played again.
RECORD = """
async ([albumId, family, joints, lastId]) => {
  const { Deck } = await import('/deck.js'), { joinedList } = await import('/joined.js');
  const until = async (holds) => { while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10)); };
  const recorder = `registerProcessor('recorder', class extends AudioWorkletProcessor {
    process([[left, right]]) {
      if (left) this.port.postMessage([left.slice(), right.slice()]);
      return true;
    }
  })`;
  const context = new AudioContext({ sampleRate: 48000 }), deck = new Deck();
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([recorder], { type: 'text/javascript' })));
  const form = { channelCount: 2, channelCountMode: 'explicit', numberOfOutputs: 0 };
  const node = new AudioWorkletNode(context, 'recorder', form);
  context.createMediaElementSource(deck.audio).connect(node);
  await context.resume();
  let heard = [], waited = false, matters = 0;
  node.port.onmessage = ({ data }) => heard.push(data);
  deck.audio.addEventListener('waiting', () => { waited ||= deck.position > matters; });
  const tracks = joints.concat(0).map((_, at) => ({ track_id: at, playlists: { opus: 'there' } }));
  deck.load(joinedList('album', albumId, '', tracks), { family, kbps: null, at: joints.at(-1) + 0.1 });
  await until(() => deck.bufferAhead > 1);
  const found = [];
  const hear = async (from, to, what = from) => {
    matters = what;
    do {
      deck.seek(from);
      await until(() => !deck.audio.seeking && deck.bufferAhead > to - from);
      [heard, waited] = [[], false];
      await deck.audio.play();
      await until(() => deck.position > to);
      deck.audio.pause();
      await new Promise((resolve) => setTimeout(resolve, 50));
    } while (waited);
    found.push(heard.flatMap(([left, right]) => Array.from(left, (sample, at) => [sample, right[at]])));
  };
  for (const joint of joints) await hear(joint - 0.3, joint + 0.2, joint - 0.15);
  const start = deck.track.startOf(lastId);
  await hear(start, start + 0.2);
  deck.unload();
  await context.close();
  return found;
}
"""


@pytest.mark.parametrize(("family", "rendition"), [("aac", "aac-64"), ("opus", "opus-64")])
async def test_the_page_plays_nothing_between_tracks_that_were_encoded_apart(
    browser: Browser, served: Served, family: str, rendition: str
) -> None:
    """A sample at most, or the millisecond that browsers do not cut off; all of the music before and after is there."""
    tracks = served.frames("apart", rendition)
    whole = [alone(each) for each in tracks]
    joints = list(accumulate(len(each) / 48_000 for each in whole[:-1]))
    page: Page = await browser.new_page(bypass_csp=True)  # the recorder is no part of the page
    try:
        await page.goto(served.url)
        last_id = served.tracks["apart"][-1].record["track_id"]
        *over, picked = await page.evaluate(RECORD, [album_id_of("B", ALBUMS["apart"]), family, joints, last_id])
    finally:
        await page.close()
    for (before, after), frames, samples in zip(pairwise(whole), tracks, over, strict=False):
        heard, near = np.array(samples), 4_800
        tail, head = before[-near:], after[:near]
        ends, begins = place(heard, tail) + near, place(heard, head)
        left = -(frames.priming + frames.samples) % frames.frame_ticks
        assert begins - ends in ({0, 1} if left > UNTRIMMED_TICKS_MAX else {left, left + 1})
        assert alike(heard[ends - near : ends], tail) and alike(heard[begins : begins + near], head)
    heard = np.array(picked)
    begins = place(heard, head)
    assert alike(heard[begins : begins + near], head)
