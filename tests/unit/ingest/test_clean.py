"""Text of tags, made fit for people."""

import unicodedata
from typing import SupportsIndex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.metadata.clean import (
    LINES_CHARACTERS_MAX,
    LOOKED_AT_MAX,
    TEXT_CHARACTERS_MAX,
    cleaned,
    cleaned_lines,
    repaired,
)


class TestCleaned:
    """cleaned."""

    @given(st.text(alphabet=st.characters(), max_size=3 * TEXT_CHARACTERS_MAX))
    def test_any_text_becomes_one_printable_line(self, text: str) -> None:
        """Composed, bounded, without control characters or lone surrogates; cleaning again changes nothing."""
        clean = cleaned(text)
        assert len(clean) <= TEXT_CHARACTERS_MAX
        assert clean.encode("utf-8").decode("utf-8") == clean
        assert clean == clean.strip()
        assert unicodedata.is_normalized("NFC", clean)
        assert not [each for each in clean if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")]
        assert cleaned(clean) == clean

    @pytest.mark.parametrize(
        ("text", "clean"),
        [
            ("  two\r\n lines\t", "two lines"),
            ("bell\x07 and null\0", "bell and null"),
            ("e\N{COMBINING ACUTE ACCENT}", "é"),
            ("half \ud83d pair", "half ? pair"),
            ("a\N{LINE SEPARATOR}b", "a b"),
            ("\x1b[31mred", "[31mred"),
            ("", ""),
            ("abc\N{RIGHT-TO-LEFT OVERRIDE}3pm.exe", "abc3pm.exe"),
            ("\ufeffTitle", "Title"),
            ("BjÃ¶rk", "Björk"),
            ("שלום", "שלום"),
            ("Don\x92t \x93Stop\x94 \x80", "Don’t “Stop” €"),
            ("wait\x85", "wait…"),
            ("no\x81thing", "no thing"),
        ],
    )
    def test_examples(self, text: str, clean: str) -> None:
        """What is left of text that a terminal or a player must not get as it is."""
        assert cleaned(text) == clean

    def test_megabytes_cost_nothing(self) -> None:
        """Only the beginning is looked at."""
        asked: list[object] = []

        class Megabytes(str):
            def __getitem__(self, key: SupportsIndex | slice) -> str:
                asked.append(key)
                return super().__getitem__(key)

        assert len(cleaned(Megabytes("x" * (1 << 20)))) == TEXT_CHARACTERS_MAX
        assert asked == [slice(None, LOOKED_AT_MAX * TEXT_CHARACTERS_MAX)]


class TestRepaired:
    """repaired."""

    @pytest.mark.parametrize("text", ["Björk", "Sigur Rós", "Дельфин", "坂本龍一", "Don’t", "Mötley Crüe ☮", "€", "ÄÖ"])
    @pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
    def test_utf8_that_was_read_as_something_else(self, text: str, encoding: str) -> None:
        """However long it is in UTF-8: what was meant comes back."""
        shown = "".join(_shown(byte, encoding) for byte in text.encode("utf-8"))
        assert repaired(shown) == text

    @pytest.mark.parametrize(
        "text",
        ["plain", "Björk", "CAFÉ™", "NESTLÉ®", "Ünï", "Ã", "Motörhead – Ace", "Ïåñíÿ", "“É»", "Björk Ã¶"],
    )
    def test_what_is_meant_as_it_is(self, text: str) -> None:
        """Text that only could be read so, or only in part, is left alone."""
        assert repaired(text) == text

    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    def test_good_text_stays(self, text: str) -> None:
        """Whatever has a character that no byte stands for was read right."""
        assert repaired(text + "音") == text + "音"


def _shown(byte: int, encoding: str) -> str:
    return bytes([byte]).decode(encoding, "ignore") or chr(byte)


class TestLines:
    """cleaned_lines."""

    def test_line_breaks_stay(self) -> None:
        """Those of every system, and empty lines between verses; spaces at the ends of lines go."""
        assert cleaned_lines("\n one \r\ntwo\t\r\rthree\0\n\n") == "one\ntwo\n\nthree"

    def test_signs_of_windows_are_no_line_breaks(self) -> None:
        """Its ellipsis has the code of a line break that nobody uses."""
        assert cleaned_lines("and then\x85\nDon\x92t") == "and then…\nDon’t"

    @given(st.text(alphabet=st.characters(), max_size=200))
    def test_any_text(self, text: str) -> None:
        """Nothing but printable characters and line feeds, and cleaning again changes nothing."""
        clean = cleaned_lines(text)
        assert not [each for each in clean if each != "\n" and unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")]
        assert cleaned_lines(clean) == clean

    def test_it_is_bounded(self) -> None:
        """A book is cut."""
        assert len(cleaned_lines("la la\n" * 50_000)) <= LINES_CHARACTERS_MAX
