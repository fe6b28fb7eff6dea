"""Routers that lie about lengths, flood, stall and break off: each costs itself and the good routers notice nothing."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Final

import pytest

from tests.fuzz.mutate import mutate
from tests.peers.bmp_octets import (
    INITIATION,
    LOC_RIB,
    PEER_DOWN,
    PEER_UP,
    ROUTE_MIRRORING,
    ROUTE_MONITORING,
    STATISTICS,
    announcement,
    initiation,
    message,
    monitoring,
    peer_down,
    peer_up,
    per_peer_header,
    statistics,
    termination,
    tlv,
    usual_session,
    withdrawal,
)
from tests.peers.bmp_siege import Siege
from tests.peers.bmp_station import loopback_station
from tests.peers.collector import PATIENCE
from tests.peers.raw_speaker import RawSession, open_message, prefix, update, usual_attributes
from tests.peers.waiting import eventually
from tests.ports import reserved_port

PORT: Final = reserved_port()
MAX_ROUTERS: Final = 100
#: What one attack may add for good to what the station holds: an allocator keeps some of what it once had.
#: Units: octets.
GROWTH: Final = 96 << 20
#: What all of them may.
GROWTH_OF_ALL: Final = 160 << 20
#: What it may hold meanwhile: the peers of a router have a ceiling, and so have the events that wait for a dump.
MOST: Final = 512 << 20
#: Lines that an attack may add to the log, and those of every session it takes: who comes, who goes, why, what it was.
LINES: Final = 40
LINES_PER_SESSION: Final = 5
#: Peers that one router may have.
MAX_PEERS: Final = 32_768
#: Octets of the longest message that is read.
MAX_MESSAGE: Final = 256 << 10
#: Seconds until a station that is hard at work has read everything.
LONG: Final = 300.0
STREAMS: Final = 2_000
ENEMY: Final = "127.3.1.1"
HEADER: Final = per_peer_header()
VICTIM: Final = "198.51.100.0/24"


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    """One station for all attacks, as in life."""
    home = tmp_path_factory.mktemp("siege")
    with loopback_station(home, PORT, bmp_daemon_max_peers=MAX_ROUTERS) as daemon:
        under_siege = Siege(daemon)
        under_siege.assert_unharmed()
        before = daemon.resident
        yield under_siege
        what = f"memory to be near {before} octets after it all"
        eventually(lambda: daemon.resident < before + GROWTH_OF_ALL, PATIENCE, what)
        under_siege.leave()


@pytest.fixture(autouse=True)
def unharmed(siege: Siege) -> Iterator[None]:
    """After each attack the good routers are as they were, the station is no fatter and has not said too much."""
    before, lines, sessions = siege.daemon.resident, siege.daemon.text.count("\n"), siege.sessions
    yield
    siege.assert_unharmed()
    # Sweeps of lost tables go on for a while.
    eventually(lambda: siege.daemon.resident < before + GROWTH, LONG, f"memory to be near {before} octets again")
    may_say = LINES + LINES_PER_SESSION * (siege.sessions - sessions)
    assert siege.daemon.text.count("\n") - lines < may_say


@pytest.fixture
def enemy(siege: Siege, request: pytest.FixtureRequest) -> Iterator[RawSession]:
    """A session from an address of this test's own, so that its log is its own, too."""
    names = sorted(item.name for item in request.session.items)
    number = names.index(request.node.name)
    with siege.session(f"127.3.{10 + number // 250}.{1 + number % 250}", LONG) as session:
        yield session


def read_to_the_end(siege: Siege, enemy: RawSession) -> None:
    """Demand that the station goes on with the session: a route that is announced now is logged."""
    enemy.send(peer_up(HEADER) + announcement(HEADER, VICTIM))
    eventually(
        lambda: siege.daemon.log_of(enemy.source, log_type="update", ip_prefix=VICTIM), LONG, "the route behind it all"
    )


def kinds(siege: Siege, enemy: RawSession) -> list[str]:
    """Return the kinds of the events in the log of a router."""
    rows = siege.daemon.log_of(enemy.source)
    return [row["bmp_msg_type"] for row in rows if row["event_type"] == "log"]


# -- framing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(6))
def test_length_below_that_of_the_header_ends_the_session(siege: Siege, enemy: RawSession, length: int) -> None:
    """RFC 7854 4.1: the length counts the header, so behind a shorter one no message can be found."""
    enemy.send(usual_session(VICTIM) + message(INITIATION, b"\0" * 20, length=length))
    assert enemy.verdict() is None
    siege.daemon.wait_for_text(f"length {length} is below 6")
    siege.daemon.wait_for_routes(enemy.source, "delete", 1)


@pytest.mark.parametrize("version", [0, 1, 2, 5, 255])
def test_unknown_version_ends_the_session(siege: Siege, enemy: RawSession, version: int) -> None:
    """RFC 7854 4.1."""
    enemy.send(usual_session(VICTIM) + message(INITIATION, tlv(2, b"x"), version=version))
    assert enemy.verdict() is None
    siege.daemon.wait_for_text(f"BMP version {version} is not 3 or 4")
    siege.daemon.wait_for_routes(enemy.source, "delete", 1)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\nHost: station\r\n\r\n", b"\xff" * 4096, b"\0" * 4096])
def test_what_is_not_bmp_ends_the_session(enemy: RawSession, garbage: bytes) -> None:
    enemy.send(garbage)
    assert enemy.verdict() is None


@pytest.mark.parametrize("kind", [7, 8, 100, 255])
def test_unknown_type_costs_the_message(siege: Siege, enemy: RawSession, kind: int) -> None:
    enemy.send(initiation() + message(kind, b"\xff" * 100) * 1000)
    read_to_the_end(siege, enemy)
    assert f"unknown message type ({kind})" in siege.daemon.text


@pytest.mark.parametrize("kind", [ROUTE_MONITORING, INITIATION, ROUTE_MIRRORING, 77])
def test_message_that_is_too_long_is_stepped_over(siege: Siege, enemy: RawSession, kind: int) -> None:
    """It costs no memory, and what follows it counts."""
    before = siege.daemon.resident
    long = message(kind, b"", length=100_000_000)
    enemy.send(initiation() + long)
    for _ in range(99):
        enemy.send(b"\xff" * 1_000_000)
    assert siege.daemon.resident < before + GROWTH
    enemy.send(b"\xff" * (1_000_000 - len(long)))
    read_to_the_end(siege, enemy)


def test_message_that_never_ends_keeps_nobody_waiting(siege: Siege, enemy: RawSession) -> None:
    """Four gigabytes are announced, some come."""
    enemy.send(usual_session(VICTIM) + message(ROUTE_MONITORING, HEADER, length=0xFFFFFFFF))
    enemy.send(b"\0" * 10_000_000)
    siege.daemon.wait_for_routes(enemy.source, "update", 1)


@pytest.mark.parametrize("kind", [ROUTE_MONITORING, STATISTICS, PEER_DOWN, PEER_UP, INITIATION, ROUTE_MIRRORING])
@pytest.mark.parametrize("version", [3, 4])
def test_message_of_any_length_costs_at_most_itself(siege: Siege, enemy: RawSession, kind: int, version: int) -> None:
    """Every cut of a message, with a length that says so."""
    whole = {
        ROUTE_MONITORING: announcement(HEADER, VICTIM),
        STATISTICS: statistics(HEADER, tlv(7, bytes(8)), tlv(9, bytes(11))),
        PEER_DOWN: message(PEER_DOWN, HEADER + b"\x01" + update()),
        PEER_UP: peer_up(HEADER),
        INITIATION: initiation(),
        ROUTE_MIRRORING: message(ROUTE_MIRRORING, HEADER + tlv(0, update()) + tlv(1, b"\0\1")),
    }[kind][6:]
    enemy.send(initiation() + b"".join(message(kind, whole[:cut], version=version) for cut in range(len(whole))))
    read_to_the_end(siege, enemy)


def test_one_octet_at_a_time_is_as_good_as_all_at_once(siege: Siege, enemy: RawSession) -> None:
    """TCP may cut anywhere."""
    for octet in usual_session(VICTIM) + peer_down(HEADER):
        enemy.send(bytes((octet,)))
    siege.daemon.wait_for_routes(enemy.source, "delete", 1)
    assert kinds(siege, enemy) == ["init", "peer_up", "route_monitor", "peer_down", "internal"]


def test_reset_in_the_middle_of_a_message_drops_what_came(siege: Siege) -> None:
    """At every stage of a session, and the next session from the same address is welcome."""
    stream = usual_session(VICTIM)
    for cut in range(1, len(stream), 7):
        session = siege.session("127.3.0.3")
        session.send(stream[:cut])
        session.abort()
    with siege.session("127.3.0.3") as session:
        session.send(stream.replace(prefix(VICTIM), prefix("198.51.101.0/24")))
        what = "the last one to be let in"
        eventually(lambda: siege.daemon.log_of("127.3.0.3", ip_prefix="198.51.101.0/24"), PATIENCE, what)


# -- peers ------------------------------------------------------------------------------------------------------------

OPENS: Final = {
    "nothing": b"",
    "zeros": bytes(200),
    "ones": b"\xff" * 200,
    "one OPEN only": open_message(65000, "192.0.2.1"),
    "an UPDATE instead": update() + open_message(65000, "192.0.2.1"),
    "capability that is longer than all": open_message(65000, "192.0.2.1", capabilities=b"\x41\xff\0\0") * 2,
    "families that nobody knows": open_message(65000, "192.0.2.1", capabilities=b"\1\4\xff\xff\0\xff") * 2,
    "ADD-PATH of half a family": open_message(65000, "192.0.2.1", capabilities=b"\x45\3\0\1\1") * 2,
    "an OPEN that claims 65,535 octets": b"\xff" * 16 + b"\xff\xff\1" + bytes(100),
}


@pytest.mark.parametrize("case", OPENS)
def test_garbage_in_the_place_of_opens_costs_the_message(siege: Siege, enemy: RawSession, case: str) -> None:
    """Nothing is known about a peer of unknown families; a later Peer Up of the same peer counts."""
    enemy.send(initiation() + peer_up(HEADER, opens=OPENS[case]))
    read_to_the_end(siege, enemy)


def test_routes_of_a_peer_that_is_not_up_are_counted_and_told_once(siege: Siege, enemy: RawSession) -> None:
    """RFC 7854 4.10: without the OPENs nobody knows how to read them."""
    early = announcement(HEADER, *(f"198.18.{number}.0/24" for number in range(200)))
    enemy.send(initiation())
    for _ in range(200):
        enemy.send(early * 100)
    read_to_the_end(siege, enemy)
    assert [row["ip_prefix"] for row in siege.daemon.log_of(enemy.source, log_type="update")] == [VICTIM]
    assert siege.daemon.text.count(f"[{enemy.source}] [route monitor] packet discarded: missing peer up") == 1
    enemy.close()
    siege.daemon.wait_for_text("(20000 of unknown peers, 0 malformed)")


def test_peers_without_end_have_an_end(siege: Siege, enemy: RawSession) -> None:
    """So many may be up; of those beyond nothing is kept, and the log says so once a minute."""
    enemy.send(initiation())
    for thousand in range(MAX_PEERS // 1000 + 20):
        ups = (peer_up(per_peer_header(f"10.{thousand}.{n >> 8}.{n & 255}")) for n in range(1000))
        enemy.send(b"".join(ups))
        assert siege.daemon.resident < MOST
    eventually(lambda: f"more than {MAX_PEERS} peers" in siege.daemon.text, LONG, "the limit to be told")
    known = per_peer_header("10.0.0.7")
    enemy.send(announcement(known, VICTIM) + announcement(per_peer_header("10.52.0.7"), "198.51.101.0/24"))
    siege.daemon.wait_for_routes(enemy.source, "update", 1, within=LONG)
    enemy.send(peer_down(known) + peer_up(HEADER) + announcement(HEADER, "198.51.102.0/24"))
    siege.daemon.wait_for_routes(enemy.source, "update", 2, within=LONG)
    rows = siege.daemon.log_of(enemy.source)
    assert [row["ip_prefix"] for row in rows if row.get("log_type") == "update"] == [VICTIM, "198.51.102.0/24"]
    assert sum(row.get("bmp_msg_type") == "peer_up" for row in rows) == MAX_PEERS + 1
    assert siege.daemon.resident < MOST


def test_a_peer_that_flaps_without_end_leaves_nothing(siege: Siege, enemy: RawSession) -> None:
    """It comes, shows a route in five RIBs and goes, thousands of times; each time its routes are deleted."""
    views = [per_peer_header(flags=flags) for flags in (0, 0x40, 0x10, 0x50)]
    once = peer_up(HEADER) + b"".join(announcement(view, VICTIM) for view in views) + peer_down(HEADER)
    enemy.send(initiation())
    for _ in range(20):
        enemy.send(once * 100)
    siege.daemon.wait_for_routes(enemy.source, "delete", 8_000, within=LONG)
    assert siege.daemon.resident < MOST


def test_tables_of_one_router_without_end(siege: Siege, enemy: RawSession) -> None:
    """Every flag and peer type of a header is another RIB; 256 RIBs of 64 types of peer hold a route each."""
    enemy.send(initiation())
    stream = b""
    for kind in range(64):
        for flags in range(0, 256, 16):
            header = per_peer_header(peer_type=kind, flags=flags)
            stream += peer_up(header) + announcement(header, VICTIM)
    enemy.send(stream)
    read_to_the_end(siege, enemy)


# -- bombs ------------------------------------------------------------------------------------------------------------


def bomb(kind: int, front: bytes, part: bytes, *, version: int = 3) -> bytes:
    """Fill the longest message that is read with repetitions of a part."""
    return message(kind, front + part * ((MAX_MESSAGE - 6 - len(front)) // len(part)), version=version)


BOMBS: Final[dict[str, Callable[[], bytes]]] = {
    "Initiation of one TLV": lambda: bomb(INITIATION, b"", tlv(0, b"x")),
    "Initiation of empty TLVs": lambda: bomb(INITIATION, b"", tlv(2, b"")),
    "Initiation of all types": lambda: message(INITIATION, b"".join(tlv(kind, b"") for kind in range(60_000))),
    "Initiation of enterprises": lambda: bomb(INITIATION, b"", tlv(0x8001, b"\0\0\1\1"), version=4),
    "Peer Up of TLVs": lambda: bomb(PEER_UP, peer_up(HEADER)[6:], tlv(0, b"x")),
    "Peer Up of long TLVs": lambda: bomb(PEER_UP, peer_up(HEADER)[6:], tlv(0, bytes(60_000))),
    "Peer Down of TLVs": lambda: bomb(PEER_DOWN, HEADER + b"\x06", tlv(3, b"x")),
    "Statistics of unknown counters": lambda: statistics(HEADER, *[tlv(99, b"")] * 60_000),
    "Statistics of a thousand counters": lambda: statistics(HEADER, *[tlv(7, bytes(8))] * 1000),
    "Statistics that lie about their number": lambda: statistics(HEADER, tlv(7, bytes(8)), count=0xFFFFFFFF),
    "mirrored messages": lambda: bomb(ROUTE_MIRRORING, HEADER, tlv(0, update())),
    "one long mirrored message": lambda: bomb(ROUTE_MIRRORING, HEADER, tlv(0, bytes(60_000))),
    "mirroring codes": lambda: bomb(ROUTE_MIRRORING, HEADER, tlv(1, b"\0\0")),
    "routes with TLVs": lambda: bomb(ROUTE_MONITORING, HEADER, struct.pack("!HHH", 0x22, 0, 0), version=4),
    "routes in groups": lambda: bomb(ROUTE_MONITORING, HEADER, struct.pack("!HHHH", 2, 2, 0x8001, 1), version=4),
    "an UPDATE that is too long": lambda: monitoring(HEADER, update() + bytes(MAX_MESSAGE - 100)),
}


@pytest.mark.parametrize("case", BOMBS)
def test_bomb_costs_its_sender_alone(siege: Siege, enemy: RawSession, case: str) -> None:
    """Twenty messages, each as long as can be and of as many parts as can be."""
    octets = BOMBS[case]()
    enemy.send(initiation() + peer_up(HEADER))
    for _ in range(20):
        enemy.send(octets)
    read_to_the_end(siege, enemy)
    assert siege.daemon.resident < MOST


def test_long_events_do_not_pile_up_until_the_next_dump(siege: Siege, enemy: RawSession) -> None:
    """Half a gigabyte of mirrored messages would be a gigabyte of digits."""
    octets = message(ROUTE_MIRRORING, HEADER + tlv(0, bytes(65_000)) * 4)
    enemy.send(initiation() + peer_up(HEADER))
    before = siege.daemon.resident
    for _ in range(1000):
        enemy.send(octets)
    read_to_the_end(siege, enemy)
    assert siege.daemon.resident < before + (400 << 20)


# -- at random ---------------------------------------------------------------------------------------------------------


def good_stream() -> bytes:
    """Everything that a router may say."""
    nlri = b"".join(prefix(f"198.51.{number}.0/24") for number in range(8))
    loc, six = per_peer_header(peer_type=LOC_RIB), per_peer_header("2001:db8::11")
    routes = update(attributes=usual_attributes(65001, 1, 2, 3), nlri=nlri)
    stream = initiation("mutant") + peer_up(HEADER) + peer_up(loc) + peer_up(six)
    stream += b"".join(monitoring(header, routes) for header in (HEADER, loc, six))
    tlvs = struct.pack("!HHH", 4, len(routes), 0) + routes + struct.pack("!HHHI", 5, 4, 0, 2)
    stream += message(ROUTE_MONITORING, HEADER + tlvs, version=4)
    stream += statistics(HEADER, tlv(7, bytes(8)), tlv(9, b"\0\1\1" + bytes(8)))
    stream += message(ROUTE_MIRRORING, HEADER + tlv(0, routes) + tlv(1, b"\0\1"))
    stream += withdrawal(six, "198.51.100.0/24") + message(PEER_DOWN, HEADER + b"\1" + update())
    return stream + termination()


STREAM: Final = good_stream()


def test_thousands_of_mutated_streams(siege: Siege) -> None:
    """Each is ended by one side or the other, and none leaves anything behind."""

    def attack(worker: int) -> int:
        draw, ended = random.Random(worker), 0
        for number in range(STREAMS // 8):
            with siege.session(f"127.3.{30 + worker}.{1 + number % 250}") as session:
                with suppress(OSError):  # it may be ended before all is sent
                    session.send(mutate(STREAM, draw.getrandbits(32), [STREAM]))
                    session.tcp.shutdown(socket.SHUT_WR)
                session.verdict()
                ended += 1
        return ended

    with ThreadPoolExecutor(8) as workers:
        assert sum(workers.map(attack, range(8))) == STREAMS


def test_silent_crowd_does_not_keep_others_out(siege: Siege) -> None:
    """More than may connect, half of them with half a message; when they go there is room at once."""
    with ExitStack() as crowd:
        for number in range(MAX_ROUTERS + 50):
            session = crowd.enter_context(siege.session(f"127.3.2.{1 + number}"))
            if number % 2:
                with suppress(ConnectionError):  # those beyond the limit are refused
                    session.send(initiation()[:9])
        siege.assert_unharmed()

    def admitted() -> bool:
        with siege.session(ENEMY) as newcomer:
            newcomer.send(initiation() + termination())
            return newcomer.verdict() is None and bool(siege.daemon.log_of(ENEMY, bmp_msg_type="term"))

    eventually(admitted, PATIENCE, "a newcomer to be let in after the crowd")


def test_dump_holds_the_good_tables_and_nothing_else(siege: Siege) -> None:
    """After all attacks, prefix by prefix and RIB by RIB."""
    sources = [router.source for router in siege.good]
    for router, (source, rows) in zip(siege.good, siege.daemon.dumps(*sources).items(), strict=True):
        stored = [
            (row["bmp_rib_type"], row["ip_prefix"], row["as_path"])
            for row in rows
            if row.get("bmp_msg_type") == "route_monitor"
        ]
        assert source == router.source
        assert sorted(stored) == sorted(
            (rib, network, str(origin_as))
            for rib in ("Adj-Rib-In Pre-Policy", "Adj-Rib-In Post-Policy", "Loc-Rib")
            for network, origin_as in router.table.items()
        )
