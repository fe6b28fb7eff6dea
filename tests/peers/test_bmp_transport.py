"""What carries a BMP session: IPv6, TCP-MD5 (RFC 2385), PROXY headers, TLS; and who is let in."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.peers.bmp_octets import initiation, termination, usual_session
from tests.peers.bmp_station import LoopbackStation, loopback_station
from tests.peers.collector import PATIENCE
from tests.peers.raw_speaker import RawSession
from tests.peers.waiting import eventually
from tests.ports import reserved_port

PORT: Final = reserved_port()
ROUTER: Final = "127.7.0.1"
NETWORK: Final = "198.51.100.0/24"
KEY: Final = b"open-sesame"
_TCP_MD5SIG: Final = 14  # linux/tcp.h

Run = Callable[..., AbstractContextManager[LoopbackStation]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a station with the given keys, all routers in one log."""
    return partial(loopback_station, tmp_path, PORT, bmp_daemon_msglog_file=tmp_path / "messages.json")


def arrives(daemon: LoopbackStation, router: str, network: str = NETWORK) -> None:
    """Wait until a route of a router is logged."""
    daemon.wait_for(router, log_type="update", ip_prefix=network)


def routers(daemon: LoopbackStation) -> set[str]:
    """Return whose sessions are in the log."""
    return {row["bmp_router"] for row in daemon.rows()}


def test_ipv6_carries_a_session(run: Run) -> None:
    """The router is named by its IPv6 address."""
    with run(bmp_daemon_ip="::1") as daemon, RawSession(("::1", PORT), "::1") as session:
        session.send(usual_session(NETWORK))
        arrives(daemon, "::1")


def test_one_listener_serves_both_versions(tmp_path: Path) -> None:
    """IPv4 routers of the dual-stack listener are logged as IPv4, not as mapped addresses."""
    keys = {"bmp_daemon_ip": "::", "bmp_daemon_msglog_file": tmp_path / "messages.json"}
    with (
        loopback_station(tmp_path, PORT, **keys) as daemon,
        RawSession(("::1", PORT), "::1") as six,
        RawSession(("127.0.0.1", PORT), ROUTER) as four,
    ):
        for session in (six, four):
            session.send(usual_session(NETWORK))
        for router in ("::1", ROUTER):
            arrives(daemon, router)


# -- who is let in -----------------------------------------------------------------------------------------------------


def test_only_who_is_allowed_gets_in(run: Run, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.write_text("127.7.0.0/24\n127.7.9.9\n")
    with run(bmp_daemon_allow_file=allowed) as daemon:
        with RawSession(daemon.address, "127.7.8.1") as stranger:
            with suppress(ConnectionError):
                stranger.send(usual_session(NETWORK))
            assert stranger.verdict() is None
        for router in (ROUTER, "127.7.9.9"):
            with RawSession(daemon.address, router) as session:
                session.send(usual_session(NETWORK))
                arrives(daemon, router)
        assert routers(daemon) == {ROUTER, "127.7.9.9"}
        daemon.wait_for_text("peer '127.7.8.1' not allowed")


def test_sessions_of_one_address_are_sessions_of_their_own(run: Run) -> None:
    """RFC 7854 3.2 knows no collision: each has its table and goes alone, with its own `delete` rows."""
    networks = [f"198.51.{number}.0/24" for number in range(5)]
    with run() as daemon, ExitStack() as stack:
        sessions = [stack.enter_context(RawSession(daemon.address, ROUTER)) for _ in networks]
        ports = [session.tcp.getsockname()[1] for session in sessions]
        for session, network in zip(sessions, networks, strict=True):
            session.send(usual_session(network))
        for port, network in zip(ports, networks, strict=True):
            daemon.wait_for(ROUTER, bmp_router_port=port, log_type="update", ip_prefix=network)
        sessions[1].close()
        sessions[3].send(termination())
        for number in (1, 3):
            daemon.wait_for(ROUTER, bmp_router_port=ports[number], event_type="log_close")
        deleted = [(row["bmp_router_port"], row["ip_prefix"]) for row in daemon.rows(log_type="delete")]
        assert sorted(deleted) == sorted((ports[number], networks[number]) for number in (1, 3))


def test_as_many_routers_as_there_are_slots(run: Run) -> None:
    """The next one is turned away and told in the log, until one leaves."""
    with run(bmp_daemon_max_peers=3) as daemon, ExitStack() as stack:
        sessions = [stack.enter_context(RawSession(daemon.address, f"127.7.1.{n}")) for n in range(1, 4)]
        for session in sessions:
            session.send(usual_session(NETWORK))
            arrives(daemon, session.source)
        with RawSession(daemon.address, "127.7.1.9") as surplus:
            with suppress(ConnectionError):
                surplus.send(usual_session(NETWORK))
            assert surplus.verdict() is None
        daemon.wait_for_text("Insufficient number of BMP peers has been configured by 'bmp_daemon_max_peers' (3)")
        assert "127.7.1.9" not in routers(daemon)
        sessions[0].close()
        daemon.wait_for("127.7.1.1", event_type="log_close")
        with RawSession(daemon.address, "127.7.1.9") as welcome:
            welcome.send(usual_session(NETWORK))
            arrives(daemon, "127.7.1.9")


# -- TCP-MD5 -----------------------------------------------------------------------------------------------------------


def signed(source: str, target: str, key: bytes, patience: float = PATIENCE) -> socket.socket:
    """Return a socket whose segments to the station are signed with a key (`struct tcp_md5sig` of linux/tcp.h)."""
    address = ip_address(target)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    tcp = socket.socket(family)
    place = struct.pack("=HH4s", family, 0, address.packed) if address.version == 4 else None
    place = place or struct.pack("=HHI16sI", family, 0, 0, address.packed, 0)
    tcp.setsockopt(socket.IPPROTO_TCP, _TCP_MD5SIG, struct.pack("=128sBBHI80s", place, 0, 0, len(key), 0, key))
    tcp.bind((source, 0))
    tcp.settimeout(patience)
    return tcp


@pytest.mark.parametrize(("station", "router"), [("127.0.0.1", ROUTER), ("::1", "::1")])
def test_right_key_is_let_in(run: Run, tmp_path: Path, station: str, router: str) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"! keys of routers\n{router}, {KEY.decode()}\n")
    with run(bmp_daemon_ip=station, bmp_daemon_md5_file=keys) as daemon, signed(router, station, KEY) as tcp:
        tcp.connect((station, PORT))
        tcp.sendall(usual_session(NETWORK))
        arrives(daemon, router)


def test_wrong_key_and_missing_key_are_kept_out(run: Run, tmp_path: Path) -> None:
    """The kernel drops what is not signed right; a router that no key is configured for is not affected."""
    keys = tmp_path / "keys"
    keys.write_text(f"127.7.2.1, {KEY.decode()}\n127.7.2.2, {KEY.decode()}\n")
    with run(bmp_daemon_md5_file=keys) as daemon:
        with signed("127.7.2.1", "127.0.0.1", b"open-barley", 2) as wrong, pytest.raises(TimeoutError):
            wrong.connect(daemon.address)
        with pytest.raises(TimeoutError):
            socket.create_connection(daemon.address, timeout=2, source_address=("127.7.2.2", 0))
        with RawSession(daemon.address, "127.7.2.3") as unaffected:
            unaffected.send(usual_session(NETWORK))
            arrives(daemon, "127.7.2.3")
        assert routers(daemon) == {"127.7.2.3"}


# -- the PROXY protocol ------------------------------------------------------------------------------------------------

V2: Final = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(family: int, addresses: bytes, *, command: int = 0x21, tlvs: bytes = b"") -> bytes:
    """Encode a header of version 2 (section 2.2 of the PROXY protocol)."""
    return V2 + struct.pack("!BBH", command, family, len(addresses + tlvs)) + addresses + tlvs


def ends(source: str, target: str, port: int) -> bytes:
    """Encode source and destination with their ports."""
    return ip_address(source).packed + ip_address(target).packed + struct.pack("!HH", port, PORT)


HEADERS: Final = {
    "version 1, IPv4": (b"PROXY TCP4 192.0.2.77 127.0.0.1 40077 1790\r\n", "192.0.2.77", 40077),
    "version 1, IPv6": (b"PROXY TCP6 2001:db8::77 ::1 40078 1790\r\n", "2001:db8::77", 40078),
    "version 2, IPv4": (version_2(0x11, ends("192.0.2.78", "127.0.0.1", 40079)), "192.0.2.78", 40079),
    "version 2, IPv6": (
        version_2(0x21, ends("2001:db8::78", "::1", 40080), tlvs=b"\x04\0\3abc"),
        "2001:db8::78",
        40080,
    ),
    "version 1, unknown": (b"PROXY UNKNOWN\r\n", ROUTER, None),
    "version 2, local": (version_2(0, b"", command=0x20), ROUTER, None),
    "no header": (b"", ROUTER, None),
}


@pytest.mark.parametrize("cut", [False, True], ids=["at once", "octet by octet"])
def test_proxy_header_says_who_the_router_is(run: Run, *, cut: bool) -> None:
    """In either version; where it names nobody, and where there is none, the TCP source counts."""
    with run(bmp_daemon_parse_proxy_header="true") as daemon:
        for header, router, port in HEADERS.values():
            with RawSession(daemon.address, ROUTER) as session:
                octets = header + usual_session(NETWORK)
                for part in [bytes((octet,)) for octet in octets] if cut else [octets]:
                    session.send(part)
                expected = session.tcp.getsockname()[1] if port is None else port
                daemon.wait_for(router, bmp_router_port=expected, log_type="update", ip_prefix=NETWORK)


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP4 192.0.2.77 127.0.0.1 99999 1790\r\n",
        b"PROXY TCP4 2001:db8::1 ::1 40077 1790\r\n",
        b"PROXY " + b"x" * 200,
        V2 + b"\x31\x11\0\x0c" + bytes(12),
        V2 + b"\x21\x11\xff\xff",
        version_2(0x11, b"\xc0\0\2\1"),
    ],
)
def test_proxy_header_that_is_wrong_keeps_out(run: Run, header: bytes) -> None:
    with run(bmp_daemon_parse_proxy_header="true") as daemon:
        with RawSession(daemon.address, ROUTER) as session:
            with suppress(ConnectionError):
                session.send(header + usual_session(NETWORK))
            assert session.verdict() is None
        assert not daemon.rows()
        daemon.wait_for_text("close()")


# -- TLS ---------------------------------------------------------------------------------------------------------------


class Authority:
    """Signs certificates; its own is in `<name>.crt`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.path = self._write(name, self._key, is_authority=True)[0]

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return a certificate and its key."""
        return self._write(name, ec.generate_private_key(ec.SECP256R1()), is_authority=False)

    def _write(self, name: str, key: Any, *, is_authority: bool) -> tuple[Path, Path]:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(named(self._name), named(name), key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("station")]), critical=False)
        certificate, private = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        private.write_bytes(key.private_bytes(*form))
        return certificate, private


class TlsRig:
    """A station that speaks TLS, the authority that routers must have a certificate of, and another one."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.ours, self.others = Authority(folder, "ours"), Authority(folder, "others")
        certificate, key = self.ours.issue("station")
        self.keys = {
            "bmp_daemon_tls_certificate_file": certificate,
            "bmp_daemon_tls_key_file": key,
            "bmp_daemon_tls_ca_file": self.ours.path,
        }
        self.run = partial(run, **self.keys)

    def connect(self, router: str, certificate: tuple[Path, Path] | None) -> ssl.SSLSocket:
        """Connect and shake hands."""
        context = ssl.create_default_context(cafile=self.ours.path)
        if certificate is not None:
            context.load_cert_chain(*certificate)
        tcp = socket.create_connection(("127.0.0.1", PORT), timeout=PATIENCE, source_address=(router, 0))
        return context.wrap_socket(tcp, server_hostname="station")

    def is_refused(self, router: str, certificate: tuple[Path, Path] | None) -> bool:
        """Tell whether a session ends as soon as it begins; in TLS 1.3 the verdict comes with what is read next."""
        try:
            with self.connect(router, certificate) as session:
                session.sendall(usual_session(NETWORK))
                return session.recv(4096) == b""
        except (ssl.SSLError, ConnectionError):
            return True


@pytest.fixture
def tls(tmp_path: Path, run: Run) -> Iterator[TlsRig]:
    return TlsRig(tmp_path, run)


def test_tls_carries_a_session_of_a_router_with_a_certificate(tls: TlsRig) -> None:
    """A table of thousands of routes in records of TLS, cut anywhere."""
    networks = [f"10.{number >> 8}.{number & 255}.0/24" for number in range(3000)]
    with tls.run() as daemon, tls.connect(ROUTER, tls.ours.issue("router")) as session:
        session.sendall(b"".join(usual_session(*networks[at : at + 300]) for at in range(0, len(networks), 300)))
        daemon.wait_for(ROUTER, count=len(networks), log_type="update")
        session.sendall(termination())
        daemon.wait_for(ROUTER, count=len(networks), log_type="delete")
        daemon.wait_for(ROUTER, event_type="log_close")


def test_router_without_the_right_certificate_is_kept_out(tls: TlsRig) -> None:
    """Without one, with one of somebody else's, and in clear: no row, and the good router notices nothing."""
    with tls.run() as daemon, tls.connect(ROUTER, tls.ours.issue("router")) as good:
        good.sendall(usual_session(NETWORK))
        arrives(daemon, ROUTER)
        for source, certificate in (("127.7.3.1", None), ("127.7.3.2", tls.others.issue("stranger"))):
            assert tls.is_refused(source, certificate)
        with RawSession(daemon.address, "127.7.3.3") as clear:
            with suppress(ConnectionError):
                clear.send(usual_session(NETWORK))
            with suppress(ConnectionError):
                while clear.tcp.recv(4096):
                    """An alert."""
        daemon.wait_for_text("127.7.3.3")
        good.sendall(usual_session("198.51.101.0/24"))
        arrives(daemon, ROUTER, "198.51.101.0/24")
        assert routers(daemon) == {ROUTER}


def test_proxy_header_comes_before_tls(tls: TlsRig) -> None:
    """A load balancer writes it in clear."""
    context = ssl.create_default_context(cafile=tls.ours.path)
    context.load_cert_chain(*tls.ours.issue("router"))
    with tls.run(bmp_daemon_parse_proxy_header="true") as daemon:
        tcp = socket.create_connection(daemon.address, timeout=PATIENCE, source_address=(ROUTER, 0))
        tcp.sendall(b"PROXY TCP4 192.0.2.79 127.0.0.1 40079 1790\r\n")
        with context.wrap_socket(tcp, server_hostname="station") as session:
            session.sendall(usual_session(NETWORK))
            daemon.wait_for("192.0.2.79", bmp_router_port=40079, log_type="update", ip_prefix=NETWORK)


def test_handshake_that_stalls_keeps_nobody_out(tls: TlsRig) -> None:
    """Twenty connections that never say a word of TLS take no slot."""
    with tls.run(bmp_daemon_max_peers=2) as daemon, ExitStack() as stack:
        for number in range(1, 21):
            stack.enter_context(RawSession(daemon.address, f"127.7.4.{number}"))
        with tls.connect(ROUTER, tls.ours.issue("router")) as session:
            session.sendall(initiation() + usual_session(NETWORK))
            arrives(daemon, ROUTER)
        eventually(lambda: daemon.rows(ROUTER, event_type="log_close"), PATIENCE, "the router to be gone")
