"""The looking glass as its clients see it: Debian's two, hostile ones, and one that asks all the time."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
import zmq

from tests.peers.bmp_octets import LOC_RIB, announcement, initiation, peer_up, per_peer_header
from tests.peers.bmp_station import LoopbackStation, loopback_station
from tests.peers.collector import PATIENCE, is_pmacct
from tests.peers.install import require
from tests.peers.raw_speaker import (
    VPN_IPV4,
    RawSession,
    mp_reach,
    prefix,
    update,
    usual_attributes,
    usual_capabilities,
)
from tests.peers.siege import Target, target
from tests.peers.waiting import eventually
from tests.ports import reserved_port

PORT, GLASS = reserved_port(), reserved_port()
OTHER_PORT, OTHER_GLASS = reserved_port(), reserved_port()
CLIENTS: Final = Path("/usr/lib/x86_64-linux-gnu/pmacct/examples/lg")
PEER: Final = "127.5.0.1"
FLAPPING: Final = ("127.5.0.3", "127.5.0.4")
ASN: Final = 65_301
#: What a siege may add for good to what the daemon holds. Units: octets.
GROWTH: Final = 192 << 20
#: What a good client asks while others do not read.
QUESTIONS: Final = 500

pytestmark = pytest.mark.skipif(is_pmacct(), reason="SKIPPED: these are questions that pmacct does not know")


def vpn(network: str, rd: bytes = bytes.fromhex("0000fde800000001")) -> bytes:
    """Encode a labelled VPN prefix (RFC 4364 section 4.3.4)."""
    plain = prefix(network)
    return bytes((plain[0] + 88,)) + bytes.fromhex("000641") + rd + plain[1:]


class Client:
    """A client with a question at a time."""

    def __init__(self, port: int = GLASS) -> None:
        self._socket = zmq.Context.instance().socket(zmq.REQ)
        self._socket.linger = 0
        self._socket.connect(f"tcp://127.0.0.1:{port}")

    def ask(self, *frames: object) -> list[dict[str, Any]]:
        """Ask and demand an answer in time."""
        self._socket.send_multipart([f if isinstance(f, bytes) else json.dumps(f).encode() for f in frames])
        assert self._socket.poll(1000 * PATIENCE), f"no answer to {frames}"
        return [json.loads(frame) for frame in self._socket.recv_multipart()]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


@pytest.fixture(params=["pmbgp", "pmbgp.py"])
def pmbgp(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """One of the two clients of pmacct, as the package has them."""
    require("pmacct")
    if not (CLIENTS / request.param).exists():
        pytest.skip(f"SKIPPED: the pmacct package has no {request.param}")
    copied = Path(shutil.copy(CLIENTS / request.param, tmp_path))
    copied.chmod(0o755)
    return [str(copied)] if request.param == "pmbgp" else [sys.executable, str(copied)]


def run(pmbgp: list[str], *arguments: str) -> list[dict[str, Any]]:
    """Run a client; what it writes, a value for each line."""
    argv = [*pmbgp, "-Z", str(GLASS), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    frames = (
        line.removeprefix("b'").removesuffix("'") for line in done.stdout.splitlines()
    )  # one prints as Python does
    return [json.loads(frame) for frame in frames if frame.startswith("{")]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    home = tmp_path_factory.mktemp("glass")
    keys = {"bgp_daemon_lg": "true", "bgp_daemon_lg_port": GLASS, "bgp_daemon_max_peers": 16}
    with target(home, PORT, bgp_table_dump_refresh_time=60, **keys) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def session(daemon: Target) -> Iterator[RawSession]:
    """A peer with 10.0.0.0/8, 10.1.0.0/16 and 10.2.0.0/16 of a VPN."""
    with RawSession(daemon.address, PEER) as session:
        session.establish(ASN, hold_time=0, capabilities=usual_capabilities(ASN, ((1, 1), VPN_IPV4)))
        session.send(update(attributes=usual_attributes(ASN), nlri=prefix("10.0.0.0/8") + prefix("10.1.0.0/16")))
        reach = mp_reach(1, 128, "192.0.2.1", vpn("10.2.0.0/16"))
        reach = reach.replace(b"\x04\xc0\x00\x02\x01", b"\x0c" + bytes(8) + b"\xc0\x00\x02\x01")
        reach = reach[:2] + bytes((reach[2] + 8,)) + reach[3:]
        session.send(update(attributes=reach + usual_attributes(ASN)))
        daemon.wait_for_routes(PEER, "update", 3)
        yield session


# -- pmacct's clients ------------------------------------------------------------------------------------------------


def test_pmbgp_lists_peers(pmbgp: list[str], session: RawSession) -> None:
    header, peer = run(pmbgp, "-g")
    assert header == {"results": 1, "query_type": 2}
    port = session.tcp.getsockname()[1]
    assert peer == {"peer_ip_src": PEER, "peer_id": PEER, "peer_tcp_port": port, "peer_as": ASN}


def test_pmbgp_looks_routes_up(pmbgp: list[str], session: RawSession) -> None:
    port = str(session.tcp.getsockname()[1])
    for arguments in ((), ("-R", port)):
        header, route = run(pmbgp, "-a", "10.1.2.3", "-r", PEER, *arguments)
        assert header == {"results": 1, "query_type": 1}
        assert (route["ip_prefix"], route["as_path"], route["event_type"]) == ("10.1.0.0/16", str(ASN), "lglass")
    assert run(pmbgp, "-a", "10.0.0.0/9", "-r", PEER)[1]["ip_prefix"] == "10.0.0.0/8"
    assert run(pmbgp, "-a", "11.0.0.1", "-r", PEER) == [{"results": 0, "query_type": 1, "text": "prefix not found"}]
    assert run(pmbgp, "-a", "10.1.2.3", "-r", PEER, "-R", "1")[0]["text"] == "peer not found"
    assert run(pmbgp, "-a", "10.1.2.3", "-r", "127.5.0.9")[0]["text"] == "peer not found"


def test_pmbgp_looks_routes_of_a_vpn_up(pmbgp: list[str], session: RawSession) -> None:
    header, route = run(pmbgp, "-a", "10.2.3.4", "-r", PEER, "-d", "0:65000:1")
    assert (header["results"], route["ip_prefix"], route["rd"]) == (1, "10.2.0.0/16", "0:65000:1")
    assert run(pmbgp, "-a", "10.2.3.4", "-r", PEER, "-d", "0:65000:2")[0]["text"] == "prefix not found"
    assert session.tcp.fileno() >= 0


def test_pmbgp_with_a_user_and_a_password(pmbgp: list[str], tmp_path: Path) -> None:
    keys = {"bgp_daemon_lg_user": "operator", "bgp_daemon_lg_passwd": "secret", "bgp_daemon_lg_port": OTHER_GLASS}
    with target(tmp_path, OTHER_PORT, bgp_daemon_lg="true", **keys):
        there = ("-Z", str(OTHER_GLASS), "-g")
        assert run(pmbgp, *there, "-u", "operator", "-p", "secret") == [{"results": 0, "query_type": 2}]
        for wrong in (("-u", "operator", "-p", "Secret"), ()):
            argv = [*pmbgp, *there, *wrong]
            with suppress(subprocess.TimeoutExpired):  # one of the two waits for ever
                done = subprocess.run(argv, capture_output=True, text=True, timeout=2, check=False)
                assert "results" not in done.stdout


def test_pmbgp_asks_a_bmp_station(pmbgp: list[str], tmp_path: Path) -> None:
    keys = {"bmp_daemon_lg": "true", "bmp_daemon_lg_port": OTHER_GLASS}
    with loopback_station(tmp_path, OTHER_PORT, **keys) as station, RawSession(station.address, PEER) as router:
        show(station, router)
        there = ("-Z", str(OTHER_GLASS))
        header, *peers = run(pmbgp, *there, "-g")
        assert header == {"results": len(peers), "query_type": 2}
        assert {peer["bmp_router"] for peer in peers} == {PEER}
        assert run(pmbgp, *there, "-a", "10.1.0.1", "-r", "192.0.2.11")[1]["as_path"] == "65001"
        assert run(pmbgp, *there, "-a", "10.1.0.1", "-r", PEER)[1]["as_path"] == "65002"


def show(station: LoopbackStation, router: RawSession) -> None:
    """Show a route before policy, and another in the Loc-RIB."""
    before, loc = per_peer_header(), per_peer_header(peer_type=LOC_RIB)
    router.send(initiation() + peer_up(before) + peer_up(loc))
    router.send(announcement(before, "10.1.0.0/16", asn=65001) + announcement(loc, "10.1.0.0/16", asn=65002))
    station.wait_for_routes(PEER, "update", 2)


# -- hostile clients -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frames",
    [
        [b"x" * 100_000],
        [b'{"query_type": 3}', b"x" * 100_000],
        [b"[" * 100_000],
        [b'{"query_type": 3}', b'{"where": ' + b'{"not": ' * 8_000 + b"1" + b"}" * 8_001],
        [b'{"query_type": 3}', b'{"limit": 1e400}'],
        [b'{"query_type": 1}', b'{"ip_prefix": "10.0.0.1", "peer_ip_src": "127.5.0.1", "peer_tcp_port": 1e308}'],
        [b"\xff\xfe\x00"],
        [b""] * 100,
        [{"query_type": 3}, *[{"where": {"as_path": ".*1........."}}] * 50],
    ],
)
def test_hostile_requests_are_answered(session: RawSession, client: Client, frames: list[object]) -> None:
    assert client.ask(*frames)[0]["results"] == 0
    assert client.ask({"query_type": 2})[0]["results"] == 1
    assert session.tcp.fileno() >= 0


def test_clients_that_never_read_cost_bounded_memory_and_nobody_else(daemon: Target, client: Client) -> None:
    with RawSession(daemon.address, "127.5.0.2") as many:
        many.establish(ASN, hold_time=0)
        for block in range(40):
            nlri = b"".join(prefix(f"20.{block}.{number}.0/24") for number in range(100))
            many.send(update(attributes=usual_attributes(ASN, 65_400 + block), nlri=nlri))
        daemon.wait_for_routes("127.5.0.2", "update", 4_000)
        before = daemon.resident
        context = zmq.Context()
        deaf = [context.socket(zmq.DEALER) for _ in range(50)]
        for one in deaf:
            one.rcvhwm, one.rcvbuf, one.linger = 1, 4096, 0
            one.connect(f"tcp://127.0.0.1:{GLASS}")
            for _ in range(20):
                one.send_multipart([b"", b'{"query_type": 3}', b'{"limit": 2000}'], zmq.NOBLOCK)
        for _ in range(QUESTIONS):
            header, route = client.ask({"query_type": 1}, {"ip_prefix": "20.7.9.1", "peer_ip_src": "127.5.0.2"})
            assert (header["results"], route["ip_prefix"], route["as_path"]) == (1, "20.7.9.0/24", f"{ASN} 65407")
        held = daemon.resident - before
        for one in deaf:
            one.close()
        context.destroy(linger=0)
        # 50 clients, 16 answers each of 2,000 rows of some 200 octets, is what the library may hold
        assert held < 50 * 16 * 2_000 * 320
        eventually(lambda: daemon.resident < before + GROWTH, PATIENCE, "memory to come back")


# -- a client that asks all the time ---------------------------------------------------------------------------------


def origin(source: str, second: int, third: int) -> int:
    """Return the origin AS of 30.second.third.0/24 in what a peer announces."""
    return 1_000 + second * 256 + third + 10_000 * (source == FLAPPING[1])


class Inquirer(threading.Thread):
    """Asks about tables that come and go, and about one that stays; remembers every answer that is wrong.

    What comes and goes has one path, ever: a route is not there, or it is just that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.leaving, self.wrong, self.right = threading.Event(), list[object](), 0
        self._rng = random.Random(7)

    def run(self) -> None:
        client = Client()
        while not self.leaving.is_set():
            source, second, third = self._rng.choice(FLAPPING), self._rng.randrange(20), self._rng.randrange(250)
            self._check_flapping(client, source, second, third)
            self._check_steady(client)
        client.close()

    def _check_flapping(self, client: Client, source: str, second: int, third: int) -> None:
        header, *routes = client.ask({"query_type": 1}, {"ip_prefix": f"30.{second}.{third}.9", "peer_ip_src": source})
        expected = (source, f"30.{second}.{third}.0/24", f"{ASN} {origin(source, second, third)}")
        found = [(route["peer_ip_src"], route["ip_prefix"], route["as_path"]) for route in routes]
        if found == [expected]:
            self.right += 1
        elif found or header.get("text") not in {"peer not found", "prefix not found"}:
            self.wrong += [header, *routes]

    def _check_steady(self, client: Client) -> None:
        header, *routes = client.ask({"query_type": 1}, {"ip_prefix": "10.1.0.1", "peer_ip_src": PEER})
        _, count = client.ask({"query_type": 3}, {"select": "count", "peer_ip_src": PEER})
        if [route["ip_prefix"] for route in routes] != ["10.1.0.0/16"] or count["count"] != 3:
            self.wrong += [header, *routes, count]


def test_no_answer_is_wrong_while_tables_load_are_dumped_and_lost(daemon: Target, session: RawSession) -> None:
    inquirer = Inquirer()
    inquirer.start()
    try:
        for _ in range(3):
            for source in FLAPPING:
                flap(daemon, source, inquirer)
        daemon.next_dump()
    finally:
        inquirer.leaving.set()
        inquirer.join()
    assert inquirer.wrong == []
    assert session.tcp.fileno() >= 0


def flap(daemon: Target, source: str, inquirer: Inquirer) -> None:
    """Load a table, be asked about it, and go without a word."""
    before = inquirer.right
    with RawSession(daemon.address, source) as peer:
        peer.establish(ASN, hold_time=0)
        for second in range(20):
            for third in range(250):
                attributes = usual_attributes(ASN, origin(source, second, third))
                peer.send(update(attributes=attributes, nlri=prefix(f"30.{second}.{third}.0/24")))
        eventually(lambda: inquirer.right > before + 20, PATIENCE, "right answers")
        peer.abort()


def test_a_daemon_that_ends_while_it_searches_ends_well(tmp_path: Path) -> None:
    keys = {"bgp_daemon_lg": "true", "bgp_daemon_lg_port": OTHER_GLASS}
    with target(tmp_path, OTHER_PORT, **keys) as daemon, RawSession(daemon.address, PEER) as peer:
        peer.establish(ASN, hold_time=0)
        for second in range(200):
            nlri = b"".join(prefix(f"40.{second}.{third}.0/24") for third in range(200))
            peer.send(update(attributes=usual_attributes(ASN, 1_000 + second), nlri=nlri))
        daemon.wait_for_routes(PEER, "update", 40_000)
        asking = zmq.Context.instance().socket(zmq.DEALER)
        asking.linger = 0
        asking.connect(f"tcp://127.0.0.1:{OTHER_GLASS}")
        for _ in range(60):
            asking.send_multipart([b"", b'{"query_type": 3}', b'{"limit": 2000, "where": {"as_path": "_11.."}}'])
        assert asking.poll(1000 * PATIENCE)
        daemon.stop()
        asking.close()
