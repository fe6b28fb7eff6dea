"""Route Monitoring: one UPDATE, and since version 4 TLVs about it and its prefixes."""

import pytest

from routed.octets import WireError
from routed.wire.bgp.capability import AddPath, FourOctetAs, PathsOffer
from routed.wire.bgp.codepoints import SendReceive
from routed.wire.bmp.codepoints import PATH_STATUS_NAMES
from routed.wire.bmp.message import decode_message
from routed.wire.bmp.monitoring import MAX_STATELESS, PathMarking
from routed.wire.bmp.tlv import IndexedTlv
from routed.wire.family import IPV4_MULTICAST, IPV4_UNICAST, IPV6_UNICAST
from tests.oracles.bmp_build import O, frame, peer, tlv
from tests.oracles.build import message as bgp_message
from tests.oracles.build import update

UPDATE = update()
PARSING, GROUP, VRF, PDU, MARKING = range(1, 6)


def monitored(*tlvs, kind=0, flags=0):
    return decode_message(frame(0, peer(kind, flags) + b"".join(tlvs), 4))


def about(kind, value, index=0, enterprise=None):
    return tlv(kind, value, index=index, enterprise=enterprise)


PDU_TLV = about(PDU, UPDATE)


def refused(*tlvs):
    with pytest.raises(WireError) as caught:
        monitored(*tlvs)
    return caught.value


def test_version_3_is_an_update():
    """RFC 7854 section 4.6."""
    found = decode_message(frame(0, peer() + UPDATE))
    assert (found.update, found.tlvs, found.capabilities) == (UPDATE, (), None)


@pytest.mark.parametrize(
    ("octets", "what", "offset"),
    [
        (b"", "19 octets wanted", 48),
        (UPDATE[:-1], "octets wanted", 67),
        (UPDATE + b"x", "1 octets behind the UPDATE", 71),
        (bgp_message(4, b""), "BGP message type 4 is in place of an UPDATE", 48),
        (b"\0" + UPDATE[1:], "marker is not all ones", 48),
    ],
)
def test_anything_else_in_version_3_is_an_error(octets, what, offset):
    with pytest.raises(WireError) as caught:
        decode_message(frame(0, peer() + octets))
    assert what in caught.value.what
    assert caught.value.offset == offset


def test_the_pdu_may_be_anywhere_and_the_other_tlvs_are_kept():
    found = monitored(about(VRF, b"red"), PDU_TLV, about(99, b"?", 3), about(PDU, b"not ours", enterprise=9))
    assert found.update == UPDATE
    assert found.tlvs == (IndexedTlv(VRF, 0, b"red"), IndexedTlv(99, 3, b"?"), IndexedTlv(PDU, 0, b"not ours", 9))
    assert found.vrf == b"red"


@pytest.mark.parametrize("pdus", [0, 2, 3])
def test_exactly_one_pdu(pdus):
    assert f"{pdus} BGP PDUs are not 1 at octet 48" in str(refused(*[PDU_TLV] * pdus))


def test_a_pdu_that_is_no_update_says_where():
    assert refused(about(VRF, b"red"), about(PDU, UPDATE + b"x")).offset == 48 + 9 + 6 + 23


def test_stateless_parsing():
    """draft-ietf-grow-bmp-tlv section 5.2.3: one capability, encoded as in an OPEN; we read several as well."""
    found = monitored(about(PARSING, bytes.fromhex("45040001010141040000fde9")), PDU_TLV)
    offers = (PathsOffer(IPV4_UNICAST, SendReceive.RECEIVE),)
    assert found.capabilities == (AddPath(offers), FourOctetAs(65001))
    twice = monitored(about(PARSING, bytes.fromhex("450400010101")), PDU_TLV, about(PARSING, b"\x41\4\0\0\xfd\xe9"))
    assert twice.capabilities == found.capabilities


@pytest.mark.parametrize("value", [b"\x45", b"\x45\4\0\1\1", b"\x45\3\0\1\1"])
def test_malformed_capabilities_are_an_error(value):
    assert refused(about(PARSING, value), PDU_TLV).offset >= 54


def test_capabilities_have_a_ceiling():
    many = b"\2\0" * (MAX_STATELESS // 2)
    assert len(monitored(about(PARSING, many), PDU_TLV).capabilities) == MAX_STATELESS // 2
    assert "4098 octets of stateless parsing" in str(refused(about(PARSING, many), about(PARSING, b"\2\0"), PDU_TLV))


@pytest.mark.parametrize(
    ("kind", "flags", "families"),
    [(0, 0, {IPV4_UNICAST}), (0, O, {IPV6_UNICAST}), (3, 0, {IPV4_UNICAST, IPV6_UNICAST})],
    ids=["Adj-RIB-In", "Adj-RIB-Out", "Loc-RIB"],
)
def test_path_identifiers_are_where_the_router_agreed_to_receive_or_send_them(kind, flags, families):
    """As in captures: here IPv4 is to be received, IPv6 to be sent, and IPv4 multicast is both."""
    value = bytes.fromhex("450c" + "00010101" + "00020102" + "00010203")
    found = monitored(about(PARSING, value), PDU_TLV, kind=kind, flags=flags)
    assert found.add_path == families | {IPV4_MULTICAST}


def test_without_stateless_parsing_the_peer_up_knows_about_path_identifiers():
    assert monitored(PDU_TLV).add_path is None


MARK_1, MARK_2 = bytes.fromhex("00000002"), bytes.fromhex("000004020003")


def test_path_markings_of_all_of_one_and_of_a_group():
    """draft-ietf-grow-bmp-path-marking-tlv section 2, draft-ietf-grow-bmp-tlv section 5.2.1."""
    found = monitored(
        about(GROUP, b"\0\1\0\3", 0x800B),
        about(MARKING, MARK_1),
        about(MARKING, MARK_2, 2),
        about(MARKING, MARK_2, 0x800B),
        about(MARKING, MARK_2, 0x800C),
        PDU_TLV,
    )
    assert found.groups == {0x800B: (1, 3)}
    everywhere, some = PathMarking(2), PathMarking(0x402, 3)
    assert found.markings(1) == (everywhere, some)
    assert found.markings(2) == (everywhere, some)
    assert found.markings(4) == (everywhere,)


@pytest.mark.parametrize("length", [0, 3, 5, 7])
def test_a_path_marking_of_another_length_says_nothing(length):
    assert monitored(about(MARKING, bytes(length)), PDU_TLV).markings(1) == ()


@pytest.mark.parametrize(
    ("status", "names"),
    [
        (0, ("Unknown",)),
        (0x402, ("Best", "Stale")),
        (0x80001001, ("Invalid", "0x80001000")),
        (0xFFF, tuple(PATH_STATUS_NAMES.values())),
    ],
)
def test_names_of_path_status(status, names):
    assert PathMarking(status).names == names
