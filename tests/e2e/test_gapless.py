"""Albums whose music runs on: mezzanines are one signal, renditions one encoding, each track exact by itself.

Heard by a reader and decoders that share no code with us; see `tests.support.plain_decode`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.audio import music_like
from tests.support.command import SHORT_LADDER, segue
from tests.support.cut_album import PublishedTrack, decoded_file, music, resampled, tracks_in, write_track, write_tracks
from tests.support.plain_decode import alone, frames_of, joined

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

    @property
    def borders(self) -> list[int]:
        """Where its tracks meet, in samples at 48 kHz."""
        return list(np.cumsum([len(each) for each in self.mezzanines])[:-1])


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


Made = Callable[..., Album]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Albums by what they are made with; equal ones are published once."""
    known: dict[tuple[Any, ...], Album] = {}

    def make(rate: int, *arguments: str, pure: bool = False) -> Album:
        which = (rate, *arguments, pure)
        if which not in known:
            known[which] = three_parts(tmp_path_factory.mktemp("album"), rate, *arguments, pure=pure)
        return known[which]

    return make


def level_db(signal: Any) -> float:
    """RMS over all channels, in dB."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(signal))) + 1e-12))


def lag(heard: Any, wanted: Any) -> int:
    """By how many samples the one is late, by cross-correlation."""
    size = 1 << (len(heard) + len(wanted)).bit_length()
    match = np.fft.irfft(np.fft.rfft(heard[:, 0], size) * np.conj(np.fft.rfft(wanted[:, 0], size)))
    found = int(np.argmax(match))
    return found - size if found > size // 2 else found


SOURCES = [(44_100, ()), (48_000, ()), (44_100, ("--loudness", "off")), (96_000, ())]


@pytest.mark.parametrize(("rate", "arguments"), SOURCES)
def test_the_mezzanines_are_one_signal(made: Made, rate: int, arguments: tuple[str, ...]) -> None:
    """Joined they are the whole album resampled in one pass, with one gain: no sample more, less, or heard wrongly."""
    album = made(rate, *arguments)
    assert [track.position for track in album.tracks] == [0, 1, 2]
    assert len({track.record["mezzanine"]["gain_db"] for track in album.tracks}) == 1
    whole = np.concatenate(album.mezzanines)
    assert len(whole) == len(album.reference)
    assert 20 * np.log10(np.abs(whole - album.reference).max()) < -110


def test_alone_they_would_not_be(tmp_path: Path) -> None:
    """What the test above measures is heard where each track is resampled by itself."""
    album = three_parts(tmp_path, 44_100, "--loudness", "track")
    assert [track.position for track in album.tracks] == [None, None, None]
    border = album.borders[0]
    gains = [10 ** (track.record["mezzanine"]["gain_db"] / 20) for track in album.tracks]
    flat = np.concatenate([mezzanine / gain for mezzanine, gain in zip(album.mezzanines, gains, strict=True)])
    error = np.abs(flat - album.reference[: len(flat)] / gains[0])[border - 100 : border + 100]
    assert 20 * np.log10(error.max()) > -60


@pytest.mark.parametrize("rendition", RENDITIONS)
@pytest.mark.parametrize(("rate", "arguments"), SOURCES)
def test_each_track_is_exact_by_itself(made: Made, rate: int, arguments: tuple[str, ...], rendition: str) -> None:
    """As many samples as its mezzanine, none of them early or late, and its first as good as the others."""
    album = made(rate, *arguments)
    for track, mezzanine in zip(album.tracks, album.mezzanines, strict=True):
        frames = frames_of(track.folder / f"{rendition}.mp4")
        heard = alone(frames)
        assert len(heard) == frames.samples == track.package["media_samples"] == len(mezzanine)
        assert lag(heard, mezzanine) == 0
        error = heard - mezzanine
        assert level_db(error[:AROUND]) < level_db(mezzanine[:AROUND]) - 6


@pytest.mark.parametrize("rendition", RENDITIONS)
@pytest.mark.parametrize("which", [(0, 1), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize(("rate", "arguments"), SOURCES)
def test_joined_on_one_timeline_nothing_is_missed(
    made: Made, rate: int, arguments: tuple[str, ...], which: Sequence[int], rendition: str
) -> None:
    """The count is exact, and around a joint the music is as near to its mezzanine as everywhere else."""
    album = made(rate, *arguments)
    heard = joined([frames_of(album.tracks[at].folder / f"{rendition}.mp4") for at in which])
    wanted = np.concatenate([album.mezzanines[at] for at in which])
    assert len(heard) == len(wanted)
    error = heard - wanted
    for border in np.cumsum([len(album.mezzanines[at]) for at in which])[:-1]:
        assert level_db(error[border - AROUND : border + AROUND]) < level_db(error[AROUND:-AROUND]) + 4


@pytest.mark.parametrize("rendition", RENDITIONS)
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_tone_goes_through_the_cuts_without_a_click(made: Made, rate: int, rendition: str) -> None:
    """A jump of the signal would stand out in its second difference."""
    album = made(rate, pure=True)
    heard = joined([frames_of(track.folder / f"{rendition}.mp4") for track in album.tracks])
    bend = np.abs(np.diff(heard, n=2, axis=0)).max(axis=1)
    at_rest = bend[AROUND : len(album.mezzanines[0]) - AROUND].max()
    for border in album.borders:
        assert bend[border - AROUND : border + AROUND].max() < 1.5 * at_rest
    amplitude = np.abs(album.reference).max()
    assert at_rest < 0.02 * amplitude  # a step of a tenth of the amplitude would be far above


def test_the_renditions_of_a_run_have_one_trim(made: Made) -> None:
    """Another gain in the middle of the music would be heard."""
    album = made(44_100)
    for rendition in range(len(RENDITIONS)):
        assert len({track.package["renditions"][rendition]["trim_db"] for track in album.tracks}) == 1


def test_tracks_that_end_are_left_alone(tmp_path: Path) -> None:
    """Silence at the joint; another disc; a hole in the numbers; another form; a track of a second: no run."""
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
    tracks = published(tmp_path)
    assert [track.position for track in tracks] == [None] * 6
    assert [track.package["run"] for track in tracks] == [[]] * 6


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


def test_a_file_without_an_album_is_alone(tmp_path: Path) -> None:
    """Numbers alone make no neighbours."""
    folder = tmp_path / "music"
    folder.mkdir()
    for number in (1, 2):
        path = folder / f"{number}.flac"
        path.write_bytes(music_like(2.5, seed=number).read_bytes())
    assert [track.position for track in published(tmp_path)] == [None, None]
