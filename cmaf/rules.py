"""The rules for the boxes of fragmented MP4 with sound: one track of anybody, its init section and segments in order.

`RFC8216-3.3` is what HLS asks of fMP4, `CMAF-` what ISO/IEC 23000-19 and 14496-12 do, `OPUS-` and `FLAC-` what the
specifications of their encapsulation do, `APPLE-` and `CLIENT-` as in `manifests.rules`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cmaf.look import FragmentLook, InitLook, SegmentLook
from model.rule import Breaches, Finding, Place, Rule, Severity

_OPUS_RATE_HZ = 48_000
_STREAMINFO_BYTES = 38  # a block header of 4 and its 34
_AAC = ("mp4a.40.2", "mp4a.40.5", "mp4a.40.29", "mp4a.40.42")
_BRANDS_BEFORE_ISO6 = frozenset({"isom", "iso2", "iso3", "iso4", "iso5", "avc1", "mp41", "mp42", "M4A ", "dash"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackLook:
    """An init section and the segments that follow it, in order; None for those that were not looked into.

    `from_start`: the first segment is the first of the track; `whole`: the last one is the last. `index` has the
    references of a `sidx` of the whole file.
    """

    init: InitLook
    segments: tuple[SegmentLook | None, ...] = ()
    from_start: bool = True
    whole: bool = True
    index: tuple[tuple[int, int], ...] | None = None

    def fragments(self) -> Iterator[tuple[int, FragmentLook]]:
        """Every fragment with the number of its segment; of a segment that is cut off nothing counts."""
        for number, segment in enumerate(self.segments):
            for fragment in segment.fragments if segment and not segment.flaws else ():
                yield number, fragment


def check_track(track: TrackLook) -> tuple[Finding, ...]:
    """Everything that is wrong with the boxes of a track; a breach that repeats is told once, with its count."""
    return tuple(finding for rule in TRACK_RULES for finding in rule.findings(track))


def _once(breaches: Iterator[tuple[Place, str]]) -> Breaches:
    """The first breach, and in how many segments there are more."""
    first = next(breaches, None)
    if first is None:
        return
    others = {place.segment for place, _ in breaches} - {first[0].segment}
    yield first[0], first[1] + (f" (and in {len(others)} more segments)" if others else "")


def _in_fragments(box: str, wrong: Callable[[FragmentLook], str]) -> Callable[[TrackLook], Breaches]:
    """A check of each fragment by itself; `wrong` is empty for a sound one."""

    def check(it: TrackLook) -> Breaches:
        found = ((Place(box=box, segment=number), wrong(each)) for number, each in it.fragments())
        yield from _once((place, message) for place, message in found if message)

    return check


def _unreadable(it: TrackLook) -> Breaches:
    for flaw in it.init.flaws:
        yield Place(box=flaw.box), flaw.message
    for number, segment in enumerate(it.segments):
        for flaw in segment.flaws if segment else ():
            yield Place(box=flaw.box, segment=number), flaw.message


def _old_brand(it: TrackLook) -> Breaches:
    if it.init.brands and all(brand in _BRANDS_BEFORE_ISO6 for brand in it.init.brands):
        yield Place(box="ftyp"), f"no brand of iso6 or later: {', '.join(it.init.brands)}"
    elif not it.init.brands and not it.init.flaws:
        yield Place(box="ftyp"), "no ftyp box before moov"


def _several_sounds(it: TrackLook) -> Breaches:
    if it.init.audio_tracks > 1:
        yield Place(box="moov"), f"{it.init.audio_tracks} audio tracks in one segment"


def _not_fragmented(it: TrackLook) -> Breaches:
    if it.init.brands and not it.init.fragmented and not it.init.flaws:
        yield Place(box="moov"), "no mvex box: the file says that no fragments follow"


def _samples_in_init(it: TrackLook) -> Breaches:
    if it.init.samples:
        yield Place(box="moov/trak/mdia/minf/stbl/stsz"), f"the init section has {it.init.samples} samples"


def _no_language(it: TrackLook) -> Breaches:
    if it.init.audio_tracks and it.init.language in ("und", "```", ""):
        yield Place(box="moov/trak/mdia/mdhd"), "the language is und: nobody knows"


def _no_rates(it: TrackLook) -> Breaches:
    if it.init.audio_tracks and not it.init.has_rates:
        yield Place(box=f"moov/trak/mdia/minf/stbl/stsd/{it.init.sample_entry}"), "no btrt box"


def _no_loudness(it: TrackLook) -> Breaches:
    if it.init.audio_tracks and not it.init.has_loudness:
        yield Place(box="moov/trak/udta"), "no ludt box: players cannot know how loud this is"


def _not_opus(it: TrackLook) -> Breaches:
    if it.init.sample_entry != "Opus":
        return
    if not it.init.config or len(it.init.config) < 11:
        yield Place(box="moov/trak/mdia/minf/stbl/stsd/Opus/dOps"), "no dOps box, or one that is too short"
    elif it.init.config[0] != 0:
        yield Place(box="moov/trak/mdia/minf/stbl/stsd/Opus/dOps"), f"dOps of version {it.init.config[0]}"
    if it.init.timescale != _OPUS_RATE_HZ:
        yield Place(box="moov/trak/mdia/mdhd"), f"the timescale is {it.init.timescale}, not {_OPUS_RATE_HZ}"


def _no_roll(it: TrackLook) -> Breaches:
    if it.init.sample_entry != "Opus" or not it.init.audio_tracks:
        return
    mapped = "roll" in it.init.mapped or any("roll" in each.groups for _, each in it.fragments())
    if not mapped:
        yield Place(box="moov/trak/mdia/minf/stbl/sgpd"), "no samples are in a roll group: pre-roll is not signalled"


def _prol(it: TrackLook) -> Breaches:
    used = (*it.init.groups, *it.init.mapped, *(group for _, each in it.fragments() for group in each.groups))
    if it.init.sample_entry == "Opus" and "prol" in used:
        yield Place(box="moov/trak/mdia/minf/stbl/sgpd"), "a sample group of type prol"


def _trimmed_twice(it: TrackLook) -> Breaches:
    if it.init.pre_skip and it.init.edit_media_time:
        message = f"dOps skips {it.init.pre_skip} samples and the edit list {it.init.edit_media_time}"
        yield Place(box="moov/trak/edts/elst"), message


def _not_flac(it: TrackLook) -> Breaches:
    if it.init.sample_entry != "fLaC":
        return
    place, config = Place(box="moov/trak/mdia/minf/stbl/stsd/fLaC/dfLa"), it.init.config
    if not config or len(config) < _STREAMINFO_BYTES or config[0] & 0x7F:
        yield place, "no dfLa box that begins with STREAMINFO"
        return
    rate_hz, channels = int.from_bytes(config[14:17], "big") >> 4, (config[16] >> 1 & 7) + 1
    if channels != it.init.channels or (it.init.sample_rate_hz != rate_hz and rate_hz < 1 << 16):
        said = f"{it.init.sample_rate_hz} Hz, {it.init.channels} channels"
        yield place, f"STREAMINFO says {rate_hz} Hz, {channels} channels, the sample entry {said}"


def _audible_priming(it: TrackLook) -> Breaches:
    first = it.segments[0] if it.segments else None
    starts_at_0 = bool(first and first.fragments and first.fragments[0].decode_time == 0)
    if it.from_start and starts_at_0 and not it.init.edit_media_time and set(it.init.codecs) & set(_AAC):
        how = "no edit list" if it.init.edit_media_time is None else "an edit list that skips nothing"
        yield Place(box="moov/trak/edts/elst"), f"AAC begins with its encoder's delay, and there is {how}: it is heard"


def _no_fragment(it: TrackLook) -> Breaches:
    for number, segment in enumerate(it.segments):
        if segment and not segment.fragments and not segment.flaws:
            yield Place(box="moof", segment=number), f"no moof box in the {segment.size_bytes} bytes of the segment"
        elif segment and segment.fragments and not segment.frames:
            yield Place(box="moof/traf/trun", segment=number), "a segment without samples"


def _hanging_tail(it: TrackLook) -> Breaches:
    last = it.segments[-1] if it.whole and len(it.segments) > 1 else None
    skipped = it.init.edit_media_time or 0
    if last and last.frames and skipped and last.duration_ticks <= 2 * skipped:
        message = f"the last segment has {last.duration_ticks} samples, the edit list skips {skipped}"
        yield Place(box="moof/traf/trun", segment=len(it.segments) - 1), message


def _not_continuous(it: TrackLook) -> Breaches:
    yield from _once(_jumps(it))


def _jumps(it: TrackLook) -> Iterator[tuple[Place, str]]:
    expected: int | None = None
    for number, segment in enumerate(it.segments):
        if segment is None or not segment.fragments:
            expected = None
            continue
        for fragment in segment.fragments:
            if fragment.decode_time is None:
                expected = None
                continue
            if expected is not None and fragment.decode_time != expected:
                message = f"decode time {fragment.decode_time}, the durations before sum to {expected}"
                yield Place(box="moof/traf/tfdt", segment=number), message
            expected = fragment.decode_time + fragment.duration_ticks


def _other_index(it: TrackLook) -> Breaches:
    yield from _once(_index_breaches(it))
    found = [each for each in it.segments if each and not each.flaws]
    if (
        it.index
        and len(it.index) == len(found) == len(it.segments)
        and [size for size, _ in it.index] != [each.size_bytes for each in found]
    ):
        yield Place(box="sidx"), "the segment index has other sizes than the segments"


def _index_breaches(it: TrackLook) -> Iterator[tuple[Place, str]]:
    for number, segment in enumerate(it.segments):
        if segment and segment.index is not None:
            indexed_bytes, ticks = sum(size for size, _ in segment.index), sum(each for _, each in segment.index)
            if indexed_bytes > segment.after_index_bytes:
                message = f"sidx refers to {indexed_bytes} bytes, {segment.after_index_bytes} follow it"
                yield Place(box="sidx", segment=number), message
            # its time is that of the presentation: what the edit list skips may be left out (§8.16.3)
            off = segment.duration_ticks - ticks
            if off not in (0, it.init.edit_media_time or 0) and abs(off) > it.init.pre_skip:
                message = f"sidx says {ticks} ticks, the fragments have {segment.duration_ticks}"
                yield Place(box="sidx", segment=number), message


_PACK_AGAIN = "package again with a packager that writes CMAF"
_CMAF_ONE = "one traf with one trun for each moof (ISO/IEC 23000-19 §7.3.2)"

TRACK_RULES: tuple[Rule[TrackLook], ...] = (
    Rule("CMAF-boxes", "ISO/IEC 14496-12 §4.2", Severity.MUST, _unreadable, _PACK_AGAIN),
    Rule(
        "RFC8216-3.3-brand",
        "RFC 8216 §3.3",
        Severity.MUST,
        _old_brand,
        "write ftyp with iso6 or a later brand, cmfc for CMAF",
    ),
    Rule(
        "APPLE-2.17",
        "Apple HLS authoring 2.17",
        Severity.MUST,
        _several_sounds,
        "put each audio track into segments and a media playlist of its own",
    ),
    Rule("RFC8216-3.3-mvex", "RFC 8216 §3.3", Severity.MUST, _not_fragmented, "write mvex with a trex for the track"),
    Rule(
        "RFC8216-3.3-samples",
        "RFC 8216 §3.3",
        Severity.MUST,
        _samples_in_init,
        "leave the sample tables of the init section empty: samples belong into fragments",
    ),
    Rule(
        "RFC8216-3.3-moof",
        "RFC 8216 §3.3",
        Severity.MUST,
        _no_fragment,
        "leave the empty segment out of the playlist: hls.js never ends on one",
    ),
    Rule(
        "RFC8216-3.3-tfdt",
        "RFC 8216 §3.3",
        Severity.MUST,
        _in_fragments("moof/traf/tfdt", lambda it: "no tfdt box" if it.trafs and it.decode_time is None else ""),
        "write tfdt into every traf",
    ),
    Rule(
        "RFC8216-3.3-relative",
        "RFC 8216 §3.3",
        Severity.MUST,
        _in_fragments("moof/traf/tfhd", lambda it: "" if it.relative or not it.trafs else "not default-base-is-moof"),
        "address samples from the moof: default-base-is-moof, no base-data-offset",
    ),
    Rule(
        "CMAF-traf",
        "ISO/IEC 23000-19 §7.3.2",
        Severity.SHOULD,
        _in_fragments(
            "moof", lambda it: "" if (it.trafs, it.truns) == (1, 1) else f"{it.trafs} traf with {it.truns} trun boxes"
        ),
        _CMAF_ONE,
    ),
    Rule(
        "CMAF-trun",
        "ISO/IEC 14496-12 §8.8.8",
        Severity.MUST,
        _in_fragments(
            "moof/traf/trun",
            lambda it: (
                f"samples of {it.frames_bytes} bytes in an mdat of {it.media_bytes}"
                if it.frames_bytes > it.media_bytes
                else ""
            ),
        ),
        "the segment is cut off, or its sizes are wrong: package again",
    ),
    Rule(
        "APPLE-7.3",
        "Apple HLS authoring 7.3, ISO/IEC 23000-19 §7.3.2.2",
        Severity.MUST,
        _not_continuous,
        "write each tfdt as the sum of all durations before it; mark a real break with EXT-X-DISCONTINUITY",
    ),
    Rule(
        "CMAF-sidx",
        "ISO/IEC 14496-12 §8.16.3",
        Severity.MUST,
        _other_index,
        "write sidx from the fragments",
    ),
    Rule(
        "CLIENT-hang",
        "hls.js 1.7 never ends a stream whose last segment is about as short as what the edit list skips",
        Severity.MUST,
        _hanging_tail,
        "merge the last segment into the one before",
    ),
    Rule(
        "APPLE-priming",
        "Apple, Preparing Audio for HTTP Live Streaming",
        Severity.SHOULD,
        _audible_priming,
        "write an edit list of one entry with media_time = the encoder's delay (1024 with ffmpeg)",
    ),
    Rule(
        "OPUS-entry",
        "Encapsulation of Opus in ISO BMFF §4.3",
        Severity.MUST,
        _not_opus,
        "write dOps of version 0, and the media in ticks of 48 kHz",
    ),
    Rule(
        "OPUS-roll",
        "Encapsulation of Opus in ISO BMFF §4.3.6.2",
        Severity.MUST,
        _no_roll,
        "write sgpd and sbgp of type roll, of at least 80 ms (-4 at 20 ms a frame)",
    ),
    Rule(
        "OPUS-prol",
        "Encapsulation of Opus in ISO BMFF §4.3.6.2",
        Severity.MUST,
        _prol,
        "write the group of type roll instead",
    ),
    Rule(
        "CLIENT-opus-edit",
        "Chromium applies pre-skip and edit list both, against Encapsulation of Opus in ISO BMFF §4.4",
        Severity.SHOULD,
        _trimmed_twice,
        "leave the edit list away, or let it skip nothing: dOps alone is trimmed by all",
    ),
    Rule(
        "FLAC-entry",
        "Encapsulation of FLAC in ISO BMFF §3.3",
        Severity.MUST,
        _not_flac,
        "write dfLa with STREAMINFO first, and its rate and channels into the sample entry",
    ),
    Rule(
        "APPLE-2.19",
        "Apple HLS authoring 2.19",
        Severity.SHOULD,
        _no_loudness,
        "measure the loudness and write it as ludt",
    ),
    Rule(
        "CMAF-btrt",
        "CMAF practice (Unified Streaming)",
        Severity.SHOULD,
        _no_rates,
        "write btrt with the largest frame and the bit rates",
    ),
    Rule(
        "CMAF-language",
        "CMAF practice (Unified Streaming)",
        Severity.SHOULD,
        _no_language,
        "write the language, zxx for music without words",
    ),
)
