"""Those who talk to us over a session, as fuzzing plays them: caches, IS-IS neighbours, clients of HTTP."""

from contextlib import suppress
from typing import Final

from routed.model.isis_event import AdjacencyUp, CsnpReceived, LspReceived, PsnpReceived
from routed.model.rtr_event import PrefixRun, ResponseBegun, ResponseEnded
from routed.rib._payloads import PayloadError, Payloads
from routed.rib._vrps import Vrps, difference
from routed.rib.lsdb import Lsdb
from routed.session.isis_adjacency import CircuitSettings, IsisAdjacency
from routed.session.isis_flooding import Flooding
from routed.session.isis_own_lsp import OwnLsp, own_template
from routed.session.rtr_client import RtrClient
from routed.wire.isis.codepoints import AdjacencyState, CircuitType
from routed.wire.isis.hello import P2pHello, encode_p2p_hello
from routed.wire.isis.three_way import ThreeWay
from routed.wire.rtr.codepoints import VERSIONS
from tests.routed.plumbing.test_http_server import Rig as HttpRig

#: What we may say because of one short input: to a cache a query for each notify and an Error Report, to a neighbour
#: hellos, our LSP and acknowledgements. Units: octets.
MAX_ANSWER: Final = 16_384


def serve_http(octets: bytes) -> object:
    """Let a client send octets to an HTTP server, in two pieces, and leave; nothing of it may stay."""
    rig = HttpRig()
    client = rig.connect()
    for part in (octets[: len(octets) // 2], octets[len(octets) // 2 :]):
        if not client.transport.disconnecting:
            client.channel.dataReceived(part)
            rig.reactor.turn()
    client.lose()
    assert (rig.server.open, rig.server.held, rig.server.counters.bugs) == (set(), 0, 0)
    return client.transport.value()


def converse(octets: bytes) -> None:
    """Let a cache say this, in pieces, and keep its payloads as the daemon does."""
    for versions, step in ((VERSIONS, 1_000), ((1,), 13)):
        session, vrps = RtrClient(versions), Vrps()
        session.start(0.0)
        payloads = Payloads()
        for at in range(0, len(octets), step):
            for event in session.receive(octets[at : at + step], float(at)):
                match event:
                    case ResponseBegun():
                        payloads = Payloads()
                    case PrefixRun(octets=run):
                        payloads.add_pdus(run)
                    case ResponseEnded():
                        before = vrps
                        with suppress(PayloadError):
                            vrps = payloads.applied_to(before, strict=True)
                        assert len(vrps.without(difference(before, vrps))) <= len(vrps)
            session.timeout(float(at))
        assert len(session.take_outbox()) < MAX_ANSWER, "a cache makes us talk"
        for address, length, longest, asn in vrps.payloads():
            assert vrps.status(address, length, asn) == ("v" if asn and longest >= length else "i")
            assert (length, longest, asn) in vrps.covering(address, length)


def hear_neighbor(octets: bytes) -> object:
    """Let the neighbour of an adjacency that is up say this twice, and keep its database; what we answer is little."""
    us, them, mtu = b"\0\0\0\0\0\1", b"\0\0\0\0\0\2", 500
    adjacency = IsisAdjacency(CircuitSettings(system_id=us, areas=(b"\x49",), mtu=mtu))
    own = OwnLsp(own_template(us, (b"\x49",), (), (), "us"))
    flooding = Flooding(Lsdb(), own, 1)
    hello = P2pHello(
        circuit_type=CircuitType.LEVEL_2,
        source=them,
        hold_time=30,
        three_way=ThreeWay(AdjacencyState.INITIALIZING, 1, us, 1),
    )
    adjacency.start(0.0)
    sent: list[bytes] = []
    for now, pdu in enumerate((encode_p2p_hello(hello), octets, octets)):
        for event in adjacency.receive(pdu, now):
            match event:
                case AdjacencyUp(system_id=system_id):
                    own.up(1, system_id, now)
                    sent += flooding.up(system_id, mtu)
                case LspReceived(lsp=lsp):
                    sent += flooding.lsp(lsp, now)[1]
                case CsnpReceived(csnp=csnp):
                    sent += flooding.csnp(csnp, now)
                case PsnpReceived(psnp=psnp):
                    sent += flooding.psnp(psnp, now)
        own.timeout(now)
        adjacency.timeout(now)
        sent += [*adjacency.take_outbox(), *flooding.tick(now), *own.take_outbox(1, now)]
    assert sum(map(len, sent)) < MAX_ANSWER + len(octets), "a neighbour makes us talk"
    assert max(map(len, sent)) <= mtu, "a neighbour makes us say what the link does not carry"
    return sent
