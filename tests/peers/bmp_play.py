"""One play for every real router: neighbours come, announce, withdraw, go and come back; then the router is gone.

BIRD is an internal neighbour with all families, ExaBGP an external one whose routes nothing happens to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from routed.wire.family import IPV4_UNICAST, IPV4_VPN, IPV6_UNICAST, IPV6_VPN
from tests.peers.bird import Bird
from tests.peers.bmp_station import Station, station, what_it_is
from tests.peers.collector import PATIENCE
from tests.peers.exabgp import ExaBgp
from tests.peers.network import COLLECTOR, Network, network
from tests.peers.route import Route, Row
from tests.peers.speaker import Link
from tests.peers.waiting import eventually

INTERNAL: Final = Link(local="127.0.0.11", families=(IPV4_UNICAST, IPV6_UNICAST, IPV4_VPN, IPV6_VPN))
EXTERNAL: Final = Link(local="127.0.0.14", local_as=4200000014, families=(IPV4_UNICAST, IPV6_UNICAST))
NEIGHBORS: Final = (INTERNAL, EXTERNAL)

FLEETING: Final = Route(
    prefix="10.11.1.0/24", next_hop="192.0.2.11", local_pref=100, communities="65011:1 65011:2", as_path="65111 65112"
)
STAYING: Final = (
    Route(family=IPV6_UNICAST, prefix="fd11:1::/48", next_hop="2001:db8::11", local_pref=100, med=7),
    Route(
        family=IPV4_VPN,
        prefix="10.11.2.0/24",
        next_hop="192.0.2.11",
        local_pref=100,
        rd="65000:1",
        labels=(1016,),
        extended_communities="RT:65011:7",
    ),
    Route(
        family=IPV6_VPN,
        prefix="fd11:2::/48",
        next_hop="2001:db8::11",
        local_pref=100,
        rd="65000:1",
        labels=(1017,),
        extended_communities="RT:65011:7",
    ),
)
FOREIGN: Final = (
    Route(prefix="10.14.1.0/24", next_hop="192.0.2.14", as_path="4200000014 65141", large_communities="4200000014:1:2"),
    Route(family=IPV6_UNICAST, prefix="fd14:1::/48", next_hop="2001:db8::14", as_path="4200000014", origin="u"),
)
ROUTES: Final[Mapping[str, tuple[Route, ...]]] = {INTERNAL.local: (FLEETING, *STAYING), EXTERNAL.local: FOREIGN}

PRE, POST = "Adj-Rib-In Pre-Policy", "Adj-Rib-In Post-Policy"
#: By name of a RIB: the keys that say the same.
FLAGS: Final[Mapping[str, Row]] = {
    PRE: {"is_filtered": 0, "is_post": 0, "is_in": 1},
    POST: {"is_filtered": 0, "is_post": 1, "is_in": 1},
    "Loc-Rib": {"is_filtered": 0, "is_loc": 1},
}
#: The community that the routers add to routes that their policy lets in.
MARK: Final = "65000:333"


#: Looks at a log in which it must not have grown.
STILL: Final = 15


class Router(Protocol):
    """A router under test."""

    def start(self) -> None:
        """Start it."""

    def kill(self) -> None:
        """End it as a power cut would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the station wrote and said from the first connection to the last."""

    rows: Sequence[Row]
    dump: Sequence[Row]
    said: str

    def of(self, **facts: object) -> list[Row]:
        """Return the rows of the log that hold all of `facts`."""
        return [row for row in self.rows if facts.items() <= row.items()]


def play(
    home: Path,
    recruit: Callable[[Network], Router],
    *,
    views: int,
    take_down: Callable[[Router, Bird], None],
    bring_up: Callable[[Router, Bird], None],
) -> Evidence:
    """Run the whole play.

    Args:
        views: how many RIBs of each neighbour the router shows.
        take_down: ends the session between the router and BIRD.
        bring_up: lets it begin again.
    """
    with ExitStack() as stack:
        inside = stack.enter_context(network())
        daemon = stack.enter_context(station(inside, home))
        router = recruit(inside)
        bird, exabgp = Bird(inside, home, INTERNAL), ExaBgp(inside, home, EXTERNAL)
        for program in (router, bird, exabgp):
            stack.callback(program.kill)
        bird.announce(FLEETING, *STAYING)
        exabgp.announce(*FOREIGN)
        for program in (router, bird, exabgp):
            program.start()
        for neighbor, routes in ROUTES.items():
            wait_for(daemon, neighbor, routes, views, log_type="update")
        for neighbor in ROUTES:
            reported = len(daemon.rows(COLLECTOR, peer_ip=neighbor, bmp_msg_type="stats"))
            daemon.wait_for(COLLECTOR, count=reported + 1, peer_ip=neighbor, bmp_msg_type="stats")
        bird.withdraw(FLEETING)
        wait_for(daemon, INTERNAL.local, [FLEETING], views, log_type="withdraw")
        take_down(router, bird)
        daemon.wait_for(COLLECTOR, peer_ip=INTERNAL.local, bmp_msg_type="peer_down")
        bring_up(router, bird)
        wait_until_back(daemon, views)
        dump = daemon.dumps(COLLECTOR)[COLLECTOR]
        router.kill()
        daemon.wait_for(COLLECTOR, event_type="log_close")
        daemon.stop()
        return Evidence(rows=daemon.rows(), dump=dump, said=daemon.text)


def wait_for(daemon: Station, neighbor: str, routes: Iterable[Route], views: int, *, log_type: str) -> None:
    """Wait until the log holds each of the routes in each view."""
    wanted = {route.prefix for route in routes}

    def have() -> bool:
        rows = daemon.rows(COLLECTOR, peer_ip=neighbor, log_type=log_type)
        seen = {(row["ip_prefix"], row["bmp_rib_type"]) for row in rows}
        return all(sum(prefix == one for one, _ in seen) >= views for prefix in wanted)

    eventually(have, 2 * PATIENCE, f"{log_type} of {sorted(wanted)} of {neighbor} in {views} views")


def present(rows: Iterable[Row]) -> set[tuple[str, str]]:
    """Return what rows of a log leave in tables: RIBs and prefixes. What is withdrawn or deleted must be there."""
    found: set[tuple[str, str]] = set()
    for row in rows:
        route = (row.get("bmp_rib_type", ""), row.get("ip_prefix", ""))
        if row.get("log_type") == "update":
            found.add(route)
        elif row.get("log_type") in {"withdraw", "delete"}:
            found.remove(route)
    return found


def wait_until_back(daemon: Station, views: int) -> None:
    """Wait until the routes that stay are there again, and nothing has come for a while: routers clear tables late."""
    looks: list[int] = []

    def is_still() -> bool:
        rows = daemon.rows(COLLECTOR, peer_ip=INTERNAL.local)
        looks.append(len([row for row in rows if "log_type" in row]))
        is_back = len(present(rows)) == views * len(STAYING)
        return is_back and looks[-STILL:] == [looks[-1]] * STILL

    eventually(is_still, 2 * PATIENCE, f"the routes of {INTERNAL.local} to be back in {views} views")


def routes_in(rows: Iterable[Row], neighbor: str, rib: str) -> list[Row]:
    """Return what rows say of the routes in one RIB of a neighbour, each once, in an order of their own."""
    mine = (row for row in rows if row.get("ip_prefix") and row["peer_ip"] == neighbor and row["bmp_rib_type"] == rib)
    described = (in_order(what_it_is(row)) for row in mine)
    once = {repr(row): row for row in described}
    return [once[key] for key in sorted(once)]


def expected(routes: Iterable[Route], rib: str, *, loses: Iterable[str] = ()) -> list[Row]:
    """Return what rows must say of routes in a RIB, in the order of `routes_in`.

    Args:
        loses: keys that the router leaves out or makes up.
    """
    shown = routes if rib == PRE else (replace(one, communities=f"{one.communities} {MARK}") for one in routes)
    return sorted((without(in_order(route.row()), loses) for route in shown), key=repr)


def in_order(row: Row) -> Row:
    """Return a row with its communities in order, for routers differ in where they add one."""
    return row | ({"comms": " ".join(sorted(row["comms"].split()))} if "comms" in row else {})


def without(row: Row, keys: Iterable[str]) -> Row:
    """Return a row without some keys."""
    return {key: value for key, value in row.items() if key not in keys}
