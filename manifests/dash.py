"""A package as a DASH presentation (ISO/IEC 23009-1), from the bytes that HLS plays: every rendition is one track file
with a segment index, so a player needs to know only where both lie (profile "ISO base media file format on demand").

Each codec family is an adaptation set: players adapt inside one. Times need no offset: the first music sample is at
0 in a track file, for AAC by its edit list, for Opus by the pre-skip in `dOps`.
"""

import html
import re
from collections.abc import Callable

from manifests.build import bandwidths_bps
from manifests.codecs import CODECS, MEDIA_TYPE
from model.package import Package
from model.rendition import Codec
from model.segment import SegmentedRendition
from model.timebase import MICROSECONDS, decimal_seconds

# On demand: one file with an index for each representation; CMAF: each is a CMAF track.
PROFILES = "urn:mpeg:dash:profile:isoff-on-demand:2011,urn:mpeg:dash:profile:cmaf:2019"
# The first two segments last 2.88 s; a longer buffer would only delay the start.
MIN_BUFFER_S = 2
# Which family a player shall take that can play several: the least bits for the same quality, never lossless unasked.
SELECTION_PRIORITIES = {Codec.OPUS: 3, Codec.AAC: 2, Codec.FLAC: 1}
_CHANNELS_SCHEME = "urn:mpeg:dash:23003:3:audio_channel_configuration:2011"
_ROLE_SCHEME = "urn:mpeg:dash:role:2011"
# The rest of XML 1.0's production 2; a set of what it has takes 4 ms to compile.
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def render_mpd(package: Package, *, uri_of: Callable[[SegmentedRendition], str], title: str = "") -> bytes:
    """The MPD of a package; `uri_of` gives the URI of a rendition's track file. Equal arguments give equal bytes.

    Raises ValueError for a track file without a segment index, which the packager never writes.
    """
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="{PROFILES}" type="static"'
        f' mediaPresentationDuration="PT{decimal_seconds(_duration_us(package))}S" minBufferTime="PT{MIN_BUFFER_S}S">',
    ]
    if title:
        lines += ["  <ProgramInformation>", f"    <Title>{_text(title)}</Title>", "  </ProgramInformation>"]
    lines.append('  <Period id="0" start="PT0S">')
    for number, codec in enumerate(package.codecs):
        lines += _adaptation_set(package, codec, number, uri_of)
    lines += ["  </Period>", "</MPD>"]
    return ("\n".join(lines) + "\n").encode()


def _duration_us(package: Package) -> int:
    """The longest rendition as its index has it, with its priming, rounded up: players cut what lies behind the end."""
    return max(-(-each.duration_ticks * MICROSECONDS // each.timescale) for each in package.renditions)


def _adaptation_set(
    package: Package, codec: Codec, number: int, uri_of: Callable[[SegmentedRendition], str]
) -> list[str]:
    renditions = sorted(package.of(codec), key=lambda each: each.rendition.bitrate_bps)
    kind = renditions[0].rendition
    lines = [
        f'    <AdaptationSet id="{number}" contentType="audio" mimeType="{MEDIA_TYPE}" codecs="{CODECS[codec]}"'
        f' audioSamplingRate="{kind.sample_rate_hz}" lang="und" subsegmentAlignment="true"'
        f' subsegmentStartsWithSAP="1" selectionPriority="{SELECTION_PRIORITIES[codec]}">',
        f'      <AudioChannelConfiguration schemeIdUri="{_CHANNELS_SCHEME}" value="{kind.channels}"/>',
        f'      <Role schemeIdUri="{_ROLE_SCHEME}" value="main"/>',
    ]
    for rendition in renditions:
        lines += _representation(rendition, package.target_duration_s, uri_of(rendition))
    return [*lines, "    </AdaptationSet>"]


def _representation(rendition: SegmentedRendition, target_duration_s: int, uri: str) -> list[str]:
    if not rendition.index_size_bytes:
        raise ValueError(f"no segment index: {rendition.rendition.rendition_id}")
    bandwidth_bps, _ = bandwidths_bps(rendition, target_duration_s)
    init_end = rendition.init_size_bytes
    index_end = init_end + rendition.index_size_bytes
    return [
        f'      <Representation id="{rendition.rendition.rendition_id}" bandwidth="{bandwidth_bps}">',
        f"        <BaseURL>{_text(uri)}</BaseURL>",
        f'        <SegmentBase indexRange="{init_end}-{index_end - 1}" indexRangeExact="true"'
        f' timescale="{rendition.timescale}">',
        f'          <Initialization range="0-{init_end - 1}"/>',
        "        </SegmentBase>",
        "      </Representation>",
    ]


def _text(text: str) -> str:
    """Text as XML may hold it: some characters have no place there at all, not even escaped."""
    return html.escape(_NOT_IN_XML.sub(" ", text))
