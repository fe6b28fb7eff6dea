"""Filters as tests of columns, beside the machine that runs on frames."""

import random
import struct
from collections.abc import Sequence
from typing import Any

import pytest

from flowcorr.columns._batch import Batch
from flowcorr.columns.builtin import ALWAYS, BUILTIN
from flowcorr.columns.column import IPV4_MAPPED, NO_ADDRESS
from flowcorr.columns.layout import Layout
from flowcorr.correlate._column_tests import ColumnTests
from flowcorr.correlate._packet_program import COLUMNS, Frames, PacketFilter
from flowcorr.correlate.flow_frame import PROTOCOLS, SHAPES, Labels, Shape, frame_of
from flowcorr.correlate.frame_tests import Graph, graph_of
from flowcorr.daemon.packet_filters import compile_expression
from routed.plumbing.packet_filter import PacketFilter as OfLibpcap
from routed.plumbing.pcap import CaptureError

try:
    OfLibpcap("ip").compile(1)
except CaptureError as error:
    pytest.skip(f"SKIPPED: {error}", allow_module_level=True)

ROWS = 600
ADDRESSES = [
    NO_ADDRESS,
    *(IPV4_MAPPED + bytes(one) for one in ((10, 0, 0, 1), (10, 0, 0, 2), (192, 0, 2, 9), (224, 0, 0, 1))),
    *(bytes.fromhex(one.ljust(32, "0")) for one in ("20010db8", "20010db80001", "ff02")),
    bytes.fromhex("20010db8000000000000000000000001"),
]
MACS = [bytes(6), bytes.fromhex("001122334455"), bytes.fromhex("001122334456"), b"\xff" * 6]
#: What columns are drawn from, so that filters meet what they ask for.
DRAWN: dict[str, Sequence[Any]] = {
    "src_mac": MACS,
    "dst_mac": MACS,
    "vlan": [0, 0, 0, 7, 100, 4095],
    "mpls_label_top": [0, 0, 0, 100, 0xFFFFF],
    "mpls_label_bottom": [0, 0, 0, 100, 200],
    "family": [0, 4, 4, 4, 6, 6],
    "etype": [0, 0x0800, 0x0806, 0x86DD],
    "src_host": ADDRESSES,
    "dst_host": ADDRESSES,
    "proto": [0, 1, 6, 6, 17, 47, 58, 132, 255],
    "tos": [0, 184, 255],
    "src_port": [0, 1, 53, 80, 1024, 65535],
    "dst_port": [0, 2, 53, 80, 443, 0x0800, 65535],
    "tcpflags": [0, 2, 16, 18, 255],
}
EXPRESSIONS = [
    "not dst net 192.0.2.0/24 and (tcp or udp or ip[9] != 1) and not (src port 1 and dst port 2)",
    "tcp",
    "ip",
    "ip6",
    "arp",
    "not ip and not ip6",
    "src host 10.0.0.1",
    "host 10.0.0.1 or host 2001:db8::1",
    "dst net 2001:db8:1::/48",
    "net 10.0.0.0/8 and not tcp",
    "ip6 dst net 2001:db8::/33 and udp",
    "port 53",
    "udp dst portrange 50-1024",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
    "tcp[13] & 0x12 = 0x12 or tcp[0:2] >> 8 > 3",
    "(((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
    "icmp[icmptype] == 8",
    "icmp6",
    "sctp or proto gre",
    "ip[1] & 0xfc == 184",
    "ip6[0:2] == 0x6b80",
    "vlan",
    "vlan 7 and tcp port 80",
    "mpls",
    "mpls 100",
    "mpls 100 and mpls 200 and src net 10.0.0.0/8",
    "vlan 100 and mpls and host 10.0.0.2",
    "ether src 00:11:22:33:44:55",
    "ether host ff:ff:ff:ff:ff:ff or ether broadcast",
    "ip multicast or ip6 multicast",
    "len <= 54",
    "greater 60 and less 80",
    "ip[8] * 2 == 128 and ip[10] / 3 == 0 or ip[1] << 24 == 0xb8000000",
    "ip[0:4] == 0x45000028",
    "ip[0:4] & 0x00ff0003 == 0x00b80000 or ip[0:4] & 0xff0001 != 0",
    "tcp[0:4] == 0x00350050 or udp[1:2] & 0xfff != 0x101 and udp[0:4] >> 8 == 0x100",
    "ip[1] << 2 >= 737 or ip6[0:2] << 1 > 0xd6ff",
]
#: What tests cannot say: two fields at once, or reckoning with a field.
OF_FRAMES = ["tcp[0:2] == tcp[2:2]", "ether[ether[0]:4] > 77", "ip[9] * 2 > 20", "ip[0:4] > 0x45000028"]
LAYOUT = Layout([*ALWAYS, *(BUILTIN[name] for name in COLUMNS)])


def compiled(*expressions: str) -> tuple[Graph | None, list[Any]]:
    programs = [compile_expression(one) for one in expressions if one]
    return graph_of(tuple(one.octets for one in programs)), programs


def batch_of(layout: Layout, seed: int) -> Batch:
    draw, batch = random.Random(seed), Batch(layout, ROWS)
    for _ in range(ROWS):
        row = {name: draw.choice(values) for name, values in DRAWN.items()}
        batch.append(**{name: value for name, value in row.items() if name in layout})
    return batch


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_tests_decide_as_frames_do_and_need_no_other_columns(expression: str) -> None:
    tests, programs = compiled(expression)
    assert tests is not None
    narrow = Layout([*ALWAYS, *(BUILTIN[name] for name in tests.columns)])
    for seed in range(3):
        expected = PacketFilter(LAYOUT, programs).passes(batch_of(LAYOUT, seed)).tolist()
        assert ColumnTests(narrow, tests).passes(batch_of(narrow, seed)).tolist() == expected
    assert tests.columns <= {*COLUMNS}


def test_of_several_expressions_one_is_enough() -> None:
    chosen = ["tcp port 80", "udp", "host 10.0.0.1", "icmp"]
    tests, programs = compiled(*chosen)
    assert tests is not None
    batch = batch_of(LAYOUT, 1)
    assert ColumnTests(LAYOUT, tests).passes(batch).tolist() == PacketFilter(LAYOUT, programs).passes(batch).tolist()


@pytest.mark.parametrize(
    ("expression", "columns"),
    [
        ("ether src 00:11:22:33:44:55", {"src_mac"}),
        ("len > 1", set()),
        ("dst port 80", {"vlan", "mpls_label_top", "mpls_label_bottom", "proto", "dst_port"}),
    ],
)
def test_what_a_filter_reads(expression: str, columns: set[str]) -> None:
    tests, _ = compiled(expression)
    assert tests is not None
    assert tests.columns - {"etype"} == columns


@pytest.mark.parametrize("expression", OF_FRAMES)
def test_what_tests_cannot_say_is_left_to_frames(expression: str) -> None:
    assert compiled(expression)[0] is None


def test_a_long_list_is_as_long_as_it_is() -> None:
    expression = " or ".join(f"host 10.1.{number // 25}.{number % 25}" for number in range(60))
    tests, programs = compiled(expression)
    assert tests is not None
    assert len(tests.tests) == 120
    batch = batch_of(LAYOUT, 1)
    assert ColumnTests(LAYOUT, tests).passes(batch).tolist() == PacketFilter(LAYOUT, programs).passes(batch).tolist()


def test_what_comes_to_too_much_is_left_to_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    load, compare, accept, reject = (0x30, 0, 0, 0), (0x15, 0, 1, 9), (0x06, 0, 0, 1), (0x06, 0, 0, 0)
    octets = (b"".join(struct.pack("=HBBI", *one) for one in (load, compare, accept, reject)),)

    def fits(most: int) -> bool:
        monkeypatch.setattr("flowcorr.correlate.frame_tests.MOST_STATES", most)
        graph_of.cache_clear()
        return graph_of(octets) is not None

    assert fits(3)  # the comparison, and either way behind it
    assert not fits(2)
    graph_of.cache_clear()


def row_of(shape: Shape) -> dict[str, Any]:
    """A flow of a shape, with a value of its own in every octet."""
    labels = {"mpls_label_top": 0x12345, "mpls_label_bottom": 0x6789A}
    row: dict[str, Any] = {
        **{name: bytes(range(16 * at, 16 * at + 6)) for at, name in enumerate(("src_mac", "dst_mac"), 1)},
        **{name: label for name, label in labels.items() if shape.labels is Labels.BOTH},
        "vlan": 0x0FED * shape.has_vlan,
        "family": shape.family,
        "etype": 0x0806,
        "proto": shape.protocol or 99,
        "tos": 0xB8,
        "src_port": 0xC1C2,
        "dst_port": 0xD1D2,
        "tcpflags": 0x1B,
    }
    if shape.labels in {Labels.TOP, Labels.BOTTOM}:
        row[f"mpls_label_{shape.labels.name.lower()}"] = 0x6789A
    for at, name in enumerate(("src_host", "dst_host"), 3):
        row[name] = IPV4_MAPPED + bytes(range(at, at + 4)) if shape.family == 4 else bytes(range(16 * at, 16 * at + 16))
    return row


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_frames_are_told_as_they_are_written(shape: Shape) -> None:
    """Each octet of a frame is that constant, or that octet of that column."""
    batch, row = Batch(LAYOUT, 1), row_of(shape)
    batch.append(**row)
    written, told = Frames(LAYOUT).of_row(batch, 0), frame_of(shape)
    assert len(told) == len(written)
    for octet, expected in zip(told, written, strict=True):
        if isinstance(octet, int):
            assert octet == expected
            continue
        field, at = octet
        value = row[field.column]
        if isinstance(value, bytes):
            assert value[field.at + at] == expected


def test_shapes_are_counted_in_their_order() -> None:
    assert SHAPES.index(Shape(has_vlan=False, labels=Labels.NONE, family=4, protocol=0)) == 1
    assert SHAPES.index(Shape(has_vlan=False, labels=Labels.NONE, family=6, protocol=6)) == 1 + len(PROTOCOLS) + 1
    assert len(SHAPES) == 2 * 4 * (1 + 2 * len(PROTOCOLS))


def test_what_is_no_graph_is_refused() -> None:
    tests, _ = compiled("tcp port 80")
    assert tests is not None
    with pytest.raises(ValueError, match="tests need dst_port"):
        ColumnTests(Layout([*ALWAYS, BUILTIN["src_port"], BUILTIN["proto"]]), tests)
    [(test, _, _), *_] = tests.tests
    for broken in (
        Graph(((test, 2, 0),), (2,) * len(SHAPES), tests.columns),
        Graph(((test, 1, 0),), (3,) * len(SHAPES), tests.columns),
        Graph(((test, 1, 0),), (2,), tests.columns),
    ):
        with pytest.raises(ValueError, match=r"leads to|begins at|zip"):
            ColumnTests(LAYOUT, broken)
