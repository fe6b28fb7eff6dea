"""Who asks a ZeroMQ server again and again, on the loopback, turned by hand."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.auth

from routed.plumbing import zeromq_asker, zeromq_warden
from routed.plumbing.lifecycle import StartError
from routed.plumbing.values import Endpoint
from routed.plumbing.zeromq import ReplyTo, ZmqServer
from routed.plumbing.zeromq_asker import PATIENCE, PAUSE, SHORT_PAUSE, ZmqAsker
from routed.plumbing.zeromq_settings import Asked, ZmqSettings
from routed.plumbing.zeromq_socket import MAX_FRAME, MAX_FRAMES
from tests.ports import idle_port
from tests.routed.plumbing.test_zeromq import LOOPBACK, Reactor
from tests.routed.plumbing.test_zeromq import PATIENCE as MOST


class Rig:
    """An asker and, at its place, a server once it is opened."""

    def __init__(self, port: int, **known: Any) -> None:
        self.reactor, self.port = Reactor(), port
        self.answers: list[list[bytes]] = []
        self.said: list[str] = []
        self.verdicts: list[bool | ValueError] = []
        self.server: ZmqServer | None = None
        self.reply: Callable[[bytes], list[bytes] | None] = lambda question: [b"answer to " + question]
        asked = Asked(place=Endpoint("127.0.0.1", port), **known)
        self.asker = ZmqAsker(self.reactor, asked, lambda: b"question", self._take, self.said.append)

    def _take(self, frames: list[bytes]) -> bool:
        self.answers.append(frames)
        verdict = self.verdicts.pop(0) if self.verdicts else False
        if isinstance(verdict, ValueError):
            raise verdict
        return verdict

    def serve(self, **facts: Any) -> None:
        settings = ZmqSettings(address=LOOPBACK, port=self.port, **facts)
        self.server = ZmqServer(self.reactor, settings, self._answer)
        self.server.start()

    def _answer(self, frames: list[bytes], reply: ReplyTo) -> None:
        answer = self.reply(frames[0])
        if answer is not None:
            reply.send(answer)

    def turn(self, until: Callable[[], object]) -> None:
        """Let everybody read, and time stand but for what is due at once, until something is so."""
        patience = time.monotonic() + MOST
        while not until():
            assert time.monotonic() < patience
            for reader in list(self.reactor.readers):
                if reader in self.reactor.readers:
                    reader.doRead()  # type: ignore[attr-defined]
            self.reactor.advance(0)
            time.sleep(0.001)

    def close(self) -> None:
        self.asker.stop()
        if self.server is not None:
            self.server.stop()


@pytest.fixture(name="rig")
def a_rig() -> Iterator[Rig]:
    with idle_port() as port:
        rig = Rig(port)
        yield rig
        rig.close()


def test_the_next_question_comes_after_a_pause_or_at_once(rig: Rig) -> None:
    rig.serve()
    rig.verdicts = [True, False]
    rig.asker.start()
    rig.turn(lambda: len(rig.answers) == 1)
    rig.reactor.advance(SHORT_PAUSE)
    rig.turn(lambda: len(rig.answers) == 2)
    rig.reactor.advance(SHORT_PAUSE)
    assert rig.asker.counters.questions == 2
    rig.reactor.advance(PAUSE)
    rig.turn(lambda: len(rig.answers) == 3)
    assert rig.answers == [[b"answer to question"]] * 3
    assert rig.said == ["answers"]


def test_a_server_that_is_not_there_is_asked_until_it_is(rig: Rig) -> None:
    rig.asker.start()
    for _ in range(2):
        rig.reactor.advance(PATIENCE)
    assert (rig.asker.counters.late, rig.said) == (2, ["no answer within 10 s"])
    rig.serve()
    rig.turn(lambda: rig.answers)
    assert rig.said == ["no answer within 10 s", "answers"]


def test_what_is_no_answer_is_counted_and_told_once(rig: Rig) -> None:
    rig.serve()
    rig.verdicts = [ValueError("nonsense"), ValueError("nonsense")]
    rig.asker.start()
    for number in range(1, 4):
        rig.turn(lambda number=number: len(rig.answers) == number)
        rig.reactor.advance(PAUSE)
    assert (rig.asker.counters.refused, rig.asker.counters.answers) == (2, 1)
    assert rig.said == ["what it answers cannot be understood: nonsense", "answers"]


def test_an_answer_of_too_many_frames_is_none(rig: Rig) -> None:
    rig.serve()
    rig.reply = lambda _question: [b""] * MAX_FRAMES
    rig.asker.start()
    rig.turn(lambda: rig.asker.counters.refused)
    assert rig.answers == []


def test_an_answer_that_nobody_waits_for_is_left(rig: Rig) -> None:
    rig.serve()
    rig.reply = lambda _question: None
    rig.asker.start()
    rig.turn(lambda: rig.server is not None and rig.server.counters.requests)
    rig.reactor.advance(PATIENCE)  # the second question goes over another connection
    rig.reply = lambda question: [question]
    rig.turn(lambda: rig.answers)
    assert rig.asker.counters.late == 1


@pytest.mark.parametrize(("password", "is_let_in"), [("right", True), ("wrong", False)])
def test_the_password_must_be_known(password: str, is_let_in: bool) -> None:
    with idle_port() as port:
        rig = Rig(port, user="us", password=password)
        rig.serve(user="us", password="right")
        try:
            rig.asker.start()
            if is_let_in:
                rig.turn(lambda: rig.answers)
            else:
                rig.reactor.advance(PATIENCE)
                assert (rig.said, rig.answers) == (["no answer within 10 s"], [])
        finally:
            rig.close()


@pytest.mark.parametrize("known", ["the same key", "another key", "none"])
def test_one_key_lets_in_who_has_it(tmp_path: Path, known: str) -> None:
    """Each end proves to the other that it has the key: who has another one, or none, learns and tells nothing."""
    _, ours = zmq.auth.create_certificates(tmp_path, "ours")
    _, other = zmq.auth.create_certificates(tmp_path, "other")
    key_file = {"the same key": Path(ours), "another key": Path(other), "none": None}[known]
    with idle_port() as port:
        rig = Rig(port, key_file=key_file)
        rig.serve(server_key_file=Path(ours), one_key_for_all=True)
        try:
            rig.asker.start()
            if known == "the same key":
                rig.turn(lambda: rig.answers)
            else:
                rig.reactor.advance(PATIENCE)
                assert (rig.said, rig.answers) == (["no answer within 10 s"], [])
        finally:
            rig.close()


def test_clients_that_know_where_the_server_is_need_its_key_too(tmp_path: Path) -> None:
    """The public key, which is no secret, with a key of one's own: refused by the server, not by the asker."""
    public, ours = zmq.auth.create_certificates(tmp_path, "ours")
    server_key, _ = zmq.auth.load_certificate(public)
    with idle_port() as port:
        rig = Rig(port)
        rig.serve(server_key_file=Path(ours), one_key_for_all=True)
        context = zmq.Context()
        client = context.socket(zmq.DEALER)
        try:
            client.curve_publickey, client.curve_secretkey = zmq.curve_keypair()
            client.curve_serverkey = server_key
            events = client.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
            client.connect(f"tcp://127.0.0.1:{port}")
            rig.turn(lambda: events.poll(0))
        finally:
            context.destroy(linger=0)
            rig.close()


@pytest.mark.parametrize("which", ["public", "missing", "garbage"])
def test_a_key_that_is_none_is_said(tmp_path: Path, which: str) -> None:
    public, _ = zmq.auth.create_certificates(tmp_path, "server")
    (tmp_path / "garbage").write_text("no key")
    path = Path(public) if which == "public" else tmp_path / which
    with pytest.raises(StartError, match=r"cannot ask 127\.0\.0\.1:1: .*" + path.name):
        Rig(1, key_file=path)


def test_an_answer_without_an_end_is_cut_off(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never ends its message would take all memory: its connection is ended."""
    monkeypatch.setattr(zeromq_warden, "MAX_UNREAD", 1 << 20)
    for module in (zeromq_warden, zeromq_asker):
        monkeypatch.setattr(module, "PATIENCE", float("inf"))  # the clock runs here, and only this is looked for
    with socket.create_server(("127.0.0.1", rig.port)) as listener:
        listener.settimeout(MOST)
        rig.asker.start()
        assert rig.asker._socket is not None
        warden = rig.asker._socket.warden
        server, _ = listener.accept()
        with server:  # by hand: ZMTP 3.0, no mechanism, as a ROUTER
            server.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 1 + 31))
            server.sendall(b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06ROUTER")
            server.settimeout(0.01)

            def is_ended() -> bool:
                with suppress(OSError):  # nobody reads at once, or any more
                    server.sendall(b"\x03" + MAX_FRAME.to_bytes(8, "big") + bytes(MAX_FRAME))
                rig.reactor.advance(0.05)
                return bool(warden.counters.ended)

            rig.turn(is_ended)
