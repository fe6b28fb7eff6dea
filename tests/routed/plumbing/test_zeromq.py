"""A ZeroMQ server with real clients on the loopback, turned by hand."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.auth
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zmq.utils.monitor import recv_monitor_message

from routed.plumbing import zeromq as module
from routed.plumbing import zeromq_warden as warden
from routed.plumbing.zeromq import QUEUED, ReplyTo, ZmqError, ZmqServer
from routed.plumbing.zeromq_settings import ZmqSettings
from routed.plumbing.zeromq_socket import MAX_FRAME, MAX_FRAMES, ReactorSocket
from tests.ports import idle_port
from tests.routed.service.doubles import bugs_logged

LOOPBACK = IPv4Address("127.0.0.1")
#: Seconds until something that shall come has not.
PATIENCE = 60.0


class Reactor(Clock):
    """Knows who reads."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self.readers: list[object] = []

    def addReader(self, reader: object) -> None:  # noqa: N802
        self.readers.append(reader)

    def removeReader(self, reader: object) -> None:  # noqa: N802
        self.readers.remove(reader)


class Rig:
    """A server that answers with what it was asked, and its clients."""

    def __init__(self, **facts: Any) -> None:
        self.reactor, self.context, self.asked = Reactor(), zmq.Context(), list[list[bytes]]()
        self.clients: list[zmq.Socket[bytes]] = []  # who is forgotten is closed
        self._held = idle_port(str(facts.get("address", LOOPBACK)))
        self.port = self._held.__enter__()
        self.answer: Callable[[list[bytes]], list[bytes]] = lambda frames: frames
        self.server = ZmqServer(
            self.reactor, ZmqSettings(**{"address": LOOPBACK, "port": self.port, **facts}), self.take
        )
        self.server.start()

    def take(self, frames: list[bytes], reply: ReplyTo) -> None:
        self.asked.append(frames)
        reply.send(self.answer(frames))

    def client(self, kind: int = zmq.REQ, watched: int = 0, **options: Any) -> zmq.Socket[bytes]:
        client = self.context.socket(kind)
        client.linger = 0
        for name, value in options.items():
            setattr(client, name, value)
        if watched:
            self.events = client.get_monitor_socket(watched)  # before there is anything to miss
        client.connect(f"tcp://127.0.0.1:{self.port}")
        self.clients.append(client)
        return client

    def turn(self) -> None:
        self.server._socket.doRead()
        self.server.warden.doRead()
        self.reactor.advance(0.005)
        time.sleep(0.001)

    def until(self, ask: Callable[[], object]) -> bool:
        """Turn until the answer is yes; whether it came."""
        due = time.monotonic() + PATIENCE
        while not ask():
            if time.monotonic() > due:
                return False
            self.turn()
        return True

    def ask(self, client: zmq.Socket[bytes], *frames: bytes) -> list[bytes]:
        client.send_multipart(frames)
        assert self.until(lambda: client.poll(0)), "no answer"
        return client.recv_multipart()

    def refused(self, event: int, **options: Any) -> bool:
        """Whether a client that asks hears of this event of its connection."""
        client = self.client(watched=event, **options)
        with suppress(zmq.Again):  # it may be over already
            client.send(b"x", zmq.NOBLOCK)
        return self.until(lambda: self.events.poll(0)) and recv_monitor_message(self.events)["event"] == event

    def close(self) -> None:
        if self.reactor.readers:
            self.server.stop()
        self.context.destroy(linger=0)
        self._held.__exit__(None, None, None)


@pytest.fixture
def new_rig() -> Iterator[Callable[..., Rig]]:
    """Make rigs; those of a test that fails are closed too, since a context that is left waits for ever."""
    rigs: list[Rig] = []

    def make(**facts: Any) -> Rig:
        rigs.append(Rig(**facts))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


@pytest.fixture
def rig(new_rig: Callable[..., Rig]) -> Rig:
    return new_rig()


def test_a_request_has_its_answer(rig: Rig) -> None:
    client = rig.client()
    assert rig.ask(client, b"header", b"question") == [b"header", b"question"]
    assert rig.ask(client, b"") == [b""]
    assert rig.asked == [[b"header", b"question"], [b""]]
    assert (rig.server.counters.requests, rig.server.counters.answers) == (2, 2)
    assert rig.reactor.readers == [rig.server._socket, rig.server.warden]
    assert rig.server._socket.fileno() >= 0
    assert rig.server._socket.logPrefix() == "zeromq"


def test_a_client_may_ask_much_before_it_reads(rig: Rig) -> None:
    client = rig.client(zmq.DEALER)
    for number in range(100):
        client.send_multipart([b"", b"%d" % number])
    answers: list[bytes] = []

    def read() -> bool:
        while client.poll(0):
            answers.append(client.recv_multipart()[1])
        return len(answers) == 100

    assert rig.until(read)
    assert sorted(answers, key=int) == [b"%d" % number for number in range(100)]


def test_envelopes_of_brokers_are_given_back(rig: Rig) -> None:
    client = rig.client(zmq.DEALER)
    assert rig.ask(client, b"", b"question") == [b"", b"question"]
    assert rig.ask(client, b"hop", b"", b"question") == [b"hop", b"", b"question"]


@pytest.mark.parametrize(
    "frames", [[b"no delimiter"], [b"x"] * (MAX_FRAMES + 10), [b"", *[b"x"] * MAX_FRAMES], [b"x"] * MAX_FRAMES + [b""]]
)
def test_what_has_no_envelope_or_no_end_is_refused(rig: Rig, frames: list[bytes]) -> None:
    client = rig.client(zmq.DEALER)
    client.send_multipart(frames)
    assert rig.until(lambda: rig.server.counters.requests_refused)
    assert rig.asked == []
    assert rig.ask(client, b"", b"again") == [b"", b"again"]


def test_a_frame_may_be_so_long_and_no_longer(rig: Rig) -> None:
    client = rig.client()
    assert rig.ask(client, bytes(MAX_FRAME)) == [bytes(MAX_FRAME)]
    liar = rig.client(watched=zmq.EVENT_DISCONNECTED)
    liar.send(bytes(MAX_FRAME + 1))
    assert rig.until(lambda: rig.events.poll(0))
    assert rig.ask(rig.client(), b"others") == [b"others"]
    assert rig.server.counters.requests == 2


def test_octets_that_are_no_zeromq_cost_their_connection(rig: Rig) -> None:
    with socket.create_connection(("127.0.0.1", rig.port)) as garbage:
        garbage.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(range(256)) * 10)
        assert rig.ask(rig.client(), b"others") == [b"others"]


def test_a_client_that_never_reads_costs_a_few_answers_and_nobody_else(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_LATE", 4)
    rig.answer = lambda frames: [bytes(1 << 20)] if frames == [b"much"] else frames
    deaf = rig.client(zmq.DEALER, rcvhwm=1, rcvbuf=4096)
    for _ in range(3 * QUEUED):
        deaf.send_multipart([b"", b"much"])
    assert rig.until(lambda: rig.server.counters.answers_lost)
    assert rig.ask(rig.client(), b"others") == [b"others"]
    assert len(rig.server._late) <= 4
    assert rig.until(lambda: len(rig.asked) == 3 * QUEUED + 1)
    rig.reactor.advance(2)
    assert rig.server._late == []
    assert rig.server._late_octets == 0
    counters = rig.server.counters
    assert counters.answers + counters.answers_lost == counters.requests


def test_answers_that_wait_are_few_octets(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LATE_OCTETS", 3 << 20)
    rig.answer = lambda _: [bytes(1 << 20)]
    deaf = rig.client(zmq.DEALER, rcvhwm=1, rcvbuf=4096)
    for _ in range(3 * QUEUED):
        deaf.send_multipart([b"", b"much"])
    assert rig.until(lambda: rig.server.counters.answers_lost)
    assert sum(len(b"".join(frames)) for frames, _ in rig.server._late) == rig.server._late_octets <= 3 << 20


def test_an_answer_to_a_client_that_has_gone_is_lost(rig: Rig) -> None:
    ways: list[ReplyTo] = []
    rig.server._answer = lambda _, reply: ways.append(reply)
    client = rig.client()
    client.send(b"x")
    assert rig.until(lambda: ways)
    client.close(linger=0)

    def is_lost() -> int:
        ways[0].send([b"late"])
        return rig.server.counters.answers_lost

    assert rig.until(is_lost)


def test_a_bug_costs_its_request(rig: Rig) -> None:
    rig.answer = {}.__getitem__
    rig.client().send(b"x")
    with bugs_logged() as bugs:
        assert rig.until(lambda: rig.server.counters.bugs)
    assert bugs == [("a request to the looking glass", TypeError)]
    rig.answer = lambda frames: frames
    assert rig.ask(rig.client(), b"others") == [b"others"]


def test_a_server_that_stops_answers_no_more_and_gives_its_port_back(rig: Rig) -> None:
    ways: list[ReplyTo] = []
    rig.server._answer = lambda _, reply: ways.append(reply)
    rig.client().send(b"x")
    assert rig.until(lambda: ways)
    rig.server.stop()
    ways[0].send([b"late"])
    rig.server._socket.connectionLost(Failure(ConnectionDone()))
    assert (rig.reactor.readers, rig.reactor.getDelayedCalls(), rig.server._socket.fileno()) == ([], [], -1)
    hurried: list[ReactorSocket] = []
    again = ZmqServer(rig.reactor, ZmqSettings(address=LOOPBACK, port=rig.port), rig.take, hurried.append)
    again.start()
    again.stop()
    assert hurried == [again._socket]


def test_a_port_that_is_taken_is_said(rig: Rig) -> None:
    for facts in ({}, {"user": "u", "password": "p"}):
        with pytest.raises(ZmqError, match=rf"^cannot serve the looking glass on 127\.0\.0\.1:{rig.port}/tcp: "):
            ZmqServer(rig.reactor, ZmqSettings(address=LOOPBACK, port=rig.port, **facts), rig.take)


def test_ipv6(new_rig: Callable[..., Rig]) -> None:
    if not socket.has_ipv6:
        pytest.skip("SKIPPED: no IPv6 here")
    rig = new_rig(address=IPv6Address("::1"))
    client = rig.context.socket(zmq.REQ)
    client.ipv6 = True
    client.connect(f"tcp://[::1]:{rig.port}")
    assert rig.ask(client, b"x") == [b"x"]


# -- connections ------------------------------------------------------------------------------------------------------


def unfinished(rig: Rig) -> socket.socket:
    """A client that has begun a message, by hand: ZMTP 3.0, no mechanism, as a DEALER."""
    while True:
        client = socket.create_connection(("127.0.0.1", rig.port))
        client.settimeout(PATIENCE)
        client.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 1 + 31))
        if len(client.recv(64, socket.MSG_WAITALL)) == 64:  # its greeting; sometimes libzmq hangs up at once
            break
        client.close()
    client.sendall(b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER")
    assert client.recv(1) == b"\x04"  # its READY begins
    client.sendall(b"\x01\x00")  # an empty frame, and more to come
    client.settimeout(0.05)
    return client


def pour(rig: Rig, client: socket.socket, frames: int) -> bool:
    """Send frames of a message without its last; whether the connection was ended."""
    frame = b"\x03" + (MAX_FRAME).to_bytes(8, "big") + bytes(MAX_FRAME)
    for _ in range(frames):
        try:
            client.sendall(frame)
        except OSError as error:
            if not isinstance(error, TimeoutError):
                return True
        rig.turn()
    return False


def test_a_message_that_never_ends_costs_its_connection(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warden, "MAX_UNREAD", 4 << 20)
    polite = rig.client()
    assert rig.ask(polite, b"x") == [b"x"]
    with unfinished(rig) as client:
        assert pour(rig, client, 100_000)
    assert rig.server.warden.counters.ended == 1
    assert rig.ask(polite, b"y") == [b"y"]
    assert rig.asked == [[b"x"], [b"y"]]


def test_many_messages_that_are_whole_cost_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warden, "MAX_UNREAD", 4 * MAX_FRAME)
    client = rig.client()
    for _ in range(20):
        assert rig.ask(client, bytes(MAX_FRAME)) == [bytes(MAX_FRAME)]
        rig.reactor.advance(warden.QUIET_INTERVAL)
    assert rig.server.warden.counters.ended == 0


def test_connections_beyond_the_most_are_ended(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warden, "MAX_ZMQ_CONNECTIONS", 2)
    clients = [rig.client(), rig.client()]
    for client in clients:
        assert rig.ask(client, b"x") == [b"x"]
    third = rig.client(zmq.DEALER, reconnect_ivl=20)

    def is_heard() -> bool:
        with suppress(zmq.Again):
            third.send_multipart([b"", b"late"], zmq.NOBLOCK)  # again: what a connection took with it is lost
        return [b"late"] in rig.asked

    assert rig.until(lambda: rig.server.warden.counters.refused)
    assert rig.ask(clients[0], b"others") == [b"others"]
    clients[1].close(linger=0)  # so that there is room
    assert rig.until(is_heard)
    assert rig.server.warden.counters.open == 2


def test_a_connection_that_says_nothing_has_an_end(rig: Rig) -> None:
    polite = rig.client()
    assert rig.ask(polite, b"x") == [b"x"]
    with unfinished(rig) as client:
        assert rig.until(lambda: rig.server.warden.counters.open == 2)
        rig.reactor.pump([warden.QUIET_INTERVAL] * int(1 + warden.PATIENCE / warden.QUIET_INTERVAL))
        assert rig.until(lambda: rig.server.warden.counters.silent == 1)
        assert rig.until(lambda: is_over(client))
    assert rig.ask(polite, b"y") == [b"y"]


def is_over(client: socket.socket) -> bool:
    """Whether the other end has closed; what it said before does not matter."""
    try:
        return client.recv(4096) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_descriptor_that_is_of_something_else_is_left_alone(rig: Rig) -> None:
    one, other = socket.socketpair()
    with one, other, socket.create_server(("127.0.0.1", 0)) as stranger:
        for descriptor in (one.fileno(), stranger.fileno(), -1):
            rig.server.warden._learn(zmq.EVENT_ACCEPTED, descriptor)
        assert rig.server.warden._connections == {}
        assert warden.received(one) == 0
        one.send(b"x")
        assert other.recv(1) == b"x"


# -- who is let in ----------------------------------------------------------------------------------------------------


def test_a_user_with_the_password_is_let_in_and_nobody_else(new_rig: Callable[..., Rig]) -> None:
    rig = new_rig(user="user", password="secret")
    right = {"plain_username": b"user", "plain_password": b"secret"}
    assert rig.ask(rig.client(**right), b"x") == [b"x"]
    for wrong in ({"plain_password": b"Secret"}, {"plain_username": b"root"}, {"plain_password": b"secret "}):
        assert rig.refused(zmq.EVENT_HANDSHAKE_FAILED_AUTH, **right | wrong)
    assert rig.refused(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
    assert rig.ask(rig.client(**right), b"y") == [b"y"]
    assert rig.asked == [[b"x"], [b"y"]]


class Keys:
    """CURVE certificates in files."""

    def __init__(self, home: Path) -> None:
        self.clients = home / "clients"
        self.clients.mkdir()
        self.public_file, self.secret_file = (Path(name) for name in zmq.auth.create_certificates(home, "server"))
        self.server, _ = zmq.auth.load_certificate(self.public_file)

    def options(self, public: bytes, secret: bytes) -> dict[str, bytes]:
        return {"curve_publickey": public, "curve_secretkey": secret, "curve_serverkey": self.server}

    def known(self) -> dict[str, bytes]:
        public_file, secret_file = zmq.auth.create_certificates(self.clients, "client")
        public, secret = zmq.auth.load_certificate(secret_file)
        assert secret is not None
        Path(secret_file).unlink()
        assert Path(public_file).exists()
        return self.options(public, secret)


def test_a_client_whose_key_is_known_is_let_in_and_nobody_else(tmp_path: Path, new_rig: Callable[..., Rig]) -> None:
    keys = Keys(tmp_path)
    known = keys.known()
    rig = new_rig(server_key_file=keys.secret_file, client_keys=keys.clients)
    assert rig.ask(rig.client(**known), b"x") == [b"x"]
    assert rig.refused(zmq.EVENT_HANDSHAKE_FAILED_AUTH, **keys.options(*zmq.curve_keypair()))
    assert rig.refused(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
    assert rig.asked == [[b"x"]]


def test_without_keys_of_clients_every_encrypted_client_is_let_in(tmp_path: Path, new_rig: Callable[..., Rig]) -> None:
    keys = Keys(tmp_path)
    rig = new_rig(server_key_file=keys.secret_file, user="u", password="p")
    assert rig.ask(rig.client(**keys.options(*zmq.curve_keypair())), b"x") == [b"x"]


@pytest.mark.parametrize("which", ["public", "missing", "garbage"])
def test_a_server_key_that_is_none_is_said(tmp_path: Path, which: str) -> None:
    keys = Keys(tmp_path)
    (tmp_path / "garbage").write_text("no key")
    name = keys.public_file if which == "public" else tmp_path / which
    with pytest.raises(ZmqError, match="cannot serve the looking glass"):
        Rig(server_key_file=name)
