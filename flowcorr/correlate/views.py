"""Which tables the flows of an exporter follow: its own router's, by address or by an agent map, and by VRF."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any, Final, Protocol

from routed.rib._resolve import Resolver, Step, View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from ipaddress import IPv4Address

    from flowcorr.correlate.maps import AgentRow

    Address = IPv4Address | IPv6Address

#: Families of an AFI, as the RIB counts them.
UNICAST, LABELLED, VPN = 0, 2, 3
NO_RD: Final = bytes(8)
#: Where a route distinguisher comes from: nobody gave one; a map did, whose 0:0:0 is the global table.
UNKNOWN, MAP = 0, 4
#: Families of the global table, and what is said of the one that is not asked first.
UNLABELLED_FIRST: Final = {UNICAST: "", LABELLED: " labelled"}
#: What `Views.follow` says of flows that stay in their tables.
NOT_FOLLOWED: Final = -1
#: Views at a time: route distinguishers come from senders, who may make them up.
MOST_VIEWS: Final = 65_536
#: First octets of what stands for a VRF id whose route distinguisher is not known.
VRF_ID: Final = b"\x08\x00"


class Candidate(Protocol):
    """A table, as the routing plane shows it."""

    @property
    def rib(self) -> Any: ...  # noqa: D102
    @property
    def rank(self) -> int: ...  # noqa: D102
    @property
    def distinguisher(self) -> bytes: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102


class Tables(Protocol):
    """Where the tables of a plane are."""

    def candidates(self, address: Address, port: int | None) -> Sequence[Candidate]:
        """Return the tables of a router, by an address of it."""

    def changed(self) -> bool:
        """Tell whether other tables may be found than at the last call."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """Who sends flows: where datagrams come from, and the address that maps compare."""

    sender: Address
    known_as: Address


class Views:
    """Chooses the view of each question that flows ask of one plane.

    Args:
        exporter_of: who has a slot.
        agents: rows of the agent map, in order.
        labelled_for_all: labelled unicast is also for flows of a VRF that has no route of its own.
        falls_back: a route distinguisher that no table has is looked up in the global tables.
        most: views at a time; what comes beyond finds nothing, and then all are chosen anew.
    """

    def __init__(
        self,
        resolver: Resolver,
        tables: Tables,
        exporter_of: Callable[[int], Exporter],
        agents: Sequence[AgentRow] = (),
        *,
        labelled_for_all: bool = False,
        falls_back: bool = False,
        most: int = MOST_VIEWS,
    ) -> None:
        self._resolver, self._tables, self._exporter_of = resolver, tables, exporter_of
        self._agents, self._falls_back, self._most = agents, falls_back, most
        self._labelled_for_all = labelled_for_all
        self.overflows = 0  # times that there were too many views
        self._is_full = False
        self._names: dict[int, list[str]] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._global: set[int] = set()  # views of global tables

    def changed(self) -> bool:
        """Tell whether what was chosen may be wrong by now; then it is forgotten here too."""
        if not self._tables.changed() and not self._is_full:
            return False
        self.forget()
        return True

    def forget(self) -> None:
        """Choose all views anew."""
        for number in self._names:
            self._resolver.remove(number)
        self._names.clear()
        self._numbers.clear()
        self._global.clear()
        self._is_full = False

    def replace_agents(self, agents: Sequence[AgentRow]) -> None:
        """Take the rows of an agent map that was read again."""
        self._agents = agents
        self.forget()

    def choose(self, exporter: int, family: int, rd: bytes, in_iface: int, out_iface: int) -> int:
        """Return the view of a question; 0: there is none.

        `family` is 4 or 6, with what gave the route distinguisher in the bits above the lowest eight.
        """
        origin, family = family >> 8, family & 0xFF
        found = self._candidates(self._exporter_of(exporter), family, in_iface, out_iface)
        return self._view(found, rd, is_global=origin == UNKNOWN or (origin == MAP and rd == NO_RD))

    def follow(self, view: int, next_hop: bytes, _family: int) -> int:
        """Return the view of the router that has a next hop, sixteen octets, for flows of a view; 0: there is none.

        Flows of a VRF are not followed: -1.
        """
        if view not in self._global:
            return NOT_FOLLOWED
        address = ip_address(next_hop)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return self._view(self._tables.candidates(mapped or address, None), NO_RD, is_global=True, how=" followed")

    def _view(self, found: Sequence[Candidate], rd: bytes, *, is_global: bool, how: str = "") -> int:
        if not found:
            return 0
        key = (rd, is_global, how, tuple((id(one.rib), one.rank, one.distinguisher) for one in found))
        number = self._numbers.get(key)
        if number is None and len(self._numbers) == self._most:
            self.overflows += not self._is_full
            self._is_full = True
            return 0
        if number is None:
            steps = self._steps(rd, is_global=is_global, candidates=found)
            number = self._numbers[key] = self._resolver.add(View([step for step, _ in steps]))
            self._names[number] = [name + how for _, names in steps for name in names]
            if is_global:
                self._global.add(number)
        return number

    def explain(self, view: int, place: int) -> bytes:
        """Return what `lookup_reason_*` says of a route."""
        return self._names[view][place].encode()

    def _candidates(self, exporter: Exporter, family: int, in_iface: int, out_iface: int) -> Sequence[Candidate]:
        for row in self._agents:
            if row.covers(exporter.known_as, family, in_iface, out_iface):
                return self._tables.candidates(row.peer.address, row.peer.port)
        return self._tables.candidates(exporter.sender, None)

    def _steps(self, rd: bytes, *, is_global: bool, candidates: Sequence[Candidate]) -> list[tuple[Step, list[str]]]:
        """Return the steps of a view, each with the names of its tables."""
        fallback = "" if is_global else " global"
        in_global = [
            _step(safi, b"", _global_first(candidates), fallback + kind) for safi, kind in UNLABELLED_FIRST.items()
        ]
        if is_global:
            return in_global
        own = [candidate for candidate in candidates if candidate.distinguisher == rd]
        steps = [] if rd[:2] == VRF_ID else [_step(VPN, rd, _by_rank(candidates, lambda one: one.rank), " vpn")]
        if own:
            by_rank = _by_rank(own, lambda one: one.rank)
            steps += [_step(safi, b"", by_rank, " vrf" + kind) for safi, kind in UNLABELLED_FIRST.items()]
        if self._falls_back:
            return [*steps, *in_global]
        return [*steps, in_global[1]] if self._labelled_for_all else steps


def _global_first(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    return _by_rank(candidates, lambda one: (bool(one.distinguisher), one.rank))


def _by_rank(candidates: Iterable[Candidate], rank: Callable[[Candidate], Any]) -> list[list[Candidate]]:
    classes: dict[Any, list[Candidate]] = {}
    for candidate in candidates:
        classes.setdefault(rank(candidate), []).append(candidate)
    return [classes[one] for one in sorted(classes)]


def _step(safi: int, rd: bytes, classes: list[list[Candidate]], how: str) -> tuple[Step, list[str]]:
    step = Step(safi, rd, [[candidate.rib for candidate in one] for one in classes])
    return step, [candidate.name + how for one in classes for candidate in one]
