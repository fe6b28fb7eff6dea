"""The other side of TLS: an authority, its certificates, and a client in memory."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.routed.service.doubles import TcpWire

NOW = datetime.now(UTC)


class Authority:
    """Signs certificates; its own is in `<name>.crt`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.path = self._write(name, self._key, self._key, is_authority=True)[0]

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return a certificate and its key."""
        return self._write(name, ec.generate_private_key(ec.SECP256R1()), self._key, is_authority=False)

    def _write(self, name: str, key: Any, signer: Any, *, is_authority: bool) -> tuple[Path, Path]:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

        builder = x509.CertificateBuilder(named(self.name), named(name), key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(NOW - timedelta(1)).not_valid_after(NOW + timedelta(1))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        names = [x509.DNSName("collector"), x509.IPAddress(IPv4Address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate, private = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        private.write_bytes(key.private_bytes(*form))
        return certificate, private


class Router:
    """A TLS client in memory, and the transport between the two."""

    def __init__(self, server: Any, context: ssl.SSLContext) -> None:
        self.server, self.wire = server, TcpWire()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname="collector")
        self.error: ssl.SSLError | None = None
        server.makeConnection(self.wire)

    def attempt(self, step: Callable[[], Any]) -> Any:
        """Take a step, with as many octets back and forth as it takes."""
        for _ in range(10):
            try:
                return step()
            except ssl.SSLWantReadError:
                self.exchange()
            except ssl.SSLError as error:
                self.error = error
                self.exchange()
                return None
        return None

    def exchange(self) -> None:
        if octets := self._out.read():
            self.server.dataReceived(octets)
        self._in.write(self.wire.value())
        self.wire.clear()

    def connect(self) -> "Router":
        self.attempt(self.tls.do_handshake)
        self.exchange()
        return self

    def send(self, octets: bytes) -> None:
        self.tls.write(octets)
        self.exchange()

    def read(self) -> bytes | None:
        self.exchange()
        return self.attempt(lambda: self.tls.read(1 << 16))
