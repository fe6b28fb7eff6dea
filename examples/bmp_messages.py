"""BMP messages as a router sends them about its peers and its Loc-RIB (RFC 7854, RFC 9069)."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from routed.octets import Writer
from routed.wire.bgp.capability import FourOctetAs, Multiprotocol, RouteRefresh
from routed.wire.bgp.codepoints import AS_TRANS, MAX_AS2, CeaseSubcode, ErrorCode
from routed.wire.bgp.notification import Notification
from routed.wire.bgp.open import Capabilities, OpenMessage
from routed.wire.bmp.codepoints import (
    InitiationType,
    MessageType,
    PeerDownReason,
    PeerType,
    PeerUpType,
    TerminationReason,
    TerminationType,
)
from routed.wire.bmp.header import frame
from routed.wire.bmp.initiation import Initiation
from routed.wire.bmp.message import Message, encode_message
from routed.wire.bmp.peer import FLAG_L, FLAG_V, PeerHeader, encode_peer_header
from routed.wire.bmp.peer_down import PeerDown
from routed.wire.bmp.peer_up import PeerUp
from routed.wire.bmp.statistics import Statistic, StatisticsReport
from routed.wire.bmp.termination import Termination
from routed.wire.bmp.tlv import Tlv
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST

_VERSION = 3
_BGP_PORT = 179
_HOLD_TIME = 90


@dataclass(frozen=True, slots=True)
class Speaker:
    """One end of a BGP session: a peer, or the router itself."""

    address: IPv4Address | IPv6Address
    asn: int
    bgp_id: IPv4Address

    @property
    def open_message(self) -> OpenMessage:
        """Return the OPEN that it would send."""
        capabilities = (Multiprotocol(IPV4_UNICAST), Multiprotocol(IPV6_UNICAST), RouteRefresh(), FourOctetAs(self.asn))
        return OpenMessage(
            my_as=self.asn if self.asn <= MAX_AS2 else AS_TRANS,
            hold_time=_HOLD_TIME,
            bgp_identifier=self.bgp_id.packed,
            parameters=(Capabilities(capabilities),),
        )


def adj_rib_in(peer: Speaker, *, is_post: bool) -> PeerHeader:
    """Return the per-peer header for what a peer sent, before or after the import policy, as of now."""
    version_6 = FLAG_V if peer.address.version == 6 else 0
    return _header(PeerType.GLOBAL_INSTANCE, version_6 | (FLAG_L if is_post else 0), peer)


def loc_rib(router: Speaker) -> PeerHeader:
    """Return the per-peer header for the routes that the router itself uses, as of now (RFC 9069 section 4)."""
    return _header(PeerType.LOC_RIB_INSTANCE, 0, Speaker(IPv4Address(0), router.asn, router.bgp_id))


def _header(kind: PeerType, flags: int, peer: Speaker) -> PeerHeader:
    seconds, fraction = divmod(time.time_ns(), 10**9)
    return PeerHeader(
        peer_type=kind,
        flags=flags,
        address=peer.address,
        asn=peer.asn,
        bgp_id=peer.bgp_id,
        seconds=seconds,
        microseconds=fraction // 1000,
    )


def initiation(name: str, description: str) -> bytes:
    """Return the first message of a session."""
    texts = ((InitiationType.SYS_NAME, name), (InitiationType.SYS_DESCR, description))
    return _encode(Initiation(tuple(Tlv(kind, text.encode()) for kind, text in texts)))


def termination(text: str) -> bytes:
    """Return the last message of a session."""
    reason = TerminationReason.ADMINISTRATIVELY_CLOSED.to_bytes(2, "big")
    return _encode(Termination((Tlv(TerminationType.STRING, text.encode()), Tlv(TerminationType.REASON, reason))))


def peer_up(peer: Speaker, router: Speaker) -> bytes:
    """Return what says that the session with a peer began."""
    return _encode(
        PeerUp(
            peer=adj_rib_in(peer, is_post=False),
            local_address=router.address,
            local_port=_BGP_PORT,
            remote_port=40_000 + peer.asn % 20_000,
            sent_open=router.open_message,
            received_open=peer.open_message,
        )
    )


def loc_rib_up(router: Speaker) -> bytes:
    """Return what says that the Loc-RIB will be shown; both OPENs are the router's (RFC 9069 section 5.1)."""
    return _encode(
        PeerUp(
            peer=loc_rib(router),
            local_address=IPv4Address(0),
            local_port=0,
            remote_port=0,
            sent_open=router.open_message,
            received_open=router.open_message,
            tlvs=(Tlv(PeerUpType.VRF_TABLE_NAME, b"global"),),
        )
    )


def peer_down(peer: Speaker) -> bytes:
    """Return what says that a peer's operator ended the session."""
    cease = Notification(ErrorCode.CEASE, CeaseSubcode.ADMINISTRATIVE_SHUTDOWN)
    header = adj_rib_in(peer, is_post=False)
    return _encode(PeerDown(peer=header, reason=PeerDownReason.REMOTE_NOTIFICATION, notification=cease))


def statistics(header: PeerHeader, counted: dict[int, int]) -> bytes:
    """Return a report of statistics by type (RFC 7854 section 4.8)."""
    return _encode(StatisticsReport(header, tuple(Statistic(kind, value) for kind, value in counted.items())))


def monitoring(header: PeerHeader, updates: Iterable[bytes]) -> bytes:
    """Return Route Monitoring messages, one for each UPDATE."""
    w = Writer()
    encode_peer_header(w, header)
    octets = bytes(w)
    return b"".join(frame(MessageType.ROUTE_MONITORING, octets + update, _VERSION) for update in updates)


def _encode(message: Message) -> bytes:
    return encode_message(message, _VERSION)
