"""Templates passed on to other collectors as they came: over UDP, in the name of their exporter.

The others listen at a port for templates, directly or behind a replicator that keeps the addresses of senders.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flowcorr.collect.template_sets import message_of
from flowcorr.model.event import TemplatesHeard
from flowcorr.service.reports import address_of
from routed.plumbing.lifecycle import StartError
from routed.plumbing.rate_limit import RateLimit
from routed.plumbing.udp_in_name import UdpInName
from routed.plumbing.values import parse_address

if TYPE_CHECKING:
    from collections.abc import Callable

    from routed.plumbing.values import Endpoint

#: Lines of the log about one reason a minute.
LINES: Final = 1
#: Where datagrams seem to come from: an exporter's own port may belong to somebody on this machine.
SOURCE_PORT: Final = 2_055


@dataclass(slots=True)
class PassedOn:
    """Sets of templates that were passed on to other collectors."""

    sent: int = 0
    failures: int = 0  # that the system did not send
    other_family: int = 0  # of exporters with IPv6 addresses to a receiver with an IPv4 one, or the reverse


class TemplateReceiver:
    """Passes on what exporters send.

    Raises: StartError.
    """

    def __init__(self, place: Endpoint, complain: Callable[[str], None], now: Callable[[], float]) -> None:
        self.counters = PassedOn()
        self._place, self._complain, self._now = place, complain, now
        self._limit = RateLimit()
        try:
            found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_DGRAM)
            self._way = UdpInName(parse_address(str(found[0][4][0])), place.port)
        except PermissionError as error:
            text = "sending in the name of exporters takes CAP_NET_RAW; nfacctd_templates_zmq_peers takes nothing"
            raise StartError(f"nfacctd_templates_receiver {place}: {error.strerror}: {text}") from error
        except OSError as error:
            raise StartError(f"nfacctd_templates_receiver {place}: {error.strerror}") from error

    def hear(self, event: object) -> None:
        """Note an event of the intake."""
        if not isinstance(event, TemplatesHeard):
            return
        exporter = address_of(event.address)
        if exporter.version != self._way.address.version:
            self.counters.other_family += 1
            self._tell(f"templates of {exporter} cannot be passed on to an address of IPv{self._way.address.version}")
            return
        try:
            self._way.send(message_of(event.header, event.set_id, event.octets), exporter, SOURCE_PORT)
            self.counters.sent += 1
        except OSError as error:
            self.counters.failures += 1
            self._tell(f"templates of {exporter} cannot be passed on: {error.strerror}")

    def close(self) -> None:
        """Pass nothing on any more."""
        self._way.close()

    def _tell(self, text: str) -> None:
        if self._limit.admit("", LINES, self._now()) is not None:
            self._complain(f"[{self._place}] {text}")
