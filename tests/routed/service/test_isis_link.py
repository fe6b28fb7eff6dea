"""A circuit at work, on a carrier that the test holds in its hand."""

import errno
from collections import deque
from collections.abc import Iterator

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from routed.model.event import Event
from routed.model.isis_event import AdjacencyDown, AdjacencyUp
from routed.rib.lsdb import Lsdb, Taken
from routed.service.isis_link import OCTETS_PER_TURN, PDUS_PER_TURN, RETRY, IsisLink
from routed.session.isis_adjacency import CircuitSettings
from routed.session.isis_flooding import Flooding
from routed.session.isis_own_lsp import OwnLsp, own_template
from routed.wire.isis.codepoints import PduType
from routed.wire.isis.header import cut_pdu
from routed.wire.isis.lsp import Lsp, encode_lsp
from routed.wire.isis.snp import decode_psnp

US, THEM = (bytes((0, 0, 0, 0, 0, last)) for last in (1, 2))


class Cable:
    """A carrier: what was sent lies in `sent`, what is to come in `coming`."""

    def __init__(self) -> None:
        self.foreign = 0
        self.largest_pdu = 1497
        self.coming: deque[bytes | OSError] = deque()
        self.sent: list[bytes] = []
        self.refusal: OSError | None = None  # of attaching
        self.loss: OSError | None = None  # of sending
        self.is_closed = False

    def __str__(self) -> str:
        return "cable"

    def open(self) -> None:
        """Be open."""

    def attach(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def fileno(self) -> int:
        return 7

    def receive(self) -> bytes | None:
        if not self.coming:
            return None
        octets = self.coming.popleft()
        if isinstance(octets, OSError):
            raise octets
        return octets

    def send(self, pdu: bytes) -> None:
        if self.loss is not None:
            raise self.loss
        self.sent.append(pdu)

    def is_lost(self, error: OSError) -> bool:
        return error.errno == errno.ENETDOWN

    def close(self) -> None:
        self.is_closed = True

    def take(self, *kinds: PduType) -> list[bytes]:
        """Return what was sent of some types, and forget it."""
        sent, self.sent = self.sent, []
        return [pdu for pdu in sent if cut_pdu(pdu)[0] in kinds or not kinds]


class End:
    """One system with one link, and what its owner heard."""

    def __init__(self, system_id: bytes, reactor: MemoryReactorClock) -> None:
        self.reactor, self.cable, self.lsdb = reactor, Cable(), Lsdb()
        self.heard: list[object] = []
        self.bugs: list[Failure] = []
        own = OwnLsp(own_template(system_id, (b"\x49",), (), (), f"system{system_id[-1]}"))
        settings = CircuitSettings(system_id=system_id, areas=(b"\x49",), mtu=1500)
        self.link = IsisLink(
            reactor,  # type: ignore[arg-type]  # what the link asks of it is there
            settings,
            self.cable,
            flooding=Flooding(self.lsdb, own, 1),
            own=own,
            owner=self,
        )

    def attached(self, _: IsisLink, mtu: int) -> None:
        self.heard.append(("attached", mtu))

    def detached(self, _: IsisLink, reason: str) -> None:
        self.heard.append(("detached", reason))

    def deliver(self, _: IsisLink, event: Event) -> None:
        self.heard.append(event)

    def taken(self, _: IsisLink, lsp: Lsp, taken: Taken | None) -> None:
        self.heard.append((lsp.hostname, taken))

    def originated(self, lsp: Lsp) -> None:
        self.heard.append(("originated", lsp.sequence))

    def caught(self, bug: Failure, _: str) -> None:
        self.bugs.append(bug)

    def of(self, kind: type) -> list[object]:
        return [what for what in self.heard if isinstance(what, kind)]


@pytest.fixture
def ends() -> Iterator[tuple[End, End]]:
    """Two systems at the ends of a cable that is not plugged in."""
    reactor = MemoryReactorClock()
    us, them = End(US, reactor), End(THEM, reactor)
    yield us, them
    assert not us.bugs
    assert not them.bugs


def plug(us: End, them: End, seconds: float) -> None:
    """Let both talk to each other for a while."""
    for _ in range(int(seconds * 10)):
        us.reactor.advance(0.1)
        for end, other in ((us, them), (them, us)):
            other.cable.coming.extend(end.cable.take())
            while other.link.is_attached and other.cable.coming:
                other.link.doRead()


def test_two_links_become_adjacent_and_hold_each_others_lsp(ends: tuple[End, End]) -> None:
    for end in ends:
        end.link.start()
    plug(*ends, seconds=5)
    for end, name in zip(ends, ("system2", "system1"), strict=True):
        assert end.heard[0] == ("attached", 1497)  # the MTU of the carrier where that is smaller
        assert len(end.of(AdjacencyUp)) == 1
        assert (name, Taken.NEW) in end.heard
        assert len(end.lsdb) == 1
        assert end.link.counters.failures == 0
    assert all(not end.of(AdjacencyDown) for end in ends)
    plug(*ends, seconds=60)
    assert all(len(end.of(AdjacencyUp)) == 1 and not end.of(AdjacencyDown) for end in ends)
    quiet = [cut_pdu(pdu)[0] for end in ends for pdu in end.cable.take()]
    assert set(quiet) <= {PduType.P2P_HELLO}  # everything is acknowledged


def test_the_other_end_hears_of_a_stop_at_once(ends: tuple[End, End]) -> None:
    us, them = ends
    for end in ends:
        end.link.start()
    plug(us, them, seconds=5)
    us.link.stop()
    plug(us, them, seconds=0.1)
    (down,) = them.of(AdjacencyDown)
    assert isinstance(down, AdjacencyDown)
    assert down.reason == "the neighbor restarted"
    assert us.cable.is_closed
    assert us.link not in us.reactor.getReaders()


def test_a_link_waits_for_its_interface(ends: tuple[End, End]) -> None:
    us, _ = ends
    us.cable.refusal = OSError(errno.ENODEV, "No such device")
    us.link.start()
    us.reactor.advance(RETRY)
    assert us.heard == [("detached", "No such device")] * 2
    us.cable.refusal = None
    us.reactor.advance(RETRY)
    assert us.heard[-1] == ("attached", 1497)
    assert len(us.cable.take(PduType.P2P_HELLO)) == 1
    us.link.stop()
    assert us.reactor.getDelayedCalls() == []


@pytest.mark.parametrize("where", ["receive", "send"])
def test_an_interface_that_goes_away_ends_the_adjacency_until_it_is_back(ends: tuple[End, End], where: str) -> None:
    us, them = ends
    for end in ends:
        end.link.start()
    plug(us, them, seconds=5)
    gone = OSError(errno.ENETDOWN, "Network is down")
    us.cable.refusal = gone
    if where == "receive":
        us.cable.coming.append(gone)
        us.link.doRead()
    else:
        us.cable.loss = gone
        us.reactor.advance(10)
    assert us.of(AdjacencyDown) == [AdjacencyDown(THEM, "Network is down")]
    assert us.link not in us.reactor.getReaders()
    us.cable.refusal = us.cable.loss = None
    plug(us, them, seconds=15)
    assert len(us.of(AdjacencyUp)) == 2


def test_errors_of_the_network_are_counted_and_bear_with_it(ends: tuple[End, End]) -> None:
    us, _ = ends
    us.link.start()
    us.cable.coming.append(OSError(errno.ECONNREFUSED, "Connection refused"))
    us.cable.loss = OSError(errno.EMSGSIZE, "Message too long")
    us.link.doRead()
    us.reactor.advance(10)
    assert us.link.counters.failures == 2
    assert us.link.is_attached


def test_a_socket_with_an_error_is_watched_on(ends: tuple[End, End]) -> None:
    """Twisted lets go of a descriptor that has an error and nothing to read, such as the answer to a packet of ours."""
    us, _ = ends
    us.link.start()
    for error, is_watched in ((errno.ECONNREFUSED, True), (errno.ENETDOWN, False)):
        us.cable.coming.append(OSError(error, "said so"))
        us.reactor.removeReader(us.link)
        us.link.connectionLost(Failure(ConnectionLost()))
        assert (us.link in us.reactor.getReaders()) is is_watched
        assert not us.cable.coming


@pytest.mark.parametrize(
    ("octets", "taken"), [(1, PDUS_PER_TURN), (OCTETS_PER_TURN // 4, 4), (OCTETS_PER_TURN // 4 - 1, 5), (65_000, 1)]
)
def test_a_turn_takes_few_pdus_and_few_octets(ends: tuple[End, End], octets: int, taken: int) -> None:
    us, _ = ends
    us.link.start()
    us.cable.coming.extend([b"\x83" * octets] * 100)
    us.link.doRead()
    assert len(us.cable.coming) == 100 - taken


def test_a_bug_of_ours_costs_the_adjacency_and_no_more(ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch) -> None:
    us, them = ends
    for end in ends:
        end.link.start()
    plug(us, them, seconds=5)
    with monkeypatch.context() as patch:
        patch.setattr(us.link.flooding, "lsp", lambda *_: 1 / 0)
        us.cable.coming.append(encode_lsp(Lsp(lsp_id=THEM + b"\0\0", sequence=9, lifetime=100, checksum=0)))
        us.link.doRead()
    (bug,) = us.bugs
    assert bug.check(ZeroDivisionError)
    us.bugs.clear()
    assert us.of(AdjacencyDown) == [AdjacencyDown(THEM, "a bug of our own")]
    plug(us, them, seconds=15)
    assert len(us.of(AdjacencyUp)) == 2


def test_a_new_lsp_is_acknowledged(ends: tuple[End, End]) -> None:
    us, them = ends
    for end in ends:
        end.link.start()
    plug(us, them, seconds=5)
    us.cable.coming.append(encode_lsp(Lsp(lsp_id=THEM + b"\0\1", sequence=9, lifetime=100, checksum=0)))
    us.link.doRead()
    us.reactor.advance(2)
    acknowledged = [entry for pdu in us.cable.take(PduType.PSNP_2) for entry in decode_psnp(pdu).entries]
    assert [(entry.lsp_id, entry.sequence) for entry in acknowledged] == [(THEM + b"\0\1", 9)]
