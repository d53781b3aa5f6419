"""Log lines: always on stderr, an event and its fields, for people or for programs."""

import json
import logging
from collections.abc import Iterator

import pytest

from segue.logs import set_up

log = logging.getLogger("packager.publish")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """The root logger is given back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line with time, level, logger, event and the fields; the trace of an error in it."""
    set_up("info", "json")
    log.debug("not shown")
    log.info("rendition published", extra={"track_id": "t", "size_bytes": 7, "path": object})
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("failed")
    shown = capsys.readouterr()
    first, second = [json.loads(line) for line in shown.err.splitlines()]
    assert shown.out == ""
    assert (first["level"], first["logger"], first["event"]) == ("info", "packager.publish", "rendition published")
    assert (first["track_id"], first["size_bytes"], first["path"]) == ("t", 7, "<class 'object'>")
    assert "taskName" not in first
    assert "ValueError: two\nlines" in second["exception"]


def test_text_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """The same for people; values quoted, so that a line feed in one is no line of the log."""
    set_up("warning", "text")
    log.info("not shown")
    log.warning("track failed", extra={"source": "a\nb"})
    shown = capsys.readouterr().err
    assert shown.endswith(r" warning packager.publish: track failed source='a\nb'" + "\n")
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("form", ["json", "text"])
def test_nothing_in_a_field_ends_a_line_or_commands_a_terminal(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Strangers choose what is logged of a request: no control character of any kind reaches the log as it is."""
    set_up("info", form)
    unseen = "\r\n\t\0\x1b\x7f\x85\x9b\u200b\u2028\u2029\u202e\u2066\ufeff"
    log.info("request served", extra={"url_path": f"/caf\u00e9{unseen}"})
    shown = capsys.readouterr().err
    assert "/caf\u00e9" in shown and shown.removesuffix("\n").isprintable()
    assert form == "text" or json.loads(shown)["url_path"].endswith(unseen)
