"""Packet filters: the frame of a flow, and the machine beside libpcap's own."""

import random
import struct
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcorr.columns._batch import Batch
from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.layout import Layout
from flowcorr.correlate._packet_program import Frames, PacketFilter, Program
from flowcorr.daemon.packet_filters import ETHERNET, ExpressionError, compile_expression, expressions_of
from routed.plumbing.packet_filter import PacketFilter as OfLibpcap
from routed.plumbing.pcap import CaptureError, Packet

try:
    OfLibpcap("ip").compile(ETHERNET)
except CaptureError as error:
    pytest.skip(f"SKIPPED: {error}", allow_module_level=True)

LAYOUT = Layout(BUILTIN.values())


def octets(address: str) -> bytes:
    ip = ip_address(address)
    return ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed


V4 = {"family": 4, "src_host": octets("10.0.0.1"), "dst_host": octets("192.0.2.9"), "proto": 6}
V6 = {"family": 6, "src_host": octets("2001:db8::1"), "dst_host": octets("2001:db8:1::9"), "proto": 17}


def passes(*expressions: str, **values: Any) -> bool:
    batch = Batch(LAYOUT, 1)
    batch.append(**values)
    [passed] = PacketFilter(LAYOUT, [compile_expression(one) for one in expressions]).passes(batch)
    return bool(passed)


@pytest.mark.parametrize(
    ("expression", "values", "differs"),
    [
        ("src net 10.0.0.0/30 and dst port 80", {**V4, "dst_port": 80}, {**V4, "dst_port": 81}),
        ("src net 10.0.0.0/30", V4, {**V4, "src_host": octets("10.0.0.4")}),
        ("ip6 dst net 2001:db8:1::/48", V6, {**V6, "dst_host": octets("2001:db8:2::1")}),
        ("tcp", V4, {**V4, "proto": 17}),
        ("udp port 53", {**V6, "src_port": 53}, {**V6, "src_port": 54}),
        ("sctp", {**V4, "proto": 132}, V4),
        ("icmp[icmptype] == 8", {**V4, "proto": 1, "dst_port": 0x0800}, {**V4, "proto": 1}),
        ("tcp[tcpflags] & tcp-syn != 0", {**V4, "tcpflags": 2}, {**V4, "tcpflags": 16}),
        ("ip[1] == 184", {**V4, "tos": 184}, V4),
        ("ip6[0:2] == 0x6b80", {**V6, "tos": 184}, V6),
        ("ip6[4:2] == 8", V6, {**V6, "proto": 6}),
        ("ip6[40] == 128", {**V6, "proto": 58, "dst_port": 0x8000}, {**V6, "proto": 58}),
        ("ether src 00:11:22:33:44:55", {**V4, "src_mac": b"\x00\x11\x22\x33\x44\x55"}, V4),
        ("ether dst 00:11:22:33:44:55", {**V4, "dst_mac": b"\x00\x11\x22\x33\x44\x55"}, V4),
        ("vlan 7 and tcp", {**V4, "vlan": 7}, V4),
        ("tcp", V4, {**V4, "vlan": 7}),  # as everywhere: what has a tag is asked for with vlan
        ("mpls 100 and src net 10.0.0.0/8", {**V4, "mpls_label_top": 100}, V4),
        ("mpls 100 and mpls 200", {**V4, "mpls_label_top": 100, "mpls_label_bottom": 200}, V4),
        ("arp", {"etype": 0x0806}, V4),
        ("not ip", V6, V4),
        ("len <= 54", V4, {**V6, "proto": 6}),
    ],
)
def test_expressions(expression: str, values: dict[str, Any], differs: dict[str, Any]) -> None:
    assert passes(expression, **values)
    assert not passes(expression, **differs)


def test_one_of_several_expressions_is_enough() -> None:
    assert passes("udp", "tcp", **V4)
    assert not passes("udp", "icmp", **V4)


def test_each_flow_of_a_batch_is_asked() -> None:
    batch = Batch(LAYOUT, 4)
    for port in (80, 443, 81, 80):
        batch.append(**V4, dst_port=port)
    programs = [compile_expression(one) for one in ("dst port 80", "dst port 443")]
    assert PacketFilter(LAYOUT, programs).passes(batch).tolist() == [True, True, False, True]


def test_a_frame() -> None:
    batch = Batch(LAYOUT, 1)
    batch.append(**V4, vlan=7, mpls_label_top=3, src_port=1, dst_port=2, tcpflags=18, tos=4)
    assert Frames(LAYOUT).of_row(batch, 0).hex(" ", 2) == (
        "0000 0000 0000 0000 0000 0000 8100 0007 8847 0000 3100"
        " 4504 0028 0000 0000 4006 0000 0a00 0001 c000 0209"
        " 0001 0002 0000 0000 0000 0000 5012 0000 0000 0000"
    )


def test_frames_need_their_columns() -> None:
    with pytest.raises(ValueError, match="frames need src_mac"):
        Frames(Layout([BUILTIN["src_host"]]))


@given(
    st.builds(
        lambda seed: random.Random(seed).randbytes(86),
        st.integers(0, 2**32),
    ),
    st.sampled_from(
        [
            "host 10.0.0.1 or (vlan and host 10.0.0.1)",
            "(tcp or udp) and portrange 1000-2000",
            "ip[2:2] / 3 * 7 - 5 > 1000 or ip[4] % 7 == 2",
            "(ip[8] << 3 | ip[9] >> 1) ^ 0x55 & 0xff != -ip[10]",
            "ip6 proto 6 or mpls",
            "ether[ether[0]:4] > 77",
            "greater 60 and ip proto \\tcp and tcp[13] & 7 != 0",
        ]
    ),
    st.integers(0, 86),
    st.sampled_from([b"\x08\x00\x45", b"\x86\xdd\x60", b"\x81\x00\x00", b"\x88\x47\x00"]),
)
def test_the_machine_decides_as_that_of_libpcap(octets: bytes, expression: str, length: int, link: bytes) -> None:
    frame = (octets[:12] + link + octets[15:])[:length]
    assert compile_expression(expression).runs(frame) is OfLibpcap(expression).passes(Packet(0.0, 1, frame, len(frame)))


def insn(code: int, if_true: int = 0, if_false: int = 0, k: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, k)


RETURNS = insn(0x06, k=1)


@pytest.mark.parametrize(
    ("load", "last"),
    [(0x20, 0), (0x28, 2), (0x30, 3), (0x40, 0), (0x48, 2), (0x50, 3), (0xB1, 3)],
    ids=["word", "half", "octet", "word by X", "half by X", "octet by X", "length of a header"],
)
def test_loads_end_where_the_frame_ends(load: int, last: int) -> None:
    runs = [Program(insn(load, k=at) + RETURNS).runs(bytes(4)) for at in (*range(6), 2**32 - 1)]
    assert runs == [at <= last for at in (*range(6), 2**32 - 1)]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        RETURNS[:-1],
        insn(0x00, k=1),  # does not return
        insn(0x05, k=1) + RETURNS,  # goes behind the end
        insn(0x05, k=0xFFFFFFFF) + RETURNS,  # goes back
        insn(0x15, 1, 0) + RETURNS,
        insn(0x15, 0, 1) + RETURNS,
        insn(0x60, k=16) + RETURNS,  # a word of memory that there is not
        insn(0x02, k=16) + RETURNS,
        insn(0x34, k=0) + RETURNS,  # divides by 0
        insn(0x94, k=0) + RETURNS,
        insn(0x48 | 0x18) + RETURNS,  # a load of no size
        insn(0x100) + RETURNS,
        insn(0x0E),
        insn(0x17) + RETURNS,
        RETURNS * 4097,
    ],
)
def test_what_is_no_program_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"program|instruction"):
        Program(octets)


def test_what_a_program_may_do_at_worst() -> None:
    assert Program(RETURNS * 4096).runs(b"")
    assert not Program(insn(0x20, k=0xFFFFFFFF) + RETURNS).runs(bytes(64))  # loads from far behind the end
    assert not Program(insn(0x01, k=0xFFFFFFFF) + insn(0x48, k=0xFFFFFFFF) + RETURNS).runs(bytes(64))
    assert not Program(insn(0x3C) + RETURNS).runs(b"")  # divides by X, which is 0
    assert Program(insn(0x00, k=5) + insn(0x02, k=15) + insn(0x60, k=15) + insn(0x16)).runs(b"")


@given(st.binary(min_size=1, max_size=32))
def test_any_octets_are_a_program_or_are_refused(octets: bytes) -> None:
    with suppress(ValueError):
        Program(octets * 8).runs(bytes(60))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp", ("tcp",)),
        ("tcp , udp port 53", ("tcp", "udp port 53")),
        ("'tcp', \"udp\"", ("tcp", "udp")),
        ("'a, b', (c, d)", ("a, b", "(c, d)")),
    ],
)
def test_a_list_of_expressions(text: str, expected: tuple[str, ...]) -> None:
    assert expressions_of(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [("tcp,,udp", "empty"), ("", "empty"), ("'tcp", "no end"), (",".join(["tcp"] * 129), "129 expressions are more")],
)
def test_what_is_no_list(text: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=why):
        expressions_of(text)
    assert len(expressions_of(",".join(["tcp"] * 128))) == 128


def test_an_expression_that_is_wrong_says_why() -> None:
    with pytest.raises(ExpressionError, match=r"filter 'src net': .*syntax error"):
        compile_expression("src net")
    with pytest.raises(ExpressionError, match="filter 'ip6 protochain 6': loops"):
        compile_expression("ip6 protochain 6")
