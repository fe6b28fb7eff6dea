"""TLS on a listener: 1.2 and newer, from files as other daemons have them, read again while the daemon runs.

A session begins when the handshake is done, so who has no acceptable certificate never becomes a session.

What TLS transports lack, and what stands in for it:

- closing our direction alone: our close_notify goes out, and what the peer sends is read until it closes;
- pull producers, which Twisted would call without end: here one is called when the kernel has taken everything.

A paused session may still hear what was decrypted with the octets before: at most one read of the socket.
"""

# ruff: noqa: N802 (Twisted's names are camelCase)

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet import address, protocol
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHandshakeListener,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IPullProducer,
    IReactorTime,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from routed.plumbing.lifecycle import StartError
from routed.service.handover import Accept, Handover, OnRefused, WaitingRoom

#: Seconds that a handshake may take from the connection on.
HANDSHAKE_PATIENCE: Final = 10.0
#: Handshakes under way; each costs memory, and processor time that a stranger can make us spend.
MAX_HANDSHAKES: Final = 512

_OPTIONS: Final = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET | SSL.OP_CIPHER_SERVER_PREFERENCE


class TlsError(StartError):
    """The files do not make a TLS server; the text names the one that is wrong."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the server's identity is, in PEM; with `authorities`, clients must have a certificate signed by one."""

    certificate_chain: Path
    private_key: Path
    authorities: Path | None = None


@implementer(IOpenSSLServerConnectionCreator)
class TlsIdentity:
    """What new connections present and demand; those that exist keep what they began with."""

    def __init__(self, files: TlsFiles) -> None:
        """Read the files; TlsError when that is not possible."""
        self._context = _make_context(files)

    def take(self, other: Self) -> None:
        """Be, for new connections, what another identity is."""
        self._context = other._context

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:  # noqa: ARG002, N803
        """Make OpenSSL's side of a connection."""
        return SSL.Connection(self._context, None)


class Handshakes:
    """The TLS connections of a listener whose handshake is under way.

    `accept` takes the TCP address and port once the handshake is done.
    """

    def __init__(
        self,
        clock: IReactorTime,
        identity: TlsIdentity,
        accept: Accept,
        on_refused: OnRefused,
        *,
        max_waiting: int = MAX_HANDSHAKES,
    ) -> None:
        self._room = WaitingRoom(
            clock, accept, on_refused, what="TLS handshake", patience=HANDSHAKE_PATIENCE, limit=max_waiting
        )
        self._factory = TLSMemoryBIOFactory(identity, False, _Threshold(self._room), clock)  # noqa: FBT003 (bare there)
        self._factory.protocol = TlsStream

    def expect(self, host: str, port: int) -> IProtocol | None:
        """Return what makes the handshake with a connection from there, or None when too many are under way."""
        if not self._room.has_room(host):
            return None
        kind = address.IPv6Address if ":" in host else address.IPv4Address
        return self._factory.buildProtocol(kind("TCP", host, port))

    @property
    def waiting(self) -> int:
        """Handshakes under way."""
        return len(self._room.waiting)

    def stop(self) -> None:
        """Reset the connections whose handshake is under way."""
        self._room.stop()


class _Threshold(protocol.ServerFactory):
    """Twisted's side of what waits behind a handshake."""

    noisy = False

    def __init__(self, room: WaitingRoom) -> None:
        self._room = room

    def buildProtocol(self, addr: IAddress | None) -> protocol.Protocol:
        """Make what waits."""
        assert isinstance(addr, address.IPv4Address | address.IPv6Address), "made by Handshakes"
        return _Waiting(self._room, addr.host, addr.port)


@implementer(IHandshakeListener)
class _Waiting(Handover):
    """One connection: its handshake first, then its session."""

    def settle(self, octets: bytes) -> None:
        """Never be called: there are no octets before the handshake is done."""

    def handshakeCompleted(self) -> None:
        """Let the session begin."""
        if self.is_waiting:
            self.begin(self.host, self.port)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the session, or say why there is none."""
        if self.is_waiting and isinstance(reason.value, SSL.Error):
            self.room.on_refused(self.host, f"TLS handshake failed: {explain_tls(reason.value)}")
        super().connectionLost(reason)


class TlsStream(TLSMemoryBIOProtocol):
    """A TLS transport that can do what a session asks of a TCP one."""

    def __init__(self, factory: TLSMemoryBIOFactory, wrapped: IProtocol) -> None:
        super().__init__(factory, wrapped)  # type: ignore[no-untyped-call]  # Twisted leaves it bare
        self._puller: IPullProducer | None = None
        self._drain: _Drain | None = None

    def loseWriteConnection(self) -> None:
        """Say that we say no more; the peer is read until it closes."""
        self.loseConnection()  # type: ignore[no-untyped-call]  # the same

    def registerProducer(self, producer: IPullProducer, streaming: bool) -> None:
        """Let a pull producer know now, and whenever everything is sent."""
        if streaming:
            super().registerProducer(producer, streaming)  # type: ignore[no-untyped-call]  # the same
            return
        self._puller = producer
        producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Let it know no more."""
        if self._puller is None:
            super().unregisterProducer()  # type: ignore[no-untyped-call]  # the same
        self._puller = None

    def write(self, octets: bytes) -> None:
        """Send octets."""
        super().write(octets)  # type: ignore[no-untyped-call]  # the same
        if self._puller is not None and self._drain is None and self.connected and not self.disconnecting:
            self._drain = _Drain(cast("IConsumer", self.transport), self._drained)

    def _drained(self) -> None:
        self._drain = None
        if self._puller is not None:
            self._puller.resumeProducing()


@implementer(IPullProducer)
class _Drain:
    """Waits once for a TCP transport to have sent everything; a producer that stayed would keep it from closing."""

    def __init__(self, transport: IConsumer, on_drained: Callable[[], None]) -> None:
        self._transport, self._on_drained = transport, on_drained
        self._is_registered = False
        transport.registerProducer(self, False)  # noqa: FBT003 (as in its interface)
        self._is_registered = True

    def resumeProducing(self) -> None:
        """Hear that nothing waits to be sent; the first time that is only a greeting."""
        if self._is_registered:
            self._transport.unregisterProducer()
            self._on_drained()

    def stopProducing(self) -> None:
        """Hear that the connection is gone."""


def _make_context(files: TlsFiles) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(_OPTIONS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"routed")  # a client that tries to resume is to make a whole handshake, not to fail
    _load(files.certificate_chain, "certificate chain", context.use_certificate_chain_file)
    try:
        _use_key(context, files.private_key)
        context.check_privatekey()
    except SSL.Error as error:
        raise TlsError(f"[{files.private_key}] is not the private key of [{files.certificate_chain}]") from error
    if files.authorities is not None:
        _load(files.authorities, "CA certificates", context.load_verify_locations)
        context.load_client_ca(bytes(files.authorities))
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    return context


def _use_key(context: SSL.Context, path: Path) -> None:
    """Read a key here: OpenSSL would ask for the password of an encrypted one at the terminal."""
    try:
        context.use_privatekey(load_pem_private_key(path.read_bytes(), None))  # type: ignore[arg-type]  # checked there
    except OSError as error:
        raise TlsError(f"[{path}] cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TlsError(f"[{path}] no private key in PEM without a password") from error


def _load(path: Path, what: str, load: Callable[[str], None]) -> None:
    """Read a file the way OpenSSL does, and say what is wrong with it the way people do."""
    try:
        path.open("rb").close()
        load(str(path))
    except OSError as error:
        raise TlsError(f"[{path}] cannot be read: {error.strerror}") from error
    except SSL.Error as error:
        raise TlsError(f"[{path}] no {what}: {explain_tls(error)}") from error


def explain_tls(error: SSL.Error) -> str:
    """Return OpenSSL's words for what went wrong."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else ()
    return ", ".join(reason for _, _, reason in reasons) or "unexpected end"
