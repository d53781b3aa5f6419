"""Playlists to bytes: UTF-8 without a byte order mark, LF, one fixed order of tags and attributes."""

from manifests.playlist import (
    AudioGroup,
    DateRange,
    InitMap,
    Key,
    MediaPlaylist,
    MultivariantPlaylist,
    Playlist,
    PlaylistByteRange,
    VariantStream,
)
from model.timebase import decimal_seconds, utc_text


def render(playlist: Playlist) -> bytes:
    """The bytes of a playlist. Equal playlists give equal bytes."""
    lines = _media_lines(playlist) if isinstance(playlist, MediaPlaylist) else _multivariant_lines(playlist)
    return ("\n".join(lines) + "\n").encode()


def _media_lines(playlist: MediaPlaylist) -> list[str]:
    lines = _head(playlist)
    lines.append(f"#EXT-X-TARGETDURATION:{playlist.target_duration_s}")
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}")
    if playlist.playlist_type:
        lines.append(f"#EXT-X-PLAYLIST-TYPE:{playlist.playlist_type}")
    if playlist.init_map:
        lines.append(_map_line(playlist.init_map))
    lines += [_date_range_line(each) for each in playlist.date_ranges]
    if playlist.date_ms is not None:
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{utc_text(playlist.date_ms)}")
    key: Key | None = None
    init_map = playlist.init_map
    for segment in playlist.segments:
        own_map = segment.init_map or playlist.init_map
        if own_map and own_map != init_map:
            if key:  # RFC 8216 §4.3.2.4: it would be the map's, too
                lines.append(_key_line(key := None))
            lines.append(_map_line(init_map := own_map))
        if segment.key != key:
            key = segment.key
            lines.append(_key_line(key))
        lines.append(f"#EXTINF:{decimal_seconds(segment.duration_us)},")
        if segment.byte_range:
            lines.append(f"#EXT-X-BYTERANGE:{_range_text(segment.byte_range)}")
        lines.append(segment.uri)
    if playlist.ended:
        lines.append("#EXT-X-ENDLIST")
    return lines


def _multivariant_lines(playlist: MultivariantPlaylist) -> list[str]:
    lines = _head(playlist)
    for data in playlist.session_data:
        language = f',LANGUAGE="{data.language}"' if data.language else ""
        lines.append(f'#EXT-X-SESSION-DATA:DATA-ID="{data.data_id}",VALUE="{data.value}"{language}')
    lines += [_group_line(group) for group in playlist.audio_groups]
    for variant in playlist.variants:
        lines += [_variant_line(variant), variant.uri]
    return lines


def _head(playlist: Playlist) -> list[str]:
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{playlist.version}"]
    return [*lines, "#EXT-X-INDEPENDENT-SEGMENTS"] if playlist.independent_segments else lines


def _map_line(init_map: InitMap) -> str:
    line = f'#EXT-X-MAP:URI="{init_map.uri}"'
    return f'{line},BYTERANGE="{_range_text(init_map.byte_range)}"' if init_map.byte_range else line


def _date_range_line(each: DateRange) -> str:
    line = f'#EXT-X-DATERANGE:ID="{each.range_id}"'
    if each.class_name:
        line += f',CLASS="{each.class_name}"'
    line += f',START-DATE="{utc_text(each.start_ms)}"'
    if each.duration_us is not None:
        line += f",DURATION={decimal_seconds(each.duration_us)}"
    return line + "".join(f',{name}="{text}"' for name, text in each.texts)


def _key_line(key: Key | None) -> str:
    if key is None:
        return "#EXT-X-KEY:METHOD=NONE"
    line = f'#EXT-X-KEY:METHOD={key.method},URI="{key.uri}"'
    return line if key.iv is None else f"{line},IV=0x{key.iv.hex()}"


def _range_text(byte_range: PlaylistByteRange) -> str:
    return f"{byte_range.length_bytes}@{byte_range.offset_bytes}"


def _group_line(group: AudioGroup) -> str:
    line = f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{group.group_id}",NAME="{group.name}"'
    if group.language:
        line += f',LANGUAGE="{group.language}"'
    line += ",DEFAULT=YES,AUTOSELECT=YES"
    if group.channels is not None:
        line += f',CHANNELS="{group.channels}"'
    if group.bit_depth is not None:
        line += f",BIT-DEPTH={group.bit_depth}"
    return line if group.sample_rate_hz is None else f"{line},SAMPLE-RATE={group.sample_rate_hz}"


def _variant_line(variant: VariantStream) -> str:
    line = f"#EXT-X-STREAM-INF:BANDWIDTH={variant.bandwidth_bps}"
    if variant.average_bandwidth_bps is not None:
        line += f",AVERAGE-BANDWIDTH={variant.average_bandwidth_bps}"
    if variant.score is not None:
        line += f",SCORE={variant.score:f}"
    if variant.codecs:
        line += f',CODECS="{",".join(variant.codecs)}"'
    if variant.stable_variant_id:
        line += f',STABLE-VARIANT-ID="{variant.stable_variant_id}"'
    return f'{line},AUDIO="{variant.audio}"' if variant.audio else line
