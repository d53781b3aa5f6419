"""The report page: whole, ordered, bounded, and nothing in it that a stranger's tags could do."""

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from model.errors import UsageError
from model.events import Status, TrackOutcome
from model.loudness import LoudnessMode, LoudnessReport
from model.track import TrackTags
from segue.report import ReportWriter
from segue.report_summary import ReportSummary
from tests.unit.segue.report_samples import TARGET, done, made_analysis, made_package, made_track

SUMMARY = ReportSummary(
    command="segue publish music", mode=LoudnessMode.TRACK, target=TARGET, tool="ffmpeg 9.0",
    finished_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC), wall_s=100.0,
)  # fmt: skip
FAILED = TrackOutcome(
    source="a/x.mp3", status=Status.FAILED, code="source-truncated", message="the file ends early: x", hint="copy it"
)
VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """What a browser would see: the text, by the classes and elements that it lies in; fails on a tag left open."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.markup = path.read_text(encoding="utf-8")
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(self.markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(f"{tag}.{dict(attrs).get('class') or ''}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().partition(".")[0] == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((" ".join(self.open), data.strip()))

    def within(self, place: str) -> list[str]:
        """All texts inside of what fits the pattern, from the outside in."""
        return [text for where, text in self.texts if re.search(place, where)]


def _add(report: ReportWriter, tags: TrackTags, seed: int = 1, **more: object) -> None:
    analysis = made_analysis(seed, seconds=20)
    track = replace(made_track(analysis, tags), **more)  # type: ignore[arg-type]
    report.add(done(track), track=track, package=made_package(track), analysis=analysis, thumbnail=b"\xff\xd8art")


def _page(tmp_path: Path, *tags: TrackTags) -> Page:
    with ReportWriter(tmp_path / "report.html") as report:
        for seed, each in enumerate(tags):
            _add(report, each, seed)
        report.write(SUMMARY)
    return Page(tmp_path / "report.html")


def test_a_track_has_all_its_figures(tmp_path: Path) -> None:
    """Loudness and peak before and after, gain, withheld, range, length, what the renditions measured, warnings."""
    analysis = made_analysis(3, seconds=247, lufs=-20.0)
    track = made_track(analysis, TrackTags(title="One", artists=("A", "B")), warnings=("clipped in 3 places",))
    package = made_package(track)
    with ReportWriter(tmp_path / "r.html") as report:
        report.add(done(track), track=track, package=package, analysis=analysis)
        report.write(SUMMARY)
    page = Page(tmp_path / "r.html")
    row = " ".join(page.within(r"details\.track summary")).replace("−", "-")
    before, after = analysis.loudness, track.mezzanine.loudness
    levels = [each.loudness.integrated_lufs or 0 for each in package.renditions]
    for expected in (
        f"{before.integrated_lufs:.1f} {after.integrated_lufs:.1f}", f"{track.gain.applied_db:+.1f}",
        f"{track.gain.withheld_db:.1f}", f"{before.true_peak_dbtp:.1f} {after.true_peak_dbtp:.1f}",
        f"{before.range_lu:.1f}", "4:07", f"{min(levels):.2f} … {max(levels):.2f}", "▲ 1", "One", "A, B",
    ):  # fmt: skip
        assert expected in row
    assert page.within(r"div\.facts ul") == ["clipped in 3 places"]
    assert any("Opus 160" in text for text in page.within("pre"))
    assert [name for name, _ in page.elements].count("svg") == 3  # two histograms, the small waveform
    assert [a["class"] for _, a in page.elements if a.get("role") == "img" and "class" in a][-1] == "plots"


def test_tags_from_a_stranger_stay_text(tmp_path: Path) -> None:
    """Markup, quotes, control characters, half surrogates, a slot of our own page: all is shown, nothing obeyed."""
    evil = "</b></details><script>alert(1)</script><img src=x onerror='alert(2)'>{{tracks}}\"\x1b\x00&amp;"
    clean = _page(tmp_path, TrackTags(title="x", artists=("x",), album="x", album_artist="x", genres=("x",)))
    tags = TrackTags(
        title=evil, artists=(evil,), album=evil, album_artist=evil, genres=(evil,), isrc=evil, date=evil, label=evil
    )
    with ReportWriter(tmp_path / "evil.html") as report:
        _add(report, tags, 0, warnings=(evil,))
        report.add(TrackOutcome(source=evil + "\ud800", status=Status.FAILED, code=evil, message=evil, hint=evil))
        report.add(TrackOutcome(source=evil, status=Status.DONE, track_id=evil, title=evil))
        report.write(replace(SUMMARY, command=evil, tool=evil))
    page = Page(tmp_path / "evil.html")
    names = {name for name, _ in page.elements}
    assert names - {name for name, _ in clean.elements} <= {"ul", "li", "code", "em"}
    assert [name for name, _ in page.elements].count("script") == 1
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert "<script>alert(1)</script>" in " ".join(page.within(r"h3"))
    assert not set(page.markup) & set("\x00\x1b")


def test_a_text_without_end_is_cut(tmp_path: Path) -> None:
    """A title of a megabyte costs some hundred characters, wherever it is shown."""
    page = _page(tmp_path, TrackTags(title="x" * 1_000_000))
    assert "x" * 400 not in page.markup


def test_the_page_asks_for_nothing(tmp_path: Path) -> None:
    """No address anywhere, nothing but data in the style, and a policy that forbids the rest."""
    page = _page(tmp_path, TrackTags(title="One"))
    markup = page.markup.replace("xmlns='http://www.w3.org/2000/svg'", "")
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!%23|\"data:|&quot;data:|data:image/jpeg;base64,)", markup)
    assert not any({"src", "action", "srcset"} & set(attributes) for _, attributes in page.elements)
    assert all((attributes.get("href") or "#").startswith("#") for _, attributes in page.elements)
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none';") and "sha256-" in policy


def test_tracks_lie_under_their_albums_in_their_order(tmp_path: Path) -> None:
    """However they ended: albums by artist and name, tracks by disc and number, the single ones last."""

    def on(album: str, artist: str, disc: int, number: int) -> TrackTags:
        return TrackTags(
            title=f"{album}{disc}{number}", album=album, album_artist=artist, disc_number=disc, track_number=number
        )

    single = TrackTags(title="single", artists=("Aa",))
    page = _page(tmp_path, single, on("q", "B", 2, 1), on("p", "b", 1, 2), on("q", "B", 1, 10), on("p", "b", 1, 1))
    assert page.within(r"h3") == ["p", "q", "Tracks without an album"]
    assert page.within(r"summary.* span\.what b") == ["p11", "p12", "q110", "q21", "single"]


def test_an_album_says_how_loud_it_is_as_one(tmp_path: Path) -> None:
    """Joint loudness before and after, and the one gain."""
    joint = LoudnessReport(integrated_lufs=-9.0, true_peak_dbtp=-0.5)
    tags = TrackTags(title="One", album="Album", album_artist="Band", date="2001-02-03")
    track = made_track(made_analysis(1), tags, album=joint)
    with ReportWriter(tmp_path / "r.html") as report:
        report.add(done(track), track=track)
        report.write(SUMMARY)
    page = Page(tmp_path / "r.html")
    assert page.within(r"header.* p\.joint") == ["as one programme", "−9.0", "−14.0 LUFS, gain −5.0 dB"]
    assert page.within(r"header.*div.* p\.$|header.* p\. span\.$") == ["Band", "2001 · 1 track · 3:20"]


def test_failures_come_with_code_reason_and_hint(tmp_path: Path) -> None:
    """Each; and how many there are of each kind."""
    with ReportWriter(tmp_path / "r.html") as report:
        for number in range(3):
            report.add(replace(FAILED, source=f"{number}.mp3"))
        report.write(SUMMARY)
    page = Page(tmp_path / "r.html")
    assert page.within(r"p\.lead") == ["3 source-truncated"]
    assert page.within(r"section\.failures .*li\.")[:4] == [
        "source-truncated", "0.mp3", "the file ends early: x", "copy it",
    ]  # fmt: skip


def test_the_head_has_the_sums(tmp_path: Path) -> None:
    """How many ended how, hours of music, time and rate; what was asked; whether it was interrupted."""
    with ReportWriter(tmp_path / "r.html") as report:
        for seed, status in enumerate([Status.DONE, Status.DONE, Status.SKIPPED]):
            track = made_track(made_analysis(seed, seconds=600), TrackTags(title=f"{seed}"))
            report.add(replace(done(track), status=status), track=track)
        report.add(FAILED)
        report.write(replace(SUMMARY, interrupted=True))
    page = Page(tmp_path / "r.html")
    figures = dict(zip(page.within(r"dl\.figures.*dt"), page.within(r"dl\.figures.*dd"), strict=True))
    assert (figures["done"], figures["unchanged"], figures["failed"], figures["of music"]) == ("2", "1", "1", "0.5 h")
    assert figures["at 12× real time"] == "1 min 40 s"
    assert page.within(r"p\.how")[0].startswith(
        "every track brought towards −14.0 LUFS, as far as true peaks of −1.0 dBTP allow"
    )
    assert "interrupted" in page.within(r"p\.note")[0]


def test_a_picture_is_written_once(tmp_path: Path) -> None:
    """However many tracks of an album show it."""
    page = _page(tmp_path, *[TrackTags(title=f"{n}", album="a", track_number=n) for n in range(5)])
    assert page.markup.count("jpeg;base64,") == 1
    assert len([a for name, a in page.elements if name == "i" and a.get("class") == "art a0"]) == 6


def test_limits_hold_and_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots, rows, failures and pictures beyond the limits are counted, not kept."""
    for name, limit in (("PLOTS_MAX", 2), ("ROWS_MAX", 3), ("FAILURES_MAX", 1), ("ART_BYTES_MAX", 40)):
        monkeypatch.setattr(f"segue.report.{name}", limit)
    with ReportWriter(tmp_path / "r.html") as report:
        for number in range(5):
            _add(report, TrackTags(title=f"{number}"), number)
            report.add(FAILED)
        report.write(SUMMARY)
    page = Page(tmp_path / "r.html")
    plots = [a for _, a in page.elements if a.get("class") == "plots"]
    rows = [a for name, a in page.elements if name == "details"]
    assert (len(plots), len(rows), len(page.within("code")), page.markup.count("jpeg;base64,")) == (2, 3, 1, 1)
    assert page.within(r"p\.note") == ["6 more are counted, but not listed.", "1 tracks are listed without plots."]


def test_it_can_be_written_again_and_again(tmp_path: Path) -> None:
    """After every batch of a watched folder: whole each time, nothing else left beside it."""
    with ReportWriter(tmp_path / "r.html") as report:
        for number in range(3):
            _add(report, TrackTags(title=f"song {number}"), number)
            report.write(SUMMARY)
            assert len(Page(tmp_path / "r.html").within(r"span\.what b")) == number + 1
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_silence_is_no_number(tmp_path: Path) -> None:
    """A silent track has no loudness and no peak, before and after: dashes, and no plot breaks."""
    analysis = replace(
        made_analysis(1), energies=(0.0,) * 50, peaks=(0.0,) * 50, loudness=LoudnessReport(integrated_lufs=None)
    )
    track = made_track(analysis, TrackTags(title="Silence"))
    with ReportWriter(tmp_path / "r.html") as report:
        report.add(done(track), track=track, package=made_package(track), analysis=analysis)
        report.write(SUMMARY)
    assert Page(tmp_path / "r.html").within(r"summary.* s\.") == ["–", "–"]


def test_what_cannot_be_written_is_told_before_the_batch(tmp_path: Path) -> None:
    """A folder, a folder that is not there: a typed error at once, not after hours."""
    for target in (tmp_path, tmp_path / "nowhere" / "r.html"):
        with pytest.raises(UsageError) as told:
            ReportWriter(target)
        assert told.value.hint


def test_a_page_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up while it is written."""
    with ReportWriter(tmp_path / "r.html") as report:
        report.write(SUMMARY)
        before = (tmp_path / "r.html").read_bytes()
        monkeypatch.setattr("os.fsync", _full)
        report.add(FAILED)
        with pytest.raises(UsageError, match=r"cannot write the report \(no space left on device\)"):
            report.write(SUMMARY)
    assert (tmp_path / "r.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def _full(descriptor: int) -> None:
    raise OSError(28, os.strerror(28))


def test_sort_keys_are_numbers_in_the_order_of_the_columns(tmp_path: Path) -> None:
    """Nine a track, as many as the page has columns to sort by."""
    page = _page(tmp_path, TrackTags(title="One"))
    keys = next(a["data-k"] for name, a in page.elements if name == "details")
    places = [int(a["data-sort"] or "") for _, a in page.elements if "data-sort" in a]
    assert keys is not None
    assert places == list(range(len(keys.split("|"))))
    assert all(isinstance(json.loads(key), int | float) for key in keys.split("|") if key)
