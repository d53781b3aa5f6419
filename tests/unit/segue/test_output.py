"""Data on stdout, words on stderr, and no name from outside that breaks either."""

import json
import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper

import pytest

from model.errors import SourceUnreadable
from segue.output import Output, printable


def test_json_is_for_programs_only(capsys: pytest.CaptureFixture[str]) -> None:
    """With JSON asked for, text stays away from stdout; without, data does."""
    for as_json, expected in ((True, '{"event": "x", "name": "Łódź"}\n'), (False, "a line\n")):
        output = Output(as_json=as_json)
        output.data({"event": "x", "name": "Łódź"})
        output.text("a line")
        output.say("beside")
        shown = capsys.readouterr()
        assert (shown.out, shown.err) == (expected, "beside\n")


def test_an_error_is_told_to_both(capsys: pytest.CaptureFixture[str]) -> None:
    """Code, message and hint as data; message and hint as words."""
    Output(as_json=True).error(SourceUnreadable("cannot read source", subject="a.flac", hint="copy it again"))
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {
        "event": "error", "code": "source-unreadable", "message": "cannot read source: a.flac", "hint": "copy it again",
    }  # fmt: skip
    assert shown.err == "segue: cannot read source: a.flac\nhint: copy it again\n"


def test_not_a_number_is_never_written() -> None:
    """`NaN` is no JSON."""
    with pytest.raises(ValueError, match="JSON compliant"):
        Output(as_json=True).data({"level": float("nan")})


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_what_the_terminal_cannot_show_is_replaced(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file name that is no text, a letter that the locale lacks: the line comes out, and is still JSON."""
    shown = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(shown, encoding=encoding, write_through=True))
    Output(as_json=True).data({"name": "a\udcffb Łódź"})
    Output(as_json=False).text("a\udcffb Łódź")
    data, text = shown.getvalue().decode(encoding).splitlines()
    assert json.loads(data)["name"].startswith("a?b ")
    assert text.startswith("a?b ")


@pytest.mark.parametrize("odd", ["\x1b", "\x07", "\r", "\n", "\x00", "\x7f", "\x9b", "\u2028"])
def test_control_characters_are_not_printable(odd: str) -> None:
    """Each becomes one sign that does nothing."""
    assert printable(f"a{odd}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_words_of_all_languages_are_printable() -> None:
    """Accents, other scripts, joined signs and wide spaces stay."""
    for name in ("Beyoncé", "椎名\u3000林檎", "a\N{NO-BREAK SPACE}b", "👩‍🎤", "שלום"):
        assert printable(name) == name


def test_a_reader_that_has_enough_is_no_error() -> None:
    """`segue ls | head -1` ends quietly."""
    code = "from segue.output import Output\nfor n in range(20000): Output(as_json=False).text(f'line {n}')"
    reading, writing = os.pipe()
    with subprocess.Popen([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE) as program:
        os.close(writing)
        assert os.read(reading, 6) == b"line 0"
        os.close(reading)
        _, words = program.communicate(timeout=30)
    assert (program.returncode, words) == (0, b"")
