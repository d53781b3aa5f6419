"""What we want of ffmpeg -> its argument list, composed with ffmpeg-python's graph. Every option we rely on is named.

Sources are hostile: only the containers on the allow-list are opened, whatever the file's name says (a `.wav` that is
really a playlist would be opened as one), and only the `file` protocol. Names go in as `file:<path>`, so that a
leading dash or a colon is part of the name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import ffmpeg

from model.rendition import Codec, Rendition

CONTAINERS = "wav,w64,aiff,flac,mov,mp3,ogg,matroska,wv,caf,aac"
SAMPLE_RATE_HZ = 48_000
CHANNELS = 2
_FILE = "file:"
_AS_BYTES = "surrogateescape"  # how Python spells the bytes of a name that are no UTF-8
FLAC_BLOCK_SAMPLES = 3_840  # a quarter of the timeline's unit, so that FLAC is cut where AAC and Opus are
_RESAMPLER = {"resampler": "soxr", "precision": 28}
_DOWNMIX = {"ochl": "stereo", "rematrix_maxval": 1.0}  # the sum of what a channel gets cannot clip
_FRAME_SAMPLES = 2 * FLAC_BLOCK_SAMPLES
_WRITE_SAMPLES = 32_768
_THREADS = "-threads"  # of a decoder: no option of a container
_PACKETS_WAITING = {"thread_queue_size": 128}  # a thread that hashes wakes up for many packets, not for every one
# Past the muxer's buffer of 32 KiB, in pieces that ffmpeg's allocator does not ask the system for, each time anew.
_COPIED_FLOATS = {"format": "f32le", "acodec": "copy", "avioflags": "direct"}
_COPIED_SAMPLES = 8_192
# Frames go to encoders one by one: a queue holds two, so whoever got many at once would let all others wait for it.
_ENCODER_SAMPLES = {Codec.AAC: 1_024, Codec.OPUS: 960, Codec.FLAC: 15_360}
_SAMPLES = {Codec.AAC: "fltp", Codec.OPUS: "flt"}
# Of a plain file the table of frames is kept to the end: nine of them would grow by 40 kB for every second.
_FRAGMENTS = {"movflags": "+delay_moov+default_base_moof+skip_trailer", "frag_duration": 5_000_000}
_ENCODER = {Codec.AAC: "aac", Codec.OPUS: "libopus", Codec.FLAC: "flac"}


@dataclass(frozen=True, slots=True)
class Dip:
    """So many dB softer from one frame of the encoder up to, not including, another; they are counted from 0."""

    first: int
    end: int
    softer_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeOutput:
    """One rendition to encode into `path`, with `gain_db` applied before the encoder, and dips in it."""

    rendition: Rendition
    path: str
    gain_db: float = 0.0
    dips: tuple[Dip, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is heard around a source while it is resampled: the end of one file, the start of another, None for neither.

    `before` is heard from its sample `before_from`, `after` up to its sample `after_until`, counted at their own rate.
    Of the result the first `skip` samples are left out, and `keep` are kept (None: all), counted at 48 kHz.
    """

    before: str | None = None
    before_from: int = 0
    after: str | None = None
    after_until: int = 0
    skip: int = 0
    keep: int | None = None


ALONE = Surroundings()


def probe(tool: str, source: str) -> list[str]:
    """Open the source, copy nothing, print the format of its first audio stream."""
    stream = _source(source).output("pipe:1", format="framecrc", acodec="copy", map="0:a:0", t=0)
    return _compiled(tool, stream, "info")


def decode(
    tool: str,
    source: str,
    *,
    sample_rate_hz: int,
    channels: int,
    packet_hash: bool = False,
    ignore_trims: bool = False,
    containers: str = CONTAINERS,
    checked: bool = True,
) -> list[str]:
    """Decode the first audio stream to interleaved 32-bit floats on standard output, at this rate.

    Integer samples of up to 24 bits come out exactly if it is the source's own rate. `channels` is 1 for a mono source,
    2 for any other: more are mixed down. With `packet_hash` the SHA-256 of its packets is printed among the messages.
    `ignore_trims` plays every sample that the decoder gives. Not `checked`, a source that has its trims is opened by a
    filter, as in `normalise`: a third of the CPU less.
    """
    # One thread: sources are decoded side by side already.
    source_stream = _source(source, containers=containers, ignore_trims=ignore_trims, threads=1)
    mixing = {"ochl": "mono"} if channels == 1 else _DOWNMIX
    samples = source_stream["a:0"].filter("aresample", sample_rate_hz, **_RESAMPLER, osf="flt", **mixing)
    outputs = [_to_pipe(samples)]
    if packet_hash:
        hashed = {"format": "hash", "hash": "sha256", "acodec": "copy", "map": "0:a:0", **_PACKETS_WAITING}
        outputs.append(source_stream.output("pipe:2", **hashed))
    words = _compiled(tool, ffmpeg.merge_outputs(*outputs), "error")
    return words if checked else _opened_in_graph(words, once_more=packet_hash)


def play_back(tool: str, encoding: str, *, samples: int | None = None, joined: bool = False) -> list[str]:
    """Decode a file that `encode` made to interleaved 32-bit floats on standard output, after its priming.

    With `samples` no more than these: the file does not tell what its encoder padded at the end. With `joined` it is a
    list of its parts, as `joined_list` writes it.

    A filter opens it: demultiplexer and decoder run in that filter's thread, and what goes from thread to thread is
    thousands of samples and not a codec's frame. That is half the CPU of `decode`, and the same samples. With
    more than one decoder thread the filter corrupts memory (FLAC, ffmpeg 9.0.2).
    """
    formats, name = ("concat,mov:safe=1", ":format_name=concat") if joined else ("mov", "")
    opened = _in_graph(f"protocol_whitelist=file:format_whitelist={formats}") + name
    end = "" if samples is None else f"atrim=end_sample={samples},"
    words = _compiled(tool, ffmpeg.input(_file(encoding), format="lavfi").output("pipe:1", **_COPIED_FLOATS), "error")
    at = words.index("-i") + 1
    words[at] = (
        f"amovie=filename={_in_graph(words[at])}:dec_threads=1:format_opts={opened},{end}asetnsamples=n={_COPIED_SAMPLES}:p=0,"
        f"aformat=sample_fmts=flt:sample_rates={SAMPLE_RATE_HZ}:channel_layouts=stereo"
    )
    return words


def normalise(
    tool: str,
    source: str,
    target: str,
    *,
    gain_db: float,
    dither: bool,
    mono: bool = False,
    ignore_trims: bool = False,
    around: Surroundings = ALONE,
    checked: bool = True,
) -> list[str]:
    """Decode, resample, apply a linear gain and write 24-bit FLAC frames; the same signal as `decode` gives it, too.

    The files `around` it are read as it is, and must have its rate and channels. Not `checked`, a source that is alone
    and has its trims is opened by a filter, as in `play_back`: a third less CPU, the same bytes. But a decoder looks at
    no checksums then, and its first error is the end.
    """
    whole = _among(source, around, ignore_trims=ignore_trims)
    stereo = _cut(_at_48k_stereo(whole, mono=mono), around)
    split = stereo.filter("volume", volume=_decibels(gain_db), precision="double").filter_multi_output("asplit", 2)
    mezzanine = _rounded(split[0], dither=dither).output(_file(target), acodec="flac", **_flac(), **_container())
    samples = split[1].filter("aresample", osf="flt")
    words = _compiled(tool, ffmpeg.merge_outputs(mezzanine, _to_pipe(samples)), "error")
    return words if checked else _opened_in_graph(words)


def encode(tool: str, mezzanine: str, outputs: Sequence[EncodeOutput], *, joined: bool = False) -> list[str]:
    """Decode the mezzanine once and feed every encoder from it; print a line for each of its seconds.

    With `joined` it is a list of mezzanines, as `joined_list` writes it, that are played as one.

    The lines tell how far it is. And they end it when nobody reads them any more: unlike its own progress reports,
    which it writes into broken pipes for as long as the music lasts.
    """
    kind = {"format": "concat", "safe": 1, "format_whitelist": "concat,mov"} if joined else {"format_whitelist": "mov"}
    source = ffmpeg.input(_file(mezzanine), protocol_whitelist="file", threads=1, **kind)["a:0"]
    if joined:
        source = _counted_in_samples(source)
    gains = _by(outputs, lambda each: each.gain_db)
    beat, *streams = _split(source, len(gains) + 1)
    encoded = []
    for (gain_db, alike), stream in zip(gains, streams, strict=True):
        encoded += _encoded(stream, gain_db, alike)
    beats = beat.filter("asetnsamples", n=SAMPLE_RATE_HZ, p=0).output(
        "pipe:1", format="framecrc", acodec="pcm_s32le", flush_packets=1
    )
    return _compiled(tool, ffmpeg.merge_outputs(*encoded, beats), "error")


def joined_list(names: Sequence[str]) -> bytes:
    """The list of files beside it that `encode` plays as one; `names` are plain words."""
    return "".join(["ffconcat version 1.0\n", *(f"file {name}\n" for name in names)]).encode()


def excerpt_list(parts: Sequence[tuple[str, int, int]]) -> bytes:
    """As `joined_list`, of parts of mezzanines: from one unit of 15,360 samples up to, not including, another.

    There a block of FLAC begins, and a unit is a whole number of microseconds: nothing is lost, nothing heard twice.
    """
    times = [(name, *(f"{32 * unit // 100}.{32 * unit % 100:02}" for unit in units)) for name, *units in parts]
    lines = [f"file {name}\ninpoint {begin}\noutpoint {end}\n" for name, begin, end in times]
    return "".join(["ffconcat version 1.0\n", *lines]).encode()


def _encoded(stream: Any, gain_db: float, outputs: Sequence[EncodeOutput]) -> list[Any]:
    """The outputs that get this gain. It is applied once, and once only are samples put as the encoders want them."""
    if gain_db:
        stream = stream.filter("volume", volume=_decibels(gain_db), precision="double")
    codecs = _by(outputs, lambda each: each.rendition.codec)
    made = []
    for (codec, alike), of_codec in zip(codecs, _split(stream, len(codecs)), strict=True):
        of_codec = of_codec.filter("asetnsamples", n=_ENCODER_SAMPLES[codec], p=0)
        if codec is Codec.FLAC:
            of_codec = _rounded(of_codec, dither=True) if gain_db else of_codec
        else:
            of_codec = of_codec.filter("aformat", sample_fmts=_SAMPLES[codec])
        made += [
            _dipped(each, output.dips).output(_file(output.path), **_encoder(output.rendition))
            for output, each in zip(alike, _split(of_codec, len(alike)), strict=True)
        ]
    return made


def _dipped(stream: Any, dips: Sequence[Dip]) -> Any:
    """With dips, in a stream that comes in the encoder's frames."""
    if not dips:
        return stream
    softer_db = "+".join(f"{each.softer_db:.2f}*between(n,{each.first},{each.end - 1})" for each in dips)
    return stream.filter("volume", volume=f"pow(10,-({softer_db})/20)", eval="frame")


def _by(outputs: Sequence[EncodeOutput], what: Callable[[EncodeOutput], Any]) -> list[tuple[Any, list[EncodeOutput]]]:
    """The outputs that have something in common, together; in the order in which it comes first."""
    found: dict[Any, list[EncodeOutput]] = {}
    for each in outputs:
        found.setdefault(what(each), []).append(each)
    return list(found.items())


def _split(stream: Any, parts: int) -> list[Any]:
    if parts == 1:
        return [stream]
    split = stream.filter_multi_output("asplit", parts)
    return [split[number] for number in range(parts)]


def _encoder(rendition: Rendition) -> dict[str, Any]:
    codec = rendition.codec
    options: dict[str, Any] = {"acodec": _ENCODER[codec], **_container()}
    if codec is not Codec.FLAC:  # whose checksum of all samples would be missing: it is known at the end only
        options |= _FRAGMENTS
    if rendition.bitrate_bps:
        options["audio_bitrate"] = rendition.bitrate_bps
    if codec is Codec.AAC:
        options |= {"aac_coder": "twoloop", "profile:a": "aac_low"}
    if codec is Codec.OPUS:
        options |= {"vbr": "on", "frame_duration": 20, "application": "audio", "compression_level": 10}
    if codec is Codec.FLAC:
        options |= _flac()
    return options


def _flac() -> dict[str, Any]:
    return {
        "sample_fmt": "s32",
        "bits_per_raw_sample": 24,
        "frame_size": FLAC_BLOCK_SAMPLES,
        "compression_level": 5,
    }


def _rounded(stream: Any, *, dither: bool) -> Any:
    """As integers, of 24 bits where they are dithered."""
    rounding = {"output_sample_bits": 24, "dither_method": "triangular"} if dither else {}
    return stream.filter("aresample", osf="s32", **rounding)


def _container() -> dict[str, Any]:
    """MP4 with nothing of the source's metadata and nothing of the clock in it."""
    return {
        "format": "mp4",
        "map_metadata": -1,
        "map_chapters": -1,
        "fflags": "+bitexact",
        "flags:a": "+bitexact",
        "use_editlist": 1,
    }


def _source(path: str, *, containers: str = CONTAINERS, ignore_trims: bool = False, **options: Any) -> Any:
    """A source; a frame whose checksum is wrong is left out, so that its samples are missed, not heard as noise."""
    if ignore_trims:
        options["flags2"] = "+skip_manual"
    return ffmpeg.input(
        _file(path),
        protocol_whitelist="file",
        format_whitelist=containers,
        err_detect="crccheck+explode",
        **options,
    )


def _file(path: str) -> str:
    """A file's name, spelled in ASCII for as long as it is in a graph: ffmpeg-python takes no names but UTF-8."""
    return _FILE + quote(path, errors=_AS_BYTES)


def _in_graph(value: str) -> str:
    """The value of a filter's option: spelled for the option, and that for the graph."""
    for special in ("\\':", "\\'[],;"):
        value = "".join(f"\\{each}" if each in special else each for each in value)
    return value


def _opened_in_graph(words: list[str], *, once_more: bool = False) -> list[str]:
    """The same of a command with one source, which a filter opens, with one decoder thread and the same care.

    `once_more` leaves the source an input besides, for who wants its packets.
    """
    at = words.index("-i")
    options = zip(words[1:at:2], words[2:at:2], strict=True)
    care = ":".join(f"{name[1:]}={value}" for name, value in options if name != _THREADS)
    source = f"amovie=filename={_in_graph(words[at + 1])}:streams={_in_graph('a:0')}:dec_threads=1"
    graph = words[at + 3].replace("[0:a:0]", f"{source}:format_opts={_in_graph(care)},")
    kept = words[: at + 2] if once_more else words[:1]
    return [*kept, words[at + 2], graph, *words[at + 4 :]]


def _at_48k_stereo(stream: Any, *, mono: bool) -> Any:
    """Resample in double precision; mono is doubled, more channels are mixed down by swresample's table.

    swresample by itself would also make mono 3 dB quieter.

    It goes on in frames of one length: where a codec has frames of 128 to 1,024 samples, a filter's work for the frame
    costs more than that for its samples; and the noise of dither depends on where frames begin.

    Time is counted in samples from 0: gaps and jumps in a source's timestamps are not heard, so they are not kept.
    """
    mixing = {"ochl": "mono"} if mono else _DOWNMIX
    gathered = stream.filter("asetnsamples", n=_FRAME_SAMPLES, p=0)
    resampled = gathered.filter("aresample", SAMPLE_RATE_HZ, **_RESAMPLER, osf="dbl", **mixing)
    if mono:
        resampled = resampled.filter("pan", args="stereo|c0=c0|c1=c0")
    return _counted_in_samples(resampled)


def _counted_in_samples(stream: Any) -> Any:
    return stream.filter("asettb", f"1/{SAMPLE_RATE_HZ}").filter("asetpts", "N")


def _among(source: str, around: Surroundings, *, ignore_trims: bool) -> Any:
    """A source, and as much as is wanted of what comes before and after it, as one stream in double precision."""
    parts = [_source(source, ignore_trims=ignore_trims)["a:0"]]
    if around.before is not None:
        parts.insert(0, _part(around.before, ignore_trims=ignore_trims, start_sample=around.before_from))
    if around.after is not None:
        parts.append(_part(around.after, ignore_trims=ignore_trims, end_sample=around.after_until))
    if len(parts) == 1:
        return parts[0]
    exact = [each.filter("aformat", sample_fmts="dbl") for each in parts]
    return ffmpeg.filter(exact, "concat", n=len(parts), v=0, a=1)


def _part(source: str, *, ignore_trims: bool, **limits: int) -> Any:
    """A part of a source, by the count of its samples: what its timestamps say does not matter."""
    stream = _source(source, ignore_trims=ignore_trims)["a:0"]
    return stream.filter("asetpts", "N/SR/TB").filter("atrim", **limits)


def _cut(stream: Any, around: Surroundings) -> Any:
    """What of a stream at 48 kHz is the source's own."""
    if not around.skip and around.keep is None:
        return stream
    end = {} if around.keep is None else {"end_sample": around.skip + around.keep}
    return stream.filter("atrim", start_sample=around.skip, **end).filter("asetpts", "N")


def _to_pipe(samples: Any) -> Any:
    """Raw floats in large writes: each write wakes who reads."""
    gathered = samples.filter("asetnsamples", n=_WRITE_SAMPLES, p=0)
    return gathered.output("pipe:1", format="f32le", acodec="pcm_f32le")


def _decibels(gain_db: float) -> str:
    return f"{gain_db:.4f}dB"


def _compiled(tool: str, stream: Any, verbosity: str) -> list[str]:
    argv: list[str] = stream.global_args("-nostdin", "-hide_banner", "-y", "-v", verbosity).compile(cmd=tool)
    return [
        _FILE + unquote(word.removeprefix(_FILE), errors=_AS_BYTES) if word.startswith(_FILE) else word for word in argv
    ]
