"""PROXY protocol headers, in the order of their specification."""

from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis.strategies import binary, integers, ip_addresses, lists, one_of, sampled_from, tuples

from routed.octets import WireError
from routed.wire.proxy_protocol import MAX_V1, MAX_V2_LENGTH, V2_SIGNATURE, Preface, PrefaceReader, Source

BMP = bytes.fromhex("03 00000006 04")
LONGEST_V1 = b"PROXY UNKNOWN " + b"f" * (MAX_V1 - 16) + b"\r\n"


def packed(text: str) -> bytes:
    return ip_address(text).packed


def v1(*words: str) -> bytes:
    return " ".join(("PROXY", *words)).encode() + b"\r\n"


def v2(body: bytes, command: int = 0x21, family: int = 0x11) -> bytes:
    return V2_SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


TCP4 = packed("192.0.2.1") + packed("192.0.2.9") + (179).to_bytes(2, "big") + (1790).to_bytes(2, "big")
TCP6 = packed("2001:db8::1") + packed("2001:db8::9") + (179).to_bytes(2, "big") + (1790).to_bytes(2, "big")
TLV = bytes.fromhex("02 0003 616263")
FOUR, SIX = Source(packed("192.0.2.1"), 179), Source(packed("2001:db8::1"), 179)

HEADERS = {
    v1("TCP4", "192.0.2.1", "192.0.2.9", "179", "1790"): FOUR,
    v1("TCP6", "2001:db8::1", "2001:db8::9", "179", "1790"): SIX,
    v1("TCP4", "192.0.2.1", "192.0.2.9", "0", "65535"): Source(packed("192.0.2.1"), 0),
    v1("UNKNOWN"): None,
    v1("UNKNOWN", "ffff::1", "what ever"): None,
    LONGEST_V1: None,
    v2(TCP4): FOUR,
    v2(TCP4 + TLV): FOUR,
    v2(TCP6 + TLV, family=0x21): SIX,
    v2(b"", command=0x20, family=0x00): None,
    v2(TCP4, command=0x20): None,
    v2(b"junk", command=0x20, family=0xEE): None,
    v2(b"", family=0x00): None,
    v2(TLV, family=0x00): None,
    v2(TCP4, family=0x12): None,
    v2(bytes(216), family=0x31): None,
    v2(TCP4.ljust(MAX_V2_LENGTH, b"\0")): FOUR,
}
MALFORMED = (
    v1("TCP4"),
    v1("TCP5", "192.0.2.1", "192.0.2.9", "179", "1790"),
    v1("unknown"),
    v1("TCP4", "192.0.2.1", "192.0.2.9", "179"),
    v1("TCP4", "192.0.2.1", "192.0.2.9", "179", "1790", ""),
    v1("TCP4", "", "192.0.2.1", "192.0.2.9", "179", "1790"),
    v1("TCP4", "2001:db8::1", "2001:db8::9", "179", "1790"),
    v1("TCP6", "192.0.2.1", "192.0.2.9", "179", "1790"),
    v1("TCP6", "fe80::1%eth0", "2001:db8::9", "179", "1790"),
    v1("TCP6", "2001:db8::9", "fe80::1%eth0", "179", "1790"),
    v1("TCP4", "192.0.2.1", "192.0.2.999", "179", "1790"),
    v1("TCP4", "192.0.2.\N{FULLWIDTH DIGIT ONE}", "192.0.2.9", "179", "1790"),
    *(v1("TCP4", "192.0.2.1", "192.0.2.9", port, "1790") for port in ("65536", "0179", "-1", "+1", "1_0", "", "0x1")),
    v1("TCP4", "192.0.2.1", "192.0.2.9", "179", "65536"),
    b"PROXY UNKNOWN " + b"f" * (MAX_V1 - 15) + b"\r\n",
    b"PROXY TCP4 192.0.2.1\n".ljust(MAX_V1),
    v2(TCP4, command=0x11),
    v2(TCP4, command=0x22),
    v2(TCP4, family=0x13),
    v2(TCP4, family=0x41),
    v2(TCP4[:-1]),
    v2(TCP6[:-1], family=0x21),
    v2(bytes(215), family=0x31),
    v2(bytes(MAX_V2_LENGTH + 1)),
)
PLAIN = (
    BMP,
    b"P",
    b"PROX",
    b"PROXY",
    b"PROXY\r\n",
    b"PROXX ",
    b"proxy tcp4",
    V2_SIGNATURE[:-1] + b"x",
    b"\r\n\r\n",
    b"\0",
)


def read(*chunks: bytes) -> Preface | None:
    """Read as a connection does: what follows the preface goes elsewhere."""
    reader, preface = PrefaceReader(), None
    for chunk in chunks:
        preface = reader.receive(chunk) if preface is None else Preface(preface.source, preface.octets + chunk)
    return preface


def outcome(*chunks: bytes) -> Preface | str | None:
    try:
        return read(*chunks)
    except WireError as error:
        return str(error)


def split(octets: bytes, cuts: list[int]) -> list[bytes]:
    ends = [*sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    return [octets[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(("header", "source"), HEADERS.items())
def test_a_header_names_the_source_and_leaves_what_follows(header: bytes, source: Source | None) -> None:
    assert read(header + BMP) == Preface(source, BMP)
    assert read(header) == Preface(source, b"")


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_is_waited_for_to_its_last_octet(header: bytes) -> None:
    assert all(read(header[:end]) is None for end in range(len(header)))


@pytest.mark.parametrize("header", MALFORMED)
def test_a_malformed_header_is_refused(header: bytes) -> None:
    with pytest.raises(WireError, match=r"PROXY protocol 2\.[12]"):
        read(header)


def test_a_length_is_refused_before_its_octets_are_there() -> None:
    octets = V2_SIGNATURE + bytes((0x21, 0x11)) + (MAX_V2_LENGTH + 1).to_bytes(2, "big")
    with pytest.raises(WireError, match="length 4097 is above 4096 at octet 14"):
        read(octets)


def test_a_line_is_refused_when_it_cannot_end_in_time() -> None:
    octets = b"PROXY UNKNOWN ".ljust(MAX_V1)
    assert read(octets[:-1]) is None
    with pytest.raises(WireError, match="no end of line in 107 octets"):
        read(octets)


@pytest.mark.parametrize("octets", PLAIN)
def test_octets_without_a_signature_are_passed_on(octets: bytes) -> None:
    assert read(octets + BMP) == Preface(None, octets + BMP)


@given(
    octets=one_of(
        tuples(sampled_from([*HEADERS, *MALFORMED, *PLAIN]), binary(max_size=20)).map(b"".join),
        binary(max_size=40),
    ),
    cuts=lists(integers(0, 5000), max_size=8),
)
def test_segmentation_is_invisible(octets: bytes, cuts: list[int]) -> None:
    assert outcome(*split(octets, cuts)) == outcome(octets)


@given(prefix=sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", V2_SIGNATURE]), octets=binary(max_size=300))
def test_any_octets_are_read_or_refused(prefix: bytes, octets: bytes) -> None:
    with suppress(WireError):
        read(prefix + octets)


@given(address=ip_addresses(), port=integers(0, 65535), rest=binary(max_size=9))
def test_any_source_is_read_from_both_versions(address, port: int, rest: bytes) -> None:
    tcp = f"TCP{address.version}"
    body = address.packed * 2 + port.to_bytes(2, "big") * 2
    expected = Preface(Source(address.packed, port), rest)
    assert read(v1(tcp, str(address), str(address), str(port), str(port)) + rest) == expected
    assert read(v2(body, family=0x11 if address.version == 4 else 0x21) + rest) == expected
