"""How text is compared in search: the same folding for what is indexed and for what is typed. Pure.

Case, marks and apostrophes do not count, ø ł đ ß æ œ are typed plain, `&` is "and", R.E.M. is REM. A run of Chinese,
Japanese or Korean characters has no spaces, so it is indexed by its pairs: 東京事変 as 東京, 京事, 事変, 変. What
is typed inside the run is then found by its own pairs, and a single character by its prefix.
"""

import re
import unicodedata
import zlib
from dataclasses import dataclass
from functools import lru_cache

RULES_VERSION = f"1/{unicodedata.unidata_version}"  # an index made by other rules is made again
TEXT_CHARS_MAX = 500  # of a name; hostile tags have megabytes
WORD_CHARS_MAX = 40
QUERY_CHARS_MAX = 200
QUERY_WORDS_MAX = 16
SPELLED_CHARS = range(3, 25)  # the lengths of words that are corrected
_CACHED_NAMES = 65_536
_HALF = 1 << 31

_SPELLED_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "&": " and "}
    | dict.fromkeys("'`´’‘ʼ′＇")
)
# Marks that a plain keyboard leaves out: Latin, Greek, Cyrillic, Hebrew, Arabic. The vowels of Indic scripts are marks
# too, and so is what makes が of か: those stay.
_MARKS = re.compile(r"[\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff]+")
INITIALS = re.compile(r"(?<=\b[^\W\d_])\.(?=[^\W\d_]\b)")  # the dots of R.E.M.
_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_IS_CJK = re.compile(f"[{_CJK}]")
# Letters and digits; in Indic and South-East Asian scripts what stands between them as well.
WORD = re.compile(f"[{_CJK}\u3099\u309a]+|(?:[^\\W_{_CJK}]|[\u0900-\u109f\u1780-\u17d3])+")
_ASCII_WORD = re.compile("[a-z0-9]+")  # the same, faster
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def folded(text: str) -> str:
    """The text as it is compared: no case, no marks, no apostrophes."""
    if text.isascii():  # most names are, and a million are indexed at a time
        text = text.lower().replace("'", "").replace("`", "").replace("&", " and ")
    else:
        text = _MARKS.sub("", unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()))
        text = unicodedata.normalize("NFC", text).translate(_SPELLED_PLAIN)
    return INITIALS.sub("", text) if "." in text else text


def words_of(text: str) -> list[str]:
    """The folded words of a text, in order; a CJK run is one. A name of signs alone (!!!) is its signs."""
    text = folded(text[:TEXT_CHARS_MAX])
    words: list[str] = (_ASCII_WORD if text.isascii() else WORD).findall(text)
    if not words:  # in full width, for the index's tokenizer takes plain signs for gaps
        words = [sign.translate(_FULL_WIDTH) for sign in text.split() if sign.isprintable()]
    return words if len(text) <= WORD_CHARS_MAX else [word[:WORD_CHARS_MAX] for word in words]


@lru_cache(_CACHED_NAMES)
def plain(text: str) -> str:
    """The folded words with a space between each."""
    return " ".join(words_of(text))


def is_cjk(word: str) -> bool:
    """Whether a folded word is a CJK run."""
    return _IS_CJK.match(word) is not None


def terms_of(text: str) -> list[str]:
    """What a text is indexed by: its words, CJK runs as pairs and their last character."""
    words = words_of(text)
    if text.isascii():
        return words
    terms: list[str] = []
    for word in words:
        if is_cjk(word):
            terms += [word[at : at + 2] for at in range(len(word))]
        else:
            terms.append(word)
    return terms


@dataclass(frozen=True, slots=True)
class Term:
    """Something to look up: a whole term, or what a term begins with."""

    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What was typed, understood. `plain` is compared with names, `terms` are looked up: all of them have to match."""

    plain: str
    terms: tuple[Term, ...]
    words: tuple[str, ...]  # to be highlighted

    @property
    def is_short(self) -> bool:
        """Whether so little was typed that it can only show what is popular, or one's own."""
        return len(self.terms) == 1 and len(self.plain) <= (1 if is_cjk(self.plain) else 3)


def parsed(text: str) -> Query:
    """What somebody typed; without terms if there is nothing to look for. The last word may go on, unless a space
    follows it. At most QUERY_CHARS_MAX characters and QUERY_WORDS_MAX words count."""
    text = text[:QUERY_CHARS_MAX].encode("utf-8", "replace").decode("utf-8")
    words = words_of(text)[:QUERY_WORDS_MAX]
    terms: list[Term] = []
    for word in words:
        if is_cjk(word) and len(word) > 1:
            terms += [Term(word[at : at + 2]) for at in range(len(word) - 1)]
        else:
            terms.append(Term(word, prefix=is_cjk(word)))
    if terms and not text[-1:].isspace():
        terms[-1] = Term(terms[-1].text, prefix=True)
    return Query(plain=" ".join(words), terms=tuple(dict.fromkeys(terms)), words=tuple(words))


def is_spelled(term: str) -> bool:
    """Whether a term is a word that can be mistyped: letters, of a length that leaves something to go by."""
    return len(term) in SPELLED_CHARS and not is_cjk(term) and not term.isdecimal()


def spelling_keys(term: str) -> set[int]:
    """Signed numbers of 32 bits for the term and for what is left of it without each of its letters.

    Two terms that are one edit apart (a letter more, less or another, or two neighbours swapped) share one.
    """
    if term.isascii():
        whole = term.encode()
        shortened = [whole, *(whole[:at] + whole[at + 1 :] for at in range(len(whole)))]
    else:
        shortened = [term.encode(), *((term[:at] + term[at + 1 :]).encode() for at in range(len(term)))]
    return {zlib.crc32(each) - _HALF for each in shortened}
