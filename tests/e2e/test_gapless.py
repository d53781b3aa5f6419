"""Albums whose music runs on: mezzanines are one signal, renditions one encoding, each track exact by itself.

Heard by a reader and decoders that share no code with us; see `tests.support.plain_decode`.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.audio import music_like
from tests.support.command import SHORT_LADDER, segue
from tests.support.cut_album import (
    PublishedTrack,
    decoded_file,
    joined_sources,
    music,
    resampled,
    tracks_in,
    write_track,
    write_tracks,
)
from tests.support.plain_decode import Frames, alone, frames_of, joined

STORE = ("--store", "file:store", "--catalog", "catalog.sqlite3")
RENDITIONS = ("aac-64", "opus-64")
AROUND = 2_400  # samples at 48 kHz to each side of a joint: two frames and more
NEAR_S = 2.05  # a track that runs on has two seconds or more


@dataclass(frozen=True, slots=True, kw_only=True)
class Album:
    """An album as it was cut, and as it was published; `reference` is the whole at 48 kHz with the gain on it."""

    tracks: list[PublishedTrack]
    mezzanines: list[Any]
    reference: Any


def published(folder: Path, *arguments: str) -> list[PublishedTrack]:
    """What `music` in this folder becomes."""
    ran = segue("publish", "music", *STORE, *SHORT_LADDER, *arguments, cwd=folder)
    assert ran.status == 0, ran.stderr
    return tracks_in(folder / "store")


def three_parts(folder: Path, rate: int, *arguments: str, pure: bool = False) -> Album:
    """An album of three tracks, cut at samples that no grid shares."""
    cuts = [int(rate * NEAR_S) + 1234, int(rate * NEAR_S * 2) + 4321]
    wave = music(int(rate * NEAR_S * 3) + 5151, rate=rate, pure=pure)
    write_tracks(folder / "music", wave, cuts, rate=rate)
    tracks = published(folder, *arguments)
    gain = 10 ** (tracks[0].record["mezzanine"]["gain_db"] / 20)
    return Album(
        tracks=tracks,
        mezzanines=[decoded_file(track.mezzanine) for track in tracks],
        reference=resampled(wave, rate=rate) * gain,
    )


def level_db(signal: Any) -> float:
    """RMS over all channels, in dB."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(signal))) + 1e-12))


def lag(heard: Any, wanted: Any) -> int:
    """By how many samples the one is late, by cross-correlation."""
    size = 1 << (len(heard) + len(wanted)).bit_length()
    match = np.fft.irfft(np.fft.rfft(heard[:, 0], size) * np.conj(np.fft.rfft(wanted[:, 0], size)))
    found = int(np.argmax(match))
    return found - size if found > size // 2 else found


@pytest.mark.parametrize(
    ("rate", "arguments"), [(44_100, ()), (48_000, ()), (96_000, ()), (44_100, ("--loudness", "off"))]
)
def test_an_album_that_runs_on_is_whole(tmp_path: Path, rate: int, arguments: tuple[str, ...]) -> None:
    """One signal in the mezzanines, one encoding in each rendition; and each track is exact by itself, too."""
    album = three_parts(tmp_path, rate, *arguments)
    assert [track.position for track in album.tracks] == [0, 1, 2]
    assert len({track.record["mezzanine"]["gain_db"] for track in album.tracks}) == 1
    whole = np.concatenate(album.mezzanines)
    assert len(whole) == len(album.reference)
    assert 20 * np.log10(np.abs(whole - album.reference).max()) < -110
    for at, rendition in enumerate(RENDITIONS):
        assert len({track.package["renditions"][at]["trim_db"] for track in album.tracks}) == 1
        frames = [frames_of(track.folder / f"{rendition}.mp4") for track in album.tracks]
        for one, mezzanine in zip(frames, album.mezzanines, strict=True):
            exact_alone(one, mezzanine)
        for which in ((0, 1), (1, 2), (0, 1, 2)):
            exact_together([frames[at] for at in which], [album.mezzanines[at] for at in which])
    for track, mezzanine in zip(album.tracks, album.mezzanines, strict=True):
        exact_lossless(track, mezzanine)


@pytest.mark.parametrize(
    ("suffix", "channels", "rate"), [(".mp3", 2, 44_100), (".flac", 6, 44_100), (".wav", 1, 22_050)]
)
def test_sources_of_any_form_are_one_signal(tmp_path: Path, suffix: str, channels: int, rate: int) -> None:
    """Lossy ones, mixed down or doubled: what a plain ffmpeg makes of all files in one pass, with the gain."""
    wave = np.tile(music(rate * 7, rate=rate), 3)[:, :channels]
    cuts = [rate * 2 + 7_777, rate * 4 + 9_001]
    paths = write_tracks(tmp_path / "music", np.ascontiguousarray(wave), cuts, rate=rate, suffix=suffix)
    ran = segue("ingest", "music", *STORE, "--jobs", "2", cwd=tmp_path)
    assert ran.status == 0, ran.stderr
    records = [json.loads(path.read_text()) for path in tmp_path.glob("store/tracks/*/track.json")]
    records.sort(key=lambda record: record["tags"]["track_number"])
    assert [record["run"]["position"] for record in records] == [0, 1, 2]
    made = [record["mezzanine"] for record in records]
    folder = tmp_path / "store" / "recordings"
    whole = [decoded_file(folder / each["recording_id"] / "mezzanine" / f"{each['mezzanine_id']}.mp4") for each in made]
    error = np.concatenate(whole) - joined_sources(paths, channels) * 10 ** (made[0]["gain_db"] / 20)
    assert 20 * np.log10(np.abs(error).max()) < -110


def exact_lossless(track: PublishedTrack, mezzanine: Any) -> None:
    """FLAC needs neither priming nor neighbours: it is the mezzanine, or that with the trim of the run."""
    told = track.package["renditions"][-1]
    assert (told["rendition"]["codec"], told["priming_ticks"]) == ("flac", 0)
    heard = decoded_file(track.folder / (told["track_file"] or "flac.mp4"))
    assert len(heard) == len(mezzanine)
    assert np.abs(heard - mezzanine * 10 ** (told["trim_db"] / 20)).max() < 2**-22


def exact_alone(frames: Frames, mezzanine: Any) -> None:
    """As many samples as the mezzanine has, none of them early or late, and the first as good as the others."""
    heard = alone(frames)
    assert len(heard) == frames.samples == len(mezzanine)
    assert lag(heard, mezzanine) == 0
    assert level_db((heard - mezzanine)[:AROUND]) < level_db(mezzanine[:AROUND]) - 6


def exact_together(frames: Sequence[Frames], mezzanines: Sequence[Any]) -> None:
    """The count is exact, and around a joint the music is as near to the mezzanines as everywhere else."""
    heard, wanted = joined(frames), np.concatenate(mezzanines)
    assert len(heard) == len(wanted)
    error = heard - wanted
    for border in borders(mezzanines):
        assert level_db(error[border - AROUND : border + AROUND]) < level_db(error[AROUND:-AROUND]) + 4


def borders(mezzanines: Sequence[Any]) -> list[int]:
    """Where tracks meet, in samples at 48 kHz."""
    return [int(sum(len(each) for each in mezzanines[:count])) for count in range(1, len(mezzanines))]


def test_each_by_itself_would_not_be_whole(tmp_path: Path) -> None:
    """In track mode there are no runs; and what the test above measures is heard then."""
    album = three_parts(tmp_path, 44_100, "--loudness", "track")
    assert [track.position for track in album.tracks] == [None, None, None]
    gains = [10 ** (track.record["mezzanine"]["gain_db"] / 20) for track in album.tracks]
    flat = np.concatenate([each / gain * gains[0] for each, gain in zip(album.mezzanines, gains, strict=True)])
    border = len(album.mezzanines[0])
    error = np.abs(flat - album.reference[: len(flat)])[border - 100 : border + 100]
    assert 20 * np.log10(error.max()) > -60


def test_a_tone_goes_through_the_cuts_without_a_click(tmp_path: Path) -> None:
    """A jump of the signal would stand out in its second difference."""
    album = three_parts(tmp_path, 44_100, pure=True)
    for rendition in RENDITIONS:
        heard = joined([frames_of(track.folder / f"{rendition}.mp4") for track in album.tracks])
        bend = np.abs(np.diff(heard, n=2, axis=0)).max(axis=1)
        at_rest = bend[AROUND : len(album.mezzanines[0]) - AROUND].max()
        assert at_rest < 0.02 * np.abs(album.reference).max()  # a step of a tenth of the tone would be far above
        for border in borders(album.mezzanines):
            assert bend[border - AROUND : border + AROUND].max() < 1.5 * at_rest


def test_tracks_that_end_are_left_alone(tmp_path: Path) -> None:
    """Silence at a joint; a hole in the numbers; another form; a short track; another disc; no album: no run."""
    rate = 44_100
    wave = music(rate * 13, rate=rate)
    part = int(rate * 2.1)
    parts = [wave[at * part : (at + 1) * part] for at in range(6)]
    parts[0][-rate // 20 :] = 0
    folder = tmp_path / "music"
    folder.mkdir()
    write_track(folder / "1.flac", parts[0], rate=rate, track="1")
    write_track(folder / "2.flac", parts[1], rate=rate, track="2")
    write_track(folder / "4.flac", parts[2], rate=rate, track="4")
    write_track(folder / "5.wav", parts[3], rate=rate, track="5")
    write_track(folder / "6.wav", parts[4][: rate // 2], rate=rate, track="6")
    write_track(folder / "7.flac", parts[5], rate=rate, track="7", disc="2")
    for number in (1, 2):
        shutil.copy(music_like(2.5, seed=number), folder / f"loose{number}.flac")
    tracks = published(tmp_path)
    assert [track.position for track in tracks] == [None] * 8
    assert [track.package["run"] for track in tracks] == [[]] * 8


def test_two_discs_are_two_runs(tmp_path: Path) -> None:
    """The last of a disc does not run into the first of the next."""
    rate = 48_000
    wave = music(rate * 9, rate=rate)
    cut = int(rate * 2.1)
    for disc in (1, 2):
        half = wave[(disc - 1) * 2 * cut :][: 2 * cut]
        write_tracks(tmp_path / "music" / f"CD{disc}", half, [cut], rate=rate, disc=str(disc))
    tracks = published(tmp_path)
    assert [track.position for track in tracks] == [0, 1, 0, 1]
    assert tracks[0].run == tracks[1].run != tracks[2].run == tracks[3].run
