"""PDUs of the RPKI to Router protocol: both laws of codecs, limits, and a second opinion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.octets import WireError
from routed.wire.rtr._stream import Stream
from routed.wire.rtr.codepoints import LENGTHS, MAX_PDU, SINCE, ErrorCode, PduType
from routed.wire.rtr.pdu import (
    AspaPdu,
    CacheReset,
    CacheResponse,
    EndOfData,
    ErrorReport,
    Intervals,
    Pdu,
    ResetQuery,
    RouterKey,
    SerialNotify,
    SerialQuery,
    UnknownTypeError,
    decode_pdu,
    encode_pdu,
)

U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
PDUS = st.one_of(
    st.builds(SerialNotify, U16, U32),
    st.builds(SerialQuery, U16, U32),
    st.just(ResetQuery()),
    st.builds(CacheResponse, U16),
    st.builds(EndOfData, U16, U32, st.builds(Intervals, U32, U32, U32)),
    st.just(CacheReset()),
    st.builds(RouterKey, st.booleans(), st.binary(min_size=24, max_size=64)),
    st.builds(AspaPdu, st.just(True), U32, st.lists(U32, min_size=1, max_size=9).map(tuple)),
    st.builds(AspaPdu, st.just(False), U32, st.just(())),
    st.builds(ErrorReport, st.sampled_from(ErrorCode), st.binary(max_size=40), st.text(max_size=40)),
)


@given(PDUS)
def test_what_is_encoded_is_decoded_and_the_other_way_round(pdu: Pdu) -> None:
    """Both laws, in the newest version."""
    octets = encode_pdu(2, pdu)
    assert decode_pdu(octets) == pdu
    assert encode_pdu(2, decode_pdu(octets)) == octets


def test_version_0_has_no_intervals() -> None:
    """RFC 6810 section 5.8."""
    end = EndOfData(1, 2, None)
    assert decode_pdu(encode_pdu(0, end)) == end
    with pytest.raises(WireError, match="12"):
        decode_pdu(encode_pdu(0, EndOfData(1, 2, Intervals(1, 2, 3))))


@pytest.mark.parametrize("kind", set(LENGTHS) - {PduType.IPV4_PREFIX, PduType.IPV6_PREFIX})
def test_a_length_out_of_bounds_is_refused(kind: PduType) -> None:
    """One octet too few, one too many."""
    least, most = (24, 24) if kind is PduType.END_OF_DATA else LENGTHS[kind]
    for length in (least - 1, most + 1):
        octets = bytes((2, kind, 0, 0)) + length.to_bytes(4, "big") + bytes(max(length - 8, 0))
        with pytest.raises(WireError, match=f"length {length} of"):
            decode_pdu(octets)


@pytest.mark.parametrize(("kind", "since"), SINCE.items())
def test_a_type_is_of_its_versions(kind: PduType, since: int) -> None:
    """RFC 8210 section 5.10, draft-ietf-sidrops-8210bis section 5.12."""
    octets = bytes((since - 1, kind, 1, 0)) + (32).to_bytes(4, "big") + bytes(24)
    with pytest.raises(UnknownTypeError):
        decode_pdu(octets)


@pytest.mark.parametrize(
    ("octets", "pdu"),
    [
        ("020b00000000001801030002000000010000000200000003", AspaPdu(True, 1, (2, 3))),
        ("020b0000000000100003000000000001", AspaPdu(False, 1, ())),
        ("020b0100000000100000000100000002", AspaPdu(True, 1, (2,))),
        ("020b00000000000c00000001", AspaPdu(False, 1, ())),
        ("020b010000000014000000010000000000000002", AspaPdu(True, 1, (0, 2))),
    ],
)
def test_providers_are_read_in_both_forms(octets: str, pdu: AspaPdu) -> None:
    """The draft changed the PDU under the same version number; caches of today speak either."""
    assert decode_pdu(bytes.fromhex(octets)) == pdu


@pytest.mark.parametrize(
    "octets",
    [
        "020b00000000001801030003000000010000000200000003",
        "020b01000000000e000000010000",
        "020a000000000011000000000000000000",
        "020a0000000000100000000500000000",
    ],
)
def test_parts_that_do_not_fit_are_refused(octets: str) -> None:
    """Counts and inner lengths are compared with what is there."""
    with pytest.raises(WireError):
        decode_pdu(bytes.fromhex(octets))


def test_runs_end_where_something_else_begins() -> None:
    """Another version, another type, a wrong length; and the pieces of TCP do not matter."""
    ipv4 = bytes.fromhex("010400000000001401181800c00002000000fde9")
    ipv6 = bytes.fromhex("010600000000002001202000") + bytes(20)
    wrong = bytes.fromhex("0104000000000018") + bytes(16)
    reset = encode_pdu(1, CacheReset())
    octets = ipv4 + ipv6 + b"\2" + ipv4[1:] + wrong + ipv4 + reset
    expected = [(4, ipv4 + ipv6, 2), (4, b"\2" + ipv4[1:], 1), (4, wrong, 0), (4, ipv4, 1), (8, reset, 0)]
    assert Stream().feed(octets) == expected
    stream = Stream()
    pieces = [piece for at in range(len(octets)) for piece in stream.feed(octets[at : at + 1])]
    assert b"".join(piece for _, piece, _ in pieces) == octets
    assert len(stream) == 0


@pytest.mark.parametrize(("length", "is_bad"), [(7, True), (8, False), (MAX_PDU, False), (MAX_PDU + 1, True)])
def test_the_stream_ends_at_a_length_that_cannot_be(length: int, is_bad: bool) -> None:
    """For good: behind it no PDU can be found."""
    stream = Stream()
    stream.feed(bytes((1, 99, 0, 0)) + length.to_bytes(4, "big"))
    assert (stream.error is not None) == is_bad
    if is_bad:
        assert stream.feed(encode_pdu(1, CacheReset())) == []
        assert stream.bad is not None


def test_a_second_opinion_on_version_1() -> None:
    """`rpki-rtr-client` reads what we write, and writes what we read."""
    protocol = pytest.importorskip("rtr_client.rtr_protocol", reason="SKIPPED: rpki-rtr-client is not installed")
    router = protocol.rfc8210router()
    assert decode_pdu(bytes(router.reset_query())) == ResetQuery()
    router.set_session_id(5)
    assert decode_pdu(bytes(router.serial_query(9))) == SerialQuery(5, 9)
    announced = bytes.fromhex("010400000000001401181a00c00002000000fde9")
    octets = encode_pdu(1, CacheResponse(5)) + announced + encode_pdu(1, EndOfData(5, 7, Intervals(3_600, 600, 7_200)))
    router.process(octets)
    assert router.cache_serial_number() == 7
    (route,) = router.routes()["announce"]
    assert (str(route["ip"]), route["asn"], route.get("maxlen")) == ("192.0.2.0/24", 65001, 26)
