"""A catalogue that is computed: names with the letters and scripts that make search hard, most popular first."""

import itertools
import random

from catalog.search_postings import SearchRow

WORDS = """love night river golden summer heart dancing yellow stone broken highway silver winter blue fire garden light
shadow mountain lonely morning paper dream secret city rain thunder velvet mirror ocean wild angel little house people
corazón canción niño été forêt über größe træet smörgås łódź straße naïve señor déjà piñata crème Ærø Øresund""".split()  # noqa: SIM905
CJK = "東京大阪青空夜明愛歌花火星月光風雨雪山川海心夢道旅人"
SUFFIXES = ("", "", "", "", "", " (Live)", " (Remastered 2011)")


def row(number: int, title: str, artist: str = "Somebody", album: str = "Album", album_artist: str = "") -> SearchRow:
    """A track by its number."""
    return SearchRow(track_id=f"t{number:06}", title=title, artist=artist, album=album, album_artist=album_artist)


def songs(count: int, seed: int = 5) -> list[SearchRow]:
    """So many tracks; each title and artist together only once."""
    luck = random.Random(seed)
    artists = [_artist(luck) for _ in range(count // 8)]
    found: dict[tuple[str, str], SearchRow] = {}
    for number in itertools.count():
        artist = luck.choice(artists)
        made = row(number, _title(luck), artist, f"{luck.choice(WORDS).title()} {luck.choice(WORDS)}")
        found.setdefault((made.title, made.artist), made)
        if len(found) == count:
            return list(found.values())
    raise AssertionError("a count has no end")


def slipped(text: str, luck: random.Random) -> str:
    """The text with one slip of a finger in a word of at least four letters; as it is if there is none."""
    words = text.split(" ")
    places = [at for at, word in enumerate(words) if len(word) >= 4 and word.isalpha() and ord(word[0]) < 0x250]
    if not places:
        return text
    place = luck.choice(places)
    word, at = words[place], luck.randrange(1, len(words[place]) - 1)
    wrong = luck.choice((word[:at] + word[at + 1 :], word[:at] + "x" + word[at:], word[:at] + "x" + word[at + 1 :]))
    return " ".join([*words[:place], wrong, *words[place + 1 :]])


def _title(luck: random.Random) -> str:
    if luck.random() < 0.1:
        return "".join(luck.choices(CJK, k=luck.randint(4, 8)))
    return " ".join(luck.choices(WORDS, k=luck.choice((2, 3, 3, 4)))).title() + luck.choice(SUFFIXES)


def _artist(luck: random.Random) -> str:
    if luck.random() < 0.1:
        return "".join(luck.choices(CJK, k=3))
    return f"{luck.choice(('The', 'DJ', 'Los', 'Old'))} {luck.choice(WORDS).title()} {luck.choice(WORDS).title()}s"
