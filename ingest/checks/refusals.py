"""Why a source is not taken: each kind has its own error, and says what to do next."""

import asyncio
import errno
import os
import re

from avtool import argv
from avtool.locate import Ffmpeg
from avtool.output import Probe, parse_probe
from avtool.run import Limits, run
from avtool.scratch import SCRATCH_HINT
from ingest.checks.declared import check_format, check_whole
from ingest.checks.sniff import FORMATS_HINT, sniff
from ingest.scan import COPY_HINT, Source, plain_file, unreadable
from model.errors import (
    PipelineError,
    SourceDamaged,
    SourceError,
    SourceImageOnly,
    SourceNoAudio,
    SourceNotMusic,
    SourceTooShort,
    SourceUnsupported,
    StorageError,
    ToolFailed,
)

SECONDS_MIN = 0.1
CHANNELS_MAX = 8  # 7.1; for more there is no standard way to two
PROBE_TIMEOUT_S = 30.0
LOSSY_LOST_SECONDS_MAX = 0.1
_LOST_SECONDS_MAX = 0.02  # the probe tells lengths to 0.01 s
_PLAY_HINT = f"play it to see whether it is damaged, then {COPY_HINT}"
_PICTURES = ("mjpeg", "png", "gif", "bmp", "webp", "tiff", "jpegxl")
_VIDEO = re.compile(r"^  Stream #0:\d+[^\n]*?: Video: (\w+)", re.MULTILINE)


async def probe_source(tool: Ffmpeg, source: Source) -> Probe:
    """The first audio stream of a source that is whole and can be published.

    What its bytes alone show is refused before a program is started. Raises a SourceError of the kind that fits,
    ToolError, StorageError.
    """
    await asyncio.to_thread(_look, source)
    path = os.fspath(source.path)
    try:
        done = await run(argv.probe(tool.path, path), limits=Limits(timeout_s=PROBE_TIMEOUT_S), subject=source.name)
    except ToolFailed as error:
        await asyncio.to_thread(_still_there, source)
        raise refusal(error, subject=source.name) from error
    probe = parse_probe(done.stdout, done.stderr, subject=source.name)
    check_format(probe.sample_rate_hz, probe.channels, subject=source.name)
    if probe.channels > CHANNELS_MAX:
        hint = "mix it down to 7.1 or less where it was made"
        raise SourceUnsupported(f"it has {probe.channels} channels", subject=source.name, hint=hint)
    return probe


def _look(source: Source) -> None:
    sniff(source)
    check_whole(source)


def _still_there(source: Source) -> None:
    try:
        with open(source.path, "rb", opener=plain_file) as file:
            file.read(1)
    except OSError as error:
        raise unreadable(source, error) from error


def refusal(error: ToolFailed, *, subject: str) -> PipelineError:
    """Why ffmpeg did not take a source, in our words; the source is only blamed for what is its own fault."""
    said = error.stderr_tail
    lowered = said.lower()
    if os.strerror(errno.ENOSPC) in said:
        return StorageError("no space left for temporary files", subject=subject, hint=SCRATCH_HINT)
    if (error.exit_status_of_tool or 0) < 0:
        message = f"ffmpeg was killed by signal {-(error.exit_status_of_tool or 0)}"
        return ToolFailed(message, subject=subject, hint="the machine may be short of memory: use fewer --jobs")
    if "matches no streams" in lowered:
        return _no_audio(said, subject)
    if "whitelist" in lowered:
        return SourceUnsupported("not a format that we take", subject=subject, hint=FORMATS_HINT)
    if "misdetection possible" in lowered:
        return _unknown(subject)
    if "could not find codec parameters" in lowered or "decoder not found" in lowered or "decoder (" in lowered:
        hint = f"convert it to FLAC; {FORMATS_HINT}"
        return SourceUnsupported("no decoder for its audio", subject=subject, hint=hint)
    if "error opening input" in lowered:
        return _unknown(subject)
    return SourceDamaged(f"cannot decode source ({error.message.lower()})", subject=subject, hint=_PLAY_HINT)


def _unknown(subject: str) -> SourceNotMusic:
    hint = f"if it should be music, {COPY_HINT}; {FORMATS_HINT}"
    return SourceNotMusic("not music, or damaged where it begins", subject=subject, hint=hint)


def _no_audio(said: str, subject: str) -> SourceError:
    """A picture, or something that moves without a sound."""
    streams = _VIDEO.findall(said.partition("\nOutput #0")[0])
    if streams and all(codec in _PICTURES for codec in streams):
        return SourceImageOnly("there is a picture in the file and no sound", subject=subject, hint="name the music")
    hint = "silent videos and subtitles cannot be published; name the file that has the sound"
    return SourceNoAudio("there is no audio in the file", subject=subject, hint=hint)


def check_length(samples: int, probe: Probe, *, rate_hz: int, declared: int | None, subject: str) -> None:
    """Refuse what is too short to stream, and what decodes to less than its container promised.

    `samples` were counted at `rate_hz`; `declared` is what `declared_samples` said, at the source's own rate. Lossless
    sources have to be exact; lossy ones may lose a frame or two. Raises SourceTooShort, SourceDamaged.
    """
    seconds = samples / rate_hz
    promised, tolerance = _promised_seconds(probe, declared, rate_hz)
    if seconds < promised - tolerance:
        message = f"only {seconds:.3f} s of {promised:.3f} s can be decoded"
        raise SourceDamaged(message, subject=subject, hint=_PLAY_HINT)
    if seconds < SECONDS_MIN:
        raise SourceTooShort(f"only {seconds:.3f} s of audio", subject=subject, hint="a track has at least 0.1 s")


def _promised_seconds(probe: Probe, declared: int | None, rate_hz: int) -> tuple[float, float]:
    """How long the source should be, and how much less is forgiven."""
    if declared is not None:
        rounding = (1.0 if rate_hz != probe.sample_rate_hz else 0.5) / rate_hz
        return declared / probe.sample_rate_hz, rounding if probe.lossless else LOSSY_LOST_SECONDS_MAX
    if probe.lossless and probe.alone and probe.duration_s is not None:
        return probe.duration_s, _LOST_SECONDS_MAX
    return 0.0, 0.0
