"""A source's sound, as samples: read once, whoever wants to hear it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from avtool import argv
from avtool.locate import Ffmpeg
from avtool.output import parse_complaints, parse_packet_hash
from avtool.run import Completed, Limits, run
from model.errors import ToolFailed

PROGRESS_STEP_S = 4.0  # of audio, some hundredths of a second to decode: each word wakes the loop
_SAMPLE_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A source that was decoded to its end. `packet_sha256` is None if it was not asked for; `stderr` what was said."""

    packet_sha256: str | None
    stderr: str


async def decode(
    tool: Ffmpeg,
    source: str,
    take: Callable[[bytes], None],
    *,
    sample_rate_hz: int,
    channels: int,
    timeout_s: float,
    subject: str,
    packet_hash: bool = False,
    ignore_trims: bool = False,
    containers: str = argv.CONTAINERS,
    checked: bool = True,
    on_seconds: Callable[[float], None] = lambda _: None,
) -> Decoded:
    """Hand over the samples of a file's first audio stream, interleaved 32-bit floats, trims of its container honoured.

    At the source's own `sample_rate_hz` they are its samples exactly; at another they are resampled. `channels` is 1
    for a mono source, 2 for any other: more are mixed down. `take` is called in order in a thread of its own and what
    it raises comes through; `on_seconds` is told about every fourth second of audio. Not `checked` it costs less, and
    whatever ffmpeg complains of is ToolFailed: see `argv.decode`. Raises ToolError.
    """
    words = argv.decode(
        tool.path,
        source,
        sample_rate_hz=sample_rate_hz,
        channels=channels,
        packet_hash=packet_hash,
        ignore_trims=ignore_trims,
        containers=containers,
        checked=checked,
    )
    counted = _counted(take, sample_rate_hz * channels, on_seconds)
    done = await run(words, limits=Limits(timeout_s=timeout_s), subject=subject, on_bytes=counted)
    if not checked and (complaints := parse_complaints(done.stderr)):
        raise ToolFailed(complaints[0], subject=subject, argv=tuple(words), stderr_tail=done.stderr)
    hashed = parse_packet_hash(done.stderr, subject=subject) if packet_hash else None
    return Decoded(packet_sha256=hashed, stderr=done.stderr)


async def play_back(
    tool: Ffmpeg,
    encoding: str,
    take: Callable[[bytes], None],
    *,
    timeout_s: float,
    subject: str,
    samples: int | None = None,
    joined: bool = False,
) -> None:
    """Hand over the samples of a file that we encoded, interleaved 32-bit floats of two channels at 48 kHz.

    They are those of `decode`, at half the cost: from the end of the priming on, at most so many `samples`; with
    `joined` of a list of its parts. `take` is called as by `decode`. Raises ToolError.
    """
    words = argv.play_back(tool.path, encoding, samples=samples, joined=joined)
    await run(words, limits=Limits(timeout_s=timeout_s), subject=subject, on_bytes=take)


async def normalise(
    tool: Ffmpeg,
    source: str,
    target: str,
    take: Callable[[bytes], None],
    *,
    gain_db: float,
    dither: bool,
    timeout_s: float,
    subject: str,
    mono: bool = False,
    ignore_trims: bool = False,
    around: argv.Surroundings = argv.ALONE,
    checked: bool = True,
    on_seconds: Callable[[float], None] = lambda _: None,
) -> Completed:
    """Write a source's sound to `target` as 24-bit FLAC in MP4, 48 kHz stereo, with a linear gain.

    `take` is handed the same signal as interleaved 32-bit floats, before it is rounded. `around` are its neighbours in
    a run: it is resampled together with them, and cut out. Not `checked` it costs less: see `argv.normalise`. Else as
    `decode`.
    """
    words = argv.normalise(
        tool.path,
        source,
        target,
        gain_db=gain_db,
        dither=dither,
        mono=mono,
        ignore_trims=ignore_trims,
        around=around,
        checked=checked,
    )
    counted = _counted(take, argv.SAMPLE_RATE_HZ * argv.CHANNELS, on_seconds)
    return await run(words, limits=Limits(timeout_s=timeout_s), subject=subject, on_bytes=counted)


def _counted(
    take: Callable[[bytes], None], samples_per_second: int, on_seconds: Callable[[float], None]
) -> Callable[[bytes], None]:
    """`take`, and word of how far it is to the loop that runs now."""
    loop = asyncio.get_running_loop()
    taken, told = 0, 0.0

    def counted(piece: bytes) -> None:
        nonlocal taken, told
        take(piece)
        taken += len(piece)
        seconds = taken / _SAMPLE_BYTES / samples_per_second
        if seconds >= told + PROGRESS_STEP_S:
            told = seconds
            loop.call_soon_threadsafe(on_seconds, seconds)

    return counted
