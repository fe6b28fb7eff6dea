"""What listeners of all protocols share: who is let in, in which order that is decided, and how everything stops."""

from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from routed.model.event import SessionDown
from routed.plumbing.log import Log
from routed.plumbing.metrics import DaemonCounters
from routed.service.admission import Slots
from routed.service.listener import ACCEPTS_PER_TURN, STOPS_PER_TURN, Address, Listener, Policy
from routed.service.proxied import HEADER_PATIENCE
from routed.service.pump import SessionProtocol
from routed.service.reports import Reporter
from routed.service.tls import TlsFiles, TlsIdentity
from tests.routed.service.doubles import Lines, Port, TcpWire, bugs_logged, listener_settings
from tests.routed.service.little_session import LittleSession
from tests.routed.service.tls_rig import Authority, Router

HEADER = b"PROXY TCP4 198.51.100.1 192.0.2.9 179 1790\r\n"
SIX = b"PROXY TCP6 2001:db8::1 2001:db8::9 179 1790\r\n"


class Visit(LittleSession):
    """A session and its owner: leaves the listener when its connection does."""

    def __init__(self, listener: "House", address: Address, port: int) -> None:
        super().__init__()
        self.listener, self.address, self.port = listener, address, port
        self.outbox = b""
        self.pump = SessionProtocol(self, listener.clock, self)

    def stop(self) -> None:
        self.heard.append("stop")
        self.pump.end(lambda _now: [SessionDown(reason="shut down")])

    def gone(self) -> None:
        super().gone()
        self.listener.visits.remove(self)
        self.listener.slots.give_back(0)
        self.listener.disconnected()


class House(Listener):
    """A listener of no protocol in particular."""

    def __init__(
        self,
        allows: Callable[[Address], bool] = lambda _address: True,
        identity: TlsIdentity | None = None,
        **facts: Any,
    ) -> None:
        self.clock, self.lines, self.port = Clock(), Lines(), Port()
        self.visits: list[Visit] = []
        self.all: list[Visit] = []
        self.asked: list[str] = []
        self.is_broken = self.is_stopped = False
        self.is_polite = False
        settings = listener_settings(**facts)
        self.slots = Slots(settings.max_peers)
        self.allowed = allows
        super().__init__(
            self.clock,
            self.open,
            Policy(settings, self.test),
            reporter=Reporter(cast("Log", self.lines), "BMP"),
            slots=self.slots,
            counters=DaemonCounters(),
            identity=identity,
        )
        self.startService()

    def open(self, factory: Any) -> Any:
        self.factory = factory
        return self.port

    def test(self, address: Address) -> bool:
        self.asked.append(str(address))
        return self.allowed(address)

    def sessions(self) -> Iterable[Visit]:
        return tuple(self.visits)

    def stopped(self) -> None:
        self.is_stopped = True

    def enrol(self, address: Address, port: int) -> SessionProtocol | None:
        if self.is_broken:
            raise KeyError("bug")
        self.slots.take()
        self.visits.append(Visit(self, address, port))
        self.all.append(self.visits[-1])
        return self.visits[-1].pump

    def connect(self, host: str = "192.0.2.1", port: int = 40000) -> Any:
        kind = IPv6Address if ":" in host else IPv4Address
        protocol = self.factory.buildProtocol(kind("TCP", host, port))
        if protocol is not None and not hasattr(protocol, "wrappedProtocol"):
            protocol.makeConnection(TcpWire())
        return protocol

    @property
    def names(self) -> list[str]:
        return [f"{visit.address}:{visit.port}" for visit in self.all]


def lose(protocol: Any) -> None:
    protocol.connectionLost(Failure(ConnectionDone()))


# -- admission --------------------------------------------------------------------------------------------------------


def test_a_connection_becomes_a_session_of_its_address() -> None:
    house = House()
    house.connect("192.0.2.1", 1)
    house.connect("::ffff:192.0.2.2", 2)
    house.connect("2001:db8::1", 3)
    assert house.names == ["192.0.2.1:1", "192.0.2.2:2", "2001:db8::1:3"]
    assert house.counters.connections_accepted == 3
    assert house.port.numberAccepts == ACCEPTS_PER_TURN


def test_who_is_not_allowed_is_told_nothing_and_costs_nothing() -> None:
    house = House(lambda address: str(address) != "192.0.2.9", max_peers=1, batch=1, batch_interval=10)
    assert house.connect("192.0.2.9") is None
    assert house.lines.lines == ["INFO peer '192.0.2.9' not allowed. close()"]
    assert house.lines.limited == [("NOT_ALLOWED", 60)]
    assert house.counters.connections_not_allowed == 1
    assert house.connect() is not None


def test_whether_somebody_is_allowed_is_asked_for_each_connection() -> None:
    house = House()
    house.connect()
    house.allowed = lambda _address: False
    assert house.connect() is None


def test_slots_come_before_the_batch() -> None:
    house = House(max_peers=1, batch=2, batch_interval=10)
    visitor = house.connect()
    assert house.connect("192.0.2.2") is None
    assert house.counters.connections_without_slot == 1
    assert house.lines.limited[-1] == ("NO_SLOT", 6)
    assert house.lines.lines[-1] == (
        "WARN Insufficient number of BMP peers has been configured by 'bmp_daemon_max_peers' (1)"
    )
    lose(visitor)
    assert house.connect("192.0.2.2") is not None  # the second one of the batch


def test_batches_are_admitted_one_after_the_other_and_throttling_is_said_once() -> None:
    house = House(batch=2, batch_interval=10)
    assert [house.connect() is not None for _ in range(4)] == [True, True, False, False]
    assert house.counters.connections_throttled == 2
    assert house.lines.lines == ["INFO throttling at BMP peer #2"]
    house.clock.advance(10)
    assert [house.connect() is not None for _ in range(3)] == [True, True, False]
    assert house.lines.lines == ["INFO throttling at BMP peer #2", "INFO throttling at BMP peer #4"]


# -- PROXY and TLS ----------------------------------------------------------------------------------------------------


def test_a_proxy_header_names_whom_the_session_is_for_and_the_allow_file_sees_who_connected() -> None:
    house = House(proxy_header=True)
    visitor = house.connect("192.0.2.1")
    visitor.dataReceived(HEADER[:10])
    assert house.names == []
    visitor.dataReceived(HEADER[10:] + b"octets")
    other = house.connect("192.0.2.1", 40001)
    other.dataReceived(SIX)
    assert house.names == ["198.51.100.1:179", "2001:db8::1:179"]
    assert house.all[0].heard == ["started", b"octets"]
    assert house.asked == ["192.0.2.1", "192.0.2.1"]


def test_slots_and_batch_are_asked_for_when_the_header_is_there() -> None:
    house = House(proxy_header=True, max_peers=1)
    one, other = house.connect(), house.connect()
    assert house.slots.in_use == 0
    other.dataReceived(HEADER)
    one.dataReceived(HEADER)
    assert house.slots.in_use == 1
    assert house.counters.connections_without_slot == 1
    assert one.transport.disconnected
    assert not other.transport.disconnected


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"\3\0\0\0\6\4" + b"PROXY NONSENSE\r\n", None),
        (b"PROXY NONSENSE\r\n", "malformed PROXY header: "),
        (b"PRO", None),
    ],
)
def test_connections_without_a_whole_header(octets: bytes, why: str | None) -> None:
    """Without the signature it is plain BMP; half a header is waited for, for a while."""
    house = House(proxy_header=True)
    visitor = house.connect()
    visitor.dataReceived(octets)
    house.clock.advance(HEADER_PATIENCE)
    if octets[0] == 3:
        assert house.names == ["192.0.2.1:40000"]
        return
    assert house.names == []
    assert visitor.transport.disconnected
    assert house.counters.connections_unintroduced == 1
    assert house.lines.limited == [("UNINTRODUCED", 60)]
    assert f"INFO [192.0.2.1] {why or 'no whole PROXY header in 10 s'}" in house.lines.lines[0]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


def tls_house(authority: Authority, *, mutual: bool = False, **facts: Any) -> House:
    identity = TlsIdentity(TlsFiles(*authority.issue("collector"), authority.path if mutual else None))
    return House(identity=identity, **facts)


def client(authority: Authority, certificate: tuple[Path, Path] | None = None) -> Any:
    import ssl  # noqa: PLC0415

    context = ssl.create_default_context(cafile=authority.path)
    if certificate is not None:
        context.load_cert_chain(*certificate)
    return context


def test_with_tls_the_session_begins_behind_the_handshake(authority: Authority) -> None:
    house = tls_house(authority)
    router = Router(house.connect(), client(authority))
    assert house.names == []
    router.connect().send(b"octets")
    assert house.names == ["192.0.2.1:40000"]
    assert house.all[0].heard == ["started", b"octets"]


def test_who_does_not_speak_tls_or_is_nobody_we_know_is_no_session(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").issue("router")
    house = tls_house(authority, mutual=True)
    for certificate in (None, stranger):
        router = Router(house.connect(), client(authority, certificate)).connect()
        lose(router.server)
    assert house.names == []
    assert house.counters.connections_unintroduced == 2
    Router(house.connect(), client(authority, authority.issue("router"))).connect()
    assert len(house.names) == 1


def test_the_proxy_header_is_in_front_of_tls_in_clear(authority: Authority) -> None:
    house = tls_house(authority, proxy_header=True)
    visitor = house.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 40000))

    class Balancer:
        """Puts a header in front of what the router says."""

        def makeConnection(self, wire: Any) -> None:  # noqa: N802
            visitor.makeConnection(wire)
            visitor.dataReceived(HEADER)

        def dataReceived(self, octets: bytes) -> None:  # noqa: N802
            visitor.dataReceived(octets)

    router = Router(Balancer(), client(authority)).connect()
    router.send(b"octets")
    assert house.names == ["198.51.100.1:179"]
    assert house.all[0].heard == ["started", b"octets"]


def test_who_is_not_allowed_makes_no_handshake(authority: Authority) -> None:
    house = tls_house(authority, allows=lambda _address: False, proxy_header=True)
    assert house.connect() is None


# -- the end ----------------------------------------------------------------------------------------------------------


def test_a_stop_closes_the_port_then_ends_sessions_and_waits_for_their_connections() -> None:
    house = House()
    one, other = house.connect(), house.connect()
    stopped = house.stopService()
    assert house.port.stopped
    assert [visit.heard for visit in house.all] == [["started", "stop", "shut down"]] * 2
    lose(one)
    assert not stopped.called
    lose(other)
    assert stopped.called
    assert house.is_stopped


def test_a_stop_resets_who_waits_for_a_session() -> None:
    house = House(proxy_header=True)
    visitor = house.connect()
    stopped = house.stopService()
    assert stopped.called
    assert visitor.transport.disconnected
    assert house.lines.lines == []
    lose(visitor)
    assert house.clock.calls == []


def test_a_stop_resets_handshakes_too(authority: Authority) -> None:
    house = tls_house(authority)
    router = Router(house.connect(), client(authority))
    stopped = house.stopService()
    assert stopped.called
    router.connect()
    assert house.names == []


def test_a_stop_of_many_sessions_takes_several_turns() -> None:
    house = House(max_peers=STOPS_PER_TURN + 1)
    for _ in range(STOPS_PER_TURN + 1):
        house.connect()
    house.stopService()
    assert sum("stop" in visit.heard for visit in house.all) == STOPS_PER_TURN
    house.clock.advance(0)
    assert sum("stop" in visit.heard for visit in house.all) == STOPS_PER_TURN + 1


def test_a_stop_without_sessions_is_immediate() -> None:
    assert House().stopService().called


# -- bugs of ours -----------------------------------------------------------------------------------------------------


def test_a_bug_at_the_acceptance_costs_that_connection() -> None:
    house = House()
    house.is_broken = True
    with bugs_logged() as bugs:
        assert house.connect() is None
    house.is_broken = False
    assert house.connect() is not None
    assert bugs == [("acceptance of 192.0.2.1", KeyError)]
    assert house.counters.bugs_total == 1


def test_a_bug_behind_a_proxy_header_costs_that_connection_too() -> None:
    house = House(proxy_header=True)
    house.is_broken = True
    visitor = house.connect()
    with bugs_logged() as bugs:
        visitor.dataReceived(HEADER)
    assert bugs == [("acceptance of 198.51.100.1", KeyError)]
    assert visitor.transport.disconnected
    lose(visitor)
    assert house.stopService().called


def test_a_bug_in_a_policy_costs_that_connection() -> None:
    def allows(address: Address) -> bool:
        if address == ip_address("192.0.2.9"):
            raise SystemError("bug")
        return True

    house = House(allows)
    with bugs_logged() as bugs:
        assert house.connect("192.0.2.9") is None
    assert house.connect() is not None
    assert [kind for _, kind in bugs] == [SystemError]
