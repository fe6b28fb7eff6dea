"""Filter expressions, by the system's libpcap."""

import ctypes
import ctypes.util
import gc

import pytest

from routed.plumbing.packet_filter import PacketFilter
from routed.plumbing.pcap import CaptureError, Packet
from tests.routed.plumbing.captures import frame, ipv4, tcp

NAME = ctypes.util.find_library("pcap")
needs_libpcap = pytest.mark.skipif(not NAME, reason="libpcap is not installed: pcap_filter is NOT tested")


def packet(octets: bytes, link_type: int = 1) -> Packet:
    return Packet(1.0, link_type, octets, len(octets))


@needs_libpcap
@pytest.mark.parametrize(
    ("expression", "passes"),
    [
        ("tcp dst port 1790", True),
        ("port 179", False),
        ("src host 192.0.2.1 and tcp", True),
        ("less 10", False),
        ("tcp[tcpflags] & tcp-syn != 0", False),
    ],
)
@pytest.mark.parametrize("link_type", [1, 101])
def test_an_expression_decides(expression: str, passes: bool, link_type: int) -> None:
    octets = frame(b"abc") if link_type == 1 else ipv4(tcp(b"abc"))
    wanted = PacketFilter(expression)
    wanted.compile(link_type)
    assert wanted.passes(packet(octets, link_type)) is passes


@needs_libpcap
def test_each_link_type_has_its_program() -> None:
    wanted = PacketFilter("port 1790")
    assert wanted.passes(packet(frame(b"abc")))
    assert wanted.passes(packet(ipv4(tcp(b"abc")), 101))
    del wanted
    gc.collect()


@needs_libpcap
@pytest.mark.parametrize("expression", ["tcp port", "no such thing", "port 99999", "port 1\0", "(", "ether host 1.2.3"])
def test_a_wrong_expression_is_explained(expression: str) -> None:
    with pytest.raises(CaptureError, match=r"filter .*: "):
        PacketFilter(expression).compile(1)


@needs_libpcap
def test_an_expression_may_be_wrong_for_a_link_type() -> None:
    wanted = PacketFilter("ether src 00:00:00:00:00:01")
    wanted.compile(1)
    with pytest.raises(CaptureError, match="filter"):
        wanted.passes(packet(ipv4(tcp()), 101))


def test_without_libpcap_there_is_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str) -> None:
        raise OSError

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    with pytest.raises(CaptureError, match="needs libpcap"):
        PacketFilter("tcp")
