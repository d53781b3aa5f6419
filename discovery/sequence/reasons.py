"""Why a track is where it is: a kind that programs know, and words for people. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from discovery.sequence.item import Item, fifths_step, tempo_step


class Because(StrEnum):
    """The kinds of reasons."""

    CHOSEN = "chosen"
    SIMILAR_SOUND = "similar sound"
    PLAYED_TOGETHER = "played together"
    SAME_ARTIST = "same artist"
    SAME_GENRE = "same genre"
    MOOD = "mood"
    CHANCE = "chance"
    KEEPS_TEMPO = "keeps the tempo"
    KEEPS_KEY = "keeps the key"
    KEEPS_LEVEL = "as loud"
    KEEPS_ENERGY = "keeps the energy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why. `of` is the track that it is compared with, if there is one."""

    because: Because
    words: str
    of: str = ""


_TEMPO_OCTAVES, _FIFTHS, _LEVEL_LU, _ENERGY = 0.06, 1, 1.0, 0.1


def chosen_by_you() -> Reason:
    """It was asked for."""
    return Reason(because=Because.CHOSEN, words="you chose it")


def similar_to(title: str, of: str) -> Reason:
    """It sounds like what was asked for."""
    return Reason(because=Because.SIMILAR_SOUND, words=f"because you chose {title}: similar sound", of=of)


def played_with(title_or_artist: str, of: str = "") -> Reason:
    """Those who play what was asked for play it, too."""
    words = f"because you chose {title_or_artist}: played by the same listeners"
    return Reason(because=Because.PLAYED_TOGETHER, words=words, of=of)


def same_artist(artist: str, of: str = "") -> Reason:
    """It is by who was asked for."""
    return Reason(because=Because.SAME_ARTIST, words=f"because you chose {artist}: same artist", of=of)


def same_genre(genre: str) -> Reason:
    """It is of the genre that was asked for."""
    return Reason(because=Because.SAME_GENRE, words=f"because you chose {genre}: same genre")


def fits_mood() -> Reason:
    """It has the energy or the tempo that was asked for."""
    return Reason(because=Because.MOOD, words="because of the mood that you chose")


def by_chance() -> Reason:
    """Nothing is known that speaks for or against it."""
    return Reason(because=Because.CHANCE, words="from the library, by chance")


def transitions(before: Item, item: Item) -> tuple[Reason, ...]:
    """What makes a track fit after another."""
    found = []
    if before.tempo_bpm and item.tempo_bpm and tempo_step(before.tempo_bpm, item.tempo_bpm) <= _TEMPO_OCTAVES:
        found.append(Because.KEEPS_TEMPO)
    if before.fifths is not None and item.fifths is not None and fifths_step(before.fifths, item.fifths) <= _FIFTHS:
        found.append(Because.KEEPS_KEY)
    if _near(before.energy, item.energy, _ENERGY):
        found.append(Because.KEEPS_ENERGY)
    if _near(before.level_lufs, item.level_lufs, _LEVEL_LU):
        found.append(Because.KEEPS_LEVEL)
    return tuple(Reason(because=each, words=each.value, of=before.track_id) for each in found)


def _near(one: float | None, other: float | None, most: float) -> bool:
    return one is not None and other is not None and abs(one - other) <= most
