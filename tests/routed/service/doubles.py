"""What stands in for the world around a listener: a TCP transport, a listening port, a log, and who hears of bugs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher

from routed.plumbing.log import Level
from routed.service.settings import ListenerSettings
from routed.wire.bgp.codepoints import MessageType


def listener_settings(**facts: Any) -> ListenerSettings:
    defaults: dict[str, Any] = {
        "address": None, "port": 1790, "ipv6_only": False, "interface": None, "ip_precedence": 0,
        "receive_buffer": None, "gtsm_hops": 0, "max_peers": 10, "batch": 0, "batch_interval": 0,
        "compare_ports": False, "allow_file": None, "md5_file": None,
    }  # fmt: skip
    return ListenerSettings(**defaults | facts)


class Lines:
    """The lines of a log, those that are limited with what they are limited by."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.limited: list[tuple[str, int]] = []
        self.bug_in = "no line has this"

    @property
    def texts(self) -> list[str]:
        """The lines without their levels."""
        return [line.partition(" ")[2] for line in self.lines]

    def write(self, level: Level, text: str, **_: object) -> None:
        if self.bug_in in text:
            raise KeyError("bug")
        self.lines.append(f"{level.name} {text}")

    def info(self, text: str) -> None:
        self.write(Level.INFO, text)

    def write_limited(self, kind: str, at_most: int, level: Level, text: str, **_: object) -> None:
        self.limited.append((kind, at_most))
        self.write(level, text)


class Port:
    """A listening port."""

    numberAccepts = 100  # noqa: N815
    stopped = False

    def stopListening(self) -> None:  # noqa: N802
        self.stopped = True


class TcpWire(StringTransport):
    """A transport with what a pump asks of a TCP one."""

    no_delay = half_closed = False

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: N802
        assert enabled
        self.no_delay = enabled

    def loseWriteConnection(self) -> None:  # noqa: N802
        self.half_closed = True

    @property
    def notification(self) -> tuple[int, int]:
        """Code and subcode of the NOTIFICATION that was sent last."""
        last = self.value().split(b"\xff" * 16)[-1]
        assert last[2] == MessageType.NOTIFICATION
        return last[3], last[4]


@contextmanager
def bugs_logged() -> Iterator[list[tuple[str, type]]]:
    """What Twisted's log is told of failures meanwhile: where and what."""
    failures: list[tuple[str, type]] = []

    def observe(event: Any) -> None:
        if "log_failure" in event:
            failures.append((event.get("where", "unhandled"), event["log_failure"].type))

    globalLogPublisher.addObserver(cast("Any", observe))
    try:
        yield failures
    finally:
        globalLogPublisher.removeObserver(cast("Any", observe))
