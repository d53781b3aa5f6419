"""A wire between two programs that can be cut: what is sent goes nowhere, and who connected is told nothing. Who was
connected to sees the connection end, as where a router gives it up: nobody need wait until silence means something."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_PIECE_BYTES = 1 << 16
_LOOK_S = 0.1


class Wire:
    """Forwards connections to a port of this machine until it is cut; mended, it takes new ones."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._whole = threading.Event()
        self._whole.set()
        self._over = False
        self._ends: list[socket.socket] = []
        self._far_ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def cut(self) -> None:
        """Forward nothing from now on."""
        self._whole.clear()
        for end in self._far_ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """End the connections of before, and forward again."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._whole.set()

    def close(self) -> None:
        """End all."""
        self._over = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes who waits for connections
        self.mend()
        self._accepting.join()
        self.mend()  # what was accepted meanwhile
        for thread in self._threads:
            thread.join()
        for end in (self._listening, *self._ends):
            end.close()

    def _accept(self) -> None:
        while not self._over:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            self._ends.append(near)
            self._whole.wait()
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                with suppress(OSError):
                    near.shutdown(socket.SHUT_RDWR)
                continue
            self._ends.append(far)
            self._far_ends.append(far)
            for source, target in ((near, far), (far, near)):
                forwarding = threading.Thread(target=self._forward, args=(source, target), daemon=True)
                forwarding.start()
                self._threads.append(forwarding)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE_BYTES):
                self._whole.wait()
                target.sendall(data)
        self._whole.wait()
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire(target: int) -> Iterator[Wire]:
    """A wire that is whole; taken away afterwards."""
    found = Wire(target)
    try:
        yield found
    finally:
        found.close()
