"""What the quality study listens to: passages of freely licensed music that Debian ships, and two computed ones.

Lossless is what never was compressed: FLAC recordings, and tracker modules, which are scores with their recorded
instruments and are rendered here. The rest is Ogg Vorbis, most of it of 260 kbit/s and more.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.debian_files import unpack_package
from scripts.quality_numbers import Samples

RATE_HZ = 48_000
PASSAGE_S = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A file of a package and where its passage begins; a short loop is repeated.

    `origin` is `lossless`, `vorbis` or `computed`.
    """

    name: str
    origin: str
    package: str = ""
    file: str = ""
    start_s: float = 0.0
    looped: bool = False

    @property
    def real(self) -> bool:
        """Whether it is somebody's music."""
        return self.origin != "computed"


def _vorbis(name: str, package: str, file: str, start_s: float) -> Track:
    return Track(name=name, origin="vorbis", package=package, file=file, start_s=start_s)


def _tracker(name: str, package: str, file: str, start_s: float) -> Track:
    return Track(name=name, origin="lossless", package=package, file=file, start_s=start_s)


def _loop(name: str) -> Track:
    file = f"usr/share/sonic-pi/samples/{name}.flac"
    return Track(name=name, origin="lossless", package="sonic-pi-samples", file=file, looped=True)


_ROGUE = "usr/share/hyperrogue/music"
_STARS = "usr/share/starfighter/music"

TRACKS = (
    _tracker("heroes05", "heroes-sound-tracks", "usr/share/games/heroes/mod/heroes05.xm", 40),
    _vorbis("hr3-desert", "hyperrogue-music", f"{_ROGUE}/hr3-desert.ogg", 20),
    _loop("loop_amen_full"),
    _vorbis("through_space", "starfighter-data", f"{_STARS}/through_space.ogg", 60),
    _tracker("pk2-song03", "pekka-kana-2-data", "usr/share/games/pekka-kana-2/data/music/song03.xm", 30),
    _vorbis("hr3-hell", "hyperrogue-music", f"{_ROGUE}/hr3-hell.ogg", 40),
    _loop("loop_tabla"),
    _vorbis("hr-domina-mountain", "hyperrogue-music", f"{_ROGUE}/hr-domina-mountain.ogg", 30),
    _tracker("lg-criti", "criticalmass-data", "usr/share/games/criticalmass/lg-criti.xm", 30),
    _vorbis("space_dimensions", "starfighter-data", f"{_STARS}/space_dimensions.ogg", 40),
    _loop("guit_em9"),
    _vorbis("hr3-caves", "hyperrogue-music", f"{_ROGUE}/hr3-caves.ogg", 20),
    _tracker("IHaveNoTomatoes", "tomatoes-data", "usr/share/tomatoes/music/IHaveNoTomatoes.it", 90),
    _vorbis("hr3-jungle", "hyperrogue-music", f"{_ROGUE}/hr3-jungle.ogg", 30),
    _vorbis("railjet_short", "starfighter-data", f"{_STARS}/railjet_short.ogg", 40),
    _vorbis("hr-savino-palace", "hyperrogue-music", f"{_ROGUE}/hr-savino-palace.ogg", 20),
    _vorbis(
        "chaosland",
        "fretsonfire-songs-sectoid",
        "usr/share/games/fretsonfire/data/songs/sectoid/Escape from chaosland/song.ogg",
        80,
    ),
    _vorbis("Through Space", "singularity-music", "usr/share/games/singularity/music/Through Space.ogg", 60),
    Track(name="castanets", origin="computed"),
    Track(name="glockenspiel", origin="computed"),
)


def source_file(track: Track, packages: Path) -> Path:
    """The track's file, its package unpacked under `packages` if it is not there yet. Raises PackageUnavailable."""
    if not (packages / track.package).is_dir():
        unpack_package(track.package, packages)
    return packages / track.package / track.file


def computed(name: str) -> Samples:
    """A passage that is hard on transform codecs: dry clicks of wood, or struck bars that ring."""
    count = int(PASSAGE_S * RATE_HZ)
    music = np.zeros((count, 2), np.float32)
    generator = np.random.default_rng(7)
    for beat in np.arange(0.25, PASSAGE_S - 1.5, 0.125):
        if generator.random() < 0.25:
            continue
        sound = _castanet(generator) if name == "castanets" else _bar(generator)
        at, side = int(beat * RATE_HZ), generator.uniform(0.25, 0.75)
        music[at : at + len(sound)] += sound[:, None] * np.array([np.sqrt(1 - side), np.sqrt(side)])
    return np.asarray(0.5 * music / np.max(np.abs(music)), np.float32)


def _castanet(generator: np.random.Generator) -> Samples:
    """A click of 20 ms: noise through the resonances of two shells."""
    time = np.arange(int(0.02 * RATE_HZ)) / RATE_HZ
    ring = sum(
        np.sin(2 * np.pi * hertz * time) for hertz in generator.uniform([1_900, 3_100, 5_200], [2_300, 3_600, 6_000])
    )
    noise = generator.standard_normal(len(time))
    return np.asarray((0.5 * ring + noise) * np.exp(-time / 0.003) * generator.uniform(0.4, 1.0), np.float32)


def _bar(generator: np.random.Generator) -> Samples:
    """A struck steel bar: partials of a free beam, and a click of the mallet."""
    time = np.arange(int(1.2 * RATE_HZ)) / RATE_HZ
    tonic = 784.0 * 2 ** (generator.choice([0, 2, 4, 7, 9, 12, 14]) / 12)
    rings = (
        np.sin(2 * np.pi * tonic * share * time) * np.exp(-time * fall)
        for share, fall in ((1, 4), (2.76, 9), (5.4, 20))
    )
    click = generator.standard_normal(len(time)) * np.exp(-time / 0.001)
    fade = np.minimum(1.0, (time[-1] - time) / 0.05)
    return np.asarray((sum(rings) + 0.3 * click) * fade * generator.uniform(0.4, 1.0), np.float32)
