"""TLS on connections that we open: to RPKI caches (RFC 8210 section 9.2).

The server is who its certificate says, by the name or address in its subjectAltName, and an authority of ours vouches
for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from OpenSSL import SSL
from twisted.internet.protocol import ClientFactory
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS, trustRootFromCertificates
from twisted.protocols.tls import TLSMemoryBIOFactory

from routed.service.tls import TlsError, TlsStream

if TYPE_CHECKING:
    from pathlib import Path

    from twisted.internet.interfaces import IAddress, IProtocol, IReactorTime

#: What ends a certificate in a PEM file.
END_OF_CERTIFICATE: Final = b"-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class TlsClientFiles:
    """Whom to trust, and, where the server wants to know, who we are; in PEM."""

    authorities: Path
    certificate: Path | None = None
    private_key: Path | None = None


class TlsClient:
    """Makes TLS connections of TCP ones.

    Raises: TlsError when the files are not what they should be.
    """

    def __init__(self, files: TlsClientFiles, clock: IReactorTime) -> None:
        self._clock = clock
        self._trust = trustRootFromCertificates(read_certificates(files.authorities))  # type: ignore[no-untyped-call]  # bare there
        self._identity: PrivateCertificate | None = None
        if files.certificate is not None and files.private_key is not None:
            both = _read(files.certificate) + b"\n" + _read(files.private_key)
            try:
                self._identity = PrivateCertificate.loadPEM(both)  # type: ignore[no-untyped-call]  # bare there
            except SSL.Error as error:
                raise TlsError(f"[{files.private_key}] is not the private key of [{files.certificate}]") from error

    def wrap(self, host: str, inner: IProtocol) -> IProtocol:
        """Return what speaks TLS with a host for a protocol."""
        options = optionsForClientTLS(host, self._trust, self._identity)
        factory = TLSMemoryBIOFactory(options, True, _One(inner), self._clock)  # noqa: FBT003 (bare there)
        factory.protocol = TlsStream
        return factory.buildProtocol(None)


class _One(ClientFactory):
    """Gives its protocol to the one connection there is."""

    noisy = False

    def __init__(self, inner: IProtocol) -> None:
        self._inner = inner

    def buildProtocol(self, _addr: IAddress | None) -> IProtocol:  # type: ignore[override]  # noqa: N802
        """Return the protocol."""
        return self._inner


def read_certificates(path: Path) -> list[Certificate]:
    """Read all certificates of a file.

    Raises: TlsError.
    """
    pieces = _read(path).split(END_OF_CERTIFICATE)[:-1]
    try:
        found = [Certificate.loadPEM(piece + END_OF_CERTIFICATE + b"\n") for piece in pieces]
    except SSL.Error as error:
        raise TlsError(f"[{path}] no CA certificates") from error
    if not found:
        raise TlsError(f"[{path}] no CA certificates")
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(f"[{path}] cannot be read: {error.strerror}") from error
