"""What rows are made of: every field, in its order."""

import pytest

from flowcorr.columns.column import IPV4_MAPPED
from flowcorr.correlate.primitives import FIELDS, Form
from flowcorr.service.render import STATUS_NAMES
from flowcorr.wire.custom_primitive import CustomPrimitive, ElementField, Semantics
from tests.flowcorr.service.rows import EVERYTHING, Rows


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
