"""What the five speakers announce together, in all the families and attributes that each of them masters."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from routed.wire.family import (
    IPV4_LABELED,
    IPV4_MULTICAST,
    IPV4_UNICAST,
    IPV4_VPN,
    IPV6_LABELED,
    IPV6_MULTICAST,
    IPV6_UNICAST,
    IPV6_VPN,
)
from tests.peers.bird import Bird
from tests.peers.exabgp import ExaBgp
from tests.peers.frr import Frr
from tests.peers.gobgp import EVPN, IPV4_FLOWSPEC, LINK_STATE, GoBgp
from tests.peers.openbgpd import OpenBgpd
from tests.peers.route import PICKED, Route
from tests.peers.speaker import Link, Speaker

_UNICAST: Final = (IPV4_UNICAST, IPV6_UNICAST)
_LABELED: Final = (IPV4_LABELED, IPV6_LABELED)
_VPN: Final = (IPV4_VPN, IPV6_VPN)

#: So many that an UPDATE is longer than 4,096 octets.
MANY_COMMUNITIES: Final = " ".join(f"65011:{number}" for number in range(1, 1201))

#: By speaker: its session. BIRD is internal, FRR a neighbour inside our confederation, the others are external.
LINKS: Final[Mapping[type[Speaker], Link]] = {
    Bird: Link(
        local="127.0.0.11",
        families=(*_UNICAST, IPV4_MULTICAST, IPV6_MULTICAST, *_LABELED, *_VPN),
        add_path=True,
        extended=True,
    ),
    Frr: Link(
        local="127.0.0.12",
        local_as=65012,
        families=(*_UNICAST, *_VPN),
        add_path=True,
        confederation=65100,
        extended=True,
    ),
    GoBgp: Link(
        local="127.0.0.13",
        local_as=65013,
        families=(*_UNICAST, *_LABELED, *_VPN, EVPN, IPV4_FLOWSPEC, LINK_STATE),
        add_path=True,
    ),
    ExaBgp: Link(local="127.0.0.14", local_as=4200000014, families=(*_UNICAST, *_LABELED, *_VPN), add_path=True),
    OpenBgpd: Link(local="127.0.0.15", local_as=65015, families=_UNICAST, add_path=True),
}

# What the routes of a speaker have in common, by its next hop of either family.
_BIRD4: Final = partial(Route, next_hop="192.0.2.11", local_pref=100, path_id=PICKED)
_BIRD6: Final = partial(_BIRD4, next_hop="2001:db8::11")
_FRR4: Final = partial(Route, next_hop="127.0.0.12", as_path="(65012)", local_pref=100, med=0, path_id=PICKED)
_FRR6: Final = partial(_FRR4, next_hop="::ffff:127.0.0.12")
_GOBGP4: Final = partial(Route, next_hop="192.0.2.13", as_path="65013")
_GOBGP6: Final = partial(_GOBGP4, next_hop="2001:db8::13")
_EXABGP4: Final = partial(Route, next_hop="192.0.2.14", as_path="4200000014")
_EXABGP6: Final = partial(_EXABGP4, next_hop="2001:db8::14")
_OPENBGPD4: Final = partial(Route, next_hop="127.0.0.15", as_path="65015", path_id=PICKED)
_OPENBGPD6: Final = partial(_OPENBGPD4, next_hop="fd00::16")

#: By speaker: its routes, the first of which has all attributes that it masters.
ROUTES: Final[Mapping[type[Speaker], tuple[Route, ...]]] = {
    Bird: (
        _BIRD4(
            prefix="10.11.1.0/24",
            as_path="65111 65112",
            origin="u",
            local_pref=200,
            med=50,
            communities="65011:1 65011:2 no-export",
            extended_communities="RT:65011:7 SoO:65011:8",
            large_communities="65011:1:2 4200000000:3:4",
        ),
        _BIRD4(prefix="10.11.1.0/24", next_hop="192.0.2.111"),
        _BIRD4(prefix="10.11.9.9/32"),
        _BIRD4(prefix="10.11.8.0/24", communities=MANY_COMMUNITIES),
        _BIRD4(prefix="0.0.0.0/0"),
        _BIRD6(family=IPV6_UNICAST, prefix="fd11:1::/48", as_path="4200000011", communities="65011:6"),
        _BIRD4(family=IPV4_MULTICAST, prefix="10.11.2.0/24"),
        _BIRD6(family=IPV6_MULTICAST, prefix="fd11:2::/48"),
        _BIRD4(family=IPV4_LABELED, prefix="10.11.3.0/24", labels=(1103,)),
        _BIRD6(family=IPV6_LABELED, prefix="fd11:3::/48", labels=(1048575,)),
        _BIRD4(family=IPV4_VPN, prefix="10.11.4.0/24", extended_communities="RT:65011:9", rd="65011:4", labels=(1104,)),
        _BIRD6(family=IPV6_VPN, prefix="fd11:4::/48", rd="192.0.2.11:6", labels=(1106,)),
    ),
    Frr: (
        _FRR4(
            prefix="10.12.1.0/24",
            as_path="(65012) 65112 65113",
            local_pref=150,
            med=60,
            communities="65012:1 65535:666",
            extended_communities="RT:65012:7",
            large_communities="65012:1:2",
        ),
        _FRR6(family=IPV6_UNICAST, prefix="fd12:1::/48"),
        _FRR4(
            family=IPV4_VPN,
            prefix="10.12.4.0/24",
            as_path="(65012) 65114",
            extended_communities="RT:65012:9",
            rd="65012:4",
            labels=(1204,),
        ),
        _FRR6(family=IPV6_VPN, prefix="fd12:4::/48", rd="65012:6", labels=(1206,)),
    ),
    GoBgp: (
        _GOBGP4(
            prefix="10.13.1.0/24",
            as_path="65013 65113 {65114,65115}",
            origin="e",
            med=90,
            communities="65013:1 65013:2",
            large_communities="65013:1:2",
            path_id=PICKED,
        ),
        _GOBGP4(prefix="10.13.1.0/24", next_hop="192.0.2.113", as_path="65013 65114", path_id=PICKED),
        _GOBGP6(family=IPV6_UNICAST, prefix="fd13:1::/48", origin="u", path_id=PICKED),
        _GOBGP4(family=IPV4_LABELED, prefix="10.13.3.0/24", labels=(1303,)),
        _GOBGP6(family=IPV6_LABELED, prefix="fd13:3::/48", labels=(1305,)),
        _GOBGP4(
            family=IPV4_VPN,
            prefix="10.13.4.0/24",
            extended_communities="RT:65013:9",
            rd="65013:4",
            labels=(1304,),
        ),
        _GOBGP6(
            family=IPV6_VPN,
            prefix="fd13:4::/48",
            extended_communities="RT:65013:9",
            rd="192.0.2.13:6",
            labels=(1306,),
        ),
    ),
    ExaBgp: (
        _EXABGP4(
            prefix="10.14.1.0/24",
            as_path="4200000014 {65114,65115}",
            origin="e",
            med=70,
            communities="65014:1 no-export",
            extended_communities="RT:65014:7 SoO:65014:8",
            large_communities="65014:1:2",
            path_id=7,
        ),
        _EXABGP4(prefix="10.14.1.0/24", next_hop="192.0.2.114", path_id=8),
        _EXABGP6(family=IPV6_UNICAST, prefix="fd14:1::/48"),
        _EXABGP4(family=IPV4_LABELED, prefix="10.14.3.0/24", labels=(1403,), path_id=9),
        _EXABGP6(family=IPV6_LABELED, prefix="fd14:3::/48", labels=(1405,)),
        _EXABGP4(
            family=IPV4_VPN,
            prefix="10.14.4.0/24",
            extended_communities="RT:65014:9",
            rd="65014:4",
            labels=(1404,),
            path_id=10,
        ),
        _EXABGP6(family=IPV6_VPN, prefix="fd14:4::/48", rd="192.0.2.14:6", labels=(1406,)),
    ),
    OpenBgpd: (
        _OPENBGPD4(
            prefix="10.15.1.0/24",
            as_path="65015 65015 65015",
            med=80,
            communities="65015:1 65015:2",
            extended_communities="RT:65015:7 SoO:65015:8",
            large_communities="65015:1:2",
        ),
        _OPENBGPD4(prefix="10.15.2.0/23", origin="e"),
        _OPENBGPD6(family=IPV6_UNICAST, prefix="fd15:1::/48", origin="u"),
    ),
}
