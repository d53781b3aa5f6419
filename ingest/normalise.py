"""Loudness in two passes: measure, then write the mezzanine with one linear gain."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from avtool import argv
from avtool.locate import Ffmpeg
from avtool.loudness import metered
from avtool.output import MeterReading, Probe, parse_probe
from avtool.run import Limits, run
from cmaf.assemble import TrackFile, assemble
from cmaf.encoded import read_encoded
from model.errors import SourceTooShort, SourceUnreadable, SourceUnsupported, ToolFailed
from model.loudness import LoudnessReport

SAMPLES_MIN = 4_800  # 0.1 s at 48 kHz
PROBE_TIMEOUT_S = 30.0
_LOST_SECONDS_MAX = 0.25  # a lossless container knows its length; decoding less means that it was cut off
_NOT_AUDIO = "matches no streams"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mezzanine:
    """The lossless mezzanine as a FLAC CMAF track file on disk."""

    path: Path
    file: TrackFile
    media_samples: int
    loudness: LoudnessReport


async def probe_source(tool: Ffmpeg, path: str, *, subject: str) -> Probe:
    """The first audio stream of a source. Raises SourceUnreadable or SourceUnsupported for what is none."""
    try:
        done = await run(argv.probe(tool.path, path), limits=Limits(timeout_s=PROBE_TIMEOUT_S), subject=subject)
    except ToolFailed as error:
        raise refusal(error, subject=subject) from error
    return parse_probe(done.stdout, done.stderr, subject=subject)


def refusal(error: ToolFailed, *, subject: str) -> SourceUnreadable | SourceUnsupported:
    """Why ffmpeg did not take a source, in our words."""
    if _NOT_AUDIO in error.stderr_tail:
        hint = "pictures and silent videos cannot be published"
        return SourceUnsupported("there is no audio in the file", subject=subject, hint=hint)
    if "whitelist" in error.stderr_tail.lower():
        hint = "publish WAV, AIFF, FLAC, ALAC, WavPack, Ogg, Opus, MP3, AAC, CAF or Matroska"
        return SourceUnsupported("not a format that we take", subject=subject, hint=hint)
    hint = "play it to see whether it is damaged, then copy it again from where it came"
    return SourceUnreadable(f"cannot decode source ({error.message.lower()})", subject=subject, hint=hint)


async def write_mezzanine(
    tool: Ffmpeg,
    source: str,
    scratch: Path,
    *,
    gain_db: float,
    probe: Probe,
    timeout_s: float,
    subject: str,
    on_seconds: Callable[[float], None],
) -> Mezzanine:
    """Decode, resample to 48 kHz stereo, apply the gain, and write FLAC; measured while it is written.

    Raises SourceUnreadable if the source breaks off, SourceTooShort under 0.1 s.
    """
    encoded_path, path = scratch / "flac.mp4", scratch / "mezzanine.mp4"
    reading = MeterReading()
    try:
        await run(
            argv.normalise(tool.path, source, str(encoded_path), gain_db=gain_db, dither=needs_dither(probe, gain_db)),
            limits=Limits(timeout_s=timeout_s),
            subject=subject,
            on_line=metered(reading, on_seconds),
        )
    except ToolFailed as error:
        raise refusal(error, subject=subject) from error
    loudness = reading.report()
    with encoded_path.open("rb") as frames, path.open("wb") as target:
        encoded = read_encoded(frames)
        samples = encoded.media_ticks
        check_length(samples, probe, subject=subject)
        file = assemble(encoded, frames, target, media_samples=samples, loudness=loudness)
    encoded_path.unlink()
    return Mezzanine(path=path, file=file, media_samples=samples, loudness=loudness)


def needs_dither(probe: Probe, gain_db: float) -> bool:
    """Whether bits are dropped on the way to 24-bit: not for a source that goes through as it is."""
    as_it_is = gain_db == 0 and probe.sample_rate_hz == argv.SAMPLE_RATE_HZ and probe.channels <= argv.CHANNELS
    return not (as_it_is and probe.lossless and (probe.bit_depth or 64) <= 24)


def check_length(samples: int, probe: Probe, *, subject: str) -> None:
    """Refuse what is too short to stream, and lossless sources that hold less than their header says."""
    seconds = samples / argv.SAMPLE_RATE_HZ
    if samples < SAMPLES_MIN:
        raise SourceTooShort(f"only {seconds:.3f} s of audio", subject=subject, hint="a track has at least 0.1 s")
    if probe.lossless and probe.duration_s is not None and seconds < probe.duration_s - _LOST_SECONDS_MAX:
        message = f"the file is cut off: {seconds:.1f} s of {probe.duration_s:.1f} s can be decoded"
        raise SourceUnreadable(message, subject=subject, hint="copy it again from where it came")
