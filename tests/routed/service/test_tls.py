"""TLS on a listener: the other side is the standard library's, over loopback or through memory."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from routed.service.clock import DaemonReactor
from routed.service.proxied import Proxied
from routed.service.pump import MAX_LINGER, SessionProtocol
from routed.service.tls import HANDSHAKE_PATIENCE, Handshakes, TlsError, TlsFiles, TlsIdentity, TlsStream
from tests.routed.service.little_session import LittleSession
from tests.routed.service.tls_rig import Authority, Router


class Session(Protocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.on_octets: Callable[[bytes], None] = lambda _octets: None

    def connectionMade(self) -> None:  # noqa: N802
        self.heard.append("made")

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.heard.append(data)
        self.on_octets(data)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008, N802
        self.heard.append(reason.type)

    @property
    def octets(self) -> bytes:
        return b"".join(part for part in self.heard if isinstance(part, bytes))


class Rig:
    """A TLS listener without a port, and who is accepted there."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.session: Any = Session()
        self.authority = Authority(folder, "authority")
        self.server = self.authority.issue("collector")
        self.accepted: list[tuple[str, int]] = []
        self.refused: list[tuple[str, str]] = []
        self.is_welcome = True

    def handshakes(self, authorities: Path | None = None, **options: Any) -> Handshakes:
        self.identity = TlsIdentity(TlsFiles(*self.server, authorities))
        return Handshakes(self.clock, self.identity, self.accept, lambda *words: self.refused.append(words), **options)

    def accept(self, host: str, port: int) -> Any:
        self.accepted.append((host, port))
        return self.session if self.is_welcome else None

    def client_context(self, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.authority.path)
        if certificate is not None:
            context.load_cert_chain(*certificate)
        return context


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def connect(rig: Rig, authorities: Path | None = None, certificate: tuple[Path, Path] | None = None) -> Router:
    server = rig.handshakes(authorities).expect("192.0.2.1", 40000)
    return Router(server, rig.client_context(certificate)).connect()


def test_a_session_begins_when_the_handshake_is_done(rig: Rig) -> None:
    server = rig.handshakes().expect("192.0.2.1", 40000)
    router = Router(server, rig.client_context())
    assert rig.accepted == []
    router.connect()
    assert rig.accepted == [("192.0.2.1", 40000)]
    router.send(b"abc")
    assert rig.session.heard == ["made", b"abc"]
    assert isinstance(rig.session.transport, TlsStream)
    assert not rig.clock.getDelayedCalls()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_newer_versions_are_spoken(rig: Rig, version: ssl.TLSVersion) -> None:
    context = rig.client_context()
    context.minimum_version = context.maximum_version = version
    Router(rig.handshakes().expect("2001:db8::1", 1), context).connect()
    assert rig.accepted == [("2001:db8::1", 1)]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_older_versions_are_not(rig: Rig) -> None:
    context = rig.client_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    router = Router(rig.handshakes().expect("192.0.2.1", 1), context).connect()
    router.server.connectionLost(Failure(ConnectionDone()))
    assert rig.accepted == []
    assert rig.refused == [("192.0.2.1", "TLS handshake failed: unsupported protocol")]


def test_a_client_with_the_right_certificate_is_accepted(rig: Rig) -> None:
    connect(rig, rig.authority.path, rig.authority.issue("router")).send(b"abc")
    assert rig.session.heard == ["made", b"abc"]


@pytest.mark.parametrize("has_one", [False, True])
def test_a_client_without_it_never_becomes_a_session(rig: Rig, tmp_path: Path, has_one: bool) -> None:
    certificate = Authority(tmp_path, "stranger").issue("router") if has_one else None
    router = connect(rig, rig.authority.path, certificate)
    router.read()
    assert router.error is not None
    assert router.wire.disconnecting
    router.server.connectionLost(Failure(ConnectionDone()))
    assert rig.accepted == []
    ((host, reason),) = rig.refused
    assert host == "192.0.2.1"
    assert ("certificate verify failed" if has_one else "peer did not return a certificate") in reason


def test_what_is_not_tls_is_refused(rig: Rig) -> None:
    server, wire = rig.handshakes().expect("192.0.2.1", 1), StringTransport()
    server.makeConnection(wire)
    server.dataReceived(bytes.fromhex("030000000604") + bytes(100))
    server.connectionLost(Failure(ConnectionDone()))
    assert wire.disconnecting
    assert "TLS handshake failed" in rig.refused[0][1]
    assert not rig.clock.getDelayedCalls()


def test_a_handshake_that_takes_too_long_is_reset(rig: Rig) -> None:
    handshakes = rig.handshakes()
    server, wire = handshakes.expect("192.0.2.1", 1), StringTransport()
    server.makeConnection(wire)
    rig.clock.advance(HANDSHAKE_PATIENCE)
    assert rig.refused == [("192.0.2.1", "no whole TLS handshake in 10 s")]
    assert wire.disconnected
    assert handshakes.waiting == 0


def test_only_so_many_handshakes_are_under_way(rig: Rig) -> None:
    handshakes = rig.handshakes(max_waiting=1)
    handshakes.expect("192.0.2.1", 1).makeConnection(StringTransport())
    assert handshakes.waiting == 1
    assert handshakes.expect("192.0.2.2", 1) is None
    handshakes.stop()
    assert handshakes.waiting == 0
    assert handshakes.expect("192.0.2.2", 1) is not None


def test_who_is_not_accepted_is_closed(rig: Rig) -> None:
    rig.is_welcome = False
    assert connect(rig).wire.disconnected


def test_a_renewed_certificate_is_for_new_connections(rig: Rig) -> None:
    handshakes = rig.handshakes()
    first = Router(handshakes.expect("192.0.2.1", 1), rig.client_context()).connect()
    rig.authority.issue("collector")
    rig.identity.take(TlsIdentity(TlsFiles(*rig.server, None)))
    second = Router(handshakes.expect("192.0.2.1", 2), rig.client_context()).connect()
    assert first.tls.getpeercert()["serialNumber"] != second.tls.getpeercert()["serialNumber"]
    first.send(b"abc")
    assert rig.session.octets == b"abc"


def test_a_failed_reload_changes_nothing(rig: Rig) -> None:
    handshakes = rig.handshakes()
    rig.server[0].write_text("not a certificate")
    with pytest.raises(TlsError):
        rig.identity.take(TlsIdentity(TlsFiles(*rig.server, None)))
    Router(handshakes.expect("192.0.2.1", 1), rig.client_context()).connect()
    assert rig.accepted


@pytest.mark.parametrize("which", ["certificate_chain", "private_key", "authorities"])
@pytest.mark.parametrize("how", ["missing", "folder", "empty", "text"])
def test_a_wrong_file_is_named(rig: Rig, tmp_path: Path, which: str, how: str) -> None:
    path = tmp_path / "wrong"
    if how == "folder":
        path.mkdir()
    elif how != "missing":
        path.write_text("" if how == "empty" else "some text\n")
    files = {"certificate_chain": rig.server[0], "private_key": rig.server[1], "authorities": None} | {which: path}
    with pytest.raises(TlsError, match=rf"^\[{path}\] (cannot be read: |no )"):
        TlsIdentity(TlsFiles(**files))


def test_a_key_of_another_certificate_is_named(rig: Rig) -> None:
    other = rig.authority.issue("other")
    with pytest.raises(TlsError, match=rf"^\[{other[1]}\] is not the private key of \[{rig.server[0]}\]$"):
        TlsIdentity(TlsFiles(rig.server[0], other[1]))


def test_an_encrypted_key_is_an_error_and_not_a_question(rig: Rig, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(rig.server[1].read_bytes(), None)
    path, secret = tmp_path / "encrypted.key", serialization.BestAvailableEncryption(b"secret")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    with pytest.raises(TlsError, match=r"encrypted.key\] no private key in PEM without a password"):
        TlsIdentity(TlsFiles(rig.server[0], path))


def test_half_a_close_says_goodbye_and_listens_on(rig: Rig) -> None:
    router = connect(rig)
    rig.session.transport.write(b"last words")
    rig.session.transport.loseWriteConnection()
    assert router.read() == b"last words"
    assert router.read() in (b"", None)
    assert not router.wire.disconnecting
    router.send(b"abc")
    assert rig.session.octets == b"abc"


def test_an_abort_resets_the_connection(rig: Rig) -> None:
    router = connect(rig)
    rig.session.transport.abortConnection()
    assert router.wire.disconnected


def test_a_goodbye_of_the_peer_is_an_end_in_good_order(rig: Rig) -> None:
    router = connect(rig)
    router.attempt(router.tls.unwrap)
    assert router.wire.disconnecting
    router.server.connectionLost(Failure(ConnectionDone()))
    assert rig.session.heard == ["made", ConnectionDone]


def test_an_end_without_a_goodbye_is_a_loss(rig: Rig) -> None:
    connect(rig).server.connectionLost(Failure(ConnectionDone()))
    assert rig.session.heard == ["made", ConnectionLost]


def test_tls_behind_a_proxy_header(rig: Rig) -> None:
    handshakes = rig.handshakes()
    proxied = Proxied(rig.clock, handshakes.expect, lambda *words: rig.refused.append(words))
    router = Router(proxied.expect("10.0.0.1", 1), rig.client_context())
    router.server.dataReceived(b"PROXY TCP4 192.0.2.1 192.0.2.9 179 1790\r\n")
    router.connect().send(b"abc")
    assert rig.accepted == [("192.0.2.1", 179)]
    assert rig.session.octets == b"abc"
    router.attempt(router.tls.unwrap)
    router.server.connectionLost(Failure(ConnectionDone()))
    assert rig.session.heard[-1] is ConnectionDone


@pytest.mark.parametrize("answers", [True, False])
def test_the_pump_of_plain_sessions_drives_these(rig: Rig, answers: bool) -> None:
    """Last words, a goodbye, and a peer that answers it or is reset."""
    little = LittleSession()
    rig.session = SessionProtocol(little, rig.clock, little)
    router = connect(rig)
    assert router.wire.no_delay
    assert router.read() == b"hello"
    router.send(b"a")
    router.send(b"end")
    assert router.read() == b"last words"
    router.send(b"b")
    assert little.heard == ["started", b"a", "told to"]
    assert not router.wire.disconnecting
    if answers:
        router.attempt(router.tls.unwrap)
        router.exchange()
    else:
        rig.clock.advance(MAX_LINGER)
    assert router.wire.disconnecting
    router.server.connectionLost(Failure(ConnectionDone()))
    assert little.heard[-1] == "gone"
    assert not rig.clock.getDelayedCalls()


class Door(Factory):
    """A listener's factory as the daemon has one."""

    noisy = False

    def __init__(self, handshakes: Handshakes) -> None:
        self._handshakes = handshakes

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        assert isinstance(addr, IPv4Address | IPv6Address)
        return self._handshakes.expect(addr.host, addr.port)


class Live:
    """A reactor of its own that listens on loopback, and a client in a thread."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.reactor = rig, DaemonReactor()
        rig.clock = self.reactor
        self.port = self.reactor.listenTCP(0, Door(rig.handshakes()), interface="127.0.0.1")
        self.reactor.startRunning(installSignalHandlers=False)

    def run(self, client: Callable[[ssl.SSLSocket], None]) -> threading.Thread:
        def work() -> None:
            with (
                socket.create_connection(("127.0.0.1", self.port.getHost().port), 20) as plain,
                self.rig.client_context().wrap_socket(plain, server_hostname="collector") as tls,
            ):
                client(tls)

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    def until(self, done: Callable[[], bool]) -> None:
        for _ in range(2000):
            if done():
                return
            self.reactor.iterate(0.01)
        raise AssertionError("it does not happen")

    def close(self) -> None:
        self.port.stopListening()
        self.reactor.iterate(0)
        for reader in (*self.reactor.removeAll(), *self.reactor._internalReaders):
            reader.connectionLost(Failure(ConnectionDone()))
        self.reactor._poller.close()


@pytest.fixture
def live(rig: Rig) -> Iterator[Live]:
    rig = Live(rig)
    yield rig
    rig.close()


class Puller:
    pulls = 0

    def resumeProducing(self) -> None:  # noqa: N802
        self.pulls += 1

    def stopProducing(self) -> None:  # noqa: N802
        self.pulls = -1


def test_over_loopback_a_session_pauses_and_is_pulled_when_everything_is_sent(live: Live) -> None:
    session, got, go_on = live.rig.session, bytearray(), threading.Event()

    def client(tls: ssl.SSLSocket) -> None:
        tls.sendall(b"x" * 3_000_000)
        go_on.wait(20)
        while len(got) < 8_000_000:
            got.extend(tls.recv(1 << 16))
        tls.unwrap()

    session.on_octets = lambda _octets: session.transport.pauseProducing()
    thread = live.run(client)
    live.until(lambda: bool(session.octets))
    session.transport.setTcpNoDelay(True)
    for _ in range(20):
        live.reactor.iterate(0.01)
    assert len(session.octets) <= 1 << 17
    session.on_octets = lambda _octets: None
    session.transport.resumeProducing()
    live.until(lambda: len(session.octets) == 3_000_000)

    puller = Puller()
    session.transport.registerProducer(puller, False)
    assert puller.pulls == 1
    session.transport.write(b"y" * 8_000_000)
    for _ in range(20):
        live.reactor.iterate(0.01)
    assert puller.pulls == 1
    go_on.set()
    live.until(lambda: puller.pulls == 2)
    live.until(lambda: session.heard[-1] is ConnectionDone)
    thread.join(20)
    assert len(got) == 8_000_000
    assert puller.pulls == 2


def test_over_loopback_half_a_close_is_followed_by_the_peers(live: Live) -> None:
    session, got = live.rig.session, bytearray()

    def client(tls: ssl.SSLSocket) -> None:
        tls.sendall(b"abc")
        while octets := tls.recv(1 << 16):
            got.extend(octets)
        tls.unwrap()

    thread = live.run(client)
    live.until(lambda: session.octets == b"abc")
    session.transport.registerProducer(Puller(), False)
    session.transport.write(b"last words")
    session.transport.unregisterProducer()
    session.transport.loseWriteConnection()
    live.until(lambda: session.heard[-1] is ConnectionDone)
    thread.join(20)
    assert got == b"last words"
