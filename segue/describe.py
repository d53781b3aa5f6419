"""A track as lines for people: its tags, its loudness and its renditions."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from model.loudness import LoudnessReport
from model.package import Package
from model.track import Track

SAMPLE_RATE_HZ = 48_000  # of media_samples
WITHHELD_DB_LEAST = 0.005  # less is rounding

Row = tuple[str, str]


def described(track: Track, package: Package | None) -> list[str]:
    """A track and its live package (None: it is not live) as lines for people; what is empty is left out."""
    rows = [*_tag_rows("", track.tags), *_track_rows(track), *_package_rows(package)]
    width = max(len(name) for name, _ in rows)
    return [f"{name:{width}}  {value}".rstrip() for name, value in rows]


def _tag_rows(prefix: str, tags: object) -> Iterator[Row]:
    """Every tag that is not empty, under the name of its field; a text of several lines is several rows."""
    assert is_dataclass(tags)
    for field in fields(tags):
        name, value = f"{prefix}{field.name.replace('_', ' ')}", getattr(tags, field.name)
        if is_dataclass(value):
            yield from _tag_rows(f"{name} ", value)
        elif isinstance(value, bool):
            yield from [(name, "yes")] if value else []
        elif isinstance(value, tuple):
            yield from [(name, ", ".join(value))] if value else []
        elif value is not None:
            lines = str(value).splitlines()
            yield from zip([name, *[""] * len(lines)], lines, strict=False)


def _track_rows(track: Track) -> Iterator[Row]:
    source, mezzanine = track.source, track.mezzanine
    depth = f", {source.bit_depth} bit" if source.bit_depth else ""
    yield "source", f"{track.source_name}: {source.codec}, {source.sample_rate_hz} Hz, {source.channel_layout}{depth}"
    yield "length", f"{track.media_samples / SAMPLE_RATE_HZ:.3f} s"
    yield "recording", track.recording_id
    yield "art", track.art_id
    yield "loudness", f"{_loudness(track.loudness_source)} in the source"
    if track.album:
        yield "album loudness", f"{_loudness(track.album.loudness)} over {track.album.tracks} tracks"
    if track.target:
        peak = f"at most {track.target.true_peak_dbtp:.2f} dBTP"
        yield "target", f"{track.target.integrated_lufs:.2f} LUFS, {peak}, by {track.mode}"
    gain = track.gain
    withheld = f", {gain.withheld_db:.2f} dB withheld: true peak" if gain.withheld_db > WITHHELD_DB_LEAST else ""
    yield "gain", f"{gain.applied_db:+.2f} dB{withheld}"
    yield "mezzanine", f"{mezzanine.mezzanine_id}, {mezzanine.size_bytes / 1e6:.2f} MB, {_loudness(mezzanine.loudness)}"
    for warning in track.warnings:
        yield "warning", warning


def _package_rows(package: Package | None) -> Iterator[Row]:
    if package is None:
        yield "live", "no: `segue package`"
        return
    level = f"{package.level_lufs:.2f} LUFS" if package.level_lufs is not None else "as it is"
    yield "live", f"package {package.package_id}, level {level}"
    for each in package.renditions:
        size = f"{each.size_bytes / 1e6:.2f} MB"
        yield f"  {each.rendition.rendition_id}", f"{size:>9}, {_loudness(each.loudness)}"


def _loudness(report: LoudnessReport) -> str:
    """Every figure that the report has."""
    figures = (
        (report.integrated_lufs, "{:.2f} LUFS"),
        (report.range_lu, "range {:.1f} LU"),
        (report.true_peak_dbtp, "peak {:.2f} dBTP"),
        (report.momentary_max_lufs, "momentary {:.1f} LUFS"),
        (report.short_term_max_lufs, "short-term {:.1f} LUFS"),
    )
    shown = [form.format(figure) for figure, form in figures if figure is not None]
    return ", ".join(shown if report.integrated_lufs is not None else ["no loudness", *shown])
