"""What ffmpeg prints -> our types. Its words are outside data: anything unexpected is a typed error."""

import re
from collections import deque
from dataclasses import dataclass

from avtool.argv import SAMPLE_RATE_HZ
from model.errors import SourceUnsupported, ToolFailed

_LOSSLESS = re.compile(r"pcm_|flac|alac|wavpack")
_INPUT = re.compile(r"^Input #0, (\S+), from ", re.MULTILINE)
_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d)\.(\d\d)", re.MULTILINE)
_STREAM = re.compile(r"^  Stream #0:\d+[^\n]*?: Audio: ([^\n]*)", re.MULTILINE)
_ANY_STREAM = re.compile(r"^  Stream #0:\d+[^\n]*?: (?:Audio|Video|Subtitle|Data): ([^\n]*)", re.MULTILINE)
_BITS = re.compile(r"\((\d{1,3}) bit\)")
_PACKET = re.compile(r"0, *-?[0-9]{1,18}, *(-?[0-9]{1,18}),")
_PACKET_HASH = re.compile(r"^SHA256=([0-9a-f]{64})$", re.MULTILINE)
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


def parse_packet_hash(stderr: str, *, subject: str) -> str:
    """The SHA-256 of a stream's packets, in hex, from the last line of the messages that is one."""
    found = _last(_PACKET_HASH, stderr)
    if found is None:
        raise ToolFailed("no packet hash among the messages", subject=subject, hint="run `segue doctor`")
    return found[1]


def parse_complaints(stderr: str) -> list[str]:
    """What ffmpeg had to say besides the hash of packets, line by line."""
    return [line for line in stderr.splitlines() if line.strip() and not _PACKET_HASH.match(line)]


def progress_seconds(line: str) -> float | None:
    """How far ffmpeg is in a track at 48 kHz, from the line of `framecrc` for a packet; None for other lines."""
    found = _PACKET.match(line)
    return max(0, int(found[1])) / SAMPLE_RATE_HZ if found else None
