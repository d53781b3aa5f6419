"""MPEG transport streams with sound: packets, tables, and the elementary stream inside (ISO/IEC 13818-1)."""

from dataclasses import dataclass, field, replace

from inspector.frames import SoundLook, look_at_frames
from inspector.latm import look_at_latm

PACKET_BYTES = 188
_SYNC, _NULL_PID = 0x47, 0x1FFF
# MPEG audio, AAC in ADTS, AC-3, E-AC-3, and the last three with SAMPLE-AES, which leaves heads in the clear
_FRAMED = frozenset({0x03, 0x04, 0x0F, 0x81, 0x87, 0xCF, 0xC1, 0xC2})
_LATM = 0x11
_SOUND = _FRAMED | {_LATM}
_NO_MEDIA = frozenset({0x05, 0x15, 0x86})  # private sections, timed metadata, SCTE 35


@dataclass(slots=True)
class _Elementary:
    """The bytes of one elementary stream, and the time of the first packet (PTS, 90 kHz)."""

    starts: int | None = None
    data: bytearray = field(default_factory=bytearray)


class _Reader:
    """Takes packets in order."""

    def __init__(self) -> None:
        self.flaw = ""
        self.map_pids: set[int] = set()
        self.kinds: dict[int, int] = {}  # of elementary streams, by PID
        self.streams: dict[int, _Elementary] = {}
        self._counters: dict[int, int] = {}

    def take(self, packet: bytes, position: int) -> None:
        pid, has_field = int.from_bytes(packet[1:3], "big") & 0x1FFF, packet[3] & 0x20
        first = 5 + packet[4] if has_field else 4
        if pid == _NULL_PID or not packet[3] & 0x10 or first >= PACKET_BYTES:
            return
        counter, before = packet[3] & 0xF, self._counters.get(pid)
        self._counters[pid] = counter
        if before is not None and not (has_field and packet[4] and packet[5] & 0x80):
            if counter == before:
                return  # the same packet a second time (§2.4.3.3)
            if counter != (before + 1) % 16:
                self.flaw = self.flaw or f"packets are missing before byte {position}"
        self._payload(pid, packet[first:], begins=bool(packet[1] & 0x40))

    def _payload(self, pid: int, payload: bytes, *, begins: bool) -> None:
        if pid == 0 or pid in self.map_pids:
            if begins:
                self._table(payload, pid)
        elif begins:
            stream = self.streams.setdefault(pid, _Elementary())
            if payload[:3] == b"\0\0\1" and len(payload) >= 14:
                if payload[7] & 0x80 and stream.starts is None:
                    stream.starts = _pts(payload[9:14])
                stream.data += payload[9 + payload[8] :]
        elif pid in self.streams:
            self.streams[pid].data += payload

    def _table(self, payload: bytes, pid: int) -> None:
        """A program association or map table, if it fits into the packet that it begins in, as those of HLS do."""
        section = payload[1 + payload[0] :]
        if len(section) < 12:
            return
        end = min(len(section), 3 + (int.from_bytes(section[1:3], "big") & 0xFFF)) - 4  # before the checksum
        if pid == 0:
            entries = (section[at : at + 4] for at in range(8, end - 3, 4))
            self.map_pids |= {int.from_bytes(each[2:], "big") & 0x1FFF for each in entries if any(each[:2])}
            return
        at = 12 + (int.from_bytes(section[10:12], "big") & 0xFFF)
        while at + 5 <= end:
            self.kinds[int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF] = section[at]
            at += 5 + (int.from_bytes(section[at + 3 : at + 5], "big") & 0xFFF)


def look_at_transport(data: bytes) -> SoundLook:
    """A segment of MPEG-TS (RFC 8216 §3.2), by its first stream of sound."""
    reader = _Reader()
    for position in range(0, len(data) - PACKET_BYTES + 1, PACKET_BYTES):
        if data[position] != _SYNC:
            reader.flaw = reader.flaw or f"no packet begins at byte {position}"
            break
        reader.take(data[position : position + PACKET_BYTES], position)
    if len(data) % PACKET_BYTES:
        reader.flaw = reader.flaw or f"{len(data)} bytes are no whole number of packets of {PACKET_BYTES}"
    sounds = [pid for pid, kind in reader.kinds.items() if kind in _SOUND]
    others = [kind for kind in reader.kinds.values() if kind not in _SOUND | _NO_MEDIA]
    found = SoundLook()
    if sounds:
        kind, stream = reader.kinds[sounds[0]], reader.streams.get(sounds[0], _Elementary())
        look = look_at_latm if kind == _LATM else look_at_frames
        found = look(bytes(stream.data), starts=stream.starts)
    return replace(
        found,
        flaw=reader.flaw or found.flaw,
        programs=len(reader.map_pids) if reader.kinds else 0,
        sounds=len(sounds),
        others=len(others),
    )


def _pts(five: bytes) -> int:
    """The 33 bits of a time stamp (§2.4.3.7)."""
    return (five[0] >> 1 & 7) << 30 | five[1] << 22 | five[2] >> 1 << 15 | five[3] << 7 | five[4] >> 1
