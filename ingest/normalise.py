"""Loudness in two passes: measure, then write the mezzanine with one linear gain."""

import asyncio
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from avtool import argv
from avtool.locate import Ffmpeg
from avtool.loudness import metered
from avtool.output import MeterReading, Probe, parse_probe
from avtool.run import Limits, run
from avtool.scratch import SCRATCH_HINT
from cmaf.assemble import TrackFile, assemble
from cmaf.encoded import read_encoded
from model.errors import (
    MediaError,
    PipelineError,
    SourceTooShort,
    SourceUnreadable,
    SourceUnsupported,
    StorageError,
    ToolFailed,
)
from model.loudness import LoudnessReport

SAMPLES_MIN = 4_800  # 0.1 s at 48 kHz
SAMPLE_RATES_HZ = range(4_000, 384_001)  # a header that claims another would cost hours to resample, and is a lie
PROBE_TIMEOUT_S = 30.0
_LOST_SECONDS_MAX = 0.02  # a lossless container knows its length; decoding less means that frames are missing
_NOT_AUDIO = "matches no streams"
_NOT_OPENED = "error opening input"
_FORMATS_HINT = "publish WAV, AIFF, FLAC, ALAC, WavPack, Ogg, Opus, MP3, AAC, CAF or Matroska"
_COPY_HINT = "copy it again from where it came"


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
    probe = parse_probe(done.stdout, done.stderr, subject=subject)
    if probe.sample_rate_hz not in SAMPLE_RATES_HZ or probe.channels < 1:
        message = f"its header says {probe.sample_rate_hz} Hz and {probe.channels} channels"
        hint = "4 to 384 kHz can be published; if it plays, convert it"
        raise SourceUnsupported(message, subject=subject, hint=hint)
    return probe


def refusal(error: ToolFailed, *, subject: str) -> PipelineError:
    """Why ffmpeg did not take a source, in our words; the source is only blamed for what is its own fault."""
    if os.strerror(errno.ENOSPC) in error.stderr_tail:
        return StorageError("no space left for temporary files", subject=subject, hint=SCRATCH_HINT)
    if (error.exit_status_of_tool or 0) < 0:
        message = f"ffmpeg was killed by signal {-(error.exit_status_of_tool or 0)}"
        return ToolFailed(message, subject=subject, hint="the machine may be short of memory: use fewer --jobs")
    if _NOT_AUDIO in error.stderr_tail:
        hint = "pictures and silent videos cannot be published"
        return SourceUnsupported("there is no audio in the file", subject=subject, hint=hint)
    if "whitelist" in error.stderr_tail.lower():
        return SourceUnsupported("not a format that we take", subject=subject, hint=_FORMATS_HINT)
    if _NOT_OPENED in error.stderr_tail.lower():
        hint = f"if it should be music, {_COPY_HINT}; {_FORMATS_HINT}"
        return SourceUnreadable("not music, or damaged where it begins", subject=subject, hint=hint)
    hint = f"play it to see whether it is damaged, then {_COPY_HINT}"
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

    Raises SourceUnreadable if the source breaks off, SourceTooShort under 0.1 s, StorageError if scratch is full.
    """
    encoded_path, path = scratch / "flac.mp4", scratch / "mezzanine.mp4"
    reading = MeterReading()
    try:
        await run(
            argv.normalise(
                tool.path,
                source,
                str(encoded_path),
                gain_db=gain_db,
                dither=needs_dither(probe, gain_db),
                mono=probe.channels == 1,
            ),
            limits=Limits(timeout_s=timeout_s),
            subject=subject,
            on_line=metered(reading, on_seconds),
        )
    except ToolFailed as error:
        raise refusal(error, subject=subject) from error
    loudness = reading.report(subject=subject)
    return await asyncio.to_thread(_assembled, encoded_path, path, loudness, probe, subject)


def _assembled(encoded_path: Path, path: Path, loudness: LoudnessReport, probe: Probe, subject: str) -> Mezzanine:
    """The track file made of the encoder's file, which is gone afterwards. Blocking."""
    with encoded_path.open("rb") as frames, path.open("wb") as target:
        try:
            encoded = read_encoded(frames)
        except MediaError as error:  # a file of no frames has no track: ffmpeg heard nothing
            hint = f"if it should hold music, {_COPY_HINT}"
            raise SourceTooShort("there are no samples in the file", subject=subject, hint=hint) from error
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
    known_length = probe.lossless and probe.alone and probe.duration_s is not None
    if known_length and seconds < (probe.duration_s or 0.0) - _LOST_SECONDS_MAX:
        message = f"the file is cut off or damaged: {seconds:.2f} s of {probe.duration_s:.2f} s can be decoded"
        raise SourceUnreadable(message, subject=subject, hint=_COPY_HINT)
