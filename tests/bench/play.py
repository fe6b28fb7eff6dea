"""Play UPDATE streams into a BGP daemon, one session for each, or one router's messages into a BMP daemon.

Either goes as fast as the daemon reads. A single selector serves all BGP sessions, from 127.0.1.1, 127.0.1.2 and so on;
what the daemon sends is read and dropped.
"""

from __future__ import annotations

import lzma
import selectors
import socket
import time
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final

from tests.peers.raw_speaker import HEADER_LENGTH, KEEPALIVE, NOTIFICATION, UPDATE, open_message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

FIRST_SOURCE: Final = IPv4Address("127.0.1.1")
HOLD_TIME: Final = 240
#: How long a BMP daemon may take for one chunk. Units: seconds.
PATIENCE: Final = 600
CHUNK: Final = 1 << 18


def read_updates(path: Path, most: int = -1) -> bytes:
    """Return the first UPDATE messages, or all, of a recorded BGP byte stream, plain or .xz."""
    octets = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    messages: list[bytes] = []
    at = 0
    while at + HEADER_LENGTH <= len(octets) and len(messages) != most:
        end = at + int.from_bytes(octets[at + 16 : at + 18], "big")
        if octets[at + 18] == UPDATE:
            messages.append(octets[at:end])
        at = end
    return b"".join(messages)


class Feeder:
    """One session that has a stream to deliver."""

    def __init__(self, number: int, target: tuple[str, int], asn: int) -> None:
        self.source = str(FIRST_SOURCE + number)
        self.stream = memoryview(b"")
        self._tail = b""
        self.tcp = socket.create_connection(target, timeout=30, source_address=(self.source, 0))
        self.tcp.sendall(open_message(asn, self.source, hold_time=HOLD_TIME) + KEEPALIVE)
        if not self.tcp.recv(CHUNK):
            raise ConnectionError(f"the daemon refused {self.source}")
        self.tcp.settimeout(0)

    def fileno(self) -> int:
        """Let a selector watch the session itself."""
        return self.tcp.fileno()

    def deliver(self) -> bool:
        """Send what the daemon takes; return whether anything is left."""
        sent = self.tcp.send(self.stream[:CHUNK])
        self.stream = self.stream[sent:]
        return bool(self.stream)

    def drain(self) -> None:
        """Read what came.

        Raises: ConnectionError when the daemon ended the session, with the NOTIFICATION if it fits the last read.
        """
        octets = self.tcp.recv(CHUNK)
        if not octets:
            kind = self._tail[18:19]
            why = f" with NOTIFICATION {tuple(self._tail[19:21])}" if kind == bytes((NOTIFICATION,)) else ""
            raise ConnectionError(f"the daemon ended the session of {self.source}{why}")
        self._tail = octets


class Player:
    """Sessions of one measurement; `first` is the number of the first one."""

    def __init__(self, target: tuple[str, int], peers: int, asn: int, *, first: int = 0) -> None:
        self._selector = selectors.DefaultSelector()
        self._feeders = [Feeder(first + number, target, asn) for number in range(peers)]
        for feeder in self._feeders:
            self._selector.register(feeder, selectors.EVENT_READ, feeder)

    def play(self, streams: Sequence[bytes]) -> None:
        """Deliver to all sessions together; session i gets stream i, counted round."""
        for number, feeder in enumerate(self._feeders):
            feeder.stream = memoryview(streams[number % len(streams)])
            self._selector.modify(feeder, selectors.EVENT_READ | selectors.EVENT_WRITE, feeder)
        left = len(self._feeders)
        while left:
            for key, ready in self._selector.select():
                active: Feeder = key.data
                if ready & selectors.EVENT_READ:
                    active.drain()
                if ready & selectors.EVENT_WRITE and not active.deliver():
                    self._selector.modify(active, selectors.EVENT_READ, active)
                    left -= 1

    def stay(self, until: Callable[[], bool]) -> None:
        """Keep the sessions alive until a condition holds."""
        next_keepalive = 0.0
        while not until():
            if time.monotonic() >= next_keepalive:
                next_keepalive = time.monotonic() + HOLD_TIME / 4
                for feeder in self._feeders:
                    feeder.tcp.send(KEEPALIVE)
            for key, _ in self._selector.select(timeout=0.01):
                key.data.drain()

    def close(self) -> None:
        """End all sessions."""
        for feeder in self._feeders:
            feeder.tcp.close()
        self._selector.close()


class Router:
    """One BMP session, to which a collector says nothing."""

    def __init__(self, target: tuple[str, int], opening: bytes) -> None:
        self._tcp = socket.create_connection(target, timeout=PATIENCE, source_address=(str(FIRST_SOURCE), 0))
        self._tcp.sendall(opening)

    def play(self, streams: Sequence[bytes]) -> None:
        """Deliver everything."""
        for stream in streams:
            self._tcp.sendall(stream)

    def stay(self, until: Callable[[], bool]) -> None:
        """Keep the session until a condition holds."""
        while not until():
            time.sleep(0.01)

    def close(self) -> None:
        """End the session."""
        self._tcp.close()
