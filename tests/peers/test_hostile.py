"""Peers that lie about lengths, flood, stall and break off: each gets its answer and the good peers notice nothing."""

from __future__ import annotations

import random
import re
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Final

import pytest

from tests.fuzz.mutate import mutate
from tests.peers.collector import PATIENCE, is_pmacct
from tests.peers.raw_speaker import (
    KEEPALIVE,
    KEEPALIVE_TYPE,
    NOTIFICATION,
    OPEN,
    ROUTE_REFRESH,
    UPDATE,
    Notification,
    capability,
    message,
    open_message,
    prefix,
    update,
    usual_attributes,
    usual_capabilities,
)
from tests.peers.siege import Siege, target
from tests.peers.waiting import eventually
from tests.ports import reserved_port

PORT: Final = reserved_port()
MAX_PEERS: Final = 400
#: What the daemon may hold in the end beyond what it held before, whatever was thrown at it.
GROWTH: Final = 24 << 20
ASN: Final = 65200
ENEMY: Final = "127.3.0.1"
STREAMS: Final = 10_000
#: The line that says why a session was ended; pmacct says it in many ways, and may give the address as Router-ID.
REASON: Final = re.compile(r"\[[\d.]+\] BGP session closed: \S" if not is_pmacct() else r"\[[\d.]+\] ")


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    """One daemon for all attacks, as in life."""
    with target(tmp_path_factory.mktemp("siege"), PORT, bgp_daemon_max_peers=MAX_PEERS) as daemon:
        under_siege = Siege(daemon)
        under_siege.assert_unharmed()
        yield under_siege
        under_siege.leave()


@pytest.fixture(autouse=True)
def unharmed(siege: Siege) -> Iterator[None]:
    """After each attack the good peers are as they were and the daemon is no fatter."""
    before = siege.daemon.resident
    yield
    siege.assert_unharmed()
    # Sweeps of lost tables go on for a while.
    eventually(lambda: siege.daemon.resident < before + GROWTH, PATIENCE, f"memory to be near {before} octets again")


def answers(siege: Siege, octets: bytes, code: int, subcode: int, *, after_open: bool = False) -> None:
    """Demand that the daemon ends a session that sends these octets, with the right code and a logged reason."""
    said_before = len(siege.daemon.text)
    with siege.session(ENEMY) as session:
        if after_open:
            session.establish(ASN)
        session.send(octets)
        verdict = session.verdict()
    eventually(lambda: REASON.search(siege.daemon.text, said_before), PATIENCE, "the log to say why")
    if not is_pmacct():  # whose subcodes are always 2
        assert verdict == Notification(code, subcode)


@pytest.mark.parametrize("length", [*range(19), 4097, 65535])
def test_header_with_an_impossible_length_gets_bad_message_length(siege: Siege, length: int) -> None:
    """RFC 4271 6.1."""
    answers(siege, message(KEEPALIVE_TYPE, b"\0" * 5000, length=length), 1, 2)


@pytest.mark.parametrize(
    ("kind", "length"), [(OPEN, 28), (UPDATE, 22), (KEEPALIVE_TYPE, 20), (ROUTE_REFRESH, 22), (ROUTE_REFRESH, 19)]
)
def test_length_that_does_not_fit_the_type_gets_bad_message_length(siege: Siege, kind: int, length: int) -> None:
    """RFC 4271 6.1; RFC 7313 5 for ROUTE-REFRESH."""
    code, subcode = (7, 1) if kind == ROUTE_REFRESH else (1, 2)
    answers(siege, message(kind, b"\0" * (length - 19)), code, subcode, after_open=kind != OPEN)


@pytest.mark.parametrize("at", [0, 7, 15])
def test_marker_with_one_wrong_octet_gets_connection_not_synchronized(siege: Siege, at: int) -> None:
    """RFC 4271 6.1."""
    marker = bytes(0xFE if octet == at else 0xFF for octet in range(16))
    answers(siege, message(KEEPALIVE_TYPE, marker=marker), 1, 1)


@pytest.mark.parametrize("kind", [0, 6, 7, 128, 255])
def test_unknown_message_type_gets_bad_message_type(siege: Siege, kind: int) -> None:
    """RFC 4271 6.1."""
    answers(siege, message(kind, b"\0" * 10), 1, 3, after_open=True)


CAPABILITIES: Final = usual_capabilities(ASN)
PARAMETERS: Final = struct.pack("!BB", 2, len(CAPABILITIES)) + CAPABILITIES


def open_with(
    *,
    version: int = 4,
    asn: int = ASN,
    hold_time: int = 90,
    router_id: str = ENEMY,
    parameters: bytes = PARAMETERS,
    length: int | None = None,
) -> bytes:
    """Build an OPEN with some fields not as they should be."""
    fixed = struct.pack("!BHH", version, asn, hold_time) + socket.inet_aton(router_id)
    return message(OPEN, fixed + bytes((len(parameters) if length is None else length,)) + parameters)


OPENS: Final = {
    "version 3": (open_with(version=3), 1),
    "version 5": (open_with(version=5), 1),
    "AS 0": (open_with(asn=0, parameters=b""), 2),
    "AS_TRANS without the capability": (open_with(asn=23456, parameters=b""), 2),
    "AS that the capability contradicts": (open_with(asn=65201), 2),
    "identifier 0.0.0.0": (open_with(router_id="0.0.0.0"), 3),
    "parameter that nobody knows": (open_with(parameters=b"\x63\x02ab"), 4),
    "hold time 1": (open_with(hold_time=1), 6),
    "hold time 2": (open_with(hold_time=2), 6),
    "parameters longer than the message": (open_with(length=200), 0),
    "parameter longer than the parameters": (open_with(parameters=b"\x02\x40\x01\x04"), 0),
    "capability longer than its parameter": (open_with(parameters=b"\x02\x04\x01\x09\0\x01"), 0),
    "half a parameter header": (open_with(parameters=b"\x02"), 0),
    "extended parameters that lie": (open_with(length=255, parameters=b"\xff\xff\xff\x02\0\x01"), 0),
}


@pytest.mark.parametrize("case", OPENS)
def test_open_that_is_wrong_gets_an_open_message_error(siege: Siege, case: str) -> None:
    """RFC 4271 6.2, RFC 5492 3, RFC 6793 9, RFC 9072 2."""
    octets, subcode = OPENS[case]
    answers(siege, octets, 2, subcode)


@pytest.mark.parametrize("early", [update(), KEEPALIVE, message(ROUTE_REFRESH, b"\0\x01\0\x01")])
def test_message_before_open_gets_a_finite_state_machine_error(siege: Siege, early: bytes) -> None:
    """RFC 4271 6.6, RFC 6608 3."""
    if is_pmacct() and early == KEEPALIVE:
        pytest.skip("pmacct ignores it")
    answers(siege, early, 5, 1)


def test_second_open_ends_the_session(siege: Siege) -> None:
    """RFC 4271 8.2.2: nothing but UPDATE, KEEPALIVE, NOTIFICATION and ROUTE-REFRESH in Established."""
    answers(siege, open_message(ASN, ENEMY), 5, 3, after_open=True)


def test_notification_is_never_answered_with_one(siege: Siege) -> None:
    """RFC 4271 6.4: an error in a NOTIFICATION is noted locally."""
    for body in (b"\x06\x02", b"\x06\x02\xffshort", b"\xff\xff"):
        with siege.session(ENEMY) as session:
            session.establish(ASN)
            session.send(message(NOTIFICATION, body))
            assert session.verdict() is None


def test_half_open_flood_does_not_keep_others_out(siege: Siege) -> None:
    """Hundreds that say nothing, and hundreds that say half an OPEN; when they go there is room at once."""
    half = open_message(ASN, ENEMY)[:25]
    with ExitStack() as crowd:
        for number in range(MAX_PEERS + 100):
            session = crowd.enter_context(siege.session(f"127.3.{1 + number // 250}.{1 + number % 250}"))
            if number % 2:
                with suppress(ConnectionError):  # those beyond the limit are refused
                    session.send(half)
        siege.assert_unharmed()

    def admitted() -> bool:
        with siege.session(ENEMY) as newcomer:
            newcomer.send(open_message(ASN, ENEMY))
            answer = newcomer.receive()
            return answer is not None and answer.kind == OPEN

    eventually(admitted, PATIENCE, "a newcomer to be let in after the flood")


def test_one_octet_at_a_time_is_as_good_as_all_at_once(siege: Siege) -> None:
    """TCP may cut anywhere."""
    with siege.session(ENEMY) as session:
        stream = open_message(ASN, ENEMY) + KEEPALIVE
        stream += update(attributes=usual_attributes(ASN), nlri=prefix("198.51.100.0/24"))
        for octet in stream:
            session.send(bytes((octet,)))
        eventually(lambda: siege.daemon.log_of(ENEMY, "update"), PATIENCE, "the route that came octet by octet")


def test_peer_that_never_reads_stalls_nobody_but_itself(siege: Siege) -> None:
    """It asks for refreshes without end and leaves the answers in its window."""
    if is_pmacct():
        pytest.skip("pmacct sends blockingly and stalls")
    with socket.socket() as tcp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        tcp.bind(("127.3.0.2", 0))
        tcp.connect(siege.daemon.address)
        tcp.settimeout(1)  # it sends until nothing has moved for so long
        offered = usual_capabilities(ASN) + capability(70)
        tcp.sendall(open_message(ASN, "127.3.0.2", capabilities=offered) + KEEPALIVE)
        with suppress(TimeoutError, ConnectionError):  # it may stop reading us, or end it
            for _ in range(200):
                tcp.sendall((message(ROUTE_REFRESH, b"\0\x01\0\x01") + KEEPALIVE) * 1000)
        siege.assert_unharmed()


def test_reset_in_the_middle_of_a_message_drops_what_came(siege: Siege) -> None:
    """At every stage of a session, and the next session from the same address is welcome."""
    stream = open_message(ASN, ENEMY) + KEEPALIVE
    stream += update(attributes=usual_attributes(ASN), nlri=prefix("198.51.100.0/24"))
    for cut in range(1, len(stream), 5):
        session = siege.session("127.3.0.3")
        session.send(stream[:cut])
        session.abort()

    def welcome() -> bool:
        with siege.session("127.3.0.3") as session:
            session.send(stream)
            answer = session.receive()
            return answer is not None and answer.kind == OPEN

    eventually(welcome, PATIENCE, "the last one to be let in")


def good_stream() -> bytes:
    """A session with routes."""
    nlri = b"".join(prefix(f"198.51.{number}.0/24") for number in range(8))
    offered = CAPABILITIES + capability(6) + capability(64, b"\0\x78") + capability(69, b"\0\x01\x01\x01")
    routes = update(attributes=usual_attributes(ASN, 1, 2, 3), nlri=nlri) + update(withdrawn=nlri)
    return open_message(ASN, ENEMY, capabilities=offered) + KEEPALIVE + routes + KEEPALIVE


STREAM: Final = good_stream()


def test_ten_thousand_mutated_streams(siege: Siege) -> None:
    """Each is ended by one side or the other, and none leaves anything behind."""

    if is_pmacct():
        pytest.skip("pmacct waits for the rest of messages that were cut short")

    def attack(worker: int) -> int:
        draw, ended = random.Random(worker), 0
        for number in range(STREAMS // 8):
            with siege.session(f"127.3.{10 + worker}.{1 + number % 250}") as session:
                with suppress(OSError):  # it may be ended before all is sent
                    session.send(mutate(STREAM, draw.getrandbits(32), [STREAM]))
                    session.tcp.shutdown(socket.SHUT_WR)
                session.verdict()
                ended += 1
        return ended

    with ThreadPoolExecutor(8) as workers:
        assert sum(workers.map(attack, range(8))) == STREAMS


def test_dump_holds_the_good_tables_and_nothing_else(siege: Siege) -> None:
    """After all attacks, prefix by prefix."""
    rows = [row for row in siege.daemon.next_dump() if row["event_type"] == "dump"]
    stored = {(row["peer_ip_src"], row["ip_prefix"]): row["as_path"].split()[-1] for row in rows}
    assert stored == {
        (bystander.source, network): str(origin_as)
        for bystander in siege.bystanders
        for network, origin_as in bystander.table.items()
    }
