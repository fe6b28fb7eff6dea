"""The looking glass asked over ZeroMQ and HTTP while everything else goes wrong; no answer may be.

Two peers come and go: each time their routes have another path, so an answer says when its routes were announced. One
peer stays, and all of its routes are known. Meanwhile tables load and are dumped, maps are read again, and hostile
clients ask what nobody should, or ask and never read. `GLASS_FAULT_SECONDS` makes it longer than a few seconds.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

import pytest
import zmq
from prometheus_client.parser import text_string_to_metric_families

from tests.peers.collector import PATIENCE, is_pmacct
from tests.peers.raw_speaker import RawSession, prefix, update, usual_attributes
from tests.peers.siege import Target, target
from tests.peers.waiting import eventually
from tests.ports import reserved_port

SECONDS: Final = float(os.environ.get("GLASS_FAULT_SECONDS", "6"))
STEADY: Final = "127.7.0.1"
FLAPPING: Final = ("127.7.0.2", "127.7.0.3")
ASN: Final = 65_307
#: Routes of the peer that stays, and of one that comes and goes.
STEADY_ROUTES: Final = 10_000
ROUTES: Final = 2_000
#: What all of it may add for good to what the daemon holds. Units: octets.
GROWTH: Final = 256 << 20
TOKEN: Final = "a-token-of-the-fault-run"
HOSTILE: Final = (
    [b"x" * 100_000],
    [b"[" * 100_000],
    [b'{"query_type": 3}', b"x" * 100_000],
    [b'{"query_type": 3}', b'{"where": ' + b'{"not": ' * 8_000 + b"1" + b"}" * 8_001],
    [b'{"query_type": 3}', b'{"ip_prefix": 7, "limit": "x"}'],
    [b'{"query_type": 3}', *[b'{"where": {"as_path": ".*1........."}}'] * 5],
    [b'{"query_type": 3}', *[b'{"limit": 2000}'] * 100],
    [b'{"query_type": 1}', b'{"ip_prefix": "10.0.0.1", "peer_ip_src": [], "peer_tcp_port": 1e308}'],
    [b"\xff\xfe\x00"],
    [b""] * 100,
)
HOSTILE_HTTP: Final = (
    b"GET /" + b"x" * 100_000,
    b"POST /query HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100_000,
    b"POST /query HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /query HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n",
    b"GET /query HTTP/1.1\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
    b"\x16\x03\x01" * 1_000,
    bytes(range(256)) * 100,
)

pytestmark = pytest.mark.skipif(is_pmacct(), reason="SKIPPED: these are questions that pmacct does not know")


def network(source: str, number: int) -> str:
    """Return the route of a peer with this number."""
    return f"{20 + int(source[-1])}.{number >> 8}.{number & 255}.0/24"


class Glass:
    """A daemon with a looking glass, a peer that stays and what is known of those that flap."""

    def __init__(self, daemon: Target, zmq_port: int, http_port: int) -> None:
        self.daemon, self.zmq_port, self.http_port = daemon, zmq_port, http_port
        self.over = threading.Event()
        self.announced = dict.fromkeys(FLAPPING, 0)  # the generation that may be seen
        self.confirmed = dict.fromkeys(FLAPPING, 0)  # the one that was seen: none before it is there any more
        self.wrong: list[object] = []
        self.right: dict[str, int] = {}

    def check(self, kind: str, is_right: bool, *facts: object) -> None:
        """Take note of an answer."""
        if is_right:
            self.right[kind] = self.right.get(kind, 0) + 1
        else:
            self.wrong.append((kind, *facts))
            self.over.set()


class ByZmq:
    """A client that asks over ZeroMQ."""

    def __init__(self, glass: Glass) -> None:
        self._socket = zmq.Context.instance().socket(zmq.REQ)
        self._socket.linger = 0
        self._socket.connect(f"tcp://127.0.0.1:{glass.zmq_port}")

    def ask(self, **question: object) -> dict[str, Any]:
        """Ask one question; its header, with the rows as a member."""
        self._socket.send_multipart([b'{"query_type": 3}', json.dumps(question).encode()])
        assert self._socket.poll(1000 * PATIENCE), f"no answer to {question}"
        _, header, *rows = map(json.loads, self._socket.recv_multipart())
        return {**header, "rows": rows}

    def close(self) -> None:
        self._socket.close()


class ByHttp:
    """A client that asks over HTTP."""

    def __init__(self, glass: Glass) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", glass.http_port, timeout=PATIENCE)

    def ask(self, **question: object) -> dict[str, Any]:
        """Ask one question."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
        self._connection.request("POST", "/query", json.dumps(question), headers)
        answer = json.loads(self._connection.getresponse().read())
        return {"rows": [], **({"text": answer["error"]} if "error" in answer else answer)}

    def close(self) -> None:
        self._connection.close()


Client = ByZmq | ByHttp


def look_up(glass: Glass, client: Client, draw: random.Random) -> None:
    """Ask for a route that comes and goes: it is not there, or as it was announced last."""
    source, number = draw.choice(FLAPPING), draw.randrange(ROUTES)
    least = glass.confirmed[source]
    match = draw.choice(("exact", "longest", "more-specific"))
    asked = network(source, number)
    answer = client.ask(ip_prefix=asked, match=match, peer_ip_src=source)
    found = [(route["peer_ip_src"], route["ip_prefix"], route["as_path"]) for route in answer["rows"]]
    generations = range(max(1, least), glass.announced[source] + 1)
    is_right = not found or found[0] in {(source, asked, f"{ASN} {1_000 + one}") for one in generations}
    glass.check(match, is_right and len(found) <= 1 and "text" not in answer, answer, asked, generations)


def count(glass: Glass, client: Client, draw: random.Random) -> None:
    """Count what stays, by what is known of it."""
    third = draw.randrange(10)
    where = {"origin_as": 2_000 + third}
    answer = client.ask(select="count", where=where, peer_ip_src=STEADY)
    busy = "too many searches wait" in answer.get("text", "")
    glass.check("count", busy or answer.get("count") == STEADY_ROUTES // 10, answer, where)


def pages(glass: Glass, client: Client, draw: random.Random) -> None:
    """Read all pages: of the peer that stays they have each of its routes once; of all peers too, unless refused."""
    facts: dict[str, object] = draw.choice(({"peer_ip_src": STEADY}, {}))
    seen: list[str] = []
    cursor = None
    while True:
        answer = client.ask(limit=2_000, fields=["ip_prefix", "peer_ip_src"], cursor=cursor, **facts)
        text = answer.get("text", "")
        if text:
            is_right = "too many searches wait" in text or (not facts and cursor is not None and "begin again" in text)
            glass.check("page refused", is_right, answer)
            return
        seen += [row["ip_prefix"] for row in answer["rows"] if row["peer_ip_src"] == STEADY]
        cursor = answer.get("cursor")
        if cursor is None:
            is_right = len(seen) == STEADY_ROUTES and len(set(seen)) == STEADY_ROUTES
            glass.check("pages", is_right, facts, len(seen), len(set(seen)))
            return


def peers(glass: Glass, client: Client, _draw: random.Random) -> None:
    """Ask who is connected: the peer that stays is, with all of its routes."""
    [record] = client.ask(select="peers", peer_ip_src=STEADY)["rows"]
    routes = [family["routes"] for family in record["families"]]
    glass.check("peers", (record["state"], routes) == ("established", [STEADY_ROUTES]), record)


def inquire(glass: Glass, make: type[Client], seed: int) -> None:
    """Ask until it is over."""
    client, draw = make(glass), random.Random(seed)
    questions: tuple[Callable[[Glass, Client, random.Random], None], ...] = (
        look_up,
        look_up,
        look_up,
        count,
        pages,
        peers,
    )
    while not glass.over.is_set():
        draw.choice(questions)(glass, client, draw)
    client.close()


def flap(glass: Glass, source: str) -> None:
    """Announce a table, see it, withdraw some of it, and go without a word; over and over."""
    client, generation = ByZmq(glass), 0
    while not glass.over.is_set():
        generation += 1
        glass.announced[source] = generation
        with RawSession(glass.daemon.address, source) as peer:
            peer.establish(ASN, hold_time=0)
            for first in range(0, ROUTES, 200):
                nlri = b"".join(prefix(network(source, number)) for number in range(first, first + 200))
                peer.send(update(attributes=usual_attributes(ASN, 1_000 + generation), nlri=nlri))
            wait_for_table(glass, client, source, generation)
            glass.confirmed[source] = generation
            peer.send(update(withdrawn=b"".join(prefix(network(source, number)) for number in range(0, ROUTES, 7))))
            peer.abort()
    client.close()


def wait_for_table(glass: Glass, client: Client, source: str, generation: int) -> None:
    """Wait until a whole table is seen."""

    def is_whole() -> bool:
        answer = client.ask(select="count", where={"origin_as": 1_000 + generation}, peer_ip_src=source)
        return answer.get("count") == ROUTES or glass.over.is_set()

    eventually(is_whole, PATIENCE, f"the table of {source}")


def harass(glass: Glass) -> None:
    """Ask what nobody should."""
    draw, context = random.Random(3), zmq.Context()
    while not glass.over.wait(0.02):
        one = context.socket(zmq.DEALER)
        one.linger = 0
        one.connect(f"tcp://127.0.0.1:{glass.zmq_port}")
        one.send_multipart([b"", *draw.choice(HOSTILE)])
        with suppress(OSError), socket.create_connection(("127.0.0.1", glass.http_port), timeout=1) as wire:
            wire.sendall(draw.choice(HOSTILE_HTTP))
            wire.recv(1_000)
        one.poll(100)
        one.close()
    context.destroy(linger=0)


@contextmanager
def deaf_clients(glass: Glass, number: int) -> Iterator[None]:
    """Let clients ask for more than there is room for, again and again, and read nothing."""
    context = zmq.Context()
    question = [b"", b'{"query_type": 3}', *[b'{"limit": 2000}'] * 5]
    ask = json.dumps([{"limit": 2_000}] * 5).encode()
    head = b"POST /query HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n"
    head += b"Content-Length: %d\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(number):
            one = context.socket(zmq.DEALER)
            one.rcvhwm, one.rcvbuf, one.linger = 1, 4096, 0
            one.connect(f"tcp://127.0.0.1:{glass.zmq_port}")
            for _ in range(5):
                one.send_multipart(question, zmq.NOBLOCK)
            wire = stack.enter_context(socket.socket())
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.connect(("127.0.0.1", glass.http_port))
            wire.sendall((head % (TOKEN.encode(), len(ask)) + ask) * 3)
        yield
        context.destroy(linger=0)


@pytest.fixture(scope="module")
def target_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, int, int]]:
    """A daemon with a peer that stays, and where it is asked over ZeroMQ and HTTP."""
    tmp_path = tmp_path_factory.mktemp("faults")
    port, zmq_port, http_port = reserved_port(), reserved_port(), reserved_port()
    (tmp_path / "tokens").write_text(TOKEN)
    keys = {
        "bgp_daemon_lg": "true",
        "bgp_daemon_lg_port": zmq_port,
        "bgp_daemon_lg_http": "true",
        "bgp_daemon_lg_http_port": http_port,
        "bgp_daemon_lg_http_rate": 0,
        "bgp_daemon_lg_http_token_file": tmp_path / "tokens",
        "maps_refresh": "true",
    }
    with (
        target(tmp_path, port, bgp_table_dump_refresh_time=60, **keys) as daemon,
        RawSession(daemon.address, STEADY) as session,
    ):
        session.establish(ASN, hold_time=0)
        for first in range(0, STEADY_ROUTES, 100):
            numbers = range(first, first + 100)
            nlri = b"".join(prefix(network(STEADY, number)) for number in numbers)
            session.send(update(attributes=usual_attributes(ASN, 2_000 + first // 100 % 10), nlri=nlri))
        session.send(update())
        daemon.wait_for_routes(STEADY, "update", STEADY_ROUTES)
        yield daemon, zmq_port, http_port


@pytest.fixture
def glass(target_of_all: tuple[Target, int, int]) -> Glass:
    """The daemon, of which nothing is wrong so far."""
    return Glass(*target_of_all)


def test_no_answer_is_wrong_whatever_else_goes_on(glass: Glass) -> None:
    before = glass.daemon.resident
    work: list[tuple[Callable[..., None], tuple[object, ...]]] = [
        (inquire, (glass, ByZmq, 1)),
        (inquire, (glass, ByHttp, 2)),
        *((flap, (glass, source)) for source in FLAPPING),
        (harass, (glass,)),
    ]
    threads = [threading.Thread(target=target, args=args, daemon=True) for target, args in work]
    for thread in threads:
        thread.start()
    due = time.monotonic() + SECONDS
    try:
        with deaf_clients(glass, 25):
            while time.monotonic() < due and not glass.over.wait(0.3):
                os.kill(glass.daemon.pid, signal.SIGUSR2)
        wanted = {"exact", "longest", "more-specific", "count", "pages", "peers"}
        eventually(lambda: wanted <= glass.right.keys() or glass.over.is_set(), 3 * PATIENCE, "answers of each kind")
    finally:
        glass.over.set()
        for thread in threads:
            thread.join(3 * PATIENCE)
    assert glass.wrong == []
    assert not any(thread.is_alive() for thread in threads)
    assert min(glass.confirmed.values()) > 0
    eventually(lambda: glass.daemon.resident < before + GROWTH, PATIENCE, "memory to come back")
    metrics = scrape(glass)
    assert metrics["routed_bgp_peer_routes"] >= STEADY_ROUTES
    assert metrics["routed_http_bugs_total"] == metrics["routed_looking_glass_bugs_total"] == 0
    assert metrics["routed_http_unauthorized_total"] > 0


def scrape(glass: Glass) -> dict[str, float]:
    """Read the metrics as Prometheus does; those of one name are added."""
    connection = http.client.HTTPConnection("127.0.0.1", glass.http_port, timeout=PATIENCE)
    connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    text = connection.getresponse().read().decode()
    connection.close()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def test_a_hundred_clients_at_once(glass: Glass) -> None:
    """Each has its answers, over ZeroMQ and over HTTP, all of them right."""

    def ask(make: type[Client], number: int) -> None:
        client = make(glass)
        for again in range(3):
            asked = network(STEADY, number * 37 + again)
            [route] = client.ask(ip_prefix=asked, match="exact")["rows"]
            glass.check("hundred", route["ip_prefix"] == asked, route)
        client.close()

    crowd = [threading.Thread(target=ask, args=(make, number)) for number in range(50) for make in (ByZmq, ByHttp)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join(3 * PATIENCE)
    assert (glass.wrong, glass.right) == ([], {"hundred": 300})


def test_who_is_ready_says_so_and_who_has_no_token_is_told(glass: Glass) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", glass.http_port, timeout=PATIENCE)
    for path, status in (("/ready", 200), ("/health", 200), ("/metrics", 401), ("/peers", 401), ("/nothing", 404)):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert (answer.read() != b"", answer.status) == (True, status)


def test_a_request_that_trickles_in_is_ended(glass: Glass) -> None:
    """An octet now and then keeps no connection open, and nobody waits for it."""
    before = scrape(glass)["routed_http_timeouts_total"]
    with socket.create_connection(("127.0.0.1", glass.http_port)) as wire:
        wire.settimeout(0.5)
        wire.sendall(b"GET /health HTTP/1.1\r\nX: ")

        def is_ended() -> bool:
            try:
                wire.sendall(b"x")
                return wire.recv(100) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        eventually(is_ended, PATIENCE, "the end of the connection")
    assert scrape(glass)["routed_http_timeouts_total"] == before + 1
