"""Values of primitives that the operator defines, out of the fields of records."""

from typing import Any

import pytest

from flowcorr.service.custom_primitives import parse_custom_primitives
from flowcorr.wire.decode_settings import DecodeSettings
from routed.plumbing.maps import Limits
from tests.flowcorr.collect.test_records import record
from tests.flowcorr.collect.test_samples import frame
from tests.flowcorr.exports import Input, export_set, ipfix, template


def values(rows: str, *datagrams: bytes) -> dict[str, Any]:
    """Return the values of primitives, by name, in the one record of some datagrams."""
    custom = parse_custom_primitives(rows, "map", Limits())
    columns = [primitive.column for primitive in custom.values()]
    reader = Input("proto", decode=DecodeSettings(custom=tuple(custom.values())), columns=columns)
    (row,) = reader.take(*datagrams)
    return {name: row.get(primitive.column.name) for name, primitive in custom.items()}


@pytest.mark.parametrize("length", range(1, 9))
@pytest.mark.parametrize("semantics", ["u_int", "hex"])
def test_numbers_of_one_to_eight_octets(length: int, semantics: str) -> None:
    octets = bytes(range(0xF0, 0xF0 + length))
    found = values(f"name=x field_type=70 len={length} semantics={semantics}", *record([(70, octets, length)]))
    assert found == {"x": int.from_bytes(octets)}


def test_a_number_of_another_length_is_left_out() -> None:
    sent = record([(7, 80, 2), (11, 443, 4)])
    rows = "name=a field_type=7 len=4 semantics=u_int\nname=b field_type=11 len=3 semantics=hex"
    assert values(rows, *sent) == {"a": None, "b": None}


def test_texts_addresses_and_octets() -> None:
    sent = record([(82, b"eth0\0\0", 6), (8, b"\x0a\0\0\1", 4), (27, bytes(15) + b"\1", 16), (56, b"\2\0\0\0\0\7", 6)])
    rows = """
        name=name field_type=82 len=6 semantics=str
        name=any field_type=82 len=vlen semantics=str
        name=short field_type=82 len=4 semantics=str
        name=octets field_type=82 len=2 semantics=raw
        name=four field_type=8 len=4 semantics=ip
        name=six field_type=27 len=16 semantics=ip
        name=mac field_type=56 len=6 semantics=mac
        name=not_four field_type=27 len=4 semantics=ip
    """
    assert values(rows, *sent) == {
        "name": b"eth0",
        "any": b"eth0",
        "short": None,
        "octets": b"et",
        "four": "10.0.0.1",
        "six": "::1",
        "mac": b"\2\0\0\0\0\7",
        "not_four": None,
    }


def test_repeated_and_enterprise_elements_are_told_apart() -> None:
    fields = template(300, (7, 2), (7, 2), (7, 2, 9), (500, 1), (500, 1), (7, 2, 9))
    sent = ipfix(export_set(2, fields)), ipfix(export_set(300, bytes((0, 1, 0, 2, 0, 3, 4, 5, 0, 6))))
    rows = """
        name=last field_type=7 len=2 semantics=u_int
        name=last_too field_type=0:7 len=2 semantics=hex
        name=theirs field_type=9:7 len=2 semantics=u_int
        name=their_second field_type=9:7 len=2 semantics=u_int
        name=first field_type=500 len=1 semantics=u_int
        name=second field_type=500 len=1 semantics=u_int
        name=third field_type=500 len=1 semantics=u_int
    """
    found = values(rows, *sent)
    assert (found["last"], found["last_too"]) == (2, 2)
    assert (found["theirs"], found["their_second"]) == (3, 6)
    assert (found["first"], found["second"], found["third"]) == (4, 5, None)


@pytest.mark.parametrize(
    ("pointers", "value"),
    [
        ("packet_ptr=l3+16", 0x0A020002),
        ("packet_ptr=l3+17", None),
        ("packet_ptr=l3+65535", None),
        ("packet_ptr=l3+17 packet_ptr=l3+12", 0x0A010001),
        ("packet_ptr=packet+26", 0x0A010001),
        ("packet_ptr=mac+8", 1),
        ("packet_ptr=l3:0x800+16", 0x0A020002),
        ("packet_ptr=l3:0x86dd+16", None),
        ("packet_ptr=vlan", None),
        ("packet_ptr=l4", None),
    ],
)
def test_places_in_packets_are_read_where_all_octets_were_sent(pointers: str, value: int | None) -> None:
    """A frame is cut behind the addresses of IPv4."""
    sent = record([(315, frame()[: 14 + 20], 34)])
    assert values(f"name=x {pointers} len=4 semantics=u_int", *sent) == {"x": value}


@pytest.mark.parametrize(("octets", "value"), [(b"\4\0\0\1\2", 258), (b"\3\0\1\2", None), (b"\0", None)])
def test_a_number_in_a_field_of_any_length_has_its_own(octets: bytes, value: int | None) -> None:
    """RFC 7011 section 7: the length stands in front."""
    sent = ipfix(export_set(2, template(300, (82, 65535), (7, 2)))), ipfix(export_set(300, octets + b"\0\x50"))
    assert values("name=x field_type=82 len=4 semantics=u_int", *sent) == {"x": value}
