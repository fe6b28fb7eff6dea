"""Where the records of a message log go: files, one for each name that the peers' names make, or a broker.

An outlet makes sinks and the lanes of peers to them. The sink of a broker begins with the daemon, so that what an
earlier run has left in its spool is delivered even where no peer ever comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from routed.plumbing.parcel import Address
from routed.plumbing.sink import Lane, Sink, Watch
from routed.plumbing.sink_broker import BrokerSink

if TYPE_CHECKING:
    from datetime import datetime

    from routed.plumbing.names import NameTemplate
    from routed.service.records import PeerText

#: Makes the sink of a file name.
OpenSink = Callable[[str, Watch], Sink]
#: Makes the sink of a broker.
OpenBroker = Callable[[Watch], BrokerSink]


class Outlet(Protocol):
    """One kind of place for records."""

    @property
    def is_everybodys(self) -> bool:
        """Tell whether its sinks outlive the peers that use them."""

    @property
    def early_name(self) -> str | None:
        """Return the name of the sink that is there before any peer; None when there is none."""

    def name(self, text: PeerText) -> str:
        """Name the sink that a peer writes to."""

    def open(self, name: str, watch: Watch) -> Sink:
        """Make the sink of a name."""

    def lane(self, sink: Sink, text: PeerText) -> Lane:
        """Return the way of a peer's records to a sink of this outlet."""


class FileOutlet:
    """Files by name."""

    early_name = None

    def __init__(self, name: NameTemplate, open_sink: OpenSink) -> None:
        self._name, self._open_sink = name, open_sink
        self.is_everybodys = not name.variables

    def name(self, text: PeerText) -> str:
        """Name the file of a peer."""
        return self._name.expand_for_peer(str(text.address), text.port)

    def open(self, name: str, watch: Watch) -> Sink:
        """Open a file."""
        return self._open_sink(name, watch)

    def lane(self, sink: Sink, text: PeerText) -> Lane:  # noqa: ARG002 (rows of all peers follow each other)
        """Return the file itself."""
        return sink


class Addresses(NamedTuple):
    """How the addresses of peers at a broker are made. `writer`: who writes their records."""

    target: NameTemplate
    key: NameTemplate | None
    writer: str

    def of(self, text: PeerText, when: datetime | None = None) -> Address:
        """Return where the records of a peer go, at a time where the target's name follows it."""
        address, port = str(text.address), text.port
        return Address(
            self.target.expand_for_peer(address, port, when),
            b"" if self.key is None else self.key.expand_for_peer(address, port, when).encode(),
            f"{address} {port}".encode(),
            self.writer,
        )


class BrokerOutlet:
    """A broker: one sink for all peers, an address for each."""

    is_everybodys = True

    def __init__(self, label: str, addresses: Addresses, open_broker: OpenBroker) -> None:
        self.early_name = label
        self._addresses, self._open_broker = addresses, open_broker

    def name(self, text: PeerText) -> str:  # noqa: ARG002 (there is one)
        """Name the broker."""
        return self.early_name

    def open(self, name: str, watch: Watch) -> Sink:  # noqa: ARG002 (there is one)
        """Connect to the broker."""
        return self._open_broker(watch)

    def lane(self, sink: Sink, text: PeerText) -> Lane:
        """Return the way to a peer's address."""
        assert isinstance(sink, BrokerSink)
        return sink.lane(self._addresses.of(text))
