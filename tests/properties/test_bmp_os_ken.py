"""BMP of version 3 against os-ken, a codec that others wrote: what it encodes we decode, and what we encode it decodes.

os-ken knows no TLVs behind a Peer Up, reads a Peer Down's NOTIFICATION only, and of the statistics those of a number;
it keeps time in a float. So nothing beyond that occurs here.
"""

from ipaddress import IPv4Address, ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from os_ken.lib.packet import bgp, bmp

from routed.octets import Cursor
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.header import decode_message as decode_bgp
from routed.wire.bgp.update import decode_update
from routed.wire.bmp.initiation import Initiation
from routed.wire.bmp.message import Message, decode_message, encode_message
from routed.wire.bmp.monitoring import RouteMonitoring
from routed.wire.bmp.peer import PeerHeader
from routed.wire.bmp.peer_down import PeerDown
from routed.wire.bmp.peer_up import PeerUp
from routed.wire.bmp.statistics import BY_KIND, Layout, Statistic, StatisticsReport
from routed.wire.bmp.termination import Termination, termination_reason
from routed.wire.bmp.tlv import Tlv

IPV4, IPV6 = st.ip_addresses(v=4), st.integers(2**112, 2**128 - 1).map(lambda number: ip_address(number.to_bytes(16)))
U16, U32, U64 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
TEXTS = st.text(max_size=20)
COUNTERS, GAUGES = (0, 1, 2, 3, 4, 5, 6), (7, 8, 14, 15)


@st.composite
def peers(draw: st.DrawFn) -> dict[str, Any]:
    """The arguments that all of os-ken's messages with a per-peer header take."""
    return {
        "peer_type": draw(st.sampled_from((0, 1))),
        "is_post_policy": draw(st.booleans()),
        "is_adj_rib_out": draw(st.booleans()),
        "peer_distinguisher": draw(U64),
        "peer_address": str(draw(st.one_of(IPV4, IPV6))),
        "peer_as": draw(U32),
        "peer_bgp_id": str(draw(IPV4)),
        "timestamp": float(draw(U32)),
    }


def opens() -> st.SearchStrategy[bgp.BGPOpen]:
    capability = [bgp.BGPOptParamCapabilityFourOctetAsNumber(as_number=4200000000)]
    return st.builds(bgp.BGPOpen, my_as=U16, hold_time=U16, bgp_identifier=IPV4.map(str), opt_param=st.just(capability))


@st.composite
def messages(draw: st.DrawFn) -> bmp.BMPMessage:
    shared = draw(peers())
    match draw(st.sampled_from(("monitoring", "statistics", "down", "up", "initiation", "termination"))):
        case "monitoring":
            nlri = [bgp.BGPNLRI(length=24, addr="192.0.2.0")] * draw(st.integers(0, 3))
            return bmp.BMPRouteMonitoring(bgp.BGPUpdate(nlri=nlri), **shared)
        case "statistics":
            counters = st.builds(lambda kind, value: {"type": kind, "value": value}, st.sampled_from(COUNTERS), U32)
            gauges = st.builds(lambda kind, value: {"type": kind, "value": value}, st.sampled_from(GAUGES), U64)
            return bmp.BMPStatisticsReport(draw(st.lists(st.one_of(counters, gauges), max_size=5)), **shared)
        case "down":
            return draw(peer_downs(shared))
        case "up":
            ends = {
                "local_address": str(draw(IPV6 if ":" in shared["peer_address"] else IPV4)),
                "local_port": draw(U16),
                "remote_port": draw(U16),
            }
            return bmp.BMPPeerUpNotification(
                sent_open_message=draw(opens()), received_open_message=draw(opens()), **ends, **shared
            )
        case "initiation":
            text = st.builds(lambda value: {"type": 0, "value": value}, TEXTS)
            octets = st.builds(lambda kind, value: {"type": kind, "value": value}, st.sampled_from((1, 2)), st.binary())
            return bmp.BMPInitiation(draw(st.lists(st.one_of(text, octets), max_size=4)))
        case _:
            text = st.builds(lambda value: {"type": 0, "value": value}, TEXTS)
            reason = st.builds(lambda value: {"type": 1, "value": value}, st.integers(0, 3))
            return bmp.BMPTermination(draw(st.lists(st.one_of(text, reason), max_size=4)))


def peer_downs(shared: dict[str, Any]) -> st.SearchStrategy[bmp.BMPPeerDownNotification]:
    notification = bgp.BGPNotification(6, 2, data=b"bye")
    reasons = st.one_of(
        st.tuples(st.sampled_from((1, 3)), st.just(notification)),
        st.tuples(st.just(2), U16),
        st.tuples(st.just(4), st.just(b"")),
    )
    return reasons.map(lambda pair: bmp.BMPPeerDownNotification(pair[0], pair[1], **shared))


def compare_peer(ours: PeerHeader, theirs: Any) -> None:
    assert (ours.peer_type, ours.is_post, ours.is_out) == (
        theirs.peer_type,
        theirs.is_post_policy,
        theirs.is_adj_rib_out,
    )
    assert int.from_bytes(ours.distinguisher, "big") == theirs.peer_distinguisher
    assert ours.address == ip_address(theirs.peer_address)
    assert (ours.asn, ours.bgp_id) == (theirs.peer_as, IPv4Address(theirs.peer_bgp_id))
    assert ours.seconds + ours.microseconds / 1_000_000 == theirs.timestamp


def compare(ours: Message, theirs: Any) -> None:
    """Fail unless both say the same."""
    match ours:
        case Initiation():
            assert [(tlv.kind, text_of(tlv)) for tlv in ours.tlvs] == info_of(theirs)
        case Termination():
            reasons = [(tlv.kind, termination_reason(tlv) or text_of(tlv)) for tlv in ours.tlvs]
            assert [(kind, 0 if value == b"\0\0" else value) for kind, value in reasons] == info_of(theirs)
        case _:
            compare_peer(ours.peer, theirs)  # type: ignore[union-attr]  # os-ken has no other message without a peer
            compare_body(ours, theirs)


def compare_body(ours: Message, theirs: Any) -> None:
    match ours:
        case RouteMonitoring():
            _, body = decode_bgp(Cursor(ours.update))
            routes = decode_update(body, DecodeContext()).nlri
            assert [str(route.prefix) for route in routes] == [each.prefix for each in theirs.bgp_update.nlri]
        case StatisticsReport():
            assert [(each.kind, each.value) for each in ours.statistics] == [
                (each["type"], each["value"]) for each in theirs.stats
            ]
        case PeerDown():
            assert ours.reason == theirs.reason
            if ours.notification is not None:
                codes = ours.notification.code, ours.notification.subcode, ours.notification.data
                assert codes == (theirs.data.error_code, theirs.data.error_subcode, theirs.data.data)
            elif ours.fsm_event is not None:
                assert ours.fsm_event == (theirs.data[0] if isinstance(theirs.data, tuple) else theirs.data)
        case PeerUp():
            assert ours.local_address == ip_address(theirs.local_address)
            assert (ours.local_port, ours.remote_port) == (theirs.local_port, theirs.remote_port)
            both = (ours.sent_open, theirs.sent_open_message), (ours.received_open, theirs.received_open_message)
            for opened, other in both:
                assert (opened.my_as, opened.hold_time) == (other.my_as, other.hold_time)
                assert IPv4Address(opened.bgp_identifier) == IPv4Address(other.bgp_identifier)
                assert opened.asn == 4200000000


def text_of(tlv: Tlv) -> str | bytes:
    """os-ken takes strings for text, and nothing else."""
    return tlv.octets.decode() if tlv.kind == 0 else tlv.octets


def info_of(theirs: Any) -> list[tuple[int, Any]]:
    return [(each["type"], each["value"]) for each in theirs.info]


@given(theirs=messages())
def test_what_os_ken_encodes_and_what_it_decodes_of_ours(theirs: Any) -> None:
    octets = bytes(theirs.serialize())
    ours = decode_message(octets)
    compare(ours, theirs)
    again = encode_message(ours, 3)
    assert again == octets
    read, rest = bmp.BMPMessage.parser(again)
    assert not rest
    compare(ours, read)


@given(kind=st.sampled_from(COUNTERS + GAUGES), value=U32)
def test_statistics_that_both_know_have_one_layout(kind: int, value: int) -> None:
    assert BY_KIND[kind].layout is (Layout.COUNTER if kind in COUNTERS else Layout.GAUGE)
    peer = PeerHeader(peer_type=0, address=IPv4Address("192.0.2.1"), asn=1, bgp_id=IPv4Address(1))  # type: ignore[arg-type]
    octets = encode_message(StatisticsReport(peer, (Statistic(kind, value),)), 3)
    read, _ = bmp.BMPMessage.parser(octets)
    assert read.stats[0]["value"] == value
