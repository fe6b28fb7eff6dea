"""What PDUs stand behind on links, and names as people write them."""

import pytest

from routed.octets import WireError
from routed.wire.isis.gre import decode_gre, decode_keepalive, decode_llc, encode_gre, encode_llc
from routed.wire.isis.names import (
    format_area,
    format_lsp_id,
    format_node,
    format_system_id,
    parse_entity_title,
)


def test_a_pdu_survives_gre_and_llc() -> None:
    for key in (None, 0, 2**32 - 1):
        assert decode_gre(encode_gre(b"\x83pdu", key), key) == b"\x83pdu"
    assert decode_llc(encode_llc(b"\x83pdu")) == b"\x83pdu"


@pytest.mark.parametrize(
    ("packet", "key"),
    [
        ("0000 00fe", None),
        ("8000 00fe 971b0000", None),
        ("2000 00fe 00000007", 7),
        ("1000 00fe 00000001", None),
        ("3000 00fe 00000000 ffffffff", 0),
        ("b000 00fe 67130000 00000007 00000001", 7),
    ],
)
def test_optional_fields_of_gre(packet: str, key: int | None) -> None:
    """RFC 2784 section 2.1 and RFC 2890 section 2; the checksums have been calculated by hand, over an odd length."""
    octets = bytes.fromhex(packet) + b"\x83\x70\x64\x75\x00"
    assert decode_gre(octets, key) == octets[-5:]
    for cut in range(len(octets) - 5):
        with pytest.raises(WireError):
            decode_gre(octets[:cut], key)
    for other in {None, 7, 8} - {key}:
        with pytest.raises(WireError, match="key"):
            decode_gre(octets, other)


def test_a_wrong_checksum_of_gre_is_refused_at_its_place() -> None:
    with pytest.raises(WireError, match="checksum") as refusal:
        decode_gre(bytes.fromhex("8000 00fe 971c0000 8370647500"))
    assert refusal.value.offset == 4


LOCAL, REMOTE = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
#: From 192.0.2.1 to 192.0.2.2, 24 octets, GRE of protocol 0; in front of it GRE with IPv4.
INNER = "4500 0018 0001 0000 ff2f 0000 c0000201 c0000202"
KEEPALIVE = bytes.fromhex(f"0000 0800 {INNER} 0000 0000")
KEYED = bytes.fromhex(f"2000 0800 00000007 {INNER.replace('0018', '001c')} 2000 0000 00000007")


def test_a_keepalive_is_what_the_other_end_has_sent_to_itself() -> None:
    assert decode_keepalive(KEEPALIVE, None, LOCAL, REMOTE) == bytes(4)
    assert decode_keepalive(KEEPALIVE + b"filling", None, LOCAL, REMOTE) == bytes(4)
    assert decode_keepalive(KEYED, 7, LOCAL, REMOTE) == KEYED[-8:]


@pytest.mark.parametrize(
    ("packet", "key", "ends"),
    [
        (KEEPALIVE, 7, (LOCAL, REMOTE)),
        (KEYED, None, (LOCAL, REMOTE)),
        (KEEPALIVE, None, (REMOTE, LOCAL)),
        (KEEPALIVE, None, (LOCAL, LOCAL)),
        (KEEPALIVE.replace(b"\xff\x2f", b"\xff\x11"), None, (LOCAL, REMOTE)),
        (KEEPALIVE.replace(b"\x45\0", b"\x65\0"), None, (LOCAL, REMOTE)),
        (KEEPALIVE.replace(b"\x45\0", b"\x44\0"), None, (LOCAL, REMOTE)),
        (KEEPALIVE[:-2] + b"\x08\0", None, (LOCAL, REMOTE)),
        (bytes.fromhex("000000fe83"), None, (LOCAL, REMOTE)),
        (KEEPALIVE, None, (bytes(15) + b"\1", bytes(15) + b"\2")),
        *((KEEPALIVE[:cut], None, (LOCAL, REMOTE)) for cut in range(len(KEEPALIVE))),
    ],
)
def test_nothing_else_goes_back(packet: bytes, key: int | None, ends: tuple[bytes, bytes]) -> None:
    """Other tunnels, other hosts, other protocols, other traffic in the tunnel, half packets."""
    with pytest.raises(WireError):
        decode_keepalive(packet, key, *ends)


@pytest.mark.parametrize("packet", ["000100fe83", "400000fe83", "0000080045", "0000"])
def test_other_gre_is_refused(packet: str) -> None:
    """Version 1, source routes, keepalives and other protocols."""
    with pytest.raises(WireError):
        decode_gre(bytes.fromhex(packet))


@pytest.mark.parametrize("frame", [b"", b"\xfe\xfe", b"\x42\x42\x03\0\0", b"\xaa\xaa\x03"])
def test_other_llc_is_refused(frame: bytes) -> None:
    """Spanning tree, SNAP, nothing."""
    with pytest.raises(WireError):
        decode_llc(frame)


def test_names_are_written_as_routers_write_them() -> None:
    title = parse_entity_title("49.0001.1921.6800.1001.00")
    assert title == (b"\x49\0\1", bytes.fromhex("192168001001"))
    assert format_system_id(title.system_id) == "1921.6800.1001"
    assert format_node(title.system_id + b"\x2a") == "1921.6800.1001.2a"
    assert format_lsp_id(title.system_id + b"\x2a\1") == "1921.6800.1001.2a-01"
    assert format_area(title.area) == "49.0001"
    assert format_area(b"\x49") == "49"
    assert format_area(bytes.fromhex("47000580ff")) == "47.0005.80ff"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "49",
        "49.0001.1921.6800.1001.01",  # selector
        "49.0001.1921.6800.100.00",  # half an octet
        "0000.0000.0001.00",  # no area
        "49" * 14 + "0000.0000.0001.00",  # one octet too many
        "49.0001.1921.6800.100g.00",
        "49 0001.1921.6800.1001.00",
    ],
)
def test_what_is_no_entity_title_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_entity_title(text)


def test_the_longest_and_the_shortest_entity_title() -> None:
    assert parse_entity_title("49" * 13 + "0000.0000.0001.00").area == b"\x49" * 13
    assert parse_entity_title("49.0000.0000.0001.00").area == b"\x49"
