"""The least that a pump drives: a session that ends itself at a word, and is its own owner."""

from typing import Any

from twisted.python.failure import Failure

from routed.model.event import SessionDown


class LittleSession:
    """Says hello, keeps what it receives, and says last words when it hears `end`."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.outbox = b"hello"

    def receive(self, octets: bytes, _now: float) -> list[Any]:
        if octets != b"end":
            return [octets]
        self.outbox = b"last words"
        return [SessionDown(reason="told to")]

    def start(self, _now: float) -> list[Any]:
        return ["started"]

    def end_of_stream(self, _now: float) -> list[Any]:
        return [SessionDown(reason="lost")]

    def deadline(self) -> None:
        return None

    def take_outbox(self) -> bytes:
        octets, self.outbox = self.outbox, b""
        return octets

    def deliver(self, event: Any) -> None:
        self.heard.append(event.reason if isinstance(event, SessionDown) else event)

    def caught(self, bug: Failure) -> None:
        self.heard.append(bug)

    def gone(self) -> None:
        self.heard.append("gone")

    timeout = stuck = end_of_stream
