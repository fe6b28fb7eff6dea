"""BMP messages: any octets are decoded or refused, any value survives, and cutting a stream changes nothing."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from routed.octets import WireError
from routed.wire.bgp.capability import FourOctetAs, Multiprotocol
from routed.wire.bgp.notification import Notification
from routed.wire.bgp.open import Capabilities, OpenMessage
from routed.wire.bmp._stream import Stream
from routed.wire.bmp.codepoints import MessageType, PeerDownReason, PeerType
from routed.wire.bmp.initiation import Initiation
from routed.wire.bmp.message import Message, Unknown, decode_message, encode_message
from routed.wire.bmp.mirroring import RouteMirroring
from routed.wire.bmp.monitoring import RouteMonitoring
from routed.wire.bmp.peer import PeerHeader
from routed.wire.bmp.peer_down import PeerDown
from routed.wire.bmp.peer_up import PeerUp
from routed.wire.bmp.statistics import SPECS, Layout, Statistic, StatisticsReport
from routed.wire.bmp.termination import Termination
from routed.wire.bmp.tlv import IndexedTlv, Tlv
from routed.wire.family import IPV4_UNICAST, IPV6_VPN
from tests.fuzz.mutate import mutate
from tests.fuzz.seeds import bmp_messages
from tests.oracles.bmp_build import frame
from tests.oracles.build import update

U16, U32, U64 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
KINDS = st.integers(0, 0x7FFE)
VALUES = st.binary(max_size=30)

IPV4 = U32.map(IPv4Address)
IPV6 = st.integers(2**112, 2**128 - 1).map(IPv6Address)  # what looks like IPv4 is read as that


def peers() -> SearchStrategy[PeerHeader]:
    """Peer headers whose V flag says the family of the address."""
    return st.one_of(
        _peers((0, 1, 2, 4, 255), 0x7F, 0, IPV4),
        _peers((0, 1, 2, 4, 255), 0x7F, 0x80, IPV6),
        _peers((3,), 0xFF, 0, IPV4),
    )


def _peers(kinds: tuple[int, ...], mask: int, flag: int, addresses: SearchStrategy) -> SearchStrategy[PeerHeader]:
    return st.builds(
        PeerHeader,
        peer_type=st.sampled_from(kinds).map(PeerType),
        flags=st.integers(0, 255).map(lambda flags: flags & mask | flag),
        distinguisher=st.binary(min_size=8, max_size=8),
        address=addresses,
        asn=U32,
        bgp_id=IPV4,
        seconds=U32,
        microseconds=U32,
    )


def tlvs(version: int) -> SearchStrategy[tuple[Tlv, ...]]:
    enterprises = st.one_of(st.none(), U32) if version == 4 else st.none()
    return st.lists(st.builds(Tlv, KINDS, VALUES, enterprises), max_size=4).map(tuple)


def indexed_tlvs() -> SearchStrategy[tuple[IndexedTlv, ...]]:
    """Neither the BGP PDU nor stateless parsing, of which the value holds more than the TLV."""
    kinds = st.sampled_from((2, 3, 5, 6, 77))
    return st.lists(st.builds(IndexedTlv, kinds, U16, VALUES, st.one_of(st.none(), U32)), max_size=4).map(tuple)


OPENS = st.builds(
    OpenMessage,
    my_as=U16,
    hold_time=U16,
    bgp_identifier=st.binary(min_size=4, max_size=4),
    parameters=st.sampled_from(((), (Capabilities((FourOctetAs(7), Multiprotocol(IPV6_VPN))),))),
)
UPDATES = st.binary(max_size=20).map(lambda nlri: update(nlri=nlri))


@st.composite
def known_statistics(draw: st.DrawFn) -> Statistic:
    spec = draw(st.sampled_from(SPECS))
    family = draw(st.sampled_from((IPV4_UNICAST, IPV6_VPN))) if spec.layout is Layout.FAMILY_GAUGE else None
    return Statistic(spec.kind, draw(U32 if spec.layout is Layout.COUNTER else U64), family)


STATISTICS = st.one_of(known_statistics(), st.builds(Statistic, st.integers(100, 200), octets=VALUES))


def peer_downs(version: int) -> SearchStrategy[PeerDown]:
    behind = tlvs(version) if version == 4 else st.just(())
    notifications = st.builds(Notification, st.integers(0, 255), st.integers(0, 255), VALUES)
    return st.one_of(
        st.builds(
            PeerDown,
            peer=peers(),
            reason=st.sampled_from((1, 3)).map(PeerDownReason),
            notification=notifications,
            tlvs=behind,
        ),
        st.builds(PeerDown, peer=peers(), reason=st.just(PeerDownReason(2)), fsm_event=U16, tlvs=behind),
        st.builds(PeerDown, peer=peers(), reason=st.sampled_from((4, 5, 9)).map(PeerDownReason), tlvs=behind),
        st.builds(PeerDown, peer=peers(), reason=st.just(PeerDownReason.LOCAL_TLVS), tlvs=tlvs(version)),
    )


def values(version: int) -> SearchStrategy[Message]:
    """Messages of all types."""
    peer_ups = st.builds(
        PeerUp,
        peer=peers(),
        local_address=st.one_of(st.integers(2**24, 2**32 - 1).map(IPv4Address), IPV6),
        local_port=U16,
        remote_port=U16,
        sent_open=OPENS,
        received_open=OPENS,
        tlvs=tlvs(version),
    )
    about = indexed_tlvs() if version == 4 else st.just(())
    return st.one_of(
        st.builds(RouteMonitoring, peer=peers(), update=UPDATES, tlvs=about),
        st.builds(StatisticsReport, peers(), st.lists(STATISTICS, max_size=5).map(tuple)),
        peer_downs(version),
        peer_ups,
        st.builds(Initiation, tlvs(version)),
        st.builds(Termination, tlvs(version)),
        st.builds(RouteMirroring, peers(), tlvs(version)),
        st.builds(Unknown, st.integers(7, 255).map(MessageType), VALUES),
    )


VERSIONED = st.one_of(st.tuples(st.just(3), values(3)), st.tuples(st.just(4), values(4)))


@given(case=VERSIONED)
def test_any_value_survives_the_round_trip(case: tuple[int, Message]) -> None:
    version, message = case
    assert decode_message(encode_message(message, version)) == message


@given(kind=st.integers(0, 8), version=st.sampled_from((3, 4)), body=st.binary(max_size=200))
def test_any_body_is_decoded_or_refused(kind: int, version: int, body: bytes) -> None:
    with suppress(WireError):
        decode_message(frame(kind, body, version))


@given(octets=st.binary(max_size=100))
def test_any_octets_are_decoded_or_refused(octets: bytes) -> None:
    with suppress(WireError):
        decode_message(octets)


@given(at=st.integers(0, 10_000), seed=st.integers(0, 2**32))
def test_what_was_decoded_from_damage_is_decoded_again_from_what_it_encodes_to(at: int, seed: int) -> None:
    seeds = bmp_messages()
    octets = mutate(seeds[at % len(seeds)], seed, seeds)
    with suppress(WireError):
        message = decode_message(octets)
        if not isinstance(message, StatisticsReport) or not message.tlvs:  # those are never wrapped again
            assert decode_message(encode_message(message, octets[0])) == message


@given(case=st.lists(VERSIONED, max_size=8), cuts=st.lists(st.integers(0, 3000)), limit=st.integers(60, 300))
def test_segmentation_is_invisible(case: list[tuple[int, Message]], cuts: list[int], limit: int) -> None:
    octets = b"".join(encode_message(message, version) for version, message in case)
    places = sorted({0, len(octets), *(at for at in cuts if at <= len(octets))})
    pieces, whole = Stream(limit), Stream(limit)
    found = [each for a, b in pairwise(places) for each in pieces.feed(octets[a:b])]
    assert _joined(found) == _joined(whole.feed(octets))
    assert pieces.error is None


def _joined(entries: list[tuple[int, bytes, int]]) -> list[tuple[int, bytes, int]]:
    """Runs of Route Monitoring that meet, as one."""
    runs: list[tuple[int, bytes, int]] = []
    for kind, octets, count in entries:
        if runs and kind == runs[-1][0] == MessageType.ROUTE_MONITORING:
            runs[-1] = (kind, runs[-1][1] + octets, runs[-1][2] + count)
        else:
            runs.append((kind, octets, count))
    return runs
