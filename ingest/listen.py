"""One decode of a source tells everything about its sound: which recording it is, how loud, what it is like."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from avtool.decode import decode
from avtool.locate import Ffmpeg
from avtool.output import Probe
from ingest.checks.refusals import check_length, refusal
from ingest.scan import Source
from meter.meter import METER, Meter, Metering
from meter.sound import Hearing, Sound
from model.analysis import Analysis
from model.errors import SourceDamaged, SourceTooLong, SourceTooShort, ToolFailed
from model.track import recording_id_of

_FRAME_BYTES = 4  # one sample of one channel, as the decoder hands it over
_WITHOUT_CHECKSUMS = frozenset(["vorbis", "opus"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What listening to one source may cost."""

    timeout_s: float
    duration_s_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened:
    """What one source sounds like. `sound` is None if nobody made sense of it."""

    analysis: Analysis
    sound: Sound | None


async def listen(
    tool: Ffmpeg,
    source: Source,
    probe: Probe,
    *,
    declared_samples: int | None,
    limits: Limits,
    on_seconds: Callable[[float], None],
) -> Listened:
    """Decode a source to its end, at its own rate, into the meter.

    The cheap way, where it gives the same, and the other if anything is the matter. Raises SourceDamaged for what
    breaks off or holds samples that are no numbers, SourceTooShort, SourceTooLong, ToolTimeout.
    """
    heard = partial(
        _heard, tool, source, probe, declared_samples=declared_samples, limits=limits, on_seconds=on_seconds
    )
    if unchecked(probe):
        with suppress(ToolFailed, SourceDamaged, SourceTooShort):  # the other way finds out what is to be said of it
            return await heard(checked=False)
    return await heard(checked=True)


async def _heard(
    tool: Ffmpeg,
    source: Source,
    probe: Probe,
    *,
    declared_samples: int | None,
    limits: Limits,
    on_seconds: Callable[[float], None],
    checked: bool,
) -> Listened:
    channels = min(probe.channels, 2)
    meter = Meter(
        sample_rate_hz=probe.sample_rate_hz,
        channels=channels,
        weights=(2.0,) if channels == 1 else None,
        signs=True,
        hashed=exact(probe),
        hearing=Hearing(probe.sample_rate_hz),
    )
    try:
        decoded = await decode(
            tool,
            str(source.path),
            _bounded(meter, source, probe.sample_rate_hz * channels * _FRAME_BYTES * limits.duration_s_max, limits),
            sample_rate_hz=probe.sample_rate_hz,
            channels=channels,
            packet_hash=not exact(probe),
            ignore_trims=trimmed_twice(probe.container, probe.codec),
            checked=checked,
            timeout_s=limits.timeout_s,
            subject=source.name,
            on_seconds=on_seconds,
        )
    except ToolFailed as error:
        if not checked:
            raise
        raise refusal(error, subject=source.name) from error
    heard = meter.result()
    check_length(heard.samples, probe, rate_hz=probe.sample_rate_hz, declared=declared_samples, subject=source.name)
    if heard.not_finite:
        hint = "export it again; a plug-in wrote NaN or infinity"
        message = f"some samples are no numbers ({heard.not_finite})"
        raise SourceDamaged(message, subject=source.name, hint=hint)
    analysis = _analysis(_recording_id(probe, heard, decoded.packet_sha256), probe, heard)
    return Listened(analysis=analysis, sound=heard.sound)


def exact(probe: Probe) -> bool:
    """Whether every decoder gives the same samples on every machine: lossless, and not mixed down."""
    return probe.lossless and probe.channels <= 2


def unchecked(probe: Probe) -> bool:
    """Whether its packets hold no checksums that a decoder could look at: then none are missed if it does not."""
    return probe.codec in _WITHOUT_CHECKSUMS and probe.channels <= 2


def trimmed_twice(container: str, codec: str) -> bool:
    """Whether ffmpeg takes the padding off the last packet although the decoder did: 1,252 samples of music too."""
    return (container, codec) == ("caf", "alac")


def _bounded(meter: Meter, source: Source, bytes_max: float, limits: Limits) -> Callable[[bytes], None]:
    taken = 0

    def take(data: bytes) -> None:
        nonlocal taken
        taken += len(data)
        if taken > bytes_max:
            hint = f"at most {limits.duration_s_max / 3600:.0f} hours; cut it into tracks"
            raise SourceTooLong("the track is too long", subject=source.name, hint=hint)
        meter.take_bytes(data)

    return take


def _recording_id(probe: Probe, heard: Metering, packet_sha256: str | None) -> str:
    """Lossless: the samples say which recording it is, whatever holds them. Lossy: decoders round differently from one
    processor to the next, so it is the packets, and how many samples are left after the trims."""
    form = (str(probe.sample_rate_hz), probe.channel_layout)
    if packet_sha256 is not None:
        return recording_id_of("packets", probe.codec, *form, packet_sha256, str(heard.samples))
    assert heard.sha256 is not None
    return recording_id_of("samples", *form, heard.sha256)


def _analysis(recording_id: str, probe: Probe, heard: Metering) -> Analysis:
    assert heard.signs is not None
    return Analysis(
        recording_id=recording_id,
        meter=METER,
        sample_rate_hz=probe.sample_rate_hz,
        samples=heard.samples,
        loudness=heard.loudness,
        energies=heard.energies,
        peaks=heard.peaks,
        signs=heard.signs,
    )
