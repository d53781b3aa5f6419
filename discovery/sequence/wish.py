"""What a mix is asked with, and the same as the name of a station: so every node knows every station. Pure.

A station is called `mix-` and, for each seed, a letter and what it is, with hyphens between: `t` and a track id, `a`
and an artist id, `g` and a genre in base32, `e` and the energy in hundredths, `b` and the beats a minute.
"""

import re
from base64 import b32decode, b32encode
from dataclasses import dataclass

STATION_PREFIX = "mix-"
STATION_ID_MAX = 64
SEEDS_MAX = 5
MOODS = {"calm": 0.2, "mellow": 0.35, "lively": 0.55, "wild": 0.75}  # their energy
_ID = re.compile(r"[a-z2-7]{16,26}")
_NUMBER = re.compile(r"[0-9]{1,3}")
_HUNDRED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a mix is to be like: tracks, artists, genres, a mood; nothing means the whole library."""

    track_ids: tuple[str, ...] = ()
    artist_ids: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    energy: float | None = None
    tempo_bpm: int | None = None

    def __post_init__(self) -> None:
        if not all(_ID.fullmatch(each) for each in (*self.track_ids, *self.artist_ids)):
            raise ValueError("seeds are ids")
        if max(len(self.track_ids), len(self.artist_ids), len(self.genres)) > SEEDS_MAX:
            raise ValueError(f"at most {SEEDS_MAX} seeds of a kind")
        if self.energy is not None and not 0 <= self.energy <= 1:
            raise ValueError("energy is from 0 to 1")
        if self.tempo_bpm is not None and not 20 <= self.tempo_bpm <= 400:
            raise ValueError("a tempo is from 20 to 400 beats a minute")
        for genre in self.genres:
            if not genre.strip():
                raise ValueError("a genre has a name")
            genre.encode()  # a lone surrogate is no text


def station_id_of(wish: Wish) -> str:
    """The station that plays this. Raises ValueError if the name would be longer than STATION_ID_MAX."""
    parts = [f"t{each}" for each in wish.track_ids]
    parts += [f"a{each}" for each in wish.artist_ids]
    parts += ["g" + b32encode(each.encode()).decode().rstrip("=").lower() for each in wish.genres]
    parts += [] if wish.energy is None else [f"e{round(_HUNDRED * wish.energy)}"]
    parts += [] if wish.tempo_bpm is None else [f"b{wish.tempo_bpm}"]
    station_id = STATION_PREFIX + "-".join(parts)
    if not parts or len(station_id) > STATION_ID_MAX:
        raise ValueError("too much for a station: two tracks or artists, or one and a genre of 20 letters, have room")
    return station_id


def wish_of(station_id: str) -> Wish:
    """What a station of this name plays. Raises ValueError for what is no such name."""
    if not station_id.startswith(STATION_PREFIX) or len(station_id) > STATION_ID_MAX:
        raise ValueError(f"not the name of a mix: {station_id!r}")
    found: dict[str, list[str]] = {letter: [] for letter in "tageb"}
    for part in station_id.removeprefix(STATION_PREFIX).split("-"):
        if part[:1] not in found or not part[1:]:
            raise ValueError(f"not the name of a mix: {station_id!r}")
        found[part[0]].append(part[1:])
    numbers = [*found["e"], *found["b"]]
    if len(found["e"]) > 1 or len(found["b"]) > 1 or not all(_NUMBER.fullmatch(each) for each in numbers):
        raise ValueError(f"not the name of a mix: {station_id!r}")
    wish = Wish(
        track_ids=tuple(found["t"]),
        artist_ids=tuple(found["a"]),
        genres=tuple(_genre(each) for each in found["g"]),
        energy=int(found["e"][0]) / _HUNDRED if found["e"] else None,
        tempo_bpm=int(found["b"][0]) if found["b"] else None,
    )
    if station_id_of(wish) != station_id:
        raise ValueError(f"not how this mix is called: {station_id!r}")
    return wish


def _genre(text: str) -> str:
    return b32decode(text.upper() + "=" * (-len(text) % 8)).decode()
