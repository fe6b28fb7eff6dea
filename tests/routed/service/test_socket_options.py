import ctypes
import errno
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import pytest

from routed.service import socket_options
from routed.service.send_hold import MIN_SEND_HOLD_TIME
from routed.service.settings import ListenerSettings
from routed.service.socket_options import (
    ListenError,
    Md5Keys,
    apply_options,
    md5_option,
    open_listener,
    open_outgoing,
)
from tests.routed.service.doubles import listener_settings


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def sock(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with socket.socket(request.param, socket.SOCK_STREAM) as sock:
        yield sock


def test_every_listener_has_the_basic_options(sock: socket.socket) -> None:
    assert apply_options(sock, listener_settings()) == ()
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT, socket.SO_KEEPALIVE):
        assert sock.getsockopt(socket.SOL_SOCKET, option) == 1
    timeout_ms = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert timeout_ms == MIN_SEND_HOLD_TIME * 1000


@pytest.mark.parametrize("only", [False, True])
def test_a_dual_stack_listener_can_be_for_ipv6_alone(only: bool) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        apply_options(sock, listener_settings(ipv6_only=only))
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == only


def test_the_precedence_is_in_every_header(sock: socket.socket) -> None:
    assert apply_options(sock, listener_settings(ip_precedence=6)) == ()
    assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 6 << 5
    if sock.family == socket.AF_INET6:
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 6 << 5


@pytest.mark.parametrize(("hops", "minimum"), [(1, 255), (2, 254), (255, 1)])
def test_gtsm_counts_hops_from_255(sock: socket.socket, hops: int, minimum: int) -> None:
    apply_options(sock, listener_settings(gtsm_hops=hops))
    assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 255
    assert sock.getsockopt(socket.IPPROTO_IP, socket_options._IP_MINTTL) == minimum
    if sock.family == socket.AF_INET6:
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) == 255
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket_options._IPV6_MINHOPCOUNT) == minimum


def test_a_receive_buffer_that_is_not_granted_is_a_warning(sock: socket.socket) -> None:
    assert apply_options(sock, listener_settings(receive_buffer=8192)) == ()
    (warning,) = apply_options(sock, listener_settings(receive_buffer=2**31 - 1))
    assert warning.startswith("bgp_daemon_pipe_size: requested=2147483647 obtained=")
    (warning,) = apply_options(sock, listener_settings(receive_buffer=2**31 - 1, keys="bmp_daemon_"))
    assert warning.startswith("bmp_daemon_pipe_size: ")


def test_an_interface_that_does_not_exist_is_an_error(sock: socket.socket) -> None:
    with pytest.raises(OSError, match=r"No such device|Operation not permitted"):
        apply_options(sock, listener_settings(interface="no-such-dev"))


def test_an_address_that_is_not_ours_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    def refuse(_settings: ListenerSettings, _address: Any) -> None:
        raise refusal

    monkeypatch.setattr(socket_options, "_listen", refuse)
    with pytest.raises(ListenError) as error:
        open_listener(listener_settings(address=IPv4Address("192.0.2.1"), port=179))
    said = "cannot listen on ip=192.0.2.1 port=179/tcp: Cannot assign requested address"
    assert str(error.value) == f"{said} (bgp_daemon_ip: no interface of this machine has it)"
    refusal.errno, refusal.strerror = errno.ENOBUFS, "No buffer space available"
    with pytest.raises(ListenError, match=r"port=179/tcp: No buffer space available$"):
        open_listener(listener_settings(address=IPv4Address("192.0.2.1"), port=179))


@pytest.mark.parametrize(
    ("facts", "code", "tried"),
    [
        ({}, errno.EAFNOSUPPORT, ["::", "0.0.0.0"]),
        ({}, errno.EADDRINUSE, ["::"]),
        ({"ipv6_only": True}, errno.EAFNOSUPPORT, ["::"]),
        ({"address": IPv6Address("2001:db8::1")}, errno.EAFNOSUPPORT, ["2001:db8::1"]),
    ],
)
def test_ipv4_stands_in_only_where_ipv6_does_not_exist(
    monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], code: int, tried: list[str]
) -> None:
    seen: list[str] = []

    def refuse(_settings: ListenerSettings, address: Any) -> None:
        seen.append(str(address))
        raise OSError(code, "no")

    monkeypatch.setattr(socket_options, "_listen", refuse)
    with pytest.raises(ListenError):
        open_listener(listener_settings(**facts))
    assert seen == tried


def test_the_signature_has_the_layout_of_the_kernel() -> None:
    option, octets = md5_option(socket.AF_INET, IPv4Address("192.0.2.1"), b"secret")
    assert option == 14
    assert len(octets) == 216 == ctypes.sizeof(socket_options._Md5Signature)
    assert octets[:8] == socket.AF_INET.to_bytes(2, "little") + bytes(2) + bytes([192, 0, 2, 1])
    assert octets[130:132] == (6).to_bytes(2, "little")
    assert octets[136:142] == b"secret"
    assert not any(octets[142:])


def test_an_ipv4_peer_of_a_dual_stack_socket_is_v4_mapped() -> None:
    _, octets = md5_option(socket.AF_INET6, IPv4Address("192.0.2.1"), b"secret")
    assert octets[8:24] == IPv6Address("::ffff:192.0.2.1").packed
    _, octets = md5_option(socket.AF_INET6, IPv6Address("2001:db8::1"), b"secret")
    assert octets[8:24] == IPv6Address("2001:db8::1").packed


@pytest.mark.parametrize(
    ("prefix", "mapped"), [("192.0.2.0/24", "::ffff:192.0.2.0"), ("2001:db8::/32", "2001:db8::"), ("::/0", "::")]
)
def test_a_prefix_has_its_length_and_a_flag(prefix: str, mapped: str) -> None:
    option, octets = md5_option(socket.AF_INET6, ip_network(prefix), b"secret")
    assert option == 32
    assert octets[8:24] == IPv6Address(mapped).packed
    assert octets[128:130] == bytes([1, int(prefix.partition("/")[2])])


def test_a_key_of_an_ipv6_peer_is_none_for_a_socket_of_ipv4() -> None:
    kernel: Any = Kernel()
    keys = Md5Keys(kernel, on_error=pytest.fail)
    assert keys.load({ip_address("2001:db8::1"): b"six", ip_network("2001:db8::/32"): b"six"}) == 0
    assert keys.load({ip_address("2001:db8::1"): b"six", ip_address("192.0.2.1"): b"four"}) == 1
    assert kernel.keys == {"192.0.2.1": b"four"}


class Kernel:
    """A socket that keeps keys as the kernel does."""

    family = socket.AF_INET

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.room = 100

    def setsockopt(self, level: int, option: int, octets: bytes) -> None:
        assert (level, option) == (socket.IPPROTO_TCP, 14)
        address, length = str(IPv4Address(octets[4:8])), int.from_bytes(octets[130:132], "little")
        if length:
            if len(self.keys) >= self.room:
                raise OSError(errno.ENOMEM, "Cannot allocate memory")
            self.keys[address] = octets[136 : 136 + length]
        elif self.keys.pop(address, None) is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")


def test_a_reload_takes_old_keys_away_and_sets_the_new_ones() -> None:
    kernel: Any = Kernel()
    keys = Md5Keys(kernel, on_error=pytest.fail)
    assert keys.load({ip_address("192.0.2.1"): b"one", ip_address("192.0.2.2"): b"two"}) == 2
    kernel.keys.pop("192.0.2.1")
    assert keys.load({ip_address("192.0.2.2"): b"new", ip_address("192.0.2.3"): b"three"}) == 2
    assert kernel.keys == {"192.0.2.2": b"new", "192.0.2.3": b"three"}
    assert keys.load({}) == 0
    assert kernel.keys == {}


def test_a_key_that_the_kernel_has_no_room_for_is_reported() -> None:
    kernel: Any = Kernel()
    kernel.room = 1
    errors: list[str] = []
    keys = Md5Keys(kernel, on_error=errors.append)
    assert keys.load({ip_address("192.0.2.1"): b"one", ip_address("192.0.2.2"): b"two"}) == 1
    assert errors == ["setsockopt() failed for TCP_MD5SIG of 192.0.2.2: Cannot allocate memory"]


@pytest.mark.parametrize("key", [None, b"secret"])
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_outgoing_socket_does_not_block_and_has_the_same_options(address: str, key: bytes | None) -> None:
    settings = listener_settings(ip_precedence=6, probes_silent=True)
    with open_outgoing(ip_address(address), settings, key) as sock:
        assert sock.family == (socket.AF_INET6 if ":" in address else socket.AF_INET)
        assert not sock.getblocking()
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == socket_options.KEEPALIVE_IDLE
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == MIN_SEND_HOLD_TIME * 1000
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 6 << 5


def test_an_outgoing_socket_that_cannot_be_signed_is_not_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather no connection than one without the key."""
    monkeypatch.setattr(socket_options, "md5_option", lambda *_: (14, b"too short"))
    with pytest.raises(OSError, match="Invalid argument"):
        open_outgoing(ip_address("192.0.2.1"), listener_settings(), b"secret")
