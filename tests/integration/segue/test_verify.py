"""`segue verify` over streams of others: exit status, words, JSON, the page."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from segue.main import main
from segue.verify_lanes import grouped
from tests.integration.inspector.conftest import written
from tests.unit.inspector.streams import in_segments, media_text, text


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine, and no store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGUE_STORE", raising=False)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and the JSON lines."""
    status = main(["verify", *words, "--json"])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_sound_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0; the line says how much was looked at. No store is needed."""
    written(in_segments(), tmp_path / "s")
    status, (line, summary) = run(capsys, "s")
    assert (status, summary) == (0, {"event": "summary", "verified": 1, "broken": 0})
    assert line == {
        "event": "verify", "target": "s", "location": "index.m3u8", "status": "sound", "playlists": 3,
        "segments": 12, "findings": [], "not_looked_into": [],
    }  # fmt: skip


def test_a_must_is_exit_1_and_a_should_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each finding names rule, section, resource, line, fix."""
    written(media_text(in_segments(), "TARGETDURATION:6", "TARGETDURATION:5"), tmp_path / "must")
    status, (line, _) = run(capsys, "must")
    assert (status, line["status"]) == (1, "broken")
    (first, *_) = line["findings"]
    assert set(first) == {
        "rule", "section", "line", "message", "how_to_fix", "severity", "resource", "box", "segment",
    }  # fmt: skip
    assert (first["rule"], first["resource"], first["line"]) == ("RFC8216-4.3.3.1", "aac-2.m3u8", 14)
    said = "#EXT-X-INDEPENDENT-SEGMENTS\n"
    files = media_text(text(in_segments(), "index.m3u8", said, ""), said, "")
    written(files, tmp_path / "should")
    status, (line, _) = run(capsys, "should")
    assert (status, [each["rule"] for each in line["findings"]]) == (0, ["APPLE-9.11"])


@pytest.mark.parametrize("word", ["no/such/folder", "x.m3u8", "ftp://x/y.m3u8", "http://"])
def test_what_is_not_there_is_usage(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, with a hint."""
    status, (line,) = run(capsys, word, "--store", "file:store")
    assert (status, line["event"], line["code"]) == (2, "error", "usage")
    assert line["hint"]


def test_a_server_that_is_not_there_is_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1: the stream cannot be played."""
    status, (line, _) = run(capsys, "http://127.0.0.1:9/x.m3u8")
    assert (status, [each["rule"] for each in line["findings"]]) == (1, ["RFC8216-6.2.1"])


def test_people_are_told_the_rule_the_place_and_the_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In words, the rule once for all places."""
    written(media_text(in_segments(), "TARGETDURATION:6", "TARGETDURATION:5"), tmp_path / "s")
    assert main(["verify", "s"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("broken  s/index.m3u8  2 media playlists, 12 segments\n")
    assert said.count("must: RFC8216-4.3.3.1 (RFC 8216 §4.3.3.1)\n") == 1
    assert "aac-1.m3u8, line 14: EXTINF rounds above the target duration: 6.080000\n" in said
    assert "fix: set EXT-X-TARGETDURATION to the longest EXTINF" in said


class Page(HTMLParser):
    """The elements and the text of the page; fails on one left open."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_all_findings_and_the_timeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Self-contained: no script, nothing from elsewhere; a lane for each rendition, a mark where a finding lies."""
    files = media_text(in_segments(), "TARGETDURATION:6", "TARGETDURATION:5")
    files = text(files, "aac-1.m3u8", "aac-1/2.mp4", "<script>alert(1)</script>.mp4")
    written(files, tmp_path / "s")
    status, (line, _) = run(capsys, "s", "--html", "found.html")
    markup = (tmp_path / "found.html").read_text(encoding="utf-8")
    page = Page(markup)
    assert status == 1
    assert all(each["message"] in page.text and each["how_to_fix"] in page.text for each in line["findings"])
    assert "default-src 'none'" in markup and "http:" not in markup.replace("http://www.w3.org", "")
    assert {tag for tag, _ in page.elements} & {"script", "img", "link", "iframe", "object"} == set()
    assert not any(
        name.startswith("on") or name in ("src", "href") for _, attributes in page.elements for name in attributes
    )
    paths = [attributes for tag, attributes in page.elements if tag == "path"]
    for kind, count in (("bar", 2), ("bar peak", 2), ("line goal", 2), ("line average", 2), ("skip", 2), ("even", 2)):
        assert sum(each.get("class") == kind for each in paths) == count, kind
    marks = [
        attributes for tag, attributes in page.elements if tag == "g" and attributes.get("class") in ("must", "should")
    ]
    assert len(marks) >= 4  # two segments of 6.08 s in each rendition


def test_a_page_of_tracks_needs_no_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty store: nothing verified, and a page that says so."""
    (tmp_path / "store").mkdir()
    status, (summary,) = run(capsys, "--html", "found.html", "--store", "file:store")
    assert (status, summary["verified"]) == (0, 0)
    assert "0 looked at, 0 broken" in Page((tmp_path / "found.html").read_text()).text


@pytest.mark.parametrize("place", ["s", "no/folder/found.html"])
def test_a_page_that_cannot_be_written_is_usage(tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2."""
    written(in_segments(), tmp_path / "s")
    assert run(capsys, "s", "--html", place)[0] == 2


def test_findings_are_grouped_by_rule() -> None:
    """Nothing found, no groups."""
    assert grouped(()) == []
