"""Records of both directions of a flow (RFC 5103)."""

import struct
from ipaddress import ip_address

from flowcorr.wire.decode_settings import DecodeSettings
from tests.flowcorr.exports import Input, export_set, ipfix, only, template

PEN = 29305
LAYOUT = template(
    300, (8, 4), (12, 4), (7, 2), (11, 2), (10, 4), (14, 4), (1, 4), (2, 4), (6, 1), (1, 4, PEN), (2, 4, PEN)
)
NAMES = ("src_host", "dst_host", "src_port", "dst_port", "in_iface", "out_iface", "bytes", "packets", "tcpflags")


def record(*reverse: int) -> bytes:
    addresses = ip_address("10.0.0.1").packed + ip_address("10.0.0.2").packed
    return addresses + struct.pack("!HHIIIIBII", 1000, 80, 5, 6, 700, 7, 2, *reverse)


FORWARD = ("10.0.0.1", "10.0.0.2", 1000, 80, 5, 6, 700, 7, 2)
REVERSE = ("10.0.0.2", "10.0.0.1", 80, 1000, 6, 5, 900, 9, None)


def test_the_other_direction_is_a_row_of_its_own() -> None:
    i = Input(" ".join(NAMES))
    rows = i.take(ipfix(export_set(2, LAYOUT)), ipfix(export_set(300, record(900, 9), record(0, 0))))
    assert only(rows, *NAMES) == [FORWARD, REVERSE, FORWARD]
    assert i.intake.rows == 3
    assert i.intake.statistics(0)["records"] == 2


def test_a_batch_that_is_almost_full_does_not_part_them() -> None:
    i = Input(" ".join(NAMES), capacity=3)
    rows = i.take(ipfix(export_set(2, LAYOUT)), ipfix(export_set(300, *[record(900, 9)] * 4)))
    assert only(rows, *NAMES) == [FORWARD, REVERSE] * 4


def test_it_may_be_left_out() -> None:
    i = Input(" ".join(NAMES), decode=DecodeSettings(split_biflows=False))
    rows = i.take(ipfix(export_set(2, LAYOUT)), ipfix(export_set(300, record(900, 9))))
    assert only(rows, *NAMES) == [FORWARD]
