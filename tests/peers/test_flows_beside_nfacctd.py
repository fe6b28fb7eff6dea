"""The same flows beside the same routers: what Debian's nfacctd prints, what ours prints, what a slow look-up says."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import pytest

from routed.wire.family import IPV4_LABELED, IPV4_UNICAST, IPV4_VPN, IPV6_UNICAST
from tests.oracles.flow_routes import SlowTable, row_of
from tests.peers.beside import ALL, Side, Sums, differences, key_of, play_both
from tests.peers.bird import Bird
from tests.peers.collector import AS
from tests.peers.exabgp import ExaBgp
from tests.peers.flow_world import Flow, World
from tests.peers.frr import Frr
from tests.peers.install import require
from tests.peers.speaker import Link

pytestmark = pytest.mark.peers

INSIDE: Final = Link(local="127.0.0.11", local_as=AS, families=(IPV4_UNICAST, IPV6_UNICAST))
OUTSIDE: Final = Link(local="127.0.0.12", local_as=65012)
VRFS: Final = replace(INSIDE, families=(IPV4_UNICAST, IPV4_LABELED, IPV4_VPN))
UNKNOWN: Final = "127.0.0.13"
EXPORTERS: Final = (INSIDE.local, OUTSIDE.local, UNKNOWN)
#: The plugin whose rows are compared with a slow look-up alone: Debian's validates addresses, by one payload.
ORIGINS: Final = "origins"
SEED: Final = 7
#: Datagrams of an exporter; all of them together fit into the buffer of a socket.
COUNT: Final = 15

ENDS: Final = "src_host, dst_host, peer_src_ip"
ROUTED: Final = (
    f"{ENDS}, src_as, dst_as, peer_src_as, peer_dst_as, as_path, std_comm, ext_comm, lrg_comm, local_pref, med, "
    "src_as_path, src_std_comm, src_ext_comm, src_lrg_comm, src_local_pref, src_med, src_net, dst_net, src_mask, "
    "dst_mask, peer_dst_ip, flows"
)
SOURCE_SIDE: Final = {
    f"bgp_src_{what}_type": "bgp"
    for what in ("as_path", "std_comm", "ext_comm", "lrg_comm", "local_pref", "med", "roa")
}
BASE: Final = {
    "plugins": f"print[{ALL}]",
    f"aggregate[{ALL}]": ROUTED,
    "bgp_peer_src_as_type": "bgp",
    "nfacctd_as": "bgp",
    "nfacctd_net": "bgp",
    **SOURCE_SIDE,
}


class Scene(NamedTuple):
    """One configuration, its routers and its flows."""

    settings: Mapping[str, object]
    routers: Any
    flows: Sequence[Flow]


def two_routers(world: World) -> dict[Any, Any]:
    return {
        INSIDE: (Bird, world.routes(4, 6)),
        OUTSIDE: (Frr, world.routes(4, external=True)),
    }


def written(home: Path, name: str, *rows: str) -> Path:
    file = home / name
    file.write_text("".join(f"{row}\n" for row in rows))
    return file


def tagged_or_not(expression: str) -> str:
    """Return an expression for frames with and without a VLAN: Debian's has the one of the other way, too."""
    return f"({expression}) or (vlan and {expression})"


def plain(home: Path) -> Scene:
    """Attributes and prefixes of routes, validated by payloads."""
    world = World(SEED)
    payloads = written(home, "roas", json.dumps({"roas": world.payloads()}))
    settings = {
        **BASE,
        "plugins": f"print[{ALL}], print[{ORIGINS}]",
        f"aggregate[{ORIGINS}]": f"{ENDS}, src_roa, dst_roa, flows",
        "rpki_roas_file": payloads,
    }
    return Scene(settings, two_routers(world), world.flows(COUNT, *EXPORTERS))


def longest(home: Path) -> Scene:  # noqa: ARG001 (as all scenes)
    """Routes against masks of the protocol, which do not count for IPv6 in Debian's; communities for empty paths."""
    world = World(SEED)
    settings = {
        **BASE,
        "nfacctd_as": "longest",
        "nfacctd_net": "longest",
        "bgp_stdcomm_pattern_to_asn": "65000:.",
    }
    return Scene(settings, two_routers(world), world.flows(COUNT, *EXPORTERS, versions=(4,)))


def mapped(home: Path) -> Scene:
    """Patterns of communities, and maps that choose the router and numbers of the source side."""
    world = World(SEED)
    settings = {
        **BASE,
        "nfacctd_net": "netflow",
        "bgp_stdcomm_pattern": "65000:1,65000:3",
        "bgp_lrgcomm_pattern": "65000:3",
        "bgp_extcomm_pattern": "RT:65000:8",
        "bgp_aspath_radius": 2,
        "bgp_agent_map": written(home, "agents", f"bgp_ip={OUTSIDE.local} ip={UNKNOWN}"),
        "bgp_peer_src_as_type": "map",
        "bgp_peer_src_as_map": written(
            home,
            "peers",
            f"id=7001 ip={INSIDE.local} in=1",
            f"id=7003 ip={INSIDE.local} filter='{tagged_or_not('udp dst port 443')}'",
            f"id=bgp ip={INSIDE.local} in=2",
            f"id=7002 ip={INSIDE.local} src_mac=02:00:00:00:00:02",
            f"id=7004 ip={OUTSIDE.local} peer_dst_as=65012 in=3",
            f"id=bgp ip={OUTSIDE.local} out=2",
            f"id=7005 ip={UNKNOWN} src_net=10.0.0.0/8",
        ),
        "bgp_src_local_pref_type": "map",
        "bgp_src_local_pref_map": written(
            home,
            "prefs",
            f"id=500 ip={INSIDE.local} in=1",
            f"id=550 ip={INSIDE.local} filter='{tagged_or_not('src net 10.0.0.0/8')}'",
            f"id=600 ip={OUTSIDE.local}",
        ),
        "bgp_src_med_type": "map",
        "bgp_src_med_map": written(home, "meds", f"id=5 ip={INSIDE.local} in=1", f"id=6 ip={OUTSIDE.local}"),
    }
    return Scene(settings, two_routers(world), world.flows(COUNT, *EXPORTERS))


def several_paths(_home: Path) -> Scene:
    """Of several paths the one whose next hop the flow names, or a less specific one."""
    world = World(SEED)
    routes = world.routes(4)
    paths = [
        replace(route, next_hop=f"192.0.2.{first + 10 * number}", as_path=f"{route.as_path} {65100 + number}".strip())
        for route in routes
        for first in [world.chance.randint(2, 9)]
        for number in range(world.chance.randint(1, 4))
    ]
    flows = [
        replace(flow, values={**flow.values, "bgp_next_hop": world.chance.choice(paths).next_hop})
        for flow in world.flows(4 * COUNT, INSIDE.local, versions=(4,))
    ]
    settings = {
        **BASE,
        f"aggregate[{ALL}]": f"{ENDS}, dst_as, as_path, std_comm, local_pref, dst_net, dst_mask, peer_dst_ip, flows",
    }
    return Scene(settings, {replace(INSIDE, families=(IPV4_UNICAST,), add_path=True): (Bird, paths)}, flows)


def vrfs(home: Path) -> Scene:
    """Routes of VRFs by route distinguisher, labelled unicast where a VRF has none."""
    world = World(SEED)
    routes = world.routes(4)
    rds = written(
        home,
        "rds",
        f"id=0:65000:1 ip={VRFS.local} in=1",
        f"id=0:65000:2 ip={VRFS.local} out=2",
        f"id=0:0:0 ip={VRFS.local} in=3",
        f"id=0:65000:9 ip={VRFS.local} in=4 out=3",
    )
    announced = [
        *routes[::3],
        *world.moved(routes, IPV4_LABELED, 200),
        *world.moved(world.routes(4), IPV4_VPN, 100, "65000:1"),
        *world.moved(world.routes(4), IPV4_VPN, 100, "65000:2"),
    ]
    settings = {**BASE, f"aggregate[{ALL}]": f"{ROUTED}, mpls_vpn_rd", "flow_to_rd_map": rds}
    return Scene(settings, {VRFS: (ExaBgp, announced)}, world.flows(COUNT, VRFS.local, UNKNOWN, versions=(4,)))


#: Values of keys of a pre_tag_map that both daemons know, and whether they can be negated.
MATCHES: Final[Mapping[str, tuple[Callable[[Random], object], bool]]] = {
    "in": (lambda chance: chance.randint(1, 4), True),
    "out": (lambda chance: chance.randint(1, 4), True),
    "src_mac": (lambda chance: f"02:00:00:00:00:0{chance.randint(1, 3)}", True),
    "dst_mac": (lambda chance: f"02:00:00:00:01:0{chance.randint(1, 3)}", True),
    "src_net": (lambda chance: chance.choice(("10.0.0.0/8", "10.64.0.0/10", "2a00::/16", "0.0.0.0/0")), True),
    "dst_net": (lambda chance: chance.choice(("10.0.0.0/9", "198.18.0.0/15", "2001:db8::/32")), True),
    "direction": (lambda chance: chance.randint(0, 1), False),
    "src_as": (lambda chance: chance.choice((64999, 4200000002)), True),
    "dst_as": (lambda _chance: 64998, True),
    "source_id": (lambda _chance: 0, True),
    "sample_type": (lambda _chance: "flow", False),
    "is_multicast": (lambda _chance: "false", False),
    "flowset_id": (lambda chance: chance.choice((256, 257)), True),
}


def tag_row(chance: Random, number: int, count: int) -> str:
    """Return a row that matches by chance, and after which the search may go on."""
    name = chance.choice(("set_tag", "set_tag", "set_tag2", "set_label"))
    parts = [f"{name}={number + 1}", f"ip={chance.choice((*EXPORTERS, '127.0.0.0/24'))}"]
    for key in chance.sample(sorted(MATCHES), chance.randint(1, 3)):
        value, is_negatable = MATCHES[key]
        negation = "-" if is_negatable and chance.random() < 0.25 else ""
        parts.append(f"{key}={negation}{value(chance)}")
    if number:
        parts.append(f"label=row{number}")
    if number < count - 1 and chance.random() < 0.4:
        parts.append(f"jeq=row{chance.randint(number + 1, count - 1)}")
    if name == "set_tag" and chance.random() < 0.4:
        parts.append(f"stack={chance.choice(('sum', 'or'))}")
    return " ".join(parts)


def tags(home: Path) -> Scene:
    """Maps that tag, one for each plugin, and filters over tags and labels."""
    world, count = World(SEED), 25
    filters = {
        "tagged": ("pre_tag_filter", "1-9,12"),
        "untagged": ("pre_tag_filter", "0"),
        "second": ("pre_tag2_filter", "0,3-20"),
        "unlabelled": ("pre_tag_label_filter", "null"),
        "unfiltered": ("pre_tag_map_dont_recirculate", "false"),
    }
    settings: dict[str, object] = {
        **BASE,
        "bgp_daemon": "false",
        "plugins": ", ".join(f"print[{name}]" for name in (ALL, *filters)),
        f"aggregate[{ALL}]": f"{ENDS}, flows",
        "nfacctd_as": "netflow",
        "nfacctd_net": "netflow",
    }
    for name, (key, value) in filters.items():
        rows = [tag_row(world.chance, number, count) for number in range(count)]
        settings[f"pre_tag_map[{name}]"] = written(home, name, *rows)
        settings[f"aggregate[{name}]"] = f"{ENDS}, tag, tag2, label, in_iface, flows"
        settings[f"{key}[{name}]"] = value
    return Scene(settings, {}, world.flows(COUNT, *EXPORTERS))


def check_slowly(side: Side, flows: Sequence[Flow], printed: Mapping[str, Sums], payloads: Sequence[Any]) -> None:
    """Compare rows with what the routers' routes, as they were logged, come to for each flow."""
    tables = {link.local: SlowTable(side.daemon.routes(link.local, "update")) for link in (INSIDE, OUTSIDE)}
    rows: Sums = Counter()
    origins: Sums = Counter()
    for flow in flows:
        table, values = tables.get(flow.exporter), flow.values
        row = row_of(values, flow.exporter, table)
        rows.update(counted(row, flow))
        ends = {name: row[name] for name in ("event_type", "ip_src", "ip_dst", "peer_ip_src")}
        statuses = {
            f"roa_{end}": "u" if table is None else table.status(values[end], payloads, AS) for end in ("src", "dst")
        }
        origins.update(counted({**ends, **statuses}, flow))
    assert differences(printed[ALL], rows) == []
    assert differences(printed[ORIGINS], origins) == []


def counted(row: Mapping[str, Any], flow: Flow) -> dict[tuple[str, str], int]:
    """Return what a flow adds to the sums of its row."""
    key = key_of(dict(row))
    return {(key, "flows"): 1, (key, "packets"): flow.values["packets"], (key, "bytes"): flow.values["octets"]}


@pytest.fixture(scope="module")
def packages() -> None:
    for package in ("iproute2", "pmacct", Bird.package, Frr.package, ExaBgp.package):
        require(package)


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("scene", [plain, longest, mapped, several_paths, vrfs, tags])
def test_the_same_rows_as_debian_s_nfacctd(tmp_path: Path, scene: Callable[[Path], Scene]) -> None:
    settings, routers, flows = scene(tmp_path)
    with ExitStack() as stack:
        side, ours, theirs = play_both(stack, tmp_path, settings, routers, flows)
        for plugin in side.plugins:
            assert theirs[plugin]
            if plugin != ORIGINS:
                assert differences(ours[plugin], theirs[plugin]) == [], plugin
        if scene is plain:
            check_slowly(side, flows, ours, json.loads((tmp_path / "roas").read_text())["roas"])
