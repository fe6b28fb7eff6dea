"""Routers and collectors that lie, flood, stall and break off: other pairs notice nothing, and the proxy stays small.

No namespace is needed: everybody is a loopback address, and the test itself is the collector, too.
"""

from __future__ import annotations

import random
import resource
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.fuzz.mutate import mutate
from tests.peers.collector import PATIENCE, at_work, is_pmacct
from tests.peers.install import require
from tests.peers.raw_speaker import (
    KEEPALIVE,
    NOTIFICATION,
    OPEN,
    UPDATE,
    Message,
    Notification,
    RawSession,
    attribute,
    message,
    open_message,
    prefix,
    update,
    usual_attributes,
)
from tests.peers.siege import LOOPBACK, Host
from tests.peers.waiting import eventually, steadily
from tests.peers.xconnect import Behind, Proxy
from tests.ports import reserved_port

pytestmark = pytest.mark.skipif(is_pmacct(), reason="pmacct 1.7.7 crashes at a prefix in the map")

PORT, OTHER_PORT, COLLECTOR_PORT = reserved_port(), reserved_port(), reserved_port()
MAX_PEERS: Final = 64
ENEMY, BYSTANDER, LOST = "127.6.0.2", "127.6.0.1", "127.7.0.1"
ASN: Final = 65200
#: What the daemon may hold beyond what it held before, whatever was thrown at it.
GROWTH: Final = 4 << 20
SOME_UPDATE: Final = update(attributes=usual_attributes(ASN), nlri=prefix("198.51.100.0/24"))
ADMINISTRATIVE_RESET, REJECTED = Notification(6, 4), Notification(6, 5)
PAIRS: Final = 1000
STREAMS: Final = 3000


class Accepted(RawSession):
    """A connection that the proxy opened."""

    def __init__(self, tcp: socket.socket, *, patience: float = PATIENCE) -> None:
        self.source = "the proxy"
        self._patience = patience
        self._inbox = bytearray()
        self.tcp = tcp
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Ground:
    """The proxy, where the test listens as its collector, and a pair that shall not be harmed."""

    def __init__(self, proxy: Proxy, listening: socket.socket) -> None:
        self.proxy = proxy
        self._listening = listening
        self._said = 0
        self.bystanders = self.pair(BYSTANDER)

    def peer(self, source: str = ENEMY) -> RawSession:
        """Connect as a router."""
        return RawSession((LOOPBACK, PORT), source)

    def accept(self, patience: float = PATIENCE) -> Accepted:
        """Accept as the collector."""
        self._listening.settimeout(patience)
        return Accepted(self._listening.accept()[0])

    def pair(self, source: str = ENEMY) -> tuple[RawSession, Accepted]:
        """Connect both ends; sessions from before may still be on their way out."""

        def attempt() -> tuple[RawSession, Accepted] | None:
            peer = self.peer(source)
            self._said += 1
            token = message(UPDATE, self._said.to_bytes(4))
            peer.send(token)
            while self._listening in select.select([self._listening, peer.tcp], [], [], PATIENCE)[0]:
                accepted = self.accept()
                if accepted.receive() == Message(UPDATE, token[19:]):
                    return peer, accepted
                accepted.close()  # of somebody who came before, and has gone
            peer.close()  # it is refused
            return None

        ends = eventually(attempt, PATIENCE, f"a pair for {source}")
        assert ends is not None
        return ends

    def assert_unharmed(self) -> None:
        """Demand that the good pair still passes on both ways."""
        self._said += 1
        said = message(UPDATE, self._said.to_bytes(4))
        for sender, receiver in (self.bystanders, self.bystanders[::-1]):
            sender.send(said)
            assert receiver.receive() == Message(UPDATE, said[19:])


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One proxy for all attacks, as in life."""
    with socket.create_server((LOOPBACK, 0), backlog=256) as listening, socket.socket() as nobody:
        nobody.bind((LOOPBACK, 0))  # and does not listen
        rows = (
            f"bgp_dst={LOOPBACK}:{nobody.getsockname()[1]} bgp_src={LOST}",
            f"bgp_dst={LOOPBACK}:{listening.getsockname()[1]} bgp_src=127.6.0.0/16",
        )
        home = tmp_path_factory.mktemp("xconnect")
        with at_work(HostProxy(home, rows, PORT, bgp_daemon_max_peers=MAX_PEERS)) as proxy:
            yield Ground(proxy, listening)


class HostProxy(Proxy):
    """A proxy on a port of the machine."""

    def __init__(self, home: Path, rows: tuple[str, ...], port: int, **settings: object) -> None:
        self.port = port
        keys = {"bgp_daemon_ip": LOOPBACK, "bgp_daemon_port": port}
        super().__init__(Host(), home, rows, **keys, **settings)


@pytest.fixture(autouse=True)
def unharmed(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each attack the good pair is as it was and the daemon is no fatter."""
    if "ground" not in request.fixturenames:
        yield
        return
    ground: Ground = request.getfixturevalue("ground")
    before = ground.proxy.resident
    yield
    ground.assert_unharmed()
    assert ground.proxy.resident < before + GROWTH


each_way = pytest.mark.parametrize("flip", [False, True], ids=["router", "collector"])


def flipped(ends: tuple[RawSession, Accepted], *, flip: bool) -> tuple[RawSession, RawSession]:
    """Return the enemy and its victim."""
    return (ends[1], ends[0]) if flip else ends


@each_way
@pytest.mark.parametrize(
    ("octets", "subcode"),
    [
        (b"GET / HTTP/1.1\r\nHost: you\r\n\r\n", 1),
        (message(UPDATE, b"\0" * 4, marker=b"\xff" * 15 + b"\xfe"), 1),
        (message(UPDATE, length=18), 2),
        (message(UPDATE, length=0), 2),
        (message(OPEN, bytes(5000)), 2),
        (message(4, b"\0"), 2),
        (message(99, b""), 3),
    ],
)
def test_bad_framing_ends_the_pair(ground: Ground, octets: bytes, subcode: int, *, flip: bool) -> None:
    enemy, victim = flipped(ground.pair(), flip=flip)
    enemy.send(SOME_UPDATE + octets)
    assert enemy.verdict() == Notification(1, subcode)
    assert victim.receive() == Message(UPDATE, SOME_UPDATE[19:])
    assert victim.verdict() == ADMINISTRATIVE_RESET
    enemy.close()
    victim.close()


@each_way
@pytest.mark.parametrize("leave", [RawSession.close, RawSession.abort])
def test_whoever_dies_in_the_middle_of_a_message_leaves_whole_ones(
    ground: Ground, leave: Callable[[RawSession], None], *, flip: bool
) -> None:
    """Only whole messages arrive, then the Cease."""
    stream = open_message(ASN, ENEMY) + KEEPALIVE + SOME_UPDATE
    for cut in range(len(stream) - len(SOME_UPDATE), len(stream), 11):
        enemy, victim = flipped(ground.pair(), flip=flip)
        enemy.send(stream[:cut])
        assert [(victim.receive() or Message(0, b"")).kind for _ in range(2)] == [OPEN, 4]
        leave(enemy)
        assert victim.verdict() == ADMINISTRATIVE_RESET
        victim.close()


@each_way
def test_a_notification_is_the_last_thing_that_passes(ground: Ground, *, flip: bool) -> None:
    enemy, victim = flipped(ground.pair(), flip=flip)
    with suppress(ConnectionError):  # what comes behind it may meet a closed connection
        enemy.send(message(NOTIFICATION, b"\x06\x01more") + SOME_UPDATE * 1000)
    assert victim.receive() == Message(NOTIFICATION, b"\x06\x01more")
    assert victim.receive() is None
    enemy.close()
    victim.close()


@each_way
def test_one_octet_at_a_time_is_as_good_as_all_at_once(ground: Ground, *, flip: bool) -> None:
    enemy, victim = flipped(ground.pair(), flip=flip)
    for octet in open_message(ASN, ENEMY) + SOME_UPDATE:
        enemy.send(bytes((octet,)))
    assert victim.receive() == Message(OPEN, open_message(ASN, ENEMY)[19:])
    assert victim.receive() == Message(UPDATE, SOME_UPDATE[19:])
    enemy.close()
    victim.close()


@each_way
@pytest.mark.parametrize("said", [KEEPALIVE * 1000, message(UPDATE, bytes(65_000))], ids=["short", "long"])
def test_who_does_not_read_stops_the_other_one_and_loses_nothing(ground: Ground, said: bytes, *, flip: bool) -> None:
    """The sender is held up before long, the proxy does not grow, and in the end every octet is there."""
    enemy, victim = flipped(ground.pair(), flip=flip)
    before = ground.proxy.resident
    enemy.tcp.settimeout(0.5)
    sent = 0
    with suppress(TimeoutError):
        while sent < 1 << 30:
            sent += enemy.tcp.send(said)
    assert sent < 1 << 28, "nobody was held up"
    assert ground.proxy.resident < before + GROWTH
    ground.assert_unharmed()
    steadily(lambda: ground.proxy.resident < before + GROWTH, 0.5, "the proxy's size")
    received, last = 0, b""
    victim.tcp.settimeout(PATIENCE)
    whole = sent - sent % len(said)  # what the last send cut off is no whole message
    while received < whole:
        octets = victim.tcp.recv(1 << 18)
        assert octets
        received, last = received + len(octets), (last + octets)[-len(said) :]
    assert received == whole or said.startswith(KEEPALIVE)
    enemy.close()
    victim.close()


def test_connecting_again_and_again_keeps_nobody_out(ground: Ground) -> None:
    """Of one address one session counts; the others are refused, and slots come back."""
    with ExitStack() as crowd:
        ends = ground.pair()
        for end in ends:
            crowd.callback(end.close)
        for _ in range(20):
            with ground.peer() as again:
                assert again.verdict() == REJECTED
        ground.assert_unharmed()
    for _ in range(3 * MAX_PEERS):
        ground.peer().abort()
    peer, collector = ground.pair("127.6.0.3")
    peer.send(SOME_UPDATE)
    assert collector.receive() == Message(UPDATE, SOME_UPDATE[19:])
    peer.close()
    collector.close()


def test_a_collector_that_is_not_there_is_a_rejection_each_time(ground: Ground) -> None:
    for _ in range(20):
        with ground.peer(LOST) as peer:
            assert peer.verdict() == REJECTED


def test_a_collector_that_never_accepts_keeps_nobody_waiting_but_its_peer(ground: Ground, tmp_path: Path) -> None:
    """Its backlog is full, so nothing ever answers."""
    rows = ground.proxy.map.read_text()
    with socket.create_server((LOOPBACK, 0), backlog=0) as deaf, ExitStack() as waiting:
        for _ in range(4):
            tcp = waiting.enter_context(socket.socket())
            tcp.setblocking(False)
            tcp.connect_ex(deaf.getsockname())
        ground.proxy.reload(f"bgp_dst={LOOPBACK}:{deaf.getsockname()[1]} bgp_src=127.6.9.9", *rows.splitlines())
        with ground.peer("127.6.9.9") as peer:
            peer.send(open_message(ASN, "127.6.9.9"))
            ground.assert_unharmed()
            assert peer.verdict() == REJECTED
    ground.proxy.wait_for_text("unable to connect to BGP collector: Connection timed out")
    ground.proxy.reload(*rows.splitlines())
    assert tmp_path.exists()


STREAM: Final = open_message(ASN, ENEMY) + KEEPALIVE + SOME_UPDATE * 3 + KEEPALIVE


def test_thousands_of_mutated_streams(ground: Ground) -> None:
    """From many addresses at once, while a careless collector accepts everybody and closes in its own time."""
    draw = random.Random(20)
    leaving = threading.Event()

    def be_careless() -> None:
        accepted: list[Accepted] = []
        while not leaving.is_set():
            with suppress(TimeoutError):
                accepted.append(ground.accept(0.05))
            if len(accepted) > 20:
                accepted.pop(0).close()
        for session in accepted:
            session.close()

    careless = threading.Thread(target=be_careless)
    careless.start()
    try:
        for number in range(STREAMS):
            session = ground.peer(f"127.6.{1 + number % 40}.7")
            with suppress(ConnectionError):
                session.send(mutate(STREAM, draw.getrandbits(32), [STREAM]))
            (session.abort if number % 2 else session.close)()
            if not number % 500:
                ground.assert_unharmed()
    finally:
        leaving.set()
        careless.join()
    assert ground.proxy.text.count("Traceback") == 0


@pytest.mark.parametrize("maker", ["ours", "pmacct"])
def test_a_slow_collector_with_a_full_table_costs_no_memory(tmp_path: Path, maker: str) -> None:
    """It stops in the middle of a table of 96 MB and goes on later: the proxy holds next to nothing meanwhile."""
    if maker == "pmacct":
        require("pmacct")
    source, routes_each, count = "127.6.0.5", 10, 24_000
    attributes = usual_attributes(ASN, 1) + attribute(0xC0, 8, bytes(range(248)) * 15)
    pieces = []
    for number in range(count):
        nlri = b"".join(bytes([32]) + (0x0A000000 + number * routes_each + n).to_bytes(4) for n in range(routes_each))
        pieces.append(update(attributes=attributes, nlri=nlri))
    keys = {"bgp_daemon_ip": LOOPBACK, "bgp_daemon_max_peers": 4}
    with ExitStack() as stack:
        collector = stack.enter_context(at_work(Behind(Host(), tmp_path, maker, COLLECTOR_PORT, **keys)))
        row = f"bgp_dst={collector.address()} bgp_src={source}"
        proxy = stack.enter_context(at_work(HostProxy(tmp_path, (row,), OTHER_PORT)))
        session = stack.enter_context(RawSession((LOOPBACK, OTHER_PORT), source, patience=120))
        session.establish(ASN)
        before = proxy.resident
        collector.freeze()
        sender = threading.Thread(target=session.tcp.sendall, args=(b"".join(pieces),))
        session.tcp.settimeout(120)
        sender.start()
        steadily(lambda: proxy.resident < before + GROWTH, 3, "the proxy's size")
        assert sender.is_alive(), "the collector's freeze held nobody up"
        collector.thaw()
        sender.join()
        assert proxy.resident < before + GROWTH
        log = collector.message_log

        def logged() -> bool:
            return log.exists() and log.read_bytes().count(b'"log_type": "update"') == count * routes_each

        eventually(logged, 4 * PATIENCE, "every route in the collector's log")
        assert proxy.resident < before + GROWTH


@contextmanager
def descriptors(wanted: int) -> Iterator[None]:
    """Let this process, and the daemons that it starts, open enough sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        pytest.skip(f"the hard limit of descriptors is {hard}, {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_pairs_and_not_one_more(tmp_path: Path) -> None:
    """All are established at the same collector of ours, each with its own route; the next one finds no slot."""
    sources = [f"127.6.{number >> 8}.{number & 255}" for number in range(1, PAIRS + 2)]
    keys = {"bgp_daemon_ip": LOOPBACK, "bgp_daemon_max_peers": PAIRS}
    with descriptors(3 * PAIRS + 500), ExitStack() as stack:
        collector = stack.enter_context(at_work(Behind(Host(), tmp_path, "ours", COLLECTOR_PORT, **keys)))
        row = f"bgp_dst={collector.address()} bgp_src=127.6.0.0/16"
        proxy = stack.enter_context(at_work(HostProxy(tmp_path, (row,), OTHER_PORT, bgp_daemon_max_peers=PAIRS)))
        before = proxy.resident
        sessions = [
            stack.enter_context(RawSession((LOOPBACK, OTHER_PORT), source, patience=60)) for source in sources[:-1]
        ]
        for number, session in enumerate(sessions):
            session.send(open_message(ASN, session.source, hold_time=240) + KEEPALIVE)
            session.send(update(attributes=usual_attributes(ASN), nlri=prefix(f"10.{number >> 8}.{number & 255}.0/24")))
        for session in sessions:
            answers = session.receive(), session.receive()
            assert [answer and answer.kind for answer in answers] == [OPEN, 4], session.source
        assert proxy.resident < before + PAIRS * (48 << 10)
        with RawSession((LOOPBACK, OTHER_PORT), sources[-1]) as surplus:
            assert surplus.verdict() == REJECTED
        rows = collector.wait_for(LOOPBACK, count=PAIRS, log_type="update")
        assert {row["ip_prefix"] for row in rows} == {f"10.{n >> 8}.{n & 255}.0/24" for n in range(PAIRS)}
