"""Mixes and stations over HTTP."""

import asyncio
from typing import Annotated

from msgspec import Meta, Struct

from catalog.schema import TrackRow
from catalog.store import Catalog
from discovery.operations import Call, Group, Operation, Served
from discovery.parameters import Matching, Number, Text
from discovery.sequence.mix import Placed
from discovery.sequence.mixer import Mixer
from discovery.sequence.wish import MOODS, SEEDS_MAX, Wish, station_id_of
from discovery.tracks import Track, track_answer
from model.errors import BodyInvalid, QueryInvalid

_ID = "[a-z2-7]{16,26}"
_IDS = f"({_ID}(,{_ID}){{0,{SEEDS_MAX - 1}}})?"
_GENRE_CHARS_MAX = 100
_HUNDRED = 100
_MOODS = "|".join(MOODS)

SeedIds = Annotated[list[Annotated[str, Meta(pattern=f"^{_ID}$")]], Meta(max_length=SEEDS_MAX)]
Genres = Annotated[list[Annotated[str, Meta(min_length=1, max_length=_GENRE_CHARS_MAX)]], Meta(max_length=SEEDS_MAX)]


class Why(Struct, frozen=True, kw_only=True):
    """A reason: its kind, words for people, and the track that it is compared with, if there is one."""

    because: str
    words: str
    of: str | None


class MixedTrack(Struct, frozen=True, kw_only=True):
    """A track of a mix. The first reason says why it is in it, the others what it keeps of the track before."""

    track: Track
    reasons: list[Why]


class Mix(Struct, frozen=True, kw_only=True):
    """A mix, and the station that plays on like it; null if its name would be too long, or nothing was asked for."""

    tracks: list[MixedTrack]
    station: str | None


class NewStation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a station is to be like: ids of tracks and artists, genres, a mood by energy (in hundredths) and tempo."""

    tracks: SeedIds = []
    artists: SeedIds = []
    genres: Genres = []
    energy: Annotated[int, Meta(ge=0, le=_HUNDRED)] | None = None
    tempo_bpm: Annotated[int, Meta(ge=20, le=400)] | None = None


class Station(Struct, frozen=True, kw_only=True):
    """A station: its name, which says all that it plays, and its stream."""

    station_id: str
    stream: str


MIXES = Operation(
    method="GET",
    path="/api/v1/mixes",
    summary="a mix from tracks, artists, a genre or a mood, in a pleasant order, with reasons",
    parameters=(
        Matching(name="tracks", pattern=_IDS, help="ids of tracks that it is to be like, with commas between"),
        Matching(name="artists", pattern=_IDS, help="ids of artists that it is to be like, with commas between"),
        Text(name="genre", chars_max=_GENRE_CHARS_MAX, help="only tracks of this genre"),
        Matching(name="mood", pattern=f"({_MOODS})?", help=f"only tracks of about this energy: {', '.join(MOODS)}"),
        Matching(name="energy", pattern="(100|[1-9]?[0-9])?", help="only tracks of about this energy, 0 to 100"),
        Matching(
            name="tempo",
            pattern="([2-9][0-9]|[1-3][0-9]{2})?",
            help="beats a minute, 20 to 399; half or double will do",
        ),
        Number(name="limit", default=50, least=1, most=200, help="how many tracks"),
        Text(name="variation", chars_max=100, help="other words, another mix of the same kind"),
    ),
    answer=Mix,
    group=Group.HEAVY,
)
STATIONS = Operation(
    method="POST",
    path="/api/v1/stations",
    summary="the endless stream that plays what is like this; every server knows it by its name",
    body=NewStation,
    answer=Station,
)


class Mixes:
    """The operations, over a catalog."""

    def __init__(self, catalog: Catalog, mixer: Mixer) -> None:
        self._catalog = catalog
        self._mixer = mixer
        self.served = (Served(MIXES, self.mix), Served(STATIONS, self.station))

    async def mix(self, call: Call) -> Mix:
        """A mix. Raises QueryInvalid."""
        wish = _wish(call)
        placed, rows = await asyncio.to_thread(self._mixed, wish, call.query["limit"], call.query["variation"])
        return Mix(
            tracks=[_answer(each, rows[each.item.track_id]) for each in placed if each.item.track_id in rows],
            station=_station_id(wish),
        )

    def _mixed(self, wish: Wish, limit: int, variation: str) -> tuple[list[Placed], dict[str, TrackRow]]:
        placed = self._mixer.mix(wish, limit, variation=variation)
        rows = self._catalog.rows_of([each.item.track_id for each in placed])
        return placed, {track_id: row for track_id, row in rows.items() if row.live}

    async def station(self, call: Call) -> Station:
        """The name and the stream of a station. Raises BodyInvalid."""
        body: NewStation = call.body
        try:
            wish = Wish(
                track_ids=tuple(body.tracks),
                artist_ids=tuple(body.artists),
                genres=tuple(body.genres),
                energy=None if body.energy is None else body.energy / _HUNDRED,
                tempo_bpm=body.tempo_bpm,
            )
            station_id = station_id_of(wish)
        except ValueError as error:
            raise BodyInvalid(str(error), subject="$") from error
        return Station(station_id=station_id, stream=f"/stations/{station_id}/index.m3u8")


def _wish(call: Call) -> Wish:
    query = call.query
    energy = query["energy"] or (round(_HUNDRED * MOODS[query["mood"]]) if query["mood"] else "")
    try:
        return Wish(
            track_ids=_split(query["tracks"]),
            artist_ids=_split(query["artists"]),
            genres=(query["genre"],) if query["genre"].strip() else (),
            energy=int(energy) / _HUNDRED if energy != "" else None,
            tempo_bpm=int(query["tempo"]) if query["tempo"] else None,
        )
    except ValueError as error:
        raise QueryInvalid("not text", subject="genre") from error


def _split(ids: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids.split(","))) if ids else ()


def _station_id(wish: Wish) -> str | None:
    try:
        return station_id_of(wish)
    except ValueError:
        return None


def _answer(placed: Placed, row: TrackRow) -> MixedTrack:
    reasons = [Why(because=each.because, words=each.words, of=each.of or None) for each in placed.reasons]
    return MixedTrack(track=track_answer(row), reasons=reasons)
