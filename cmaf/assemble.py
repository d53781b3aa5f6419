"""Encoded frames -> one CMAF track file: header, segment index, one fragment per segment."""

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress, islice, pairwise
from operator import add, ne, sub
from typing import BinaryIO

from cmaf.encoded import EncodedTrack
from cmaf.timeline import SAMPLE_RATE_HZ, segment_durations
from cmaf.write import TrackHeader, fragment_header, init_section, segment_index
from model.errors import MediaError
from model.loudness import LoudnessReport
from model.rendition import Codec
from model.segment import Segment

COPY_BYTES = 1 << 20
_FLAC_SAMPLES = (1 << 36) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFile:
    """What was written: sizes, segments and hash of the track file."""

    timescale: int
    priming_ticks: int
    init_size_bytes: int
    index_size_bytes: int
    segments: tuple[Segment, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class _Run:
    """The frames of one segment: `first` up to, not including, `end`; the last may be cut short."""

    first: int
    end: int
    start_ticks: int
    duration_ticks: int


def assemble(
    encoded: EncodedTrack,
    source: BinaryIO,
    target: BinaryIO,
    *,
    media_samples: int,
    loudness: LoudnessReport,
    album_loudness: LoudnessReport | None = None,
) -> TrackFile:
    """Write the track file of `encoded` (whose frames lie in `source`) to `target`, from its present position.

    The track holds exactly `media_samples` after the priming: frames past that are dropped and the last one's
    duration is cut. `album_loudness` is told beside `loudness`. Raises MediaError if the encoder wrote less.
    """
    runs = _runs(encoded, encoded.priming_ticks + media_samples)
    headers = [_fragment(encoded, sequence, run) for sequence, run in enumerate(runs, start=1)]
    sizes = [len(head) + sum(encoded.sizes[run.first : run.end]) for head, run in zip(headers, runs, strict=True)]
    durations = [run.duration_ticks for run in runs]
    init = init_section(_header(encoded, runs, loudness, album_loudness))
    index = segment_index(timescale=encoded.timescale, sizes=sizes, durations=durations)
    digest = hashlib.sha256()
    for piece in _pieces(encoded, source, (init, index), headers, runs):
        digest.update(piece)
        target.write(piece)
    offsets = accumulate(sizes[:-1], initial=len(init) + len(index))
    return TrackFile(
        timescale=encoded.timescale,
        priming_ticks=encoded.priming_ticks,
        init_size_bytes=len(init),
        index_size_bytes=len(index),
        segments=tuple(
            Segment(duration_ticks=ticks, offset_bytes=offset, size_bytes=size)
            for ticks, offset, size in zip(durations, offsets, sizes, strict=True)
        ),
        sha256=digest.hexdigest(),
    )


def _runs(encoded: EncodedTrack, total_ticks: int) -> list[_Run]:
    frame = encoded.frame_ticks
    if encoded.timescale != SAMPLE_RATE_HZ:
        raise MediaError(f"a timescale of {encoded.timescale}, not {SAMPLE_RATE_HZ}")
    if encoded.total_ticks < total_ticks:
        missing = total_ticks - encoded.total_ticks
        raise MediaError(f"the encoder wrote {missing} samples less than it was given")
    runs: list[_Run] = []
    start = 0
    for ticks in segment_durations(total_ticks):
        end = -(-(start + ticks) // frame)
        runs.append(_Run(start // frame, end, start, ticks))
        start += ticks
    return runs


def _fragment(encoded: EncodedTrack, sequence: int, run: _Run) -> bytes:
    frames = run.end - run.first
    return fragment_header(
        codec=encoded.codec,
        sequence=sequence,
        decode_time=run.start_ticks,
        frame_ticks=encoded.frame_ticks,
        sizes=encoded.sizes[run.first : run.end],
        last_ticks=run.duration_ticks - (frames - 1) * encoded.frame_ticks,
    )


def _header(
    encoded: EncodedTrack,
    runs: Sequence[_Run],
    loudness: LoudnessReport,
    album_loudness: LoudnessReport | None,
) -> TrackHeader:
    sizes = encoded.sizes[runs[0].first : runs[-1].end]
    ticks = sum(run.duration_ticks for run in runs)
    average_bps = -(-8 * sum(sizes) * encoded.timescale // ticks)
    in_a_second = -(-encoded.timescale // encoded.frame_ticks)
    return TrackHeader(
        codec=encoded.codec,
        config=_flac_of(encoded.config, ticks) if encoded.codec is Codec.FLAC else encoded.config,
        timescale=encoded.timescale,
        channels=encoded.channels,
        bit_depth=encoded.bit_depth,
        priming_ticks=encoded.priming_ticks,
        frame_ticks=encoded.frame_ticks,
        frame_bytes_max=max(sizes),
        bitrate_max_bps=max(8 * _most_in_a_row(sizes, in_a_second), average_bps),
        bitrate_average_bps=average_bps,
        loudness=loudness,
        album_loudness=album_loudness,
    )


def _most_in_a_row(sizes: Sequence[int], count: int) -> int:
    """The largest sum of `count` sizes that follow each other, or of all if there are fewer."""
    sums = array("Q", accumulate(sizes, initial=0))
    return max(map(sub, islice(sums, count, None), sums), default=sums[-1])


def _flac_of(config: bytes, samples: int) -> bytes:
    """STREAMINFO for so many samples; its checksum of all samples is void where the encoder was given more."""
    counts = int.from_bytes(config[14:22], "big")  # 28 bits of format, 36 bits of samples (RFC 9639 §8.2)
    if counts & _FLAC_SAMPLES == samples:
        return config
    return config[:14] + (counts & ~_FLAC_SAMPLES | samples).to_bytes(8, "big") + bytes(16) + config[38:]


def _pieces(
    encoded: EncodedTrack, source: BinaryIO, head: Sequence[bytes], headers: Sequence[bytes], runs: Sequence[_Run]
) -> Iterator[bytes]:
    yield from head
    for header, run in zip(headers, runs, strict=True):
        yield header
        yield from _frames(encoded, source, run)


def _frames(encoded: EncodedTrack, source: BinaryIO, run: _Run) -> Iterator[bytes]:
    """The bytes of a run's frames; neighbours in the file are read together."""
    frames = slice(run.first, run.end)
    for position, size in _stretches(encoded.offsets[frames], encoded.sizes[frames]):
        source.seek(position)
        for left in range(size, 0, -COPY_BYTES):
            wanted = min(left, COPY_BYTES)
            data = source.read(wanted)
            if len(data) != wanted:
                raise MediaError("the encoder's file ends before its last frame")
            yield data


def _stretches(offsets: Sequence[int], sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where frames lie that follow each other in the file, and how many bytes they have together."""
    ends = map(add, offsets, sizes)
    firsts = [0, *compress(range(1, len(offsets)), map(ne, ends, offsets[1:])), len(offsets)]
    for first, end in pairwise(firsts):
        yield offsets[first], sum(sizes[first:end])
