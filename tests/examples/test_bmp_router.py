"""What the example router knows and says: its RIBs, and the messages that show them."""

import asyncio
import json
from collections import Counter
from io import BytesIO
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import bmp_router
import pytest
from bmp_messages import Speaker, adj_rib_in, initiation, loc_rib, monitoring, peer_down, termination
from bmp_ribs import Peer, Ribs, read_changes, read_peers, updates_for

from routed.model.bmp_event import MessageReceived, MonitoringRun
from routed.session.bmp_peers import monitored
from routed.session.bmp_station import BmpStation
from routed.wire import mrt
from routed.wire.bgp.codepoints import CeaseSubcode, MessageType
from routed.wire.bgp.header import encode_message
from routed.wire.bmp.codepoints import TerminationReason
from routed.wire.bmp.initiation import Initiation
from routed.wire.bmp.message import decode_message
from routed.wire.bmp.monitoring import RouteMonitoring
from routed.wire.bmp.peer_down import PeerDown
from routed.wire.bmp.peer_up import PeerUp
from routed.wire.bmp.statistics import StatisticsReport
from routed.wire.bmp.termination import Termination
from routed.wire.family import IPV4_UNICAST
from routed.wire.prefix import parse_prefix

ORIGIN_AND_PATH = bytes.fromhex("40010100 4002060201 0000fde9")  # IGP, 65001
V4 = ORIGIN_AND_PATH + bytes.fromhex("400304 c0000201")
LOCAL_PREF_200 = bytes.fromhex("400504 000000c8")
PEERS = (
    mrt.MrtPeer(b"\x0a\0\0\1", ip_address("192.0.2.1").packed, 65001),
    mrt.MrtPeer(b"\x0a\0\0\2", ip_address("2001:db8::2").packed, 65002),
    mrt.MrtPeer(b"\x0a\0\0\3", ip_address("192.0.2.3").packed, 65003),
)
WIDE, LONG, OWN = (IPV4_UNICAST, b"\x08\x0a"), (IPV4_UNICAST, b"\x18\x0a\0\0"), (IPV4_UNICAST, b"\x10\x0a\x01")


@pytest.fixture
def table_file(tmp_path: Path) -> Path:
    """Three prefixes of the first peer, of which the second has one too; the third peer has nothing."""
    buffer = BytesIO()
    table = mrt.TableDumpWriter(buffer.write, PEERS, timestamp=0)
    table.rib(IPV4_UNICAST, parse_prefix("10.0.0.0/8"), [(0, 0, V4, None), (1, 0, V4, None)])
    table.rib(IPV4_UNICAST, parse_prefix("10.0.0.0/24"), [(0, 0, V4, None)])
    table.rib(IPV4_UNICAST, parse_prefix("10.1.0.0/16"), [(0, 0, V4, None)])
    path = tmp_path / "table.mrt"
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture
def ribs(table_file: Path) -> Ribs:
    return Ribs(read_peers(table_file))


def update(nlri: bytes = b"", withdrawn: bytes = b"", attributes: bytes = V4) -> bytes:
    body = len(withdrawn).to_bytes(2, "big") + withdrawn
    return encode_message(MessageType.UPDATE, body + len(attributes).to_bytes(2, "big") + attributes + nlri)


def test_peers_without_routes_are_left_out(ribs: Ribs) -> None:
    assert [peer.speaker.asn for peer in ribs.peers] == [65001, 65002]
    assert ribs.transit is ribs.peers[0]


def test_reading_stops_at_the_limit(table_file: Path) -> None:
    assert [len(peer.pre) for peer in read_peers(table_file, limit=2)] == [2, 1]


def test_policy_refuses_long_prefixes_and_the_transit_is_the_last_resort(ribs: Ribs) -> None:
    transit, peer = ribs.peers
    assert set(transit.post) == {WIDE, OWN}
    assert ribs.loc[WIDE] is peer.post[WIDE]
    assert ribs.loc[WIDE].attributes == V4 + LOCAL_PREF_200
    assert ribs.loc[OWN] is transit.post[OWN]
    assert ribs.routes == 3 + 1 + 2 + 1 + 2


def test_the_next_best_route_follows_one_that_goes(ribs: Ribs) -> None:
    transit, peer = ribs.peers
    assert ribs.lose(peer) == {WIDE: transit.post[WIDE]}
    assert ribs.regain(peer) == {WIDE: peer.post[WIDE]}
    assert ribs.take(peer, {WIDE: None}) == ({WIDE: None}, {WIDE: transit.post[WIDE]})
    assert ribs.take(transit, {WIDE: None, LONG: None}) == ({WIDE: None}, {WIDE: None})
    assert WIDE not in ribs.loc


def test_what_changes_nothing_is_not_shown(ribs: Ribs) -> None:
    transit, _ = ribs.peers
    changes = read_changes(update(nlri=WIDE[1]), transit)
    assert ribs.take(transit, changes)[1] == {}


def test_an_update_is_read_for_what_it_does(ribs: Ribs) -> None:
    changes = read_changes(update(nlri=WIDE[1] + LONG[1], withdrawn=OWN[1]), ribs.transit)
    assert changes.keys() == {WIDE, LONG, OWN}
    assert changes[OWN] is None
    assert [read_changes(octets, ribs.transit) for octets in updates_for(changes)] == [
        {OWN: None},
        {WIDE: changes[WIDE], LONG: changes[LONG]},
    ]


@pytest.mark.parametrize("is_post", [False, True])
def test_route_monitoring_names_peer_and_rib(is_post: bool) -> None:
    speaker = Speaker(ip_address("2001:db8::2"), 65002, IPv4Address("10.0.0.2"))
    message = decode_message(monitoring(adj_rib_in(speaker, is_post=is_post), [update(WIDE[1])]))
    assert isinstance(message, RouteMonitoring)
    assert (message.peer.address, message.peer.asn, message.peer.is_post) == (speaker.address, 65002, is_post)
    assert message.update == update(WIDE[1])


def test_a_loc_rib_has_no_address() -> None:
    """RFC 9069 section 4.2."""
    header = loc_rib(Speaker(IPv4Address("192.0.2.9"), 65000, IPv4Address("10.0.0.9")))
    assert (header.is_loc, str(header.address), header.asn) == (True, "0.0.0.0", 65000)


def test_first_and_last_messages_say_who_and_why() -> None:
    first, last = decode_message(initiation("edge", "a router")), decode_message(termination("bye"))
    assert isinstance(first, Initiation)
    assert [tlv.octets for tlv in first.tlvs] == [b"edge", b"a router"]
    assert isinstance(last, Termination)
    assert last.reason == TerminationReason.ADMINISTRATIVELY_CLOSED
    down = decode_message(peer_down(Speaker(ip_address("192.0.2.1"), 65001, IPv4Address("10.0.0.1"))))
    assert isinstance(down, PeerDown)
    assert down.notification.subcode == CeaseSubcode.ADMINISTRATIVE_SHUTDOWN


class Collector:
    """A station that keeps what routers say, on a port of the system's choice."""

    def __init__(self) -> None:
        self.station = BmpStation()
        self.messages: list[object] = []
        self.monitoring = 0
        self.enough = asyncio.Event()

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(1 << 16):
            for event in self.station.receive(octets, 0.0):
                if isinstance(event, MonitoringRun):
                    self.monitoring += event.count
                elif isinstance(event, MessageReceived):
                    self.messages.append(event.message)
            if any(isinstance(message, StatisticsReport) for message in self.messages):
                self.enough.set()
        writer.close()


def arguments(port: int, *words: str) -> object:
    return bmp_router.parse_arguments(
        ["--connect", f"127.0.0.1:{port}", "--bind", "127.0.0.1", "--table", "unused", *words]
    )


def test_a_session_shows_all_ribs_then_statistics_and_ends_in_good_order(
    ribs: Ribs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pause = asyncio.sleep
    monkeypatch.setattr(bmp_router.asyncio, "sleep", lambda _: pause(0))

    async def converse() -> Collector:
        collector = Collector()
        server = await asyncio.start_server(collector.hear, "127.0.0.1", 0)
        router = bmp_router.Router(arguments(server.sockets[0].getsockname()[1]), ribs)
        session = asyncio.create_task(router.run())
        await asyncio.wait_for(collector.enough.wait(), 30)
        session.cancel()
        with pytest.raises(asyncio.CancelledError):
            await session
        async with asyncio.timeout(30):
            while not isinstance(collector.messages[-1], Termination):
                await pause(0)
        server.close()
        return collector

    collector = asyncio.run(converse())
    kinds = Counter(type(message) for message in collector.messages)
    assert isinstance(collector.messages[0], Initiation)
    assert (kinds[Initiation], kinds[Termination]) == (1, 1)
    ups = [monitored(message) for message in collector.messages if isinstance(message, PeerUp)]
    assert [peer.asn for peer in ups[:3]] == [65001, 65002, 65000]
    assert all(peer.as4 for peer in ups)
    assert kinds[StatisticsReport] >= 3
    assert kinds[PeerDown] >= len(ups) - 3
    assert collector.monitoring >= 1 + 1 + 1 + 1 + 2 + 5 * 2
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events[:3] == ["router up", "table sent", "live"]


def test_a_collector_that_closes_is_a_lost_session(ribs: Ribs) -> None:
    async def converse() -> None:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        router = bmp_router.Router(arguments(server.sockets[0].getsockname()[1]), ribs)
        await asyncio.wait_for(router.run(), 30)

    with pytest.raises((bmp_router.SessionLostError, ConnectionError)):
        asyncio.run(converse())


def test_a_router_with_one_peer_has_one_that_goes_down() -> None:
    speaker = Speaker(ip_address("192.0.2.1"), 65001, IPv4Address("10.0.0.1"))
    group = read_changes(update(WIDE[1]), Peer(speaker))[WIDE]
    router = bmp_router.Router(arguments(1), Ribs([Peer(speaker, {WIDE: group})]))
    gone = [decode_message(octets) for octets in router._changed(bmp_router.DOWN_AT, [])]
    assert isinstance(gone[0], PeerDown)
