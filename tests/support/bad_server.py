"""A server on loopback that misbehaves as told: hangs, hangs up, or answers with given bytes."""

import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

HANG = None  # take the request and never answer
HANG_UP = b""  # take the request and close the connection


class BadServer:
    """Answers each connection with the next of `answers`, and with the last one for ever after."""

    def __init__(self, listener: socket.socket, answers: Iterable[bytes | None]) -> None:
        self._listener = listener
        self._answers = list(answers)
        self._open: list[socket.socket] = []
        self.port: int = listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.asked = threading.Event()

    def serve(self) -> None:
        """Take connections one after another until the listener is shut down."""
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                with suppress(OSError):
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        self.requests.append(_request(connection))
        self.asked.set()
        answer = self._answers[min(len(self.requests), len(self._answers)) - 1]
        if answer is not HANG:
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Hang up on everybody."""
        for connection in (*self._open, self._listener):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextmanager
def bad_server(*answers: bytes | None) -> Iterator[BadServer]:
    """A server that gives these answers, each on a connection of its own."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = BadServer(listener, answers)
        thread = threading.Thread(target=server.serve)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.close)
        yield server


def answer(
    status: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, claim: int | None = None
) -> bytes:
    """An HTTP answer; `claim` is the Content-Length that it pretends to have."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if claim is None else claim}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def s3_error(status: str, code: str) -> bytes:
    """An error as S3 words it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>so it is</Message></Error>".encode()
    return answer(status, body, {"Content-Type": "application/xml"})


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
