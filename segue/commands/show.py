"""`segue show`: everything that is known of a track."""

import argparse
import json

from model.errors import ObjectNotFound
from model.loudness import LoudnessReport
from model.package import Package
from model.records import to_json
from model.track import Track
from packager.pipeline import live_package_id, read_package, read_track
from segue.commands.tracks import checked_id
from segue.config import Config
from segue.loop import run_loop
from segue.output import Output
from segue.wiring import opened_store

HELP = "show what is known of a track: source, loudness, renditions"
SETTINGS = ("store",)
EXAMPLE = "segue show zhm33ugdte2jdxmix5ak --store file:store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """TRACK_ID."""
    parser.add_argument("track_id", metavar="TRACK_ID", help="as `segue ls` shows it")


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Show one track."""
    return run_loop(_run(config, checked_id(arguments.track_id), output))


async def _run(config: Config, track_id: str, output: Output) -> int:
    async with opened_store(config) as store:
        track = await read_track(store, track_id)
        package_id = await live_package_id(store, track_id)
        try:
            package = await read_package(store, track_id, package_id) if package_id else None
        except ObjectNotFound:
            package = None
    live = json.loads(to_json(package)) if package else None
    output.data({"event": "show", "ingest": json.loads(to_json(track)), "package": live})
    for line in _track_lines(track) + (_package_lines(package) if package else ["live         no: `segue package`"]):
        output.text(line)
    return 0


def _track_lines(track: Track) -> list[str]:
    source = track.source
    depth = f", {source.bit_depth} bit" if source.bit_depth else ""
    withheld = f", {track.gain.withheld_db:.2f} dB withheld: true peak" if track.gain.withheld_db > 0.005 else ""
    return [
        f"title        {track.tags.title}",
        f"artist       {', '.join(track.tags.artists) or '-'}",
        f"album        {track.tags.album or '-'}",
        f"source       {track.source_name}: {source.codec}, {source.sample_rate_hz} Hz, {source.channel_layout}{depth}",
        f"length       {track.media_samples / 48_000:.3f} s",
        f"loudness     {_loudness(track.loudness_source)} in the source",
        f"gain         {track.gain.applied_db:+.2f} dB{withheld}",
    ]


def _package_lines(package: Package) -> list[str]:
    level = f"{package.level_lufs:.2f} LUFS" if package.level_lufs is not None else "as it is"
    lines = [f"live         package {package.package_id}, level {level}"]
    for each in package.renditions:
        size = f"{each.size_bytes / 1e6:.2f} MB"
        lines.append(f"  {each.rendition.rendition_id:10} {size:>9}  {_loudness(each.loudness)}")
    return lines


def _loudness(report: LoudnessReport) -> str:
    if report.integrated_lufs is None:
        return "silence"
    peak = f", {report.true_peak_dbtp:.2f} dBTP" if report.true_peak_dbtp is not None else ""
    return f"{report.integrated_lufs:.2f} LUFS{peak}"
