"""The peers that hold a slot, found by who they are."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from routed.service.admission import Slots, Standing
from routed.service.peers import Peer

#: Seconds that a connection without OPEN counts as a live session when its peer comes again.
OPEN_PATIENCE: Final = 10


class Roster:
    """Every live peer, by slot, by address (and port, where several peers share one) and by Router-ID."""

    def __init__(self, slots: Slots, *, compare_ports: bool) -> None:
        self.slots = slots
        self._compare_ports = compare_ports
        self._by_slot: dict[int, Peer] = {}
        self._by_identity: dict[tuple[IPv4Address | IPv6Address, int], Peer] = {}
        self._by_router_id: dict[IPv4Address, Peer] = {}

    def __iter__(self) -> Iterator[Peer]:
        return iter([self._by_slot[slot] for slot in sorted(self._by_slot)])

    def __len__(self) -> int:
        return len(self._by_slot)

    def add(self, peer: Peer) -> Peer | None:
        """Enter a peer; return the one that stood for the same speaker until now."""
        self._by_slot[peer.slot] = peer
        identity = self._identity(peer)
        before = self._by_identity.get(identity)
        self._by_identity[identity] = peer
        return before

    def claim_router_id(self, peer: Peer, router_id: IPv4Address) -> None:
        """Let the Router-ID stand for this peer."""
        peer.router_id = router_id
        self._by_router_id[router_id] = peer

    def holder(self, router_id: IPv4Address) -> Peer | None:
        """Return the peer that a Router-ID stands for."""
        return self._by_router_id.get(router_id)

    def remove(self, peer: Peer, *, reinstate: Peer | None = None) -> None:
        """Strike a peer off and free its slot; the one it was to replace may stand in its place again."""
        del self._by_slot[peer.slot]
        self.slots.give_back(peer.slot)
        identity = self._identity(peer)
        if self._by_identity.get(identity) is peer:
            del self._by_identity[identity]
        if reinstate is not None and reinstate.down is None:
            self._by_identity[identity] = reinstate
        if peer.router_id is not None and self._by_router_id.get(peer.router_id) is peer:
            del self._by_router_id[peer.router_id]

    def _identity(self, peer: Peer) -> tuple[IPv4Address | IPv6Address, int]:
        return peer.address, peer.port if self._compare_ports else 0


def standing_of(peer: Peer) -> Standing:
    """Say how much life there is in a session."""
    hold_time = peer.session.hold_time
    return Standing(
        last_heard=peer.pump.last_heard,
        hold_time=2 * OPEN_PATIENCE if hold_time is None else hold_time,
        graceful_restart=peer.up is not None and peer.up.graceful_restart is not None,
    )
