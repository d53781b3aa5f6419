"""What the kernel knows of a connection: how much the other side took, what waits, since when it has been silent.

Asked of the kernel, because only it sees the truth behind buffers, and because nothing has to be counted on the way of
an answer. Linux: `struct tcp_info` of linux/tcp.h, whose layout only ever grows at its end.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

_UNACKED, _LAST_DATA_RECV, _BYTES_ACKED, _NOTSENT = 24, 52, 120, 144  # offsets in struct tcp_info
_SIZE = 148
_GONE = (OSError, ValueError)  # asyncio's and uvloop's, of a socket that is closed
_DROP = struct.pack("ii", 1, 0)  # struct linger: do not keep what was not taken


@dataclass(frozen=True, slots=True)
class TcpState:
    """One look at a connection."""

    taken_bytes: int  # that the other side has acknowledged since the connection was made
    waiting: bool  # whether bytes of ours are still on their way, here or in the kernel
    silent_s: float  # since anything came from the other side, read by us or not, or since it connected


def tcp_state(transport: asyncio.Transport) -> TcpState | None:
    """How a connection stands; None once it has no socket any more."""
    tcp = transport.get_extra_info("socket")
    try:
        info = tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except _GONE:
        return None
    (unacked,) = struct.unpack_from("=I", info, _UNACKED)
    (silent_ms,) = struct.unpack_from("=I", info, _LAST_DATA_RECV)
    (taken_bytes,) = struct.unpack_from("=Q", info, _BYTES_ACKED)
    (unsent_bytes,) = struct.unpack_from("=I", info, _NOTSENT)
    waiting = bool(unacked or unsent_bytes or transport.get_write_buffer_size())
    return TcpState(taken_bytes=taken_bytes, waiting=waiting, silent_s=silent_ms / 1000)


def reset(transport: asyncio.Transport) -> None:
    """End a connection, and free what waits for the other side: closed in the plain way, the kernel would keep it and
    go on offering it for minutes."""
    with suppress(*_GONE):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP)
    transport.abort()
