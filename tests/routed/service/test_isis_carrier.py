"""What is put around PDUs, and what is not for us; sockets take part in `tests/peers`."""

import errno
from collections import deque
from ipaddress import ip_address

import pytest

from routed.plumbing.packet_socket import PacketSocket
from routed.plumbing.raw_ip import RawIp
from routed.service.isis_carrier import InGre, OnInterface

#: GRE, in it IPv4 from 192.0.2.1 to 192.0.2.2, in it GRE of protocol 0.
KEEPALIVE = bytes.fromhex("0000 0800 4500 0018 0001 0000 ff2f 0000 c0000201 c0000202 0000 0000")
PDU = b"\x83\x14\x01"
LLC = b"\xfe\xfe\x03"
GRE = b"\0\0\0\xfe"


class Wire:
    """What a socket would bring, and what it was given."""

    def __init__(self, patch: pytest.MonkeyPatch, kind: type, *coming: bytes) -> None:
        self.coming, self.sent = deque(coming), list[bytes]()
        patch.setattr(kind, "receive", lambda _: self.coming.popleft() if self.coming else None)
        patch.setattr(kind, "send", lambda _, octets: self.sent.append(octets))


def on_interface(*, is_ethernet: bool, mtu: int) -> OnInterface:
    carrier = OnInterface("eth0")
    frames = carrier._frames
    frames.is_ethernet, frames.mtu = is_ethernet, mtu
    return carrier


def test_frames_of_ethernet_have_llc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spanning tree, ES-IS and what is cut short are for others."""
    others = (b"\x42\x42\x03\0\0", LLC + b"\x82\x10", LLC, b"\xfe\xfe", b"", PDU)
    wire = Wire(monkeypatch, PacketSocket, *others, LLC + PDU + bytes(40))
    carrier = on_interface(is_ethernet=True, mtu=1500)
    assert carrier.receive() == PDU + bytes(40)
    assert carrier.receive() is None
    assert (carrier.foreign, carrier.largest_pdu) == (len(others), 1497)
    carrier.send(PDU)
    assert wire.sent == [LLC + PDU]


def test_packets_of_a_gre_device_are_pdus(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(monkeypatch, PacketSocket, b"\x82", LLC + PDU, PDU)
    carrier = on_interface(is_ethernet=False, mtu=1476)
    assert (carrier.receive(), carrier.receive(), carrier.foreign) == (PDU, None, 2)
    assert carrier.largest_pdu == 1476
    carrier.send(PDU)
    assert wire.sent == [PDU]


def test_gre_of_our_own_making(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keepalives and IP in the tunnel are for others."""
    wire = Wire(monkeypatch, RawIp, b"", b"\0\0\x08\0\x45", GRE + b"\x82", GRE + PDU)
    carrier = InGre(ip_address("192.0.2.1"), ip_address("192.0.2.2"))
    assert (carrier.receive(), carrier.receive(), carrier.foreign) == (PDU, None, 3)
    carrier.send(PDU)
    assert wire.sent == [GRE + PDU]
    assert str(carrier) == "192.0.2.1,192.0.2.2"


def test_a_tunnel_with_a_key_hears_its_own_packets_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one between the same hosts has another key, or none."""
    keyed = b"\x20\0\0\xfe\0\0\0\7"
    wire = Wire(monkeypatch, RawIp, GRE + PDU, b"\x20\0\0\xfe\0\0\0\x08" + PDU, keyed + PDU)
    carrier = InGre(ip_address("192.0.2.1"), ip_address("192.0.2.2"), 7)
    assert (carrier.receive(), carrier.receive(), carrier.foreign) == (PDU, None, 2)
    carrier.send(PDU)
    assert wire.sent == [keyed + PDU]
    assert str(carrier) == "192.0.2.1,192.0.2.2,7"


def test_keepalives_of_a_tunnel_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    other = KEEPALIVE[:-2] + b"\x08\0"
    wire = Wire(monkeypatch, RawIp, KEEPALIVE, other, GRE + PDU)
    carrier = InGre(ip_address("192.0.2.1"), ip_address("192.0.2.2"))
    assert (carrier.receive(), carrier.receive(), carrier.foreign) == (PDU, None, 1)
    assert wire.sent == [bytes(4)]


def test_an_interface_can_be_lost_and_a_host_cannot() -> None:
    """A tunnel has no interface of its own: the hold time tells."""
    gre = InGre(ip_address("192.0.2.1"), ip_address("192.0.2.2"))
    for number, is_lost in ((errno.ENETDOWN, True), (errno.ENODEV, True), (errno.ECONNREFUSED, False)):
        assert OnInterface("eth0").is_lost(OSError(number, "")) is is_lost
        assert not gre.is_lost(OSError(number, ""))


def test_nothing_goes_through_what_is_not_open() -> None:
    for carrier in (OnInterface("eth0"), InGre(ip_address("192.0.2.1"), ip_address("192.0.2.2"))):
        assert carrier.fileno() == -1
        with pytest.raises(OSError, match="not opened"):
            carrier.receive()
        with pytest.raises(OSError):  # noqa: PT011 (of the system: no such interface, or not opened)
            carrier.attach()
        carrier.close()
