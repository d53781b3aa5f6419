"""What ffmpeg prints -> our types. Its words are outside data: anything unexpected is a typed error."""

import math
import re
from collections import deque
from dataclasses import dataclass

from model.errors import SourceUnreadable, SourceUnsupported, ToolFailed
from model.loudness import LoudnessReport

SILENCE_LUFS = -70.0  # BS.1770's absolute gate: a meter that heard nothing above it has nothing to say
METER_STEP_S = 0.1
_LOSSLESS = re.compile(r"pcm_|flac|alac|wavpack")
_INPUT = re.compile(r"^Input #0, (\S+), from ", re.MULTILINE)
_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d)\.(\d\d)", re.MULTILINE)
_STREAM = re.compile(r"^  Stream #0:\d+[^\n]*?: Audio: ([^\n]*)", re.MULTILINE)
_ANY_STREAM = re.compile(r"^  Stream #0:\d+[^\n]*?: (?:Audio|Video|Subtitle|Data): ([^\n]*)", re.MULTILINE)
_BITS = re.compile(r"\((\d{1,3}) bit\)")
_PROGRESS = re.compile(r"out_time_us=(-?[0-9]{1,18})")
RANGE_SECONDS_MIN = 4.0  # a loudness range needs several 3 s blocks; before, ebur128 says 20 LU of anything
_SAMPLE_BITS = {"u8": 8, "u8p": 8, "s16": 16, "s16p": 16, "s32": 32, "s32p": 32, "flt": 32, "dbl": 64, "s64": 64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The first audio stream of a source. `duration_s` is what the container says, None if it says nothing.

    Not `alone` means that other streams (moving pictures, more audio) may be what the container's duration counts.
    """

    container: str
    codec: str
    sample_rate_hz: int
    channel_layout: str
    channels: int
    bit_depth: int | None
    lossless: bool
    duration_s: float | None
    alone: bool = True


def parse_probe(stdout: bytes, stderr: str, *, subject: str) -> Probe:
    """The format of a source, from the header that `framecrc` prints and the banner beside it.

    Tags cannot forge the banner's lines: ffmpeg indents every line of a tag by four or more spaces. A file name with
    line feeds could, but it comes before what it would forge, so the last of each line counts.
    """
    header = dict(re.findall(r"^#(\w+) 0: (.*)$", stdout.decode("utf-8", "replace"), re.MULTILINE))
    container, stream, duration = _INPUT.search(stderr), _last(_STREAM, stderr), _last(_DURATION, stderr)
    try:
        codec = header["codec_id"]
        layout = header["channel_layout_name"]
        rate, channels = int(header["sample_rate"]), _channels(layout)
        if rate <= 0 or channels <= 0:
            raise ValueError(f"{rate} Hz, {channels} channels")
    except (KeyError, ValueError) as error:
        hint = "check that it is a music file; `segue doctor` shows the formats"
        raise SourceUnsupported("no audio stream that can be read", subject=subject, hint=hint) from error
    lossless = _LOSSLESS.match(codec) is not None
    return Probe(
        container=container[1] if container else "",
        codec=codec,
        sample_rate_hz=rate,
        channel_layout=layout,
        channels=channels,
        bit_depth=_bit_depth(stream[1]) if stream and lossless else None,
        lossless=lossless,
        duration_s=_seconds(duration) if duration else None,
        alone=_alone(stderr[duration.end() :] if duration else stderr),
    )


_LAYOUTS = {
    "mono": 1, "stereo": 2, "downmix": 2, "binaural": 2, "quad": 4, "quad(side)": 4, "hexagonal": 6, "octagonal": 8,
    "cube": 8, "hexadecagonal": 16,
}  # fmt: skip


def _channels(layout: str) -> int:
    """How many channels a layout has: `stereo`, `5.1(side)`, `6 channels`."""
    if layout in _LAYOUTS:
        return _LAYOUTS[layout]
    if numbered := re.match(r"(\d{1,5}) channels", layout):
        return int(numbered[1])
    if pointed := re.match(r"(\d{1,2})\.(\d{1,2})(?:\.(\d{1,2}))?", layout):
        return sum(int(part) for part in pointed.groups() if part)
    return layout.count("+") + 1


def _bit_depth(stream: str) -> int | None:
    if bits := _BITS.search(stream):
        return int(bits[1])
    formats = [part.strip() for part in stream.split(",")]
    return next((_SAMPLE_BITS[part] for part in formats if part in _SAMPLE_BITS), None)


def _alone(banner: str) -> bool:
    streams = _ANY_STREAM.findall(banner.partition("\nOutput #0")[0])
    return sum("(attached pic)" not in each for each in streams) <= 1


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(deque(pattern.finditer(text), maxlen=1)), None)


def _seconds(found: re.Match[str]) -> float:
    hours, minutes, seconds, hundredths = (int(part) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds + hundredths / 100


class MeterReading:
    """Takes the lines that the meter prints and keeps what matters; its memory does not grow with the track."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._broken = False
        self._latest: dict[str, float] = {}
        self._largest: dict[str, float] = {}

    def take(self, line: str) -> bool:
        """One printed line. Returns whether it began a new step of 100 ms."""
        key, separator, text = line.partition("=")
        if separator and key.startswith("lavfi.r128."):
            self._keep(key.removeprefix("lavfi.r128."), text)
            return False
        if line.startswith("frame:"):
            self.seconds += METER_STEP_S
            return True
        return False

    def _keep(self, name: str, text: str) -> None:
        try:
            value = float(text)
        except ValueError as error:
            raise ToolFailed(f"the loudness meter printed {name}={text[:40]!r}", hint="run `segue doctor`") from error
        if not math.isfinite(value):
            # Near silence the meter's running sum may fall below 0, whose logarithm is none; amid music it may not.
            amid_music = self._latest.get("M", SILENCE_LUFS) > SILENCE_LUFS
            self._broken = self._broken or (name == "M" and math.isnan(value) and amid_music)
            return
        self._latest[name] = value
        self._largest[name] = max(value, self._largest.get(name, value))

    def report(self, *, subject: str = "") -> LoudnessReport:
        """The measurement of everything taken. Silence, and less than one 400 ms block, have no loudness.

        Raises SourceUnreadable for float samples that are no numbers: the meter, and ears, cannot take them.
        """
        peak = self._largest.get("true_peak", 0.0)
        true_peak = 20 * math.log10(peak) if peak > 0 else None
        integrated = self._latest.get("I", SILENCE_LUFS)
        if self._broken:
            hint = "export it again; a plug-in wrote NaN or infinity"
            raise SourceUnreadable("some samples are no numbers", subject=subject, hint=hint)
        if not integrated > SILENCE_LUFS:
            return LoudnessReport(integrated_lufs=None, true_peak_dbtp=true_peak)
        return LoudnessReport(
            integrated_lufs=integrated,
            range_lu=self._latest.get("LRA") if self.seconds >= RANGE_SECONDS_MIN else None,
            true_peak_dbtp=true_peak,
            momentary_max_lufs=self._heard("M"),
            short_term_max_lufs=self._heard("S"),
        )

    def _heard(self, name: str) -> float | None:
        value = self._largest.get(name)
        return value if value is not None and value > SILENCE_LUFS else None


def progress_seconds(line: str) -> float | None:
    """How far ffmpeg is, from a line of `-progress`; None for other lines."""
    found = _PROGRESS.fullmatch(line.strip())
    return max(0.0, int(found[1]) / 1_000_000) if found else None
