"""Who is connected, as records: BGP peers, BMP routers and the peers that they monitor; see docs/query.md."""

from __future__ import annotations

from dataclasses import asdict
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from routed.rib.families import FAMILIES
from routed.service.capabilities import compare
from routed.service.refusals import attribute_name
from routed.session.bgp_passive import State
from routed.wire.bmp.codepoints import PEER_TYPE_NAMES
from routed.wire.bmp.peer import NO_DISTINGUISHER
from routed.wire.rd import format_rd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from ipaddress import IPv6Address

    from routed.rib._rib import PeerRib
    from routed.service.monitored import MonitoredRouter, View
    from routed.service.neighbor import Neighbor
    from routed.service.peers import Peer
    from routed.session.bmp_peers import MonitoredPeer, PeerKey

    Address = IPv4Address | IPv6Address

#: A record of somebody who is connected.
PeerRecord: TypeAlias = dict[str, Any]
#: Shown where a peer has not said its Router-ID.
UNKNOWN_ID: Final = IPv4Address(0)
#: What states are called: as in RFC 4271, where waiting for an OPEN is its OpenSent.
STATES: Final[Mapping[State, str]] = {
    State.OPEN_WAIT: "open_sent",
    State.OPEN_CONFIRM: "open_confirm",
    State.ESTABLISHED: "established",
    State.CLOSED: "closing",
}
#: A peer whose session is lost and whose routes are kept for its return (RFC 4724).
RESTARTING: Final = "restarting"


class Listed(NamedTuple):
    """One who is listed: `key` is what the list is sorted by, and no other has."""

    key: bytes
    describe: Callable[[], PeerRecord]


def place_key(address: Address, port: int) -> bytes:
    """Return what sorts by address and port."""
    return bytes((address.version,)) + address.packed.rjust(16, b"\0") + port.to_bytes(2, "big")


def peer_key(router: bytes, key: PeerKey) -> bytes:
    """Return what sorts by router, then by address, distinguisher and type of the peer."""
    return router + place_key(key.address, 0) + key.distinguisher + bytes((key.peer_type & 0xFF,))


def families_of_rib(rib: PeerRib) -> Iterator[PeerRecord]:
    """Say how many routes of each family there are, and what UPDATEs came to."""
    for index in rib.counted():
        table, family = rib.family_table(index), FAMILIES[index]
        yield {
            "afi": int(family.afi),
            "safi": int(family.safi),
            "routes": 0 if table is None else len(table),
            "stale": 0 if table is None else table.stale,
            "add_path": bool(rib.add_path >> index & 1),
            "counters": rib.counts(index)._asdict(),
        }


def bgp_peer(peer: Peer, neighbor: Neighbor | None, now: float) -> PeerRecord:
    """Describe a BGP session, and what it brought if it got that far. Units: `now` as the listener's clock."""
    session, up = peer.session, peer.up
    record: PeerRecord = {
        "peer_ip_src": str(peer.address),
        "peer_id": str(peer.router_id or UNKNOWN_ID),
        "peer_tcp_port": peer.port,
        "peer_as": 0 if up is None else up.remote_open.asn,
        "state": STATES[session.state],
        "uptime": round(now - (peer.connected_at if peer.up_at is None else peer.up_at)),
    }
    if up is not None:
        capabilities = compare(up.local_open, up.remote_open)
        record |= {
            "local_as": up.local_open.asn,
            "hold_time": up.hold_time,
            "capabilities": capabilities.negotiated,
            "capabilities_received": capabilities.received,
        }
    record["messages_received"] = _messages(session.received)
    record["messages_sent"] = _messages(session.sent)
    return record | ({} if neighbor is None else _routes(neighbor))


def absent_peer(neighbor: Neighbor) -> PeerRecord:
    """Describe a BGP peer whose routes are kept for its return."""
    text = neighbor.text
    return {
        "peer_ip_src": str(text.address),
        "peer_id": str(text.router_id or UNKNOWN_ID),
        "peer_tcp_port": text.port,
        "peer_as": neighbor.asn,
        "state": RESTARTING,
    } | _routes(neighbor)


def _messages(counts: Mapping[Any, int]) -> dict[str, int]:
    return {kind.name.lower(): count for kind, count in counts.items() if count}


def _routes(neighbor: Neighbor) -> PeerRecord:
    refused = {
        f"{attribute_name(code)} {verdict}": count for (code, verdict), count in sorted(neighbor.refused.items())
    }
    families = [] if neighbor.table is None else list(families_of_rib(neighbor.table.rib))
    return {"counters": asdict(neighbor.counters), "refused": refused, "families": families}


def bmp_router(router: MonitoredRouter, now: float) -> PeerRecord:
    """Describe a router that speaks BMP. Units: `now` in seconds since 1970."""
    views = router.all_views()
    return {
        "bmp_router": str(router.text.address),
        "bmp_router_port": router.text.port,
        "state": "up",
        "uptime": max(0, round(now - router.connected_at)),
        "peers": len(router.peers),
        "ribs": len(views),
        "routes": sum(len(view.rib) for view in views),
        "counters": asdict(router.counters),
    }


def monitored_peer(router: MonitoredRouter, peer: MonitoredPeer, now: float) -> PeerRecord:
    """Describe a peer that a router monitors, and its RIBs. Units: `now` in seconds since 1970."""
    key, note = peer.key, router.notes.by_peer.get(peer.key)
    record: PeerRecord = {
        "peer_ip_src": str(key.address),
        "peer_id": str(peer.bgp_id),
        "peer_tcp_port": 0,
        "peer_as": peer.asn,
        "bmp_router": str(router.text.address),
        "bmp_router_port": router.text.port,
        "peer_type": key.peer_type,
        "peer_type_str": PEER_TYPE_NAMES.get(key.peer_type, "unknown"),
        "state": STATES[State.ESTABLISHED],
        "local_as": peer.local_as,
    }
    if key.distinguisher != NO_DISTINGUISHER:
        record["rd"] = format_rd(key.distinguisher)
    if note is not None:
        record |= {
            "uptime": max(0, round(now - note.since)),
            "capabilities": note.capabilities.negotiated,
            "capabilities_received": note.capabilities.received,
        }
    record["ribs"] = [_monitored_rib(view) for view in router.views_of(key)]
    return record


def _monitored_rib(view: View) -> PeerRecord:
    return {"bmp_rib_type": view.header.rib_type, "families": list(families_of_rib(view.rib))}
