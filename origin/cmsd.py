"""What an origin tells of an object to those who pass it on and play it: CMSD-Static (CTA-5006). Pure.

It is the same on every answer for a resource, so caches may keep it with the bytes.
"""

import re

from model.segment import Segment, SegmentedRendition

HEADER = "CMSD-Static"
NODE_NAME = re.compile(r"[A-Za-z0-9._-]{0,64}")  # needs no escapes in a quoted string

_HLS_VOD = "sf=h,st=v"


def of_init(node_name: str) -> str:
    """Of an init section."""
    return _joined("ot=i", _HLS_VOD, node_name=node_name)


def of_segment(rendition: SegmentedRendition, segment: Segment, node_name: str) -> str:
    """Of a segment: its rendition's bit rate in kbit/s and its own length in milliseconds."""
    return of_frames(rendition, segment.duration_ticks, node_name)


def of_frames(rendition: SegmentedRendition, duration_ticks: int, node_name: str) -> str:
    """Of any frames of a rendition that last so long together."""
    length_ms = _ms(duration_ticks, rendition.timescale)
    return _joined(f"br={_kbps(rendition)}", f"d={length_ms}", "ot=a", _HLS_VOD, node_name=node_name)


def of_track_file(rendition: SegmentedRendition, node_name: str) -> str:
    """Of a whole track file, which HLS and DASH players read ranges of."""
    whole_ms = _ms(rendition.duration_ticks, rendition.timescale)
    return _joined(f"br={_kbps(rendition)}", f"d={whole_ms}", "ot=a,st=v", node_name=node_name)


def _kbps(rendition: SegmentedRendition) -> int:
    """The nominal rate; what has none (lossless) is counted."""
    nominal_bps = rendition.rendition.bitrate_bps
    if nominal_bps:
        return round(nominal_bps / 1000)
    media_bytes = sum(segment.size_bytes for segment in rendition.segments)
    return round(8 * media_bytes * rendition.timescale / rendition.duration_ticks / 1000)


def _ms(ticks: int, timescale: int) -> int:
    return round(1000 * ticks / timescale)


def _joined(*pairs: str, node_name: str) -> str:
    return ",".join([*pairs, f'n="{node_name}"'] if node_name else pairs)
