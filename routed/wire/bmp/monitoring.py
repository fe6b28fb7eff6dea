"""Route Monitoring: an UPDATE of a peer, and in version 4 what else is known of its routes.

Implements RFC 7854 section 4.6 and draft-ietf-grow-bmp-tlv section 5.2, with the code points of `MonitoringType`.
This is the slow, obvious reading; tables are filled by compiled code that reads the same layouts.

Octets of version 3: common header 6, per-peer header 42, one BGP UPDATE message with its header.
Octets of version 4: common header 6, per-peer header 42, indexed TLVs in any order to the end of the message:

    type u16 (top bit: E)   length u16   index u16 (top bit: G)   value[length]

    1 stateless parsing   one BGP capability, code u8, length u8, value[length], as in the OPEN that the router sent,
                          or several; index 0. ADD-PATH (69) holds n x (AFI u16, SAFI u8, direction u8): prefixes of
                          that family have path identifiers in an Adj-RIB-In when the direction is 1 (receive) or 3,
                          in an Adj-RIB-Out when it is 2 (send) or 3, in a Loc-RIB for any of them; other families
                          have none. Without any such TLV, what the OPENs of the Peer Up agreed holds
    2 group               n x index u16: the prefixes of a group; the index of the TLV itself, G set, names the group
    3 VRF/table name      UTF-8 text of 1 to 255 octets; index 0
    4 BGP PDU             one BGP UPDATE message with its header; exactly one such TLV, index 0
    5 path marking        status u32, then reason u16 or nothing, for the prefix or the group that the index names
                          (draft-ietf-grow-bmp-path-marking-tlv section 2)

A TLV with E set is an enterprise's, whatever its number; it and one of an unknown type are kept. The length never
counts the index. AS numbers have 4 octets unless the A flag of the per-peer header is set or, where a router leaves
that out, the OPENs of the Peer Up disagree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from routed.octets import Cursor, WireError, Writer
from routed.wire.bgp import header as bgp
from routed.wire.bgp.capability import AddPath, Capability, decode_capability
from routed.wire.bgp.codepoints import MessageType, SendReceive
from routed.wire.bmp.codepoints import PATH_STATUS_NAMES, MonitoringType
from routed.wire.bmp.peer import PeerHeader, decode_peer_header, encode_peer_header
from routed.wire.bmp.tlv import G_BIT, IndexedTlv, decode_indexed_tlv, encode_indexed_tlv
from routed.wire.family import Family

_TLVS_SINCE: Final = 4
_SOURCE: Final = "draft-ietf-grow-bmp-tlv 5.2"

_RECEIVED: Final = frozenset({SendReceive.RECEIVE, SendReceive.BOTH})
_SENT: Final = frozenset({SendReceive.SEND, SendReceive.BOTH})
_ANY: Final = _RECEIVED | _SENT

#: Octets of capabilities in one message: as many as an OPEN of the usual length could hold. Each becomes some objects,
#: and every message may have others.
MAX_STATELESS: Final = 4_096

UNKNOWN_STATUS: Final = "Unknown"


@dataclass(frozen=True, slots=True)
class PathMarking:
    """What a router does with a path, and why."""

    status: int
    reason: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Name the bits of the status, lowest first, as records do; bits without a name together in hexadecimal."""
        if self.status == 0:
            return (UNKNOWN_STATUS,)
        names = [name for bit, name in PATH_STATUS_NAMES.items() if self.status & bit]
        unnamed = self.status & ~sum(PATH_STATUS_NAMES)
        return (*names, f"0x{unnamed:08x}") if unnamed else tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMonitoring:
    """An UPDATE of a peer."""

    peer: PeerHeader
    update: bytes  # a whole BGP message
    tlvs: tuple[IndexedTlv, ...] = ()  # all but the BGP PDU, in wire order, repeated ones kept
    capabilities: tuple[Capability, ...] | None = None  # of stateless parsing; None: those of the Peer Up hold

    @property
    def add_path(self) -> frozenset[Family] | None:
        """Return the families whose prefixes have path identifiers; None when that is for the Peer Up to say."""
        if self.capabilities is None:
            return None
        directions = _ANY if self.peer.is_loc else _SENT if self.peer.is_out else _RECEIVED
        return frozenset(
            offer.family
            for capability in self.capabilities
            if isinstance(capability, AddPath)
            for offer in capability.offers
            if offer.send_receive in directions
        )

    @property
    def vrf(self) -> bytes | None:
        """Return the first VRF or table name."""
        return next((tlv.octets for tlv in self.tlvs if _is(tlv, MonitoringType.VRF_TABLE_NAME)), None)

    @property
    def groups(self) -> Mapping[int, tuple[int, ...]]:
        """Return the prefixes of each group, by its index with the G bit; of one that comes twice, the last."""
        return {
            tlv.index: tuple(int.from_bytes(tlv.octets[at : at + 2], "big") for at in range(0, len(tlv.octets) - 1, 2))
            for tlv in self.tlvs
            if _is(tlv, MonitoringType.GROUP)
        }

    def markings(self, prefix: int) -> tuple[PathMarking, ...]:
        """Return what is said about one prefix, from 1: alone, in its groups, or as one of all."""
        groups = self.groups
        found = []
        for tlv in self.tlvs:
            named = groups.get(tlv.index, ()) if tlv.index & G_BIT else (tlv.index or prefix,)
            if prefix in named and (marking := path_marking(tlv)) is not None:
                found.append(marking)
        return tuple(found)


def path_marking(tlv: IndexedTlv) -> PathMarking | None:
    """Return the path marking that a TLV holds, None when it holds none of 4 or 6 octets."""
    if not _is(tlv, MonitoringType.PATH_MARKING):
        return None
    match len(tlv.octets):
        case 4:
            return PathMarking(int.from_bytes(tlv.octets, "big"))
        case 6:
            return PathMarking(int.from_bytes(tlv.octets[:4], "big"), int.from_bytes(tlv.octets[4:], "big"))
        case _:
            return None


def decode_route_monitoring(c: Cursor, version: int) -> RouteMonitoring:
    """Decode the body of a Route Monitoring message; see the module for its octets.

    Raises: WireError when what should be an UPDATE is something else or not alone, when there is not exactly one in
    version 4, and when a capability of stateless parsing is malformed or there are too many. The UPDATE itself is not
    looked into.
    """
    peer = decode_peer_header(c)
    if version < _TLVS_SINCE:
        return RouteMonitoring(peer=peer, update=_decode_update(c))
    offset = c.offset
    updates: list[bytes] = []
    tlvs: list[IndexedTlv] = []
    capabilities: list[Capability] | None = None
    stateless = 0
    while c.remaining:
        tlv, at = decode_indexed_tlv(c)
        if _is(tlv, MonitoringType.BGP_PDU):
            updates.append(_decode_update(Cursor(tlv.octets, at)))
            continue
        tlvs.append(tlv)
        if _is(tlv, MonitoringType.STATELESS_PARSING):
            stateless += len(tlv.octets)
            if stateless > MAX_STATELESS:
                raise WireError(f"{stateless} octets of stateless parsing are more than {MAX_STATELESS}", at, _SOURCE)
            capabilities = [*(capabilities or ()), *_decode_capabilities(Cursor(tlv.octets, at))]
    if len(updates) != 1:
        raise WireError(f"{len(updates)} BGP PDUs are not 1", offset, _SOURCE)
    return RouteMonitoring(
        peer=peer,
        update=updates[0],
        tlvs=tuple(tlvs),
        capabilities=None if capabilities is None else tuple(capabilities),
    )


def encode_route_monitoring(w: Writer, message: RouteMonitoring, version: int) -> None:
    """Encode the body of a Route Monitoring message, the UPDATE last; version 3 has no room for TLVs."""
    encode_peer_header(w, message.peer)
    if version < _TLVS_SINCE:
        assert not message.tlvs
        w.octets(message.update)
        return
    for tlv in (*message.tlvs, IndexedTlv(MonitoringType.BGP_PDU, 0, message.update)):
        encode_indexed_tlv(w, tlv)


def _is(tlv: IndexedTlv, kind: MonitoringType) -> bool:
    return tlv.enterprise is None and tlv.kind == kind


def _decode_update(c: Cursor) -> bytes:
    """Take an UPDATE that fills the cursor."""
    offset, octets = c.offset, c.rest()
    whole = Cursor(octets, offset)
    kind, _ = bgp.decode_message(whole)
    if kind != MessageType.UPDATE:
        raise WireError(f"BGP message type {kind} is in place of an UPDATE", offset, "RFC 7854 4.6")
    if whole.remaining:
        raise WireError(f"{whole.remaining} octets behind the UPDATE", whole.offset, "RFC 7854 4.6")
    return octets


def _decode_capabilities(c: Cursor) -> list[Capability]:
    capabilities = []
    while c.remaining:
        capabilities.append(decode_capability(c))
    return capabilities
