"""The rows of the report: a track with its details, an album's head, a failure. Values in, HTML out; all escaped."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.analysis import Analysis
from model.events import Status, TrackOutcome
from model.loudness import LoudnessReport
from model.package import Package
from model.rendition import Codec
from model.track import Track, TrackTags
from segue.output import printable
from segue.report_plots import as_url, clock_time, number, sparkline, track_figure

TEXT_MAX = 300  # characters of a tag or a name that are shown
SHARED_RATE_HZ = 48_000
WITHHELD_DB_MIN = 0.05  # less is rounding
_NOTHING = "–"
_CODECS = {Codec.AAC: "AAC", Codec.OPUS: "Opus", Codec.FLAC: "FLAC"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of one finished track. `cover` is the class of its picture."""

    outcome: TrackOutcome
    track: Track
    package: Package | None
    analysis: Analysis | None
    cover: str

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.track.media_samples / SHARED_RATE_HZ

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the ingest and the batch warn of, each once."""
        return tuple(dict.fromkeys((*self.track.warnings, *self.outcome.warnings)))


def escaped(text: str) -> str:
    """Text from anywhere as HTML text: cut, without control characters, and of no meaning to a browser."""
    shown = text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
    return html.escape(printable(shown).encode("utf-8", "replace").decode())


def track_row(entry: Entry) -> str:
    """One track: a line that opens to its plots, its tags and its renditions."""
    track, marks = entry.track, _marks(entry)
    title = f'<b dir="auto">{escaped(track.tags.title)}</b><span dir="auto">{escaped(_who(track.tags))}</span>'
    spark = sparkline(entry.analysis, track.gain.applied_db) if entry.analysis else "<i></i>"
    cells = "".join(f"<span>{cell}</span>" for cell in _cells(entry))
    return (
        f'<details class="track" data-k="{_sort_keys(entry)}" data-m="{"w" * bool(entry.warnings)}{_held(track, "h")}">'
        f'<summary><i class="art {entry.cover}"></i><span class="what">{title}</span>{spark}{cells}'
        f'<span class="marks">{marks}</span></summary>{_details(entry)}</details>\n'
    )


def _who(tags: TrackTags) -> str:
    return ", ".join(tags.artists) or tags.album_artist


def _held(track: Track, text: str) -> str:
    return text if track.gain.withheld_db >= WITHHELD_DB_MIN else ""


def _marks(entry: Entry) -> str:
    marks = [f'<em class="warn" title="{escaped("; ".join(entry.warnings))}">▲ {len(entry.warnings)}</em>']
    marks = marks if entry.warnings else []
    marks += ["<em>unchanged</em>"] if entry.outcome.status is Status.SKIPPED else []
    marks += ["<em>same sound</em>"] if entry.outcome.duplicate_of else []
    return "".join(marks)


def _cells(entry: Entry) -> list[str]:
    """The columns of numbers, as `report_page.html` names them."""
    track = entry.track
    before, after = track.loudness_source, track.mezzanine.loudness
    held = f'<em class="held">{number(track.gain.withheld_db)}</em>' if _held(track, "h") else _NOTHING
    return [
        _pair(before.integrated_lufs, after.integrated_lufs),
        _signed(track.gain.applied_db),
        held,
        _pair(before.true_peak_dbtp, after.true_peak_dbtp),
        number(before.range_lu) if before.range_lu is not None else _NOTHING,
        clock_time(entry.seconds),
        _span([each.loudness.integrated_lufs for each in entry.package.renditions] if entry.package else []),
        _span([each.loudness.true_peak_dbtp for each in entry.package.renditions] if entry.package else []),
    ]


def _signed(gain_db: float) -> str:
    return f"{'+' if gain_db > 0 else ''}{number(gain_db)}"


def _pair(before: float | None, after: float | None) -> str:
    shown = [number(level) if level is not None else _NOTHING for level in (before, after)]
    return f"<s>{shown[0]}</s> {shown[1]}"


def _span(levels: Sequence[float | None]) -> str:
    known = [level for level in levels if level is not None]
    if not known:
        return _NOTHING
    low, high = number(min(known), 2), number(max(known), 2)
    return low if low == high else f"{low} … {high}"


def _sort_keys(entry: Entry) -> str:
    """The numbers that the page sorts by, in the order of the columns; what there is not, is empty."""
    track, package = entry.track, entry.package
    levels = [each.loudness.integrated_lufs for each in package.renditions] if package else []
    peaks = [each.loudness.true_peak_dbtp for each in package.renditions] if package else []
    keys = (
        track.loudness_source.integrated_lufs,
        track.gain.applied_db,
        track.gain.withheld_db,
        track.loudness_source.true_peak_dbtp,
        track.loudness_source.range_lu,
        entry.seconds,
        max((level for level in levels if level is not None), default=None),
        max((peak for peak in peaks if peak is not None), default=None),
        len(entry.warnings),
    )
    return "|".join("" if key is None else f"{key:.5g}" for key in keys)


def _details(entry: Entry) -> str:
    track = entry.track
    warnings = "".join(f"<li>{escaped(warning)}</li>" for warning in entry.warnings)
    figure = ""
    if entry.analysis:
        gain = track.gain.applied_db
        picture = as_url(track_figure(entry.analysis, gain_db=gain, target=track.target))
        figure = (
            f'<i class="plots" role="img" aria-label="waveform, loudness and true peak over time" '
            f'style="background-image:url(&quot;{picture}&quot;),var(--axes)"></i>'
        )
    return (
        f'<div class="more"><div class="facts">{f"<ul>{warnings}</ul>" if warnings else ""}'
        f"<dl>{_pairs(_facts(entry))}</dl></div><div>{figure}{_renditions(entry.package)}</div></div>"
    )


def _pairs(facts: Iterable[tuple[str, str]]) -> str:
    return "".join(f'<dt>{name}</dt><dd dir="auto">{escaped(text)}</dd>' for name, text in facts if text)


def _facts(entry: Entry) -> list[tuple[str, str]]:
    """Few and long ones: thousands of tracks are on the page."""
    track, tags = entry.track, entry.track.tags
    names = {"ISRC": tags.isrc, "barcode": tags.barcode, "MusicBrainz": tags.musicbrainz.recording}
    ids = {"track": track.track_id, "recording": track.recording_id}
    ids |= {"package": entry.package.package_id} if entry.package else {}
    people = {"by": ", ".join(tags.composers), "on": tags.label, "": tags.copyright}
    return [
        ("Album", _joined([tags.album, tags.album_artist, _place(tags), tags.date])),
        ("Genre", ", ".join(tags.genres)),
        ("Credits", _joined(f"{word} {text}".strip() for word, text in people.items() if text)),
        ("Known as", _joined(f"{name} {text}" for name, text in names.items() if text)),
        ("Source", _source(track)),
        ("Loudest", _loudest(track.loudness_source)),
        ("Same as", entry.outcome.duplicate_of),
        ("File", entry.outcome.source),
        ("Ids", _joined(f"{name} {text}" for name, text in ids.items())),
    ]


def _joined(parts: Iterable[str]) -> str:
    return " · ".join(part[:TEXT_MAX] for part in parts if part)


def _place(tags: TrackTags) -> str:
    def of(place: int | None, total: int | None) -> str:
        return f"{place} of {total}" if place and total else f"{place or ''}"

    disc = of(tags.disc_number, tags.disc_total)
    words = [f"track {of(tags.track_number, tags.track_total)}" if tags.track_number else "", disc and f"disc {disc}"]
    return ", ".join(filter(None, words))


def _source(track: Track) -> str:
    source = track.source
    depth = f", {source.bit_depth} bit" if source.bit_depth else ""
    rate = f"{source.sample_rate_hz / 1000:g} kHz"
    return f"{source.codec} in {source.container}, {rate}{depth}, {source.channel_layout}"


def _loudest(report: LoudnessReport) -> str:
    """The loudest moments."""
    known = (("momentary", report.momentary_max_lufs), ("short-term", report.short_term_max_lufs))
    words = [f"{name} {number(level)}" for name, level in known if level is not None]
    return f"{', '.join(words)} LUFS" if words else ""


def _renditions(package: Package | None) -> str:
    """What was encoded and measured again, in aligned lines."""
    if package is None:
        return ""
    lines = [f"{'rendition':14}{'kbit/s':>8}{'MB':>8}{'LUFS':>9}{'dBTP':>8}{'trim dB':>9}"]
    for each in package.renditions:
        seconds = each.duration_ticks / each.timescale
        kbps = each.size_bytes * 8 / 1000 / seconds
        levels = (each.loudness.integrated_lufs, each.loudness.true_peak_dbtp, each.trim_db)
        lufs, peak, trim = (number(level, 2) if level is not None else _NOTHING for level in levels)
        name = f"{_CODECS[each.rendition.codec]} {each.rendition.bitrate_bps // 1000 or ''}"
        lines.append(f"{name:14}{kbps:8.0f}{each.size_bytes / 1e6:8.2f}{lufs:>9}{peak:>8}{trim:>9}")
    return f"<pre>{escaped_lines(lines)}</pre>"


def escaped_lines(lines: Sequence[str]) -> str:
    """Lines, each escaped."""
    return "\n".join(escaped(line) for line in lines)


def failure_row(outcome: TrackOutcome) -> str:
    """One input that failed: what, why, what to do."""
    hint = f'<span class="hint">{escaped(outcome.hint)}</span>' if outcome.hint else ""
    return (
        f'<li><code>{escaped(outcome.code)}</code><div><b dir="auto">{escaped(outcome.source)}</b>'
        f'<span dir="auto">{escaped(outcome.message)}</span>{hint}</div></li>\n'
    )


def plain_row(outcome: TrackOutcome) -> str:
    """One finished input of which nothing more is known than how it ended."""
    name = escaped(outcome.title or outcome.source)
    return (
        f'<details class="track" data-k="{"|" * 8}" data-m=""><summary><i class="art"></i><span class="what">'
        f'<b dir="auto">{name}</b><span>{escaped(outcome.status)}</span></span></summary>'
        f'<div class="more"><dl>{_pairs([("File", outcome.source), ("Track", outcome.track_id or "")])}</dl></div>'
        "</details>\n"
    )


@dataclass(slots=True, kw_only=True)
class Album:
    """What the report says of an album above its tracks."""

    name: str
    artist: str
    date: str
    cover: str
    before: LoudnessReport | None = None  # measured over all its tracks, in album mode
    gain_db: float = 0.0
    tracks: int = 0
    seconds: float = 0.0


def album_head(album: Album) -> str:
    """The album's name and its joint loudness."""
    words = [f"{album.tracks} {'track' if album.tracks == 1 else 'tracks'}", clock_time(album.seconds)]
    words = [album.date[:4], *words] if album.date else words
    joint = ""
    if album.before is not None and album.before.integrated_lufs is not None:
        after = album.before.integrated_lufs + album.gain_db
        levels = f"<s>{number(album.before.integrated_lufs)}</s> {number(after)} LUFS"
        joint = f'<p class="joint">as one programme {levels}, gain {_signed(album.gain_db)} dB</p>'
    who = f'<span dir="auto">{escaped(album.artist)}</span>' if album.artist else ""
    return (
        f'<header><i class="art {album.cover}"></i><div><h3 dir="auto">{escaped(album.name)}</h3>'
        f"<p>{who}<span>{escaped(' · '.join(words))}</span></p></div>{joint}</header>\n"
    )
