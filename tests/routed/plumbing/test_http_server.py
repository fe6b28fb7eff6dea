"""The HTTP server: what it answers, and where every number that a client controls has its end."""

import json
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address as TcpAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.python.failure import Failure

from routed.plumbing import http_server as module
from routed.plumbing.http import MAX_BODY, MAX_PARAMETERS, PART, Asked, HttpError, Page, Reply, in_parts, whole
from routed.plumbing.http_server import IDLE, LINGER, REQUEST_PATIENCE, HttpServer, HttpServerError
from routed.plumbing.http_settings import HttpSettings
from routed.plumbing.http_writer import READING_PATIENCE
from tests.routed.service.collector_rig import Turns
from tests.routed.service.doubles import bugs_logged

TOKEN = "0123456789abcdef"
GET = b"GET /echo?a=1&b=%20x HTTP/1.1\r\nHost: h\r\n\r\n"


class Reactor(MemoryReactor, Turns):
    """A reactor in memory whose turns can be counted."""

    def __init__(self) -> None:
        MemoryReactor.__init__(self)
        Turns.__init__(self)


class Connection(StringTransport):
    """A connection that tells how it ended."""

    aborted = False
    is_full = False  # so that whoever writes is asked to wait

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.is_full and self.producer is not None:
            self.producer.pauseProducing()

    def abortConnection(self) -> None:  # noqa: N802
        self.aborted = self.disconnecting = True

    def loseWriteConnection(self) -> None:  # noqa: N802
        self.half_closed = True

    half_closed = False

    def setTcpNoDelay(self, _enabled: bool) -> None:  # noqa: N802
        pass


class Client:
    """A client of a server in memory."""

    def __init__(self, rig: "Rig", host: str) -> None:
        self.rig = rig
        self.transport = Connection(peerAddress=TcpAddress("TCP", host, 1))
        self.channel = rig.server.buildProtocol(None)
        if self.channel is not None:
            self.channel.makeConnection(self.transport)

    def send(self, octets: bytes) -> "Client":
        self.channel.dataReceived(octets)
        self.rig.settle()
        return self

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The status, headers and body of the one answer."""
        head, _, body = self.transport.value().partition(b"\r\n\r\n")
        self.transport.clear()
        status, *lines = head.decode().split("\r\n")
        return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), body

    def status(self) -> int:
        return self.answer()[0]

    def lose(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))


class Rig:
    """A server with a few pages."""

    def __init__(self, **facts: Any) -> None:
        self.reactor: Any = Reactor()
        self.later: list[Deferred[Reply]] = []
        self.parts: Iterator[bytes] = iter(())
        pages = {
            "/echo": Page(frozenset({"GET", "POST"}), self.echo),
            "/later": Page(frozenset({"GET"}), self.wait),
            "/parts": Page(frozenset({"GET"}), self.stream),
            "/bug": Page(frozenset({"GET"}), self.fail),
            "/open": Page(frozenset({"POST"}), self.echo, is_open=True),
        }
        settings = HttpSettings(**{"address": IPv4Address("127.0.0.1"), "port": 17980, "rate": 0, **facts})
        self.hurried: list[Any] = []
        self.server = HttpServer(self.reactor, settings, pages, self.hurried.append)

    async def echo(self, asked: Asked) -> Reply:
        if asked.body == b"refuse":
            raise HttpError(409, "no", Extra="yes")
        body = asked.body.decode(errors="replace")
        return whole(json.dumps([asked.method, asked.parameters, body, asked.content_type]).encode())

    async def wait(self, _asked: Asked) -> Reply:
        self.later.append(Deferred())
        return await self.later[-1]

    async def stream(self, _asked: Asked) -> Reply:
        return Reply(200, self.parts, "text/plain")

    async def fail(self, _asked: Asked) -> Reply:
        raise KeyError("bug")

    def connect(self, host: str = "192.0.2.1") -> Client:
        return Client(self, host)

    def settle(self) -> None:
        for _ in range(50):
            self.reactor.turn()

    def ask(self, octets: bytes, host: str = "192.0.2.1") -> tuple[int, dict[str, str], bytes]:
        return self.connect(host).send(octets).answer()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def post(body: bytes, *headers: bytes, path: bytes = b"/echo") -> bytes:
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: h", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


# -- requests and answers ---------------------------------------------------------------------------------------------


def test_a_request_is_answered(rig: Rig) -> None:
    status, headers, body = rig.ask(GET)
    assert (status, json.loads(body)) == (200, ["GET", [["a", "1"], ["b", " x"]], "", ""])
    assert headers == {
        "Server": "routed",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }


def test_a_body_is_passed_on(rig: Rig) -> None:
    _, _, body = rig.ask(post(b"{}", b"Content-Type: application/JSON; charset=utf-8"))
    assert json.loads(body) == ["POST", [], "{}", "application/json"]


def test_a_form_is_no_matter(rig: Rig) -> None:
    _, _, body = rig.ask(post(b"a=1", b"Content-Type: multipart/form-data"))
    assert json.loads(body)[1:] == [[], "a=1", "multipart/form-data"]


def test_the_head_of_an_answer_has_no_body(rig: Rig) -> None:
    status, headers, body = rig.ask(GET.replace(b"GET", b"HEAD"))
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    ("request_line", "status", "text"),
    [
        (b"GET /nothing HTTP/1.1", 404, "there is no such page; there are /echo, /later"),
        (b"GET /echo/ HTTP/1.1", 404, "there is no such page"),
        (b"PUT /echo HTTP/1.1", 405, "/echo takes GET, HEAD, POST"),
        (b"HEAD /open HTTP/1.1", 405, ""),
        (b"GET /open HTTP/1.1", 405, "/open takes POST"),
        (b"GET /echo?" + b"&".join([b"a=1"] * (MAX_PARAMETERS + 1)) + b" HTTP/1.1", 400, "query string: "),
        (b"GET /echo?a=%ff HTTP/1.1", 400, "query string: "),
    ],
)
def test_errors_are_json(rig: Rig, request_line: bytes, status: int, text: str) -> None:
    found, headers, body = rig.ask(request_line + b"\r\nHost: h\r\n\r\n")
    assert (found, headers["Content-Type"]) == (status, "application/json")
    assert json.loads(body or b'{"error": ""}')["error"].startswith(text)
    assert rig.server.counters.errors == 1
    if status == 405:
        assert headers["Allow"]


def test_as_many_parameters_as_there_may_be(rig: Rig) -> None:
    assert rig.ask(b"GET /echo?" + b"&".join([b"a=1"] * MAX_PARAMETERS) + b" HTTP/1.1\r\n\r\n")[0] == 200


def test_a_page_may_refuse(rig: Rig) -> None:
    status, headers, body = rig.ask(post(b"refuse"))
    assert (status, headers["Extra"], json.loads(body)) == (409, "yes", {"error": "no"})


def test_a_bug_is_logged_and_answered(rig: Rig) -> None:
    with bugs_logged() as bugs:
        status, _, body = rig.ask(b"GET /bug HTTP/1.1\r\n\r\n")
    assert (status, json.loads(body)["error"]) == (500, "no answer because of a bug, which is in the log")
    assert (bugs, rig.server.counters.bugs) == ([("an HTTP request", KeyError)], 1)


def test_a_connection_takes_one_request_after_the_other(rig: Rig) -> None:
    client = rig.connect()
    client.send(GET + GET)
    assert client.transport.value().count(b"HTTP/1.1 200") == 2
    assert client.send(b"GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n").transport.disconnecting


def test_a_request_may_come_in_pieces(rig: Rig) -> None:
    client = rig.connect()
    for octet in post(b"{}"):
        client.send(bytes([octet]))
    assert client.status() == 200


# -- who may ask ------------------------------------------------------------------------------------------------------


def test_a_token_is_needed_when_there_is_a_file_of_them(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    rig = Rig(token_file=tmp_path / "tokens")
    status, headers, _ = rig.ask(GET)
    assert (status, headers["WWW-Authenticate"], rig.server.counters.unauthorized) == (401, "Bearer", 1)
    assert rig.ask(GET.replace(b"Host: h", b"Authorization: Bearer " + TOKEN.encode()))[0] == 200
    for wrong in (b"Bearer wrong", b"Bearer \xff\xfe", b"Basic " + TOKEN.encode(), b""):
        assert rig.ask(GET.replace(b"Host: h", b"Authorization: " + wrong))[0] == 401
    assert rig.ask(post(b"{}", path=b"/open"))[0] == 200


def test_a_client_that_asks_too_often_has_to_wait() -> None:
    rig = Rig(rate=1)
    assert [rig.ask(GET)[0] for _ in range(3)] == [200, 200, 429]
    assert rig.ask(GET)[1]["Retry-After"] == "1"
    assert rig.server.counters.throttled == 2
    assert rig.ask(GET, "192.0.2.2")[0] == 200
    rig.reactor.advance(1)
    assert rig.ask(GET)[0] == 200


# -- ceilings ---------------------------------------------------------------------------------------------------------


def test_connections_beyond_the_most_are_closed_at_once() -> None:
    rig = Rig(max_connections=2)
    first, _ = rig.connect(), rig.connect()
    assert rig.connect().channel is None
    assert rig.server.counters.connections_refused == 1
    first.lose()
    assert rig.connect().channel is not None


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY, 200), (MAX_BODY + 1, 413)])
def test_a_body_has_an_end(rig: Rig, size: int, status: int) -> None:
    assert rig.ask(post(b"x" * size))[0] == status


def test_a_body_that_says_to_be_too_long_is_refused_before_it_comes(rig: Rig) -> None:
    client = rig.connect().send(b"POST /echo HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
    assert client.status() == 413
    assert client.transport.half_closed
    client.send(b"x" * 1_000_000)
    assert (client.transport.value(), client.transport.aborted) == (b"", False)
    rig.reactor.advance(LINGER)
    assert client.transport.aborted


@pytest.mark.parametrize(("chunks", "status"), [(2, 200), (3, 413)])
def test_a_body_in_chunks_has_an_end(rig: Rig, chunks: int, status: int) -> None:
    chunk = b"%x\r\n" % (MAX_BODY // 2) + b"x" * (MAX_BODY // 2) + b"\r\n"
    octets = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * chunks + b"0\r\n\r\n"
    assert rig.ask(octets)[0] == status


@pytest.mark.parametrize(
    "octets", [b"GET /" + b"x" * 20_000, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5_000, b"\0" * 20_000]
)
def test_a_header_has_an_end(rig: Rig, octets: bytes) -> None:
    client = rig.connect().send(octets)
    assert client.transport.disconnecting


def test_a_request_that_trickles_in_has_an_end(rig: Rig) -> None:
    """An octet a second keeps no connection open."""
    client = rig.connect().send(b"G")
    for _ in range(REQUEST_PATIENCE - 1):
        rig.reactor.advance(1)
        client.send(b"x")
    assert not client.transport.disconnecting
    rig.reactor.advance(1)
    assert client.transport.disconnecting
    assert rig.server.counters.timeouts == 1
    rig.reactor.advance(LINGER)
    assert client.transport.aborted


def test_a_connection_without_a_request_has_an_end(rig: Rig) -> None:
    client = rig.connect().send(GET)
    rig.reactor.advance(IDLE - 1)
    assert not client.transport.disconnecting
    client.send(GET)
    rig.reactor.advance(IDLE - 1)
    assert not client.transport.disconnecting
    rig.reactor.advance(1)
    assert client.transport.disconnecting
    assert rig.server.counters.timeouts == 0


def test_a_request_may_take_its_time_to_be_answered(rig: Rig) -> None:
    client = rig.connect().send(b"GET /later HTTP/1.1\r\n\r\n")
    rig.reactor.advance(10 * IDLE)
    rig.later[0].callback(whole(b"1"))
    assert client.status() == 200


def test_answers_that_wait_for_their_clients_are_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD", 4 * PART)
    clients = [rig.connect().send(b"GET /later HTTP/1.1\r\n\r\n") for _ in range(3)]
    for client, later in zip(clients, rig.later, strict=True):
        client.transport.is_full = True
        later.callback(Reply(200, in_parts([b"x" * PART] * 2), length=2 * PART))
        rig.settle()
    assert [client.transport.value().count(b"x") // PART for client in clients] == [1, 1, 0]
    assert b" 503 " in clients[2].transport.value()
    assert rig.server.held == 4 * PART
    for client in clients[:2]:
        client.transport.is_full = False
        client.transport.producer.resumeProducing()
    rig.settle()
    assert rig.server.held == 0


def test_parts_are_made_as_the_client_takes_them(rig: Rig) -> None:
    made: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(100):
            made.append(number)
            yield b"part"

    rig.parts = parts()
    client = rig.connect()
    client.channel.dataReceived(b"GET /parts HTTP/1.1\r\n\r\n")
    client.transport.producer.pauseProducing()
    rig.settle()
    few = len(made)
    assert few < 5
    client.transport.producer.resumeProducing()
    rig.settle()
    rig.settle()
    rig.settle()
    assert len(made) == 100
    assert client.transport.value().count(b"part") == 100


def test_a_client_that_does_not_read_is_given_up(rig: Rig) -> None:
    rig.parts = (b"part" for _ in iter(int, 1))
    client = rig.connect()
    client.channel.dataReceived(b"GET /parts HTTP/1.1\r\n\r\n")
    client.transport.producer.pauseProducing()
    rig.reactor.advance(READING_PATIENCE - 0.1)
    assert not client.transport.aborted
    rig.reactor.advance(0.1)
    assert client.transport.aborted
    assert rig.server.counters.answers_aborted == 1
    client.lose()
    assert rig.server.open == set()


def test_a_client_that_leaves_ends_its_answer(rig: Rig) -> None:
    rig.parts = (b"part" for _ in iter(int, 1))
    client = rig.connect().send(b"GET /parts HTTP/1.1\r\n\r\n")
    client.lose()
    before = len(client.transport.value())
    rig.settle()
    assert len(client.transport.value()) == before
    assert next(rig.parts, None) is None


def test_an_answer_for_a_client_that_has_left_is_dropped(rig: Rig) -> None:
    client = rig.connect().send(b"GET /later HTTP/1.1\r\n\r\n")
    client.lose()
    rig.later[0].callback(whole(b"1"))
    assert (client.transport.value(), rig.server.held) == (b"", 0)


def test_a_bug_in_the_middle_of_an_answer_ends_the_connection(rig: Rig) -> None:
    def parts() -> Iterator[bytes]:
        yield b"part"
        raise KeyError("bug")

    rig.parts = parts()
    with bugs_logged() as bugs:
        client = rig.connect().send(b"GET /parts HTTP/1.1\r\n\r\n")
    assert (client.transport.aborted, bugs) == (True, [("an HTTP answer", KeyError)])


def test_a_client_that_asks_on_and_on_without_reading_is_not_read(rig: Rig) -> None:
    client = rig.connect()
    client.transport.producer.pauseProducing()
    client.send(GET * 2_000)
    assert client.transport.producerState == "paused"


# -- life -------------------------------------------------------------------------------------------------------------


def test_where_it_listens() -> None:
    rig = Rig(address=IPv6Address("::1"), port=8080)
    [(port, factory, _, interface)] = rig.reactor.tcpServers
    assert (port, factory, interface) == (8080, rig.server, "::1")


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object, **__: object) -> None:
        raise CannotListenError("127.0.0.1", 17980, OSError(98, "Address already in use"))

    monkeypatch.setattr(Reactor, "listenTCP", taken)
    with pytest.raises(HttpServerError, match=r"cannot serve HTTP on 127.0.0.1:17980/tcp: .*already in use"):
        Rig()


def test_the_end_of_the_server_is_the_end_of_its_connections(rig: Rig) -> None:
    idle, busy = rig.connect(), rig.connect().send(b"GET /later HTTP/1.1\r\n\r\n")
    rig.server.stop()
    assert idle.transport.aborted
    assert busy.transport.aborted


def test_chunks_are_joined_to_parts() -> None:
    assert list(in_parts([b"a", b"b"])) == [b"ab"]
    assert [len(part) for part in in_parts([b"x" * (PART - 1)] * 3)] == [2 * (PART - 1), PART - 1]
    assert list(in_parts([])) == []


@given(
    octets=st.lists(
        st.sampled_from([GET, b"\r\n", b":", b"POST /echo HTTP/1.1\r\n", b"Content-Length: 3\r\n"])
        | st.binary(max_size=20)
    )
)
def test_any_octets_cost_no_more_than_a_connection(octets: list[bytes]) -> None:
    rig = Rig()
    client = rig.connect()
    for part in octets:
        if client.transport.disconnecting:
            break
        client.send(part)
    client.lose()
    assert (rig.server.open, rig.server.held, rig.server.counters.bugs) == (set(), 0, 0)


def test_connections_are_in_a_hurry(rig: Rig) -> None:
    client = rig.connect()
    assert rig.hurried == [client.channel.transport]
    assert client.channel.transport.producerState == "producing"
