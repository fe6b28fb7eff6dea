"""Rows of all formats, beside slow oracles and with hostile texts."""

import csv
import io
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import IPv6Address
from typing import Any
from zoneinfo import ZoneInfo

import fastavro
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.column import IPV4_MAPPED, Kind
from flowcorr.columns.layout import Layout
from flowcorr.columns.record_type import RecordType
from flowcorr.correlate.aggregate import parse_aggregate
from flowcorr.correlate.aggregation import Aggregation, AggregationSettings
from flowcorr.correlate.bins import Length
from flowcorr.correlate.primitives import FIELDS, JSON_ORDER, Form
from flowcorr.service import _render as r
from flowcorr.service._render import Check
from flowcorr.service.formats import header, make_renderer, schema_of
from flowcorr.service.render import STATUS_NAMES, Output, RowSettings
from flowcorr.wire.custom_primitive import CustomPrimitive, ElementField, Semantics

NOW = 1_790_000_000
SECOND = 1_000_000
EVERYTHING = ", ".join(JSON_ORDER) + ", flows"
FIRST_OF_TEXTS = ("label", "class", "as_path", "std_comm", "vrf_name")


class Rows:
    """Records that are aggregated and written at once."""

    def __init__(self, primitives: str, custom: dict[str, CustomPrimitive] | None = None, **settings: Any) -> None:
        self.aggregate = parse_aggregate(primitives, "nfacctd", custom)
        options = AggregationSettings(history=Length(seconds=60), roundoff="m", zone=UTC, **settings)
        layout = Layout([*ALWAYS, *self.aggregate.columns, *options.columns])
        self.texts = Texts()
        self.aggregation = Aggregation(layout, self.aggregate, self.texts, options, NOW)
        self.batch = Batch(layout, 1024)

    def add(self, **values: Any) -> None:
        columns = self.batch.layout.columns
        for name, value in values.items():
            if columns[name].kind is Kind.TEXT:
                values[name] = self.texts.id_of(value)
        self.batch.append(**values)

    def write(self, **settings: Any) -> bytes:
        self.aggregation.add(self.batch, None, NOW)
        self.batch.clear()
        [flush] = self.aggregation.take_all()
        self.settings = RowSettings(**{"utc": True, **settings})
        renderer = make_renderer(self.aggregate, self.aggregation.plan, self.settings)
        rows = b""
        for bin_ in flush.bins:
            at = 0
            while at < len(bin_):
                at = renderer.render(bin_, at, NOW, full_at=1)
                ends = np.frombuffer(renderer.ends(), np.uint32).tolist()
                assert len(ends) == renderer.rows
                assert not ends or ends[-1] == len(renderer)
                rows += renderer.take()
        self.left_out = renderer.left_out
        return rows

    def json(self, **settings: Any) -> list[dict[str, Any]]:
        lines = self.write(output=Output.JSON, **settings).splitlines(keepends=True)
        assert all(line.endswith(b"}\n") for line in lines)
        return [json.loads(line) for line in lines]

    def csv(self, **settings: Any) -> list[dict[str, str]]:
        text = self.write(output=Output.CSV, **settings)
        head = header(self.aggregate, self.aggregation.plan, self.settings)
        stream = io.StringIO((head + text).decode(), newline="")
        return list(csv.DictReader(stream, delimiter=settings.get("separator", ","), strict=True))


def one_json(primitives: str, values: dict[str, Any], **settings: Any) -> dict[str, Any]:
    rows = Rows(primitives)
    rows.add(**values)
    [row] = rows.json(**settings)
    return row


def test_an_empty_record_has_every_field_in_order() -> None:
    rows = Rows(EVERYTHING)
    rows.add()
    [row] = rows.json(has_history=True)
    stamps = {"stamp_inserted": "2026-09-21 14:13:00", "stamp_updated": "2026-09-21 14:13:20"}
    expected = ["event_type"]
    for field in FIELDS:
        if field.key == "vrf_name":
            expected += [*stamps, "flows"]
        expected.append(field.key)
    assert list(row) == [*expected, "packets", "bytes"]
    assert {key: row[key] for key in stamps} == stamps
    empty = {
        "class": "unknown",
        "mac_src": "00:00:00:00:00:00",
        "etype": "0",
        "ip_src": "",
        "as_path": "",
        "mpls_vpn_rd": "0:0:0",
        "mpls_vpn_rd_origin": "unknown",
        "ip_proto": "0",
        "fwd_status": "0",
        "tcp_flags": 0,
        "tunnel_tcp_flags": "0",
        "mpls_label_stack": "",
        "srv6_seg_ipv6_list": [],
        "sampling_direction": "u",
        "roa_dst": "u",
        "timestamp_start": "0000-00-00 00:00:00.000000",
    }
    assert {key: row[key] for key in empty} == empty


@pytest.mark.parametrize(
    ("primitive", "value", "shown"),
    [
        ("tag", 2**64 - 1, 2**64 - 1),
        ("src_mac", b"\x00\x11\x22\xaa\xbb\xcc", "00:11:22:aa:bb:cc"),
        ("etype", 0x0800, "800"),
        ("etype", 0x86DD, "86dd"),
        ("src_host", IPV4_MAPPED + bytes([10, 0, 0, 255]), "10.0.0.255"),
        ("src_host", bytes(16), "::"),
        ("dst_net", IPV4_MAPPED + bytes(4), "0.0.0.0"),
        ("dst_host", IPv6Address("2001:db8::1:0:0:1").packed, "2001:db8::1:0:0:1"),
        ("proto", 6, "tcp"),
        ("proto", 58, "ipv6-icmp"),
        ("proto", 200, "200"),
        ("proto", 255, "others"),
        ("sampling_direction", ord("e"), "e"),
        ("sampling_direction", 0xFF, "u"),
        ("dst_roa", ord("V"), "V"),
        ("fwd_status", 2**32 - 1, "4294967295"),
        ("mpls_vpn_rd", bytes.fromhex("0000fde800000007"), "0:65000:7"),
        ("mpls_vpn_rd", bytes.fromhex("0800000060000000"), "vrfid:1610612736"),
        ("mpls_label_stack", bytes.fromhex("0000004500005ef1"), "69_24305"),
        ("srv6_seg_ipv6_list", bytes(15) + b"\1" + bytes(15) + b"\2", ["0-::1", "1-::2"]),
        ("timestamp_start", 1_700_000_000_123_456, "2023-11-14 22:13:20.123456"),
        ("timestamp_start", -1, "0000-00-00 00:00:00.000000"),
        ("std_comm", b"64500:1_no-export", "64500:1_no-export"),
        ("class", b"facebook/ssl", "facebook/ssl"),
    ],
)
def test_values_as_json_has_them(primitive: str, value: object, shown: object) -> None:
    row = one_json(primitive, {primitive: value})
    key = next(field.key for field in FIELDS if field.primitive == primitive)
    assert row[key] == shown


@pytest.mark.parametrize(
    ("switch", "primitive", "value", "shown"),
    [
        ("flags_as_array", "tcpflags", 0x1B, ["ACK", "PSH", "SYN", "FIN"]),
        ("flags_as_array", "tcpflags", 0xC2, ["CWR", "ECE", "SYN"]),  # pmacct writes none at all
        ("flags_as_array", "tunnel_tcpflags", 0, []),
        ("status_as_text", "fwd_status", 195, "CONSUMED For us"),
        ("status_as_text", "fwd_status", 0, "UNKNOWN Unclassified"),
        ("status_as_text", "fwd_status", 70, "FORWARDED Unclassified"),
        ("status_as_text", "fwd_status", 256, "UNKNOWN Unclassified"),
        ("stack_as_array", "mpls_label_stack", bytes.fromhex("0000004500005ef1"), ["0-69", "1-24305"]),
        ("stack_as_array", "mpls_label_stack", b"", []),
        ("stack_as_array", "mpls_label_stack", b"abc", []),
        ("as_path_as_array", "as_path", b"9_64500_{1,2}", ["9", "64500", "{1,2}"]),
        ("as_path_as_array", "src_as_path", b"", []),
        ("communities_as_array", "lrg_comm", b"1:2:3_4:5:6", ["1:2:3", "4:5:6"]),
        ("label_as_map", "label", b"nkey%node%90,pkey%x", {"nkey": "node%90", "pkey": "x"}),
        ("label_as_map", "label", b"a%1,,b,a%2,", {"b": "", "a": "2"}),
        ("label_as_map", "label", b"%,,", {"": ""}),
        ("label_as_map", "label", b"", {}),
        ("protocols_numeric", "proto", 6, "6"),
    ],
)
def test_encodings_that_can_be_asked_for(switch: str, primitive: str, value: Any, shown: object) -> None:
    row = one_json(primitive, {primitive: value}, **{switch: True})
    key = next(field.key for field in FIELDS if field.primitive == primitive)
    assert row[key] == shown


def test_a_switch_of_arrays_changes_no_column() -> None:
    rows = Rows("as_path, tcpflags, label")
    rows.add(as_path=b"1_2", tcpflags=2, label=b"a%b")
    [row] = rows.csv(as_path_as_array=True, flags_as_array=True, label_as_map=True)
    assert (row["AS_PATH"], row["TCP_FLAGS"], row["LABEL"]) == ("1_2", "2", "a%b")


def test_the_first_key_of_many_equal_labels() -> None:
    labels = b",".join(b"k%d%%v" % number for number in range(100))
    row = one_json("label", {"label": labels}, label_as_map=True)
    assert len(row["label"]) == 100


@pytest.mark.parametrize(
    ("value", "number", "status"),
    [(64, 1, "Unknown"), (66, 1, "Not Fragmented"), (128, 2, "Unknown"), (143, 2, "Hardware"), (194, 3, "Incomplete")],
)
def test_forwarding_statuses_stand_at_their_numbers(value: int, number: int, status: str) -> None:
    name = STATUS_NAMES[value].decode()
    assert name.startswith(("UNKNOWN", "FORWARDED", "DROPPED", "CONSUMED")[number])
    assert status in name


def test_every_form_has_a_row() -> None:
    assert {field.form for field in FIELDS} == set(Form) - {Form.NUMBER_TEXT, Form.OCTETS}


def test_custom_primitives_are_strings() -> None:
    defined = {
        "number": (Semantics.U_INT, 4, 1610612736, "1610612736"),
        "hexes": (Semantics.HEX, 2, 0x0AFF, "aff"),
        "address": (Semantics.IP, 4, IPV4_MAPPED + bytes([192, 0, 2, 1]), "192.0.2.1"),
        "hardware": (Semantics.MAC, 6, bytes(6), "00:00:00:00:00:00"),
        "octets": (Semantics.RAW, None, b"\x00\xffA", "00-FF-41"),
        "words": (Semantics.STR, None, b'a "b"', 'a "b"'),
    }
    custom = {
        name: CustomPrimitive(
            name=name, field=ElementField(1), pointers=(), length=length, semantics=semantics, where="[x:1]"
        )
        for name, (semantics, length, _, _) in defined.items()
    }
    rows = Rows("octets, words, number, hexes, address, hardware, vrf_name", custom)
    rows.add(**{f"custom:{name}": value for name, (_, _, value, _) in defined.items()})
    [row] = rows.json()
    shown = {name: text for name, (_, _, _, text) in defined.items()}
    assert list(row)[1:7] == ["octets", "words", "number", "hexes", "address", "hardware"]
    assert {name: row[name] for name in defined} == shown


TEXTS = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from([b",", b"%", b"_", b'"', b"\\", b"\n", b"\0", b"x", b"\xff", b"\xed\xa0\x80"])).map(
        b"".join
    ),
)


def cleaned(text: bytes) -> str:
    """Return a text as a reader has to see it: each octet that is no UTF-8 replaced."""
    shown = []
    at = 0
    while at < len(text):
        for octets in (1, 2, 3, 4):
            try:
                shown.append(text[at : at + octets].decode())
            except UnicodeDecodeError:
                continue
            at += octets
            break
        else:
            shown.append("\N{REPLACEMENT CHARACTER}")
            at += 1
    return "".join(shown)


@given(st.fixed_dictionaries(dict.fromkeys(FIRST_OF_TEXTS, TEXTS)))
def test_whatever_a_text_holds_json_and_csv_are_read_back(values: dict[str, bytes]) -> None:
    expected = {name: cleaned(text) for name, text in values.items()}
    expected["class"] = expected["class"] or "unknown"
    shown = {"std_comm": "comms"}
    rows = Rows(", ".join(FIRST_OF_TEXTS))
    rows.add(**values)
    [row] = rows.json()
    assert {name: row[shown.get(name, name)] for name in values} == expected
    for separator in ",;\t ":
        rows.add(**values)
        [columns] = rows.csv(separator=separator)
        headers = {"std_comm": "COMMS"}
        assert {name: columns[headers.get(name, name.upper())] for name in values} == expected


@given(TEXTS)
def test_lists_and_maps_of_hostile_texts_are_read_back(text: bytes) -> None:
    rows = Rows("as_path, label, mpls_label_stack, srv6_seg_ipv6_list")
    rows.add(as_path=text, label=text, mpls_label_stack=text, srv6_seg_ipv6_list=text)
    [row] = rows.json(as_path_as_array=True, label_as_map=True, stack_as_array=True)
    assert row["as_path"] == [cleaned(part) for part in text.split(b"_") if part]
    labels = [label.partition(b"%") for label in text.split(b",") if label]
    assert row["label"] == {cleaned(key): cleaned(value) for key, _, value in labels}
    words = [int.from_bytes(text[at : at + 4]) for at in range(0, len(text) // 4 * 4, 4)]
    assert row["mpls_label_stack"] == [f"{number}-{word}" for number, word in enumerate(words)]
    assert len(row["srv6_seg_ipv6_list"]) == len(text) // 16


@given(TEXTS)
def test_no_control_character_reaches_a_formatted_column(text: bytes) -> None:
    rows = Rows("label, tos")
    rows.add(label=text)
    line = rows.write(output=Output.FORMATTED).decode()
    assert line.endswith("\n")
    assert all(character >= " " and character != "\x7f" for character in line[:-1])


def test_long_texts_find_room() -> None:
    text = b'"\x01\xff' * 60_000
    row = one_json("as_path, label", {"as_path": text, "label": text}, as_path_as_array=True, label_as_map=True)
    assert row["as_path"] == [cleaned(text)]


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


def test_without_any_primitive_there_are_counters() -> None:
    rows = Rows("none")
    rows.add(packets=2, bytes=3)
    assert rows.json() == [{"event_type": "purge", "packets": 2, "bytes": 3}]
    rows.add(packets=2, bytes=3)
    assert rows.write(output=Output.CSV) == b"2,3\n"


@pytest.mark.parametrize(
    ("layout", "exact", "stamp", "none"),
    [
        (r.PLAIN, "2026-09-21 14:13:20.000007", "2026-09-21 14:13:00", "0000-00-00 00:00:00.000000"),
        (
            r.RFC9557,
            "2026-09-21T14:13:20.000007+00:00",
            "2026-09-21T14:13:00+00:00",
            "0000-00-00T00:00:00.000000+00:00",
        ),
        (r.SINCE_EPOCH, f"{NOW}.000007", str(NOW // 60 * 60), "0.000000"),
    ],
)
def test_layouts_of_times(layout: int, exact: str, stamp: str, none: str) -> None:
    values = {"timestamp_start": NOW * SECOND + 7}
    row = one_json("timestamp_start, timestamp_end", values, time_layout=layout, has_history=True)
    assert (row["timestamp_start"], row["stamp_inserted"], row["timestamp_end"]) == (exact, stamp, none)


def test_whole_seconds_keep_the_layout() -> None:
    row = one_json("timestamp_start", {"timestamp_start": NOW * SECOND + 7}, whole_seconds=True)
    assert row["timestamp_start"] == "2026-09-21 14:13:20.000000"


@pytest.fixture(params=["Europe/Zurich", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield ZoneInfo(request.param)
    monkeypatch.undo()
    time.tzset()


def test_times_are_those_of_the_zone(zone: ZoneInfo) -> None:
    assert os.environ["TZ"] == zone.key
    moments = [1, NOW, *range(1_774_000_000, 1_806_000_000, 86_399), 4_102_444_799, 7_258_118_399]
    rows = Rows("timestamp_end, timestamp_start")
    for moment in moments:
        rows.add(timestamp_start=moment * SECOND, timestamp_end=(moment + 900) * SECOND)
    shown = rows.json(utc=False, time_layout=r.RFC9557)
    for moment, row in zip(moments, shown, strict=True):
        expected = datetime.fromtimestamp(moment, zone).isoformat(timespec="microseconds")
        assert row["timestamp_start"] == expected[:32]


def test_stitched_records_show_their_spell() -> None:
    rows = Rows("timestamp_arrival, proto", stitching=True)
    rows.add(bin_time=NOW * SECOND, time_end=(NOW + 3) * SECOND + 1)
    [row] = rows.json(has_spell=True)
    assert list(row)[2:] == ["timestamp_arrival", "timestamp_min", "timestamp_max", "packets", "bytes"]
    assert (row["timestamp_min"], row["timestamp_max"]) == ("2026-09-21 14:13:20.000000", "2026-09-21 14:13:23.000001")


@pytest.mark.parametrize(
    ("checks", "all_checks", "kept"),
    [
        ((), False, {1, 2, 3}),
        ((Check(r.PACKETS, 10),), False, {2, 3}),
        ((Check(r.PACKETS, 10, is_maximum=True),), False, {1}),
        ((Check(r.BYTES_A_PACKET, 100),), True, {2}),
        ((Check(r.PACKETS, 100), Check(r.BYTES, 50)), False, {2, 3}),
        ((Check(r.PACKETS, 100), Check(r.BYTES, 50)), True, {3}),
        ((Check(r.PACKETS_A_FLOW, 1),), True, {2}),
    ],
)
def test_rows_that_fail_their_checks_are_left_out(checks: tuple[Check, ...], all_checks: bool, kept: set[int]) -> None:
    rows = Rows("tag, flows")
    rows.add(tag=1, packets=0, bytes=0, flows=0)
    rows.add(tag=2, packets=10, bytes=1000, flows=2)
    rows.add(tag=3, packets=100, bytes=50, flows=0)
    assert {row["tag"] for row in rows.json(checks=checks, all_checks=all_checks)} == kept
    assert rows.left_out == 3 - len(kept)


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


def avro_rows(rows: Rows, **settings: Any) -> list[dict[str, Any]]:
    """Write records as Avro, and read them with another reader."""
    octets = rows.write(output=Output.AVRO, writer_id="p/1", **settings)
    schema = schema_of(rows.aggregate, rows.aggregation.plan, rows.settings)
    stream = io.BytesIO(octets)
    parsed = fastavro.parse_schema(json.loads(schema.text))
    found = []
    while stream.tell() < len(octets):
        found.append(fastavro.schemaless_reader(stream, parsed, None))
    return found


SWITCHES = {
    "flags_as_array": True,
    "status_as_text": True,
    "stack_as_array": True,
    "communities_as_array": True,
    "as_path_as_array": True,
    "label_as_map": True,
}


@pytest.mark.parametrize("switches", [{}, SWITCHES])
def test_avro_says_what_json_says(switches: dict[str, bool]) -> None:
    values = {
        "label": b"a%b,c%d",
        "as_path": b"1_2_{3,4}",
        "std_comm": b"64500:1_no-export",
        "mpls_label_stack": bytes.fromhex("0000004500005ef1"),
        "srv6_seg_ipv6_list": bytes(15) + b"\1",
        "src_host": IPV4_MAPPED + bytes([10, 0, 0, 1]),
        "vrf_name": b"\xffx" * 100,
        "tcpflags": 0x12,
        "fwd_status": 195,
        "tag": 2**63 - 1,
        "packets": 3,
        "bytes": 2**40,
        "flows": 1,
    }
    options: dict[str, Any] = {**switches, "has_history": True, "has_spell": True}
    rows = Rows(EVERYTHING, stitching=True)
    rows.add(**values)
    rows.add(record_type=RecordType.EVENT)
    as_json = rows.json(**options)
    for row in as_json:
        row["class_legacy"] = row.pop("class")
        row["writer_id"] = "p/1"
        del row["event_type"]
        for name in ("packets", "bytes", "flows"):
            row.setdefault(name, None)
    rows.add(**values)
    rows.add(record_type=RecordType.EVENT)
    assert avro_rows(rows, **options) == as_json


def test_avro_without_history_and_flows() -> None:
    custom = {
        name: CustomPrimitive(
            name=name, field=ElementField(1), pointers=(), length=4, semantics=Semantics.U_INT, where="[x:1]"
        )
        for name in ("first", "second")
    }
    rows = Rows("first, tos, second", custom)
    rows.add(**{"custom:first": 7, "custom:second": 2**32 - 1, "tos": 4, "packets": 5})
    expected = {
        "tos": 4,
        "custom_primitives": {"first": "7", "second": "4294967295"},
        "packets": 5,
        "flows": None,
        "bytes": 0,
        "writer_id": "p/1",
    }
    [row] = avro_rows(rows)
    assert (row, list(row)) == (expected, list(expected))


def test_numbers_beyond_those_of_avro_are_the_largest_one() -> None:
    rows = Rows("tag")
    rows.add(tag=2**64 - 1)
    assert avro_rows(rows)[0]["tag"] == 2**63 - 1


@given(st.fixed_dictionaries(dict.fromkeys(FIRST_OF_TEXTS, TEXTS)))
@example(dict.fromkeys(FIRST_OF_TEXTS, b"_,_"))
def test_whatever_a_text_holds_avro_is_read_back(values: dict[str, bytes]) -> None:
    rows = Rows(", ".join(FIRST_OF_TEXTS))
    rows.add(**values)
    [row] = avro_rows(rows, **SWITCHES)
    assert row["vrf_name"] == cleaned(values["vrf_name"])
    assert row["as_path"] == [cleaned(part) for part in values["as_path"].split(b"_") if part]
    labels = [label.partition(b"%") for label in values["label"].split(b",") if label]
    assert row["label"] == {cleaned(key): cleaned(value) for key, _, value in labels}


def test_the_json_of_avro_names_the_types_of_unions() -> None:
    rows = Rows("tos, label, as_path")
    rows.add(tos=1, label=b"a%b", packets=2)
    rows.add(tos=2, record_type=RecordType.EVENT)
    lines = rows.write(output=Output.AVRO_JSON, writer_id="p/1", label_as_map=True, has_history=True).splitlines()
    first, second = (json.loads(line) for line in lines)
    assert first == {
        "label": {"a": "b"},
        "as_path": "",
        "tos": 1,
        "stamp_inserted": {"string": "2026-09-21 14:13:00"},
        "stamp_updated": {"string": "2026-09-21 14:13:20"},
        "packets": {"long": 2},
        "flows": None,
        "bytes": {"long": 0},
        "writer_id": "p/1",
    }
    assert (second["packets"], second["bytes"]) == (None, None)
