"""Rows of columns, CSV and formatted, and entries in an order that is given."""

import numpy as np
import pytest

from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.columns.record_type import RecordType
from flowcorr.service.formats import header, make_renderer
from flowcorr.service.render import Output, RowSettings
from tests.flowcorr.service.rows import NOW, Rows


def test_a_switch_of_arrays_changes_no_column() -> None:
    rows = Rows("as_path, tcpflags, label")
    rows.add(as_path=b"1_2", tcpflags=2, label=b"a%b")
    [row] = rows.csv(as_path_as_array=True, flags_as_array=True, label_as_map=True)
    assert (row["AS_PATH"], row["TCP_FLAGS"], row["LABEL"]) == ("1_2", "2", "a%b")


def test_formatted_columns_have_the_widths_of_pmacct() -> None:
    rows = Rows("tag, src_host, dst_host, src_port, dst_port, proto, tos, flows")
    rows.add(
        src_host=IPV4_MAPPED + bytes([10, 0, 0, 3]), src_port=1003, dst_port=80, proto=6, packets=3, bytes=3000, flows=1
    )
    line = rows.write(output=Output.FORMATTED).decode()
    head = header(rows.aggregate, rows.aggregation.plan, rows.settings).decode()
    assert head == (
        "TAG         SRC_IP                                         DST_IP                                         "
        "SRC_PORT  DST_PORT  PROTOCOL    TOS    PACKETS               FLOWS                 BYTES\n"
    )
    assert line == (
        "0           10.0.0.3                                       ::                                             "
        "1003      80        tcp         0      3                     1                     3000\n"
    )


def test_a_value_wider_than_its_column_stays_apart() -> None:
    rows = Rows("vlan, label")
    rows.add(vlan=65535, label=b"x" * 30)
    line = rows.write(output=Output.EVENT_FORMATTED).decode()
    assert line == "x" * 30 + " 65535\n"


@pytest.mark.parametrize("output", [Output.EVENT_CSV, Output.EVENT_FORMATTED])
def test_event_forms_have_no_counters(output: Output) -> None:
    rows = Rows("proto, flows")
    rows.add(proto=6, packets=5)
    assert rows.write(output=output) == b"tcp\n"
    assert header(rows.aggregate, rows.aggregation.plan, rows.settings).split() == [b"PROTOCOL"]


def test_events_have_no_counters_and_keep_the_columns() -> None:
    rows = Rows("nat_event, flows")
    rows.add(nat_event=1, record_type=RecordType.EVENT, packets=9)
    [row] = rows.json()
    assert row == {"event_type": "purge", "nat_event": 1}
    rows.add(nat_event=1, record_type=RecordType.EVENT, packets=9)
    assert rows.write(output=Output.CSV) == b"1,,,\n"
    rows.add(nat_event=1, record_type=RecordType.EVENT, packets=9)
    event = rows.write(output=Output.FORMATTED)
    assert event.split() == [b"1"]
    rows.add(nat_event=1, packets=9)
    line = rows.write(output=Output.FORMATTED)
    assert len(event) == len(line) - len("0")  # the last column is as wide as what is in it


def test_without_any_primitive_there_are_counters() -> None:
    rows = Rows("none")
    rows.add(packets=2, bytes=3)
    assert rows.json() == [{"event_type": "purge", "packets": 2, "bytes": 3}]
    rows.add(packets=2, bytes=3)
    assert rows.write(output=Output.CSV) == b"2,3\n"


def test_entries_are_written_in_an_order_that_is_given() -> None:
    rows = Rows("tag")
    for tag in range(5):
        rows.add(tag=tag)
    rows.aggregation.add(rows.batch, None, NOW)
    [flush] = rows.aggregation.take_all()
    renderer = make_renderer(rows.aggregate, rows.aggregation.plan, RowSettings(output=Output.EVENT_CSV))
    order = np.array([3, 1], np.uint32)
    assert renderer.render(flush.bins[0], 0, NOW, order=order) == 2
    assert renderer.take() == b"3\n1\n"
    with pytest.raises(MemoryError):
        renderer.render(flush.bins[0], 0, NOW, order=np.array([5], np.uint32))
    assert flush.release(1) is False
    with pytest.raises(ValueError, match="released"):
        renderer.render(flush.bins[0], 0, NOW)
