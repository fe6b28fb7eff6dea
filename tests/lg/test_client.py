"""A client and its server, over loopback: answers, and what is said when there is none."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import zmq
import zmq.auth

from lg import connection
from lg.client import Client
from lg.errors import AccessError, GarbledError, LookingGlassError, NoAnswerError, RefusedError
from lg.server import Server
from tests.lg.fake import (
    IMPATIENCE,
    PATIENCE,
    Frames,
    frames,
    growing_patience,
    looking_glass,
    page,
)
from tests.ports import idle_port

NEVER = ["no answer within its time"] * 2
PEER = {"peer_ip_src": "192.0.2.1", "peer_id": "192.0.2.1", "peer_tcp_port": 179, "peer_as": 65001}


def list_peers(_asked: Frames) -> Frames:
    return frames({"results": 1, "query_type": 2}, PEER)


def trouble(server: Server, *, timeout: float = 600) -> LookingGlassError:
    """What goes wrong when this server is asked; long before the time is over, when nothing else is said."""
    with Client(server, timeout=timeout) as client, pytest.raises(LookingGlassError) as caught:
        client.peers()
    return caught.value


def says(server: Server, words: str) -> NoAnswerError:
    """What goes wrong when nothing answers, once there was time enough to see how far it went."""
    error = growing_patience(lambda timeout: trouble(server, timeout=timeout), lambda error: words in str(error))
    assert words in str(error)
    assert isinstance(error, NoAnswerError)
    return error


def has_peers(server: Server) -> bool:
    with Client(server, timeout=PATIENCE) as client:
        return client.peers().rows == (PEER,)


@contextmanager
def listener(says: bytes | None) -> Iterator[Server]:
    """Something else than a looking glass: it says this and goes, or says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted = []

        def accept() -> None:
            while True:
                try:
                    accepted.append(server.accept()[0])
                except OSError:
                    return
                if says is not None:
                    accepted[-1].sendall(says)
                    accepted[-1].close()

        threading.Thread(target=accept, daemon=True).start()
        yield Server(port=server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        for each in accepted:
            each.close()


def test_peers_are_listed() -> None:
    with looking_glass(list_peers) as server, Client(server, timeout=PATIENCE) as client:
        assert client.peers().rows == (PEER,)
        assert client.peers().frames[0] == b'{"results":1,"query_type":2}'


def test_one_connection_serves_many_questions() -> None:
    def echo(asked: Frames) -> Frames:
        return frames({"results": 1, "query_type": 1}, asked[1])

    with looking_glass(echo) as server, Client(server, timeout=PATIENCE) as client:
        for prefix in ("192.0.2.1", "198.51.100.0/24", "2001:db8::"):
            assert client.lookup(prefix, "203.0.113.1").rows == ({"ip_prefix": prefix, "peer_ip_src": "203.0.113.1"},)


def test_a_search_is_followed_to_its_end() -> None:
    def reply(asked: Frames) -> Frames:
        start = int(json.loads(asked[1]).get("cursor", 0))
        return page([{"n": start}], **({"cursor": str(start + 1)} if start < 3 else {}))

    with looking_glass(reply) as server, Client(server, timeout=PATIENCE) as client:
        assert [row["n"] for answer in client.pages({}) for row in answer.rows] == [0, 1, 2, 3]
        assert [row["n"] for answer in client.pages({}, 2) for row in answer.rows] == [0, 1]
        assert client.search({"limit": 7}).cursor == "1"


def test_a_server_that_never_answers_is_given_up() -> None:
    def attempt(timeout: float) -> list[str]:
        said = []
        with Client(server, timeout=timeout) as client:
            for _ in range(2):
                with pytest.raises(NoAnswerError) as caught:
                    client.peers()
                said.append(str(caught.value).replace(f"{timeout:g} s", "its time"))
        return said

    with looking_glass(lambda _: None) as server:
        assert growing_patience(attempt, NEVER.__eq__) == NEVER


def test_a_late_answer_is_not_taken_for_that_of_the_next_question() -> None:
    late = threading.Event()

    def reply(asked: Frames) -> Frames:
        if json.loads(asked[0])["query_type"] == 2:
            late.wait(PATIENCE)
            return list_peers(asked)
        return frames({"results": 0, "query_type": 1, "text": "prefix not found"})

    with looking_glass(reply) as server, Client(server, timeout=IMPATIENCE) as client:
        with pytest.raises(NoAnswerError):
            client.peers()
        late.set()
        client._broker._timeout = PATIENCE
        assert client.lookup("192.0.2.1", "192.0.2.1").text == "prefix not found"


def test_nobody_listens() -> None:
    with idle_port() as port:
        error = trouble(Server(port=port), timeout=IMPATIENCE)
    assert isinstance(error, NoAnswerError)
    assert str(error).startswith("no connection within 0.2 s: nothing listens there")


def test_a_connection_has_less_time_than_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def attempt(patience: float) -> str:
        monkeypatch.setattr(connection, "CONNECT_PATIENCE", patience)
        return str(trouble(server))

    with listener(None) as server:
        assert "does not talk ZeroMQ" in growing_patience(attempt, lambda said: "ZeroMQ" in said)


@pytest.mark.parametrize(
    "greeting", [None, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" + bytes(8) + b"\x7f\x03\x00", b""]
)
def test_something_else_listens(greeting: bytes | None) -> None:
    with listener(greeting) as server:
        says(server, "ZeroMQ")


def test_a_host_that_has_no_address() -> None:
    with Client(Server(host="a..b"), timeout=IMPATIENCE) as client, pytest.raises(NoAnswerError, match="no address"):
        client.peers()


def test_a_password_lets_in() -> None:
    with looking_glass(list_peers, password="secret") as server:
        assert has_peers(replace(server, user="user", password="secret"))


@pytest.mark.parametrize(("user", "password"), [("user", "wrong"), ("nobody", "secret"), ("user", ""), ("", "secret")])
def test_a_wrong_password_is_told_at_once(user: str, password: str) -> None:
    with looking_glass(list_peers, password="secret") as server:
        error = trouble(replace(server, user=user, password=password))
    assert isinstance(error, AccessError)
    assert "does not accept the user and password" in str(error)


def test_a_missing_password_is_told_at_once() -> None:
    with looking_glass(list_peers, password="secret") as server:
        error = trouble(server)
    assert isinstance(error, AccessError)
    assert "wants other credentials" in str(error)


def test_a_password_that_nobody_asked_for_is_told() -> None:
    with looking_glass(list_peers) as server:
        error = trouble(replace(server, user="user", password="secret"))
    assert isinstance(error, AccessError)
    assert "wants other credentials" in str(error)


def test_a_password_has_a_bound() -> None:
    with looking_glass(list_peers, password="p" * 255) as server:
        assert has_peers(replace(server, user="user", password="p" * 255))
        assert "a password of more than 255 octets" in str(trouble(replace(server, user="user", password="p" * 256)))


def test_keys_let_in(tmp_path: Path) -> None:
    public_file, secret_file = zmq.auth.create_certificates(tmp_path, "glass")
    public, secret = zmq.auth.load_certificate(secret_file)
    assert secret is not None
    mine = Path(zmq.auth.create_certificates(tmp_path, "client")[1])
    with looking_glass(list_peers, keys=(public, secret)) as server:
        known = replace(server, server_key=Path(public_file))
        assert has_peers(known)
        assert has_peers(replace(known, client_key=mine))
        other = replace(server, server_key=tmp_path / "client.key")
        says(other, "other credentials")
        assert "has no secret key" in str(trouble(replace(known, client_key=Path(public_file))))
        assert "missing" in str(trouble(replace(server, server_key=tmp_path / "missing")))


def test_a_record_that_is_too_long_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_FRAME", 1_000)

    def reply(asked: Frames) -> Frames:
        return frames({"results": 1, "query_type": 1}, {"pad": "x" * int(json.loads(asked[1])["ip_prefix"])})

    with looking_glass(reply) as server, Client(server, timeout=PATIENCE) as client:
        assert client.lookup(str(1_000 - len('{"pad":""}')), "").rows
        with pytest.raises(NoAnswerError, match="or a record is above 1000 octets"):
            client.lookup(str(1_001 - len('{"pad":""}')), "")


def test_a_server_that_ends_is_told_and_asked_again_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with idle_port() as port, Client(Server(port=port), timeout=PATIENCE) as client:
        with looking_glass(list_peers, port=port):
            client.peers()
        monkeypatch.setattr(connection, "CONNECT_PATIENCE", IMPATIENCE)
        with pytest.raises(NoAnswerError):  # what it says depends on whether its end is seen before it is asked
            client.peers()
        with pytest.raises(NoAnswerError, match="no connection"):
            client.peers()
        monkeypatch.setattr(connection, "CONNECT_PATIENCE", PATIENCE)
        with looking_glass(list_peers, port=port):
            assert client.peers().rows == (PEER,)


@pytest.mark.parametrize("octets", [[b"nonsense"], frames({"results": 0})])
def test_what_is_no_answer_is_told(octets: Frames) -> None:
    with looking_glass(lambda _: octets) as server:
        assert isinstance(trouble(server), GarbledError)


def test_a_server_that_knows_no_searches_is_told() -> None:
    answer = frames({"results": 0, "query_type": 0, "text": "unsupported query_type"})
    with (
        looking_glass(lambda _: answer) as server,
        Client(server, timeout=PATIENCE) as client,
        pytest.raises(RefusedError, match="it answers only what pmacct asks"),
    ):
        client.search({})
