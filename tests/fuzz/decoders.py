"""Every decoder that reads what others wrote, in one table: whoever adds a row has it fuzzed.

A row says how to call the decoder on octets, where its seeds lie, how seeds are damaged, and which exceptions it may
raise: the one of its layer, or none.
"""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from flowcorr.collect.template_exchange import ExchangeError, Listener, Teller
from flowcorr.collect.template_sets import template_sets
from flowcorr.correlate._packet_program import Program
from flowcorr.correlate.networks import parse_networks
from flowcorr.daemon.packet_filters import ExpressionError, expressions_of
from flowcorr.wire.sflow_counters import decode_counters
from routed.daemon.keys import KEYS
from routed.model.isis_event import AdjacencyUp, CsnpReceived, LspReceived, PsnpReceived
from routed.model.rtr_event import PrefixRun, ResponseBegun, ResponseEnded
from routed.octets import Cursor, WireError
from routed.plumbing.config import configure
from routed.plumbing.maps import Limits, parse_rows
from routed.plumbing.statements import parse_statements
from routed.query.codec import QueryError, decode_request
from routed.query.path_expression import PathExpressionError, compile_path_expression
from routed.query.request import Question
from routed.rib._aspa import Attestations
from routed.rib._condition import Condition
from routed.rib._payloads import PayloadError, Payloads
from routed.rib._vrps import Vrps, difference
from routed.rib.lsdb import Lsdb
from routed.service.conditions import compile_condition
from routed.service.questions import families_of, rd_of
from routed.session.isis_adjacency import CircuitSettings, IsisAdjacency
from routed.session.isis_flooding import Flooding
from routed.session.isis_own_lsp import OwnLsp, own_template
from routed.session.rtr_client import RtrClient
from routed.wire.bgp._stream import Stream
from routed.wire.bgp.capability import decode_capability
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.header import decode_message
from routed.wire.bgp.notification import decode_notification
from routed.wire.bgp.open import decode_open
from routed.wire.bgp.refresh import decode_route_refresh
from routed.wire.bgp.update import decode_update
from routed.wire.bmp import _stream as bmp_stream
from routed.wire.bmp import message as bmp
from routed.wire.bmp.header import frame
from routed.wire.family import STORABLE
from routed.wire.isis.codepoints import AdjacencyState, CircuitType
from routed.wire.isis.gre import decode_gre, decode_keepalive
from routed.wire.isis.hello import P2pHello, encode_p2p_hello
from routed.wire.isis.three_way import ThreeWay
from routed.wire.mrt import message as mrt
from routed.wire.mrt.record import Damage, walk_records
from routed.wire.proxy_protocol import PrefaceReader
from routed.wire.rtr.codepoints import VERSIONS
from tests.flowcorr.exports import Input
from tests.fuzz.mutate import mutate, mutate_isis, mutate_update, with_true_length
from tests.oracles.attributes import Context
from tests.oracles.cases import CASES
from tests.oracles.compiled import CompiledPeer
from tests.oracles.compiled_router import CompiledRouter
from tests.oracles.flow_reader import FlowReader
from tests.oracles.monitored import Agreed
from tests.oracles.nlri import ADDRESS_OCTETS
from tests.routed.plumbing.test_http_server import Rig as HttpRig

CORPUS: Final = Path(__file__).parent / "corpus"
ATTESTATIONS: Final = Attestations({65001: frozenset({65002})})

#: Where the octets of the call that is running are kept, so that they survive a crash of the process.
LAST: Final = os.environ.get("FUZZ_LAST", "")

CONTEXTS: Final = tuple(
    DecodeContext(as4=as4, external=external, families=STORABLE, add_path=add_path)
    for as4 in (False, True)
    for external in (False, True)
    for add_path in (frozenset(), STORABLE)
)

ORACLE_CONTEXTS: Final = tuple(
    Context(as4=as4, external=external, add_path=add_path)
    for as4 in (False, True)
    for external in (False, True)
    for add_path in (frozenset(), frozenset(ADDRESS_OCTETS))
)

#: What we may say because of one short input: to a cache a query for each notify and an Error Report, to a neighbour
#: hellos, our LSP and acknowledgements. Units: octets.
MAX_ANSWER: Final = 16_384

#: What the stream cutter lets through (RFC 4271 section 6.1).
SHORTEST_UPDATE: Final = 23

Mutate = Callable[[bytes, int, Sequence[bytes]], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """One decoder under fuzz."""

    name: str
    decode: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Mutate = mutate
    mutations: int = 4_000
    is_compiled: bool = False  # by itself, not only where it reads octets
    raises: tuple[type[Exception], ...] = (WireError,)

    @property
    def damages(self) -> int:
        """How many damaged inputs are tried: few where the sanitizers see nothing but the cursor."""
        return self.mutations // 20 if LAST and not self.is_compiled else self.mutations

    def attempt(self, octets: bytes) -> None:
        """Decode; a documented exception is an answer, any other one is a finding."""
        if LAST:
            Path(LAST + os.environ.get("PYTEST_XDIST_WORKER", "")).write_bytes(octets)
        try:
            self.decode(octets)
        except self.raises:
            return
        except Exception as error:
            raise AssertionError(f"{self.name} let {error!r} out; the seed is {octets.hex()}") from error


def corpus(folder: str) -> Sequence[bytes]:
    """Read the kept files of a folder, in a fixed order."""
    return tuple(path.read_bytes() for path in sorted((CORPUS / folder).iterdir()))


def updates() -> Sequence[bytes]:
    return (*corpus("update"), *(case.octets for case in CASES))


def messages() -> Sequence[bytes]:
    return (*corpus("message"), *corpus("update"))


def bodies(octets: Sequence[bytes]) -> Sequence[bytes]:
    return tuple(message[19:] for message in octets)


def bmp_messages() -> Sequence[bytes]:
    return corpus("bmp")


def monitoring() -> Sequence[bytes]:
    """Runs of Route Monitoring, and the single messages."""
    return (*corpus("monitoring"), *(message for message in bmp_messages() if message[5] == 0))


def of_type(kind: int) -> Sequence[bytes]:
    return bodies([message for message in corpus("message") if message[18] == kind])


def capabilities() -> Sequence[bytes]:
    """Capabilities alone: (code u8, length u8, value) from the optional parameters of the OPENs."""
    found = []
    for body in of_type(1):
        parameters = body[10:]
        while parameters:
            kind, value, parameters = parameters[0], parameters[2 : 2 + parameters[1]], parameters[2 + parameters[1] :]
            while kind == 2 and value:
                found.append(value[: 2 + value[1]])
                value = value[2 + value[1] :]
    return tuple(dict.fromkeys(found))


def feed_stream(octets: bytes) -> object:
    """Feed in two halves and then whole, so that messages begin and end inside and outside of a chunk."""
    stream = Stream(4096)
    middle = len(octets) // 2
    found = [*stream.feed(octets[:middle]), *stream.feed(octets[middle:]), *stream.feed(octets)]
    while stream.is_held and stream.error is None:
        found += stream.feed(b"")
    return found, stream.error


def feed_bmp_stream(octets: bytes) -> object:
    """As `feed_stream`, for BMP; a low limit lets real messages be too long."""
    middle = len(octets) // 2
    for limit in (100, 262_144):
        stream = bmp_stream.Stream(limit)
        found = [*stream.feed(octets[:middle]), *stream.feed(octets[middle:]), *stream.feed(octets)]
        assert sum(len(run) if kind >= 0 else count for kind, run, count in found) <= 2 * len(octets)
    return found, stream.error


def decode_bmp(octets: bytes) -> object:
    """Decode, and read what is worked out when asked for."""
    message = bmp.decode_message(octets)
    for name in ("messages", "information", "reason", "groups", "vrf", "add_path"):
        getattr(message, name, None)
    if isinstance(message, bmp.RouteMonitoring):
        message.markings(1)
    return message


def decode_update_in_every_context(octets: bytes) -> object:
    for context in CONTEXTS:
        try:
            decode_update(Cursor(octets[19:]), context)
        except WireError:
            continue
    return None


def apply_in_every_context(octets: bytes) -> object:
    """Take an UPDATE twice into fresh tables, dump them, and take the peer away: nothing may remain."""
    message = octets if len(octets) >= SHORTEST_UPDATE else octets.ljust(SHORTEST_UPDATE, b"\0")
    message = with_true_length(b"\xff" * 16 + message[16:18] + b"\2" + message[19:])
    for context in ORACLE_CONTEXTS:
        peer = CompiledPeer(context)
        peer.apply(message + message)
        peer.dump(peer.snapshot())
        peer.sweep()
        assert not any(peer.held().values())
    return None


def agreed(header: bytes) -> Agreed:
    """Any agreement, by the last octet of the peer's address."""
    way = header[25]
    return Agreed(bool(way & 1), bool(way & 2), frozenset(ADDRESS_OCTETS) if way & 4 else frozenset())


def monitor(octets: bytes) -> object:
    """Take the Route Monitoring messages of a stream twice, with rows and without, and dump and sweep what they left.

    What is no stream of messages is taken as the body of one, in either version.
    """
    stream = bmp_stream.Stream(262_144)
    found = stream.feed(octets)
    runs = [run for kind, run, _ in found if kind == bmp.MessageType.ROUTE_MONITORING]
    runs += [frame(bmp.MessageType.ROUTE_MONITORING, octets[6:], version) for version in (3, 4)]
    for logged in (True, False):
        router = CompiledRouter(agreed)
        router.take(*runs, *runs, logged=logged)
        for key in router.ribs:
            router.dump(key)
        router.sweep()
        assert not any(router.held().values())
    return None


def read_mrt(octets: bytes) -> Iterator[object]:
    for record in walk_records(io.BytesIO(octets).read):
        if not isinstance(record, Damage):
            try:
                yield mrt.decode_message(record)
            except WireError as error:
                yield error


def read_configuration(octets: bytes) -> object:
    statements = parse_statements(octets.decode("utf-8", "surrogateescape"), "fuzzed")
    return configure(KEYS, statements.statements, statements.problems)


def read_map(octets: bytes) -> object:
    keys = {"set_tag", "set_label", "ip", "id", "filter", "jeq", "label"}
    return parse_rows(octets.decode("utf-8", "surrogateescape"), "fuzzed", keys, Limits())


def read_networks(octets: bytes) -> object:
    """Read, and look up what is at the ends and in the middle of all addresses."""
    read = parse_networks(octets)
    ends = (
        bytes(16),
        b"\xff" * 16,
        bytes(10) + b"\xff" * 2 + bytes(4),
        bytes(10) + b"\xff" * 6,
        b"\x20\x01" + bytes(14),
    )
    assert len(read.networks) + sum(told.is_bad for told in read.told) <= octets.count(b"\n") + 1
    return [read.networks.find(address) for address in ends]


def run_program(octets: bytes) -> object:
    """Run what is a program, on frames of several lengths."""
    program = Program(octets)
    return [program.runs(frame) for frame in (b"", bytes(13), bytes(86), b"\xff" * 60)]


def read_path_expression(octets: bytes) -> object:
    """Compile, and search for it in what a path looks like."""
    expression = compile_path_expression(octets.decode("latin-1"))
    assert Condition.path(expression).count == 1
    return [expression.matches(text) for text in ("", "64500 3356 {200,300}", "(65001 65002) 4200000000 1")]


def read_query(octets: bytes) -> object:
    """Read a message of the looking glass, a frame a line, and compile what it asks for."""
    request = decode_request(octets.split(b"\n"))
    for question in request.questions:
        if isinstance(question, Question):
            families_of(question)
            rd_of(question)
            if question.where is not None:
                compile_condition(question.where, ATTESTATIONS)
    return request


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


def take_flows(octets: bytes) -> object:
    """Read a datagram three times: the second time templates are known, the third time by an exporter that is new."""
    return _take_flows(octets, is_sflow=False)


def take_samples(octets: bytes) -> object:
    return _take_flows(octets, is_sflow=True)


def _take_flows(octets: bytes, *, is_sflow: bool) -> object:
    """Read into batches that are soon full; nothing may be lost between two of them, or read from elsewhere."""
    counts = []
    for capacity in (3, 1000):
        flows = FlowReader(is_sflow=is_sflow, capacity=capacity)
        counts.append([flows.take(octets, sender=sender) for sender in (1, 1, 2)])
        assert flows.held_texts() == 0
    assert counts[0] == counts[1]
    return counts


def pass_templates_on(octets: bytes) -> object:
    """Cut templates out of a datagram, let another collector learn them, and let it tell of them."""
    one, other = Input(), Input()
    for found in template_sets(octets):
        one.intake.learn(found, bytes(16), 1, 1)
    one.take()
    teller, listener = Teller(one.intake, "one"), Listener(other.intake)
    while listener.take(teller.answer([listener.question()]), 2):
        pass
    assert (listener.taken, listener.refused) == (one.intake.templates.count, 0)
    return listener.taken


def learn_from_others(octets: bytes) -> object:
    """Take lines as an answer about templates."""
    listener = Listener(Input().intake)
    while listener.take(octets.split(b"\n"), 1_700_000_100_000_000):
        pass
    return listener.taken


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


DECODERS: Final = (
    Decoder(
        name="isis", decode=hear_neighbor, seeds=partial(corpus, "isis"), mutate=mutate_isis, mutations=2_000, raises=()
    ),
    Decoder(name="gre", decode=decode_gre, seeds=partial(corpus, "gre")),
    Decoder(
        name="gre keepalive",
        decode=partial(decode_keepalive, key=None, local=bytes((10, 9, 0, 1)), remote=bytes((10, 9, 0, 2))),
        seeds=partial(corpus, "gre"),
    ),
    Decoder(name="gre with a key", decode=partial(decode_gre, key=0), seeds=partial(corpus, "gre")),
    Decoder(name="rtr", decode=converse, seeds=partial(corpus, "rtr"), mutations=1_000, is_compiled=True, raises=()),
    Decoder(
        name="update path",
        decode=apply_in_every_context,
        seeds=updates,
        mutate=mutate_update,
        is_compiled=True,
        raises=(),
    ),
    Decoder(name="stream", decode=feed_stream, seeds=messages, is_compiled=True, raises=()),
    Decoder(name="message", decode=lambda octets: decode_message(Cursor(octets)), seeds=messages),
    Decoder(name="open", decode=lambda octets: decode_open(Cursor(octets)), seeds=partial(of_type, 1)),
    Decoder(name="notification", decode=lambda octets: decode_notification(Cursor(octets)), seeds=partial(of_type, 3)),
    Decoder(name="refresh", decode=lambda octets: decode_route_refresh(Cursor(octets)), seeds=partial(of_type, 5)),
    Decoder(name="capability", decode=lambda octets: decode_capability(Cursor(octets)), seeds=capabilities),
    Decoder(name="update value", decode=decode_update_in_every_context, seeds=updates, mutate=mutate_update, raises=()),
    Decoder(name="bmp", decode=decode_bmp, seeds=bmp_messages),
    Decoder(name="monitoring", decode=monitor, seeds=monitoring, mutations=8_000, is_compiled=True, raises=()),
    Decoder(name="bmp stream", decode=feed_bmp_stream, seeds=bmp_messages, is_compiled=True, raises=()),
    Decoder(name="mrt", decode=lambda octets: list(read_mrt(octets)), seeds=partial(corpus, "mrt"), raises=()),
    Decoder(name="proxy header", decode=lambda octets: PrefaceReader().receive(octets), seeds=partial(corpus, "proxy")),
    Decoder(
        name="configuration",
        decode=read_configuration,
        seeds=partial(corpus, "config"),
        mutations=100,  # each unknown key is compared with all known ones
        raises=(),
    ),
    Decoder(
        name="path expression",
        decode=read_path_expression,
        seeds=partial(corpus, "path_expression"),
        is_compiled=True,
        raises=(PathExpressionError,),
    ),
    Decoder(name="query", decode=read_query, seeds=partial(corpus, "query"), raises=(QueryError,)),
    Decoder(name="http", decode=serve_http, seeds=partial(corpus, "http"), mutations=400, raises=()),
    Decoder(
        name="flows",
        decode=take_flows,
        seeds=partial(corpus, "flow"),
        mutations=800,
        is_compiled=True,
        raises=(),
    ),
    Decoder(name="templates passed on", decode=pass_templates_on, seeds=partial(corpus, "flow"), mutations=300),
    Decoder(
        name="templates told",
        decode=learn_from_others,
        seeds=partial(corpus, "templates"),
        mutations=400,
        raises=(ExchangeError,),
    ),
    Decoder(
        name="samples",
        decode=take_samples,
        seeds=partial(corpus, "sflow"),
        mutations=800,
        is_compiled=True,
        raises=(),
    ),
    Decoder(
        name="counters",
        decode=lambda octets: decode_counters(Cursor(octets), 5),
        seeds=partial(corpus, "sflow-counters"),
        mutations=800,
    ),
    Decoder(
        name="old counters",
        decode=lambda octets: decode_counters(Cursor(octets), 4),
        seeds=partial(corpus, "sflow-counters"),
        mutations=400,
    ),
    Decoder(
        name="networks",
        decode=read_networks,
        seeds=partial(corpus, "networks"),
        mutations=1_500,
        is_compiled=True,
        raises=(),
    ),
    Decoder(
        name="packet program",
        decode=run_program,
        seeds=partial(corpus, "packet_program"),
        is_compiled=True,
        raises=(ValueError,),
    ),
    Decoder(
        name="packet filter list",
        decode=lambda octets: expressions_of(octets.decode("utf-8", "surrogateescape")),
        seeds=partial(corpus, "packet_filter"),
        mutations=1_000,
        raises=(ExpressionError,),
    ),
    Decoder(name="map", decode=read_map, seeds=partial(corpus, "map"), raises=()),
)
