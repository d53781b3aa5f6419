"""A server on loopback that misbehaves as told: hangs, hangs up, or answers with given bytes."""

import hashlib
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

HANG = None  # take the request and never answer
HANG_UP = b""  # take the request and close the connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """An answer that waits `delay_s` before its first byte and `pause_s` after every `step` bytes."""

    data: bytes
    delay_s: float = 0.0
    step: int = 1 << 20
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reset:
    """These bytes, then a reset connection instead of a closed one."""

    data: bytes = b""


Reply = bytes | Paced | Reset | None


class BadServer:
    """Answers each connection with the next of `answers`, and with the last one for ever after."""

    def __init__(self, listener: socket.socket, answers: Iterable[Reply]) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._replies: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._closing = threading.Event()
        self.accepting = threading.Thread(target=self.serve)
        self.answers = list(answers)
        self.port: int = listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.asked = threading.Event()
        self.answered = threading.Event()  # some answer was sent to its end
        self.hung_up_on = threading.Event()  # some answer could not be sent to its end

    def serve(self) -> None:
        """Take connections until the listener is shut down."""
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                reply = threading.Thread(target=self._reply, args=[connection])
                reply.start()
                self._replies.append(reply)  # once it runs: whoever closes us waits for it

    def _reply(self, connection: socket.socket) -> None:
        with suppress(OSError):
            connection.settimeout(5)
            if not (request := _request(connection)):
                return  # somebody who looked for the port's last owner
            with self._lock:
                self.requests.append(request)
                reply = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.asked.set()
            if reply is not HANG:
                try:
                    self._send(connection, reply)
                    self.answered.set()
                except ConnectionError:
                    self.hung_up_on.set()

    def _send(self, connection: socket.socket, reply: bytes | Paced | Reset) -> None:
        if isinstance(reply, Paced):
            self._closing.wait(reply.delay_s)
            for at in range(0, len(reply.data), reply.step):
                connection.sendall(reply.data[at : at + reply.step])
                if self._closing.wait(reply.pause_s):
                    return
        else:
            connection.sendall(reply.data if isinstance(reply, Reset) else reply)
        if isinstance(reply, Reset):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        else:
            connection.shutdown(socket.SHUT_WR)

    def asked_times(self, times: int) -> bool:
        """Wait until so many requests have come; False if they do not."""
        deadline = time.monotonic() + 50
        while len(self.requests) < times and time.monotonic() < deadline:
            time.sleep(0.005)
        return len(self.requests) >= times

    def close(self) -> None:
        """Hang up on everybody."""
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        if self.accepting.ident:
            self.accepting.join()  # nobody comes any more
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._replies:
            thread.join()
        for each in (*self._open, self._listener):
            each.close()


@contextmanager
def bad_server(*answers: Reply) -> Iterator[BadServer]:
    """A server that gives these answers, each on a connection of its own."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = BadServer(listener, answers)
        server.accepting.start()
        stack.callback(server.close)
        yield server


def answer(
    status: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, claim: int | None = None
) -> bytes:
    """An HTTP answer; `claim` is the Content-Length that it pretends to have."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if claim is None else claim}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def stored(whole: bytes) -> dict[str, str]:
    """The headers of an object that a store of ours wrote, with these bytes."""
    return {
        "ETag": '"1"',
        "x-amz-meta-sha256": hashlib.sha256(whole).hexdigest(),
        "Content-Type": "audio/mp4",
        "Cache-Control": "no-cache",
        "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
    }


def s3_error(status: str, code: str, headers: Mapping[str, str] | None = None) -> bytes:
    """An error as S3 words it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>so it is</Message></Error>".encode()
    return answer(status, body, {"Content-Type": "application/xml", **(headers or {})})


def _request(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and (data := connection.recv(65536)):
        head += data
    head, _, body = head.partition(b"\r\n\r\n")
    sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = int(sizes[0].split(b":")[1]) - len(body) if sizes else 0
    while missing > 0 and (data := connection.recv(65536)):
        missing -= len(data)
    return head
