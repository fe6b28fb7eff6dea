"""Each message of BMP but Route Monitoring, octet by octet."""

from ipaddress import IPv4Address

import pytest

from routed.octets import WireError
from routed.wire.bgp.capability import FourOctetAs
from routed.wire.bgp.notification import Notification
from routed.wire.bmp.codepoints import MirroringInformation, TerminationReason
from routed.wire.bmp.initiation import Initiation
from routed.wire.bmp.message import Unknown, decode_message
from routed.wire.bmp.termination import Termination
from routed.wire.bmp.tlv import Tlv
from tests.oracles.bmp_build import (
    INITIATION,
    PEER_DOWN,
    PEER_UP,
    ROUTE_MIRRORING,
    STATISTICS,
    TERMINATION,
    ends,
    frame,
    open_message,
    peer,
    tlv,
)
from tests.oracles.build import message as bgp_message

AS4 = bytes.fromhex("4104fa56ea00")
SENT, RECEIVED = open_message(23456, "10.0.0.2", AS4), open_message()
CEASE = bgp_message(3, b"\6\2\5hello")


def refused(octets):
    with pytest.raises(WireError) as caught:
        decode_message(octets)
    return caught.value


def test_initiation_keeps_repeated_tlvs():
    """RFC 7854 section 4.4: strings may come several times."""
    found = decode_message(frame(INITIATION, tlv(2, b"r1") + tlv(0, b"a") + tlv(0, b"b")))
    assert found == Initiation((Tlv(2, b"r1"), Tlv(0, b"a"), Tlv(0, b"b")))


@pytest.mark.parametrize(
    ("tlvs", "reason"),
    [
        (tlv(0, b"bye") + tlv(1, b"\0\3"), TerminationReason.REDUNDANT_CONNECTION),
        (tlv(1, b"\0\x63"), TerminationReason(99)),
        (tlv(1, b"\0") + tlv(1, b"\0\0"), TerminationReason.ADMINISTRATIVELY_CLOSED),
        (tlv(0, b"bye"), None),
    ],
)
def test_termination(tlvs, reason):
    """RFC 7854 section 4.5."""
    found = decode_message(frame(TERMINATION, tlvs))
    assert isinstance(found, Termination)
    assert found.reason == reason


def test_peer_up():
    """RFC 7854 section 4.10."""
    found = decode_message(frame(PEER_UP, peer() + ends("2001:db8::2") + SENT + RECEIVED + tlv(4, b"core")))
    assert (str(found.local_address), found.local_port, found.remote_port) == ("2001:db8::2", 179, 40000)
    assert found.sent_open.bgp_identifier == IPv4Address("10.0.0.2").packed
    assert found.sent_open.having(FourOctetAs) == (FourOctetAs(4200000000),)
    assert found.received_open.asn == 65001
    assert found.tlvs == (Tlv(4, b"core"),)


@pytest.mark.parametrize(
    ("opens", "what"),
    [
        (CEASE + RECEIVED, "BGP message type 3 is in place of an OPEN"),
        (SENT, "19 octets wanted, 0 remain"),
        (SENT[:-1], "octets wanted"),
        (b"\0" + SENT[1:] + RECEIVED, "marker is not all ones"),
    ],
)
def test_peer_up_needs_two_opens(opens, what):
    assert what in str(refused(frame(PEER_UP, peer() + ends() + opens)))


@pytest.mark.parametrize(("version", "tail"), [(3, b""), (4, b""), (4, tlv(3, b"red"))])
@pytest.mark.parametrize("reason", range(8))
def test_peer_down(version, tail, reason):
    """RFC 7854 section 4.9, RFC 9069 section 5.3, draft-ietf-grow-bmp-tlv section 5.3."""
    detail = {1: CEASE, 2: b"\0\x12", 3: CEASE, 6: tlv(3, b"blue")}.get(reason, b"")
    found = decode_message(frame(PEER_DOWN, peer() + bytes([reason]) + detail + tail, version))
    assert found.reason == reason
    assert found.notification == (Notification(6, 2, b"\5hello") if reason in (1, 3) else None)
    assert found.fsm_event == (0x12 if reason == 2 else None)
    assert [each.octets for each in found.tlvs] == [b"blue"] * (reason == 6) + [b"red"] * bool(tail)
    assert found.octets == b""


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        (1, b""),
        (1, CEASE[:-1]),
        (3, b"\0" + CEASE[1:]),
        (3, SENT),
        (2, b"\0"),
        (6, b"\0\3\0\7short"),
        (4, b"unexpected"),
        (9, b"unexpected"),
    ],
)
def test_a_peer_is_down_whatever_is_behind_the_reason(reason, detail):
    found = decode_message(frame(PEER_DOWN, peer() + bytes([reason]) + detail))
    assert (found.reason, found.octets) == (reason, detail)
    assert (found.notification, found.fsm_event, found.tlvs) == (None, None, ())


def test_a_peer_down_without_a_reason_is_an_error():
    assert refused(frame(PEER_DOWN, peer())).offset == 48


def test_route_mirroring_keeps_all_messages_and_codes():
    """RFC 7854 section 4.7."""
    tlvs = tlv(1, b"\0\0") + tlv(0, b"broken") + tlv(1, b"\0\1") + tlv(0, SENT) + tlv(1, b"\0") + tlv(9, b"?")
    found = decode_message(frame(ROUTE_MIRRORING, peer() + tlvs))
    assert found.messages == (b"broken", SENT)
    assert found.information == (MirroringInformation.ERRORED_PDU, MirroringInformation.MESSAGES_LOST)
    assert len(found.tlvs) == 6


def test_a_type_that_is_not_assigned_is_kept():
    assert decode_message(frame(7, b"new", 4)) == Unknown(7, b"new")


@pytest.mark.parametrize(
    ("octets", "offset"),
    [
        (b"", 0),
        (frame(INITIATION)[:5], 0),
        (frame(INITIATION, version=2), 0),
        (b"\3\0\0\0\5\4", 1),
        (frame(INITIATION, b"\0\1\0\1x")[:-1], 6),
        (frame(INITIATION) + b"x", 6),
        (frame(STATISTICS, peer()[:20]), 16),
    ],
)
def test_errors_say_where(octets, offset):
    assert refused(octets).offset == offset
