"""A catalogue for bench_search: as many tracks as wanted, with real words of many languages in made-up names.

    .cache/bench-venv/bin/python benchmarks/search_catalogue.py TRACKS FILE

The words, and how often each is used, are those of the package `wordfreq`. About half of the titles are shared with
another track, 8 % have a suffix such as (Live), 15 % of the artists sing in a language with accents, 2 % in Chinese,
1 % in Japanese. Artists have from one to some hundred tracks, on albums of 8 to 14. The lines are track id, title,
artist and album, the most popular first: popularity is a Zipf law of artists with a spread within each. The same
numbers give the same file.
"""

import base64
import hashlib
import itertools
import random
import sys
from pathlib import Path

from wordfreq import get_frequency_dict

SEED = 7
TRACKS_PER_ARTIST = 25
LANGUAGES = {
    "en": 79,
    "es": 5,
    "pt": 3,
    "fr": 3,
    "de": 3,
    "sv": 1,
    "nb": 1,
    "pl": 1,
    "tr": 1,
    "ru": 1,
    "zh": 2,
    "ja": 1,
}
WORDS = {"en": 40_000, "zh": 8_000, "ja": 8_000}
WORDS_ELSEWHERE = 15_000
TITLE_WORDS = [1] * 12 + [2] * 28 + [3] * 25 + [4] * 17 + [5] * 10 + [6] * 8
SHARED, SUFFIXED, SELF_TITLED = 0.5, 0.08, 0.1
SUFFIXES = (
    "(Live)", "(Remastered 2011)", "(Remastered)", "- Radio Edit", "(Acoustic)", "(Instrumental)", "(Demo)",
    "(Extended Mix)", "- Live at the {}", "(feat. {})",
)  # fmt: skip
GIVEN = [
    "Aaron",
    "Adele",
    "Agnes",
    "Alan",
    "Alice",
    "Ana",
    "André",
    "Anna",
    "Antonio",
    "Ben",
    "Beth",
    "Björn",
    "Bob",
    "Bruno",
    "Carla",
    "Carlos",
    "Chloé",
    "Claire",
    "Dan",
    "Diana",
    "Edith",
    "Elena",
    "Elif",
    "Emma",
    "Eric",
    "Erik",
    "Eva",
    "Femi",
    "Frank",
    "Fred",
    "Gaël",
    "Grace",
    "Gustavo",
    "Hanna",
    "Henry",
    "Ida",
    "Igor",
    "Inés",
    "Ivan",
    "Jack",
    "Jan",
    "Javier",
    "Jean",
    "Joan",
    "João",
    "Joe",
    "John",
    "Jonas",
    "José",
    "Julia",
    "Karin",
    "Kate",
    "Lars",
    "Laura",
    "Lena",
    "Leon",
    "Lisa",
    "Lucía",
    "Luis",
    "Łukasz",
    "Maria",
    "Mark",
    "Marta",
    "Max",
    "Mia",
    "Mike",
    "Miles",
    "Nadia",
    "Nick",
    "Nina",
    "Noah",
    "Nora",
    "Olaf",
    "Olga",
    "Oscar",
    "Otis",
    "Paul",
    "Pedro",
    "Per",
    "Peter",
    "Rosa",
    "Ruth",
    "Sam",
    "Sara",
    "Søren",
    "Sofia",
    "Stan",
    "Tina",
    "Tom",
    "Vera",
    "Victor",
    "Will",
    "Yann",
    "Zoë",
]
SYLLABLES = [
    "an",
    "ar",
    "ba",
    "bar",
    "ber",
    "bo",
    "bri",
    "ca",
    "cas",
    "co",
    "cor",
    "da",
    "dal",
    "de",
    "den",
    "der",
    "do",
    "du",
    "el",
    "er",
    "es",
    "far",
    "fer",
    "gar",
    "go",
    "gra",
    "hal",
    "han",
    "har",
    "hol",
    "in",
    "jen",
    "ka",
    "kel",
    "ker",
    "kin",
    "la",
    "lan",
    "le",
    "lin",
    "lo",
    "ma",
    "mar",
    "men",
    "mo",
    "mor",
    "na",
    "nel",
    "no",
    "nor",
    "o",
    "pa",
    "per",
    "pol",
    "que",
    "ra",
    "ram",
    "ri",
    "ro",
    "ros",
    "sa",
    "san",
    "ser",
    "si",
    "son",
    "ston",
    "ta",
    "ter",
    "ton",
    "va",
    "van",
    "vel",
    "vi",
    "wal",
    "wat",
    "wel",
    "win",
]


class Words:
    """Words of a language, each as often as people use it, but the most frequent ones less often."""

    def __init__(self, language: str, luck: random.Random) -> None:
        wanted = WORDS.get(language, WORDS_ELSEWHERE)
        self._luck = luck
        known = itertools.islice(get_frequency_dict(language).items(), wanted)  # the most frequent first
        used = {word: frequency for word, frequency in known if word.replace("'", "").isalpha()}
        self._words = list(used)
        self._weights = list(itertools.accumulate(frequency**0.85 for frequency in used.values()))
        self.glue = "" if language in ("zh", "ja") else " "

    def draw(self, count: int) -> list[str]:
        """So many words."""
        return self._luck.choices(self._words, cum_weights=self._weights, k=count)


class Maker:
    """Makes names."""

    def __init__(self) -> None:
        self.luck = random.Random(SEED)
        self._words = {language: Words(language, self.luck) for language in LANGUAGES}
        self._titles: dict[str, list[str]] = {language: [] for language in LANGUAGES}
        self._artists: set[str] = set()

    def language(self) -> str:
        """What an artist sings in."""
        return self.luck.choices(list(LANGUAGES), weights=list(LANGUAGES.values()))[0]

    def phrase(self, language: str, count: int) -> str:
        """Some words of a language, as a title is written."""
        words = self._words[language]
        return words.glue.join(word[:1].upper() + word[1:] for word in words.draw(count))

    def artist(self, language: str) -> str:
        """A name that no other artist has."""
        while (name := self._artist(language)) in self._artists:
            pass
        self._artists.add(name)
        return name

    def _artist(self, language: str) -> str:
        if not self._words[language].glue:
            return self.phrase(language, self.luck.choice((1, 2, 2)))
        kind = self.luck.random()
        if kind < 0.4:
            return f"{self.luck.choice(GIVEN)} {self.surname()}"
        if kind < 0.5:
            return f"{self.luck.choice(GIVEN)} & The {self.phrase(language, 1)}s"
        if kind < 0.65:
            return f"The {self.phrase(language, self.luck.choice((1, 1, 2)))}"
        return self.phrase(language, self.luck.choice((1, 2, 2, 2, 3)))

    def surname(self) -> str:
        """Two or three syllables."""
        return "".join(self.luck.choices(SYLLABLES, k=self.luck.choice((2, 2, 3)))).capitalize()

    def title(self, language: str) -> str:
        """A title, often one that another track has too."""
        known = self._titles[language]
        if known and self.luck.random() < SHARED:
            name = self.luck.choice(known)
        else:
            count = self.luck.choice(TITLE_WORDS)
            name = self.phrase(language, count if self._words[language].glue else max(2, count))
        known.append(name)
        if self.luck.random() < SUFFIXED:
            name += " " + self.luck.choice(SUFFIXES).format(self.surname())
        return name


def catalogue(tracks: int) -> list[tuple[str, str, str]]:
    """Title, artist and album of each track, the most popular first."""
    maker = Maker()
    luck = maker.luck
    rows: list[tuple[float, tuple[str, str, str]]] = []
    for place in itertools.count(1):
        language = maker.language()
        artist = maker.artist(language)
        weight = 1.0 / luck.randint(1, place)
        for _ in range(1 + int(luck.expovariate(10 / TRACKS_PER_ARTIST))):
            album = artist if luck.random() < SELF_TITLED else maker.phrase(language, luck.choice((1, 2, 2, 3)))
            for _ in range(luck.randint(8, 14)):
                rows.append((weight * luck.lognormvariate(0, 1.5), (maker.title(language), artist, album)))
                if len(rows) == tracks:
                    rows.sort(key=lambda row: -row[0])
                    return [names for _, names in rows]
    raise AssertionError("a count has no end")


def main() -> None:
    """Write the file."""
    tracks, file = int(sys.argv[1]), Path(sys.argv[2])
    with file.open("w", encoding="utf-8") as out:
        for number, names in enumerate(catalogue(tracks)):
            track_id = base64.b32encode(hashlib.sha256(b"%d" % number).digest())[:20].decode().lower()
            print(track_id, *names, sep="\t", file=out)


if __name__ == "__main__":
    main()
