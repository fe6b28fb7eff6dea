"""Networks files, lists of values, packet filters, maps and filters of tags: what Debian's nfacctd and ours print.

Both play one capture with one configuration, whose plugins have a key of their own each. What a networks file has of
IPv6 is compared with look-ups that are slow and plain: Debian's release finds none of it.
"""

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import pytest

from tests.flowcorr.exports import NOW, export_set, template, v5, v5_record, v9
from tests.flowcorr.service.test_replay_input import udp
from tests.peers.install import require
from tests.routed.plumbing.captures import ethernet, ipv4, pcap

pytestmark = pytest.mark.peers

PATIENCE: Final = 120
ROOT: Final = Path(__file__).resolve().parents[2]
DATAGRAMS: Final = 20
RECORDS: Final = 25
COMMANDS: Final = {
    "theirs": ["/usr/sbin/nfacctd"],
    "ours": [sys.executable, "-m", "flowcorr.daemon.nfacctd"],
}
AGGREGATE: Final = (
    "src_host, dst_host, src_net, dst_net, src_mask, dst_mask, src_as, dst_as, peer_src_as, peer_dst_as, peer_dst_ip, "
    "src_port, dst_port, proto, tos, in_iface, tag, tag2, label, flows"
)
PORTS: Final = (22, 53, 80, 443, 5000, 6000)
#: Instances of the plugin, each with keys of its own.
PLUGINS: Final[dict[str, dict[str, object]]] = {
    "all": {},
    "known": {"networks_file_filter": "true"},
    "whole": {"networks_no_mask_if_zero": "true"},
    "firm": {"networks_file_no_lpm": "true"},
    "ports": {"ports_file": "ports"},
    "services": {"tos_file": "services"},
    "protocols": {"protos_file": "protocols"},
    "web": {"aggregate_filter": "dst port 80 or dst port 443"},
    "near": {"aggregate_filter": "src net 10.0.0.0/9 and tcp, udp and ip[1] != 0"},
    "tagged": {"pre_tag_filter": "1-9,12"},
    "untagged": {"pre_tag_filter": "0"},
    "but": {"pre_tag_filter": "-3"},
    "second": {"pre_tag2_filter": "0,11-20"},
    "labelled": {"pre_tag_label_filter": "a,b"},
    "unlabelled": {"pre_tag_label_filter": "null"},
    "both": {"pre_tag_filter": "0-9", "aggregate_filter": "not udp"},
}
#: What lists of values come to, which Debian's release does not know: the field, those that are listed, all others.
LISTED: Final[dict[str, tuple[str, tuple[object, ...], object]]] = {
    "services": ("tos", (184,), 255),
    "protocols": ("ip_proto", ("tcp", "udp"), "others"),
}
#: Packet filters by chance, a plugin for each.
FILTERS: Final = 8
ROWS_OF_TAGS: Final = 24
#: Where AS numbers and networks are from.
SOURCES: Final[dict[str, dict[str, object]]] = {
    "file": {"nfacctd_as": "file", "nfacctd_net": "file"},
    "longest": {"nfacctd_as": "longest", "nfacctd_net": "longest"},
    "mask": {"nfacctd_as": "file", "nfacctd_net": "mask", "networks_mask": 20},
}
#: What is asked where networks are those of a mask.
WITH_MASK: Final = ("all", "known", "whole", "web")
#: Fields that a networks file fills, or a mask does.
OF_FILE: Final = ("as_src", "as_dst", "peer_as_src", "peer_as_dst")
OF_NETWORK: Final = ("net_src", "net_dst", "mask_src", "mask_dst")
#: Records of IPv6, which NetFlow v5 has not: element and octets.
TEMPLATE_ID: Final = 260
FIELDS: Final = (
    (27, 16), (28, 16), (29, 1), (30, 1), (16, 4), (17, 4), (7, 2), (11, 2), (4, 1), (5, 1), (10, 2), (14, 2), (2, 4),
    (1, 4),
)  # fmt: skip


def address(chance: Random) -> str:
    """One of those that the file has much of, or of none at all."""
    first = chance.choice((0x0A000000, 0x0A000000, 0x0A400000, 0xC6120000))
    return str(IPv4Address(first | chance.getrandbits(22)))


def capture(path: Path, chance: Random) -> None:
    payloads = [
        v5(
            *(
                v5_record(
                    src=address(chance),
                    dst=address(chance),
                    src_mask=chance.choice((8, 12, 16, 20, 24)),
                    dst_mask=chance.choice((8, 12, 16, 20, 24)),
                    src_as=chance.randrange(1, 60_000),
                    dst_as=chance.randrange(1, 60_000),
                    src_port=chance.choice((22, 80, 443, 5000)),
                    dst_port=chance.choice((53, 80, 443, 6000)),
                    proto=chance.choice((6, 17, 1, 47)),
                    tos=chance.choice((0, 184)),
                    input=chance.randint(0, 2),
                )
                for _ in range(RECORDS)
            ),
            sequence=number * RECORDS,
        )
        for number in range(DATAGRAMS)
    ]
    payloads += [v9(export_set(0, template(TEMPLATE_ID, *FIELDS)), domain=6)]
    records = [ipv6_record(flow) for flow in ipv6_flows()]
    payloads += [
        v9(export_set(TEMPLATE_ID, b"".join(records[at : at + RECORDS])), domain=6)
        for at in range(0, len(records), RECORDS)
    ]
    path.write_bytes(pcap([(NOW, ethernet(ipv4(udp(octets), protocol=17))) for octets in payloads]))


class Ipv6Flow(NamedTuple):
    """A record of NetFlow v9, in the order of its fields."""

    source: bytes
    destination: bytes
    source_mask: int
    destination_mask: int
    source_as: int
    destination_as: int
    source_port: int
    destination_port: int
    protocol: int
    tos: int
    input: int
    output: int
    packets: int
    octets: int


def ipv6_address(chance: Random) -> bytes:
    first = chance.choice((0x20010DB8, 0x20010DB8, 0x20010DB8, 0x2A000000))
    return struct.pack("!IHHII", first, chance.getrandbits(14), chance.getrandbits(4) << 12, 0, chance.getrandbits(16))


def ipv6_flows() -> Iterator[Ipv6Flow]:
    """Flows that are the same each time."""
    chance = Random(6)
    for number in range(10 * RECORDS):
        yield Ipv6Flow(
            ipv6_address(chance),
            ipv6_address(chance),
            *(chance.choice((32, 36, 40, 48, 64)) for _ in range(2)),
            *(chance.randrange(1, 4_000_000_000) for _ in range(2)),
            chance.choice((22, 80, 443, 5000)),
            chance.choice((53, 80, 443, 6000)),
            chance.choice((6, 17, 58, 47)),
            chance.choice((0, 184)),
            chance.randint(0, 2),
            2,
            1,
            40 + number,
        )


def ipv6_record(flow: Ipv6Flow) -> bytes:
    return struct.pack("!16s16sBBIIHHBBHHII", *flow)


def networks(chance: Random) -> Iterator[str]:
    """Rows of all forms with an AS number, of prefixes within one another; no prefix twice."""
    drawn: dict[str, None] = {}
    while len(drawn) < 400:
        length = chance.randint(9, 26)
        first = int(IPv4Address(address(chance))) >> (32 - length) << (32 - length)
        if first >> 24 == 10:
            drawn[f"{IPv4Address(first)}/{length}"] = None
    for prefix in drawn:
        origin = chance.randrange(1, 60_000)
        form = chance.choice(("{origin}", "{peer}_{origin}", "192.0.2.{hop},{origin}", "192.0.2.{hop},{peer}_{origin}"))
        fields = form.format(origin=origin, peer=chance.randrange(1, 60_000), hop=chance.randrange(1, 255))
        yield f"{fields},{prefix}"
    chance, drawn = Random(7), {}
    while len(drawn) < 200:
        length = chance.randint(33, 52)
        first = int.from_bytes(ipv6_address(chance)) >> (128 - length) << (128 - length)
        if first >> 96 == 0x20010DB8:
            drawn[f"{IPv6Address(first)}/{length}"] = None
    for prefix in drawn:
        form = chance.choice(("{origin}", "{peer}_{origin}", "2001:db8:ffff::{hop},{peer}_{origin}"))
        origin, peer, hop = (chance.randrange(1, most) for most in (4_000_000_000, 60_000, 255))
        yield f"{form.format(origin=origin, peer=peer, hop=hop)},{prefix}"


def expression(chance: Random, depth: int = 2) -> str:
    """Return a packet filter by chance, without commas, which divide them for Debian's."""
    if depth and chance.random() < 0.75:
        one, other = expression(chance, depth - 1), expression(chance, depth - 1)
        return chance.choice((f"({one} and {other})", f"({one} or {other})", f"not {one}"))
    side, port, other = chance.choice(("src ", "dst ", "")), chance.choice(PORTS), chance.choice(PORTS)
    length = chance.randint(8, 14)
    network = IPv4Address(int(IPv4Address(address(chance))) >> (32 - length) << (32 - length))
    return chance.choice((
        f"{side}net {network}/{length}",
        f"{side}port {port}",
        f"{side}portrange {min(port, other)}-{max(port, other)}",
        chance.choice(("tcp", "udp", "icmp", "ip proto 47", "ip", "ip6", "arp")),
        f"ip[1] {chance.choice(('=', '!=', '<'))} {chance.choice((0, 184))}",
        f"ip[9] & {chance.choice((1, 4, 16))} != 0",
        f"tcp[2:2] > {chance.choice(PORTS)}",
    ))  # fmt: skip


def tag_row(chance: Random, number: int) -> str:
    """Return a row that compares what a packet filter and other keys say; after one with a label nothing follows."""
    name, value = chance.choice((("set_tag", number), ("set_tag2", number), ("set_label", chance.choice("abc"))))
    parts = [f"{name}={value}", "ip=0.0.0.0/0"]
    if chance.random() < 0.7:
        parts.append(f"filter='{expression(chance)}'")
    if chance.random() < 0.6:
        negation = chance.choice(("", "-"))
        parts.append(
            chance.choice(
                (
                    f"src_net={negation}10.0.0.0/{chance.randint(8, 11)}",
                    f"dst_net={negation}{chance.choice(('10.64.0.0/10', '198.0.0.0/8'))}",
                    f"out={negation}{chance.randint(2, 3)}",
                    f"in={negation}{chance.randint(0, 2)}",
                )
            )
        )
    if number > 1:
        parts.append(f"label=row{number}")
    if name != "set_label" and number < ROWS_OF_TAGS and chance.random() < 0.5:
        parts.append(f"jeq=row{chance.randint(number + 1, ROWS_OF_TAGS)}")
    return " ".join(parts)


def plugins(source: str) -> dict[str, dict[str, object]]:
    """Return all plugins, those with filters by chance too."""
    chance = Random(5)
    if source == "mask":
        return {name: PLUGINS[name] for name in WITH_MASK}
    return PLUGINS | {f"filter{number}": {"aggregate_filter": expression(chance)} for number in range(FILTERS)}


def configure(home: Path, source: str) -> Path:
    lines: dict[str, object] = {
        "plugins": ", ".join(f"print[{name}]" for name in plugins(source)),
        "pre_tag_map": home.parent / "tags",
        "pcap_savefile": home.parent / "flows.pcap",
        "logfile": home / "log",
        **SOURCES[source],
        "aggregate": AGGREGATE,
        "networks_file": home.parent / "networks",
        "print_output": "json",
        "print_refresh_time": 3600,
        "print_cache_entries": 211,  # for Debian's, whose plugins take 66 MB each otherwise
    }
    for name, keys in plugins(source).items():
        lines[f"print_output_file[{name}]"] = home / name
        for key, value in keys.items():
            lines[f"{key}[{name}]"] = home.parent / str(value) if key.endswith("s_file") else value
    file = home / "nfacctd.conf"
    file.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    return file


def rows(home: Path, plugin: str) -> list[dict[str, Any]]:
    """Return what was printed."""
    file = home / plugin
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def comparable(found: list[dict[str, Any]], source: str, plugin: str) -> list[str]:
    """Return rows in an order that compares, without next hops, which stay empty where Debian's has a networks file.

    Nor with what that says of IPv6, of which Debian's finds nothing, or one row for all addresses.
    """
    rows = []
    for row in found:
        is_ipv6 = ":" in row["ip_src"]
        if is_ipv6 and plugin == "known":
            continue
        left_out = ["event_type", "peer_ip_dst"]
        left_out += OF_FILE if is_ipv6 else ()
        left_out += OF_NETWORK if is_ipv6 and source != "mask" else ()
        if plugin == "known" and source == "mask":  # Debian's leaves the mask of an address that it takes away
            left_out += [f"mask_{end}" for end in ("src", "dst") if row[f"ip_{end}"] == "0.0.0.0"]
        rows.append({name: value for name, value in row.items() if name not in left_out})
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Path]]:
    """What returns the folders of what both printed, who ran at the same time."""
    require("pmacct")

    @cache
    def play(source: str) -> dict[str, Path]:
        home, chance = tmp_path_factory.mktemp(source), Random(3)
        capture(home / "flows.pcap", chance)
        (home / "networks").write_text("".join(f"{row}\n" for row in networks(chance)))
        (home / "ports").write_text("80\n443\n22\n")
        (home / "services").write_text("184\n")
        (home / "protocols").write_text("tcp\n17\n")
        (home / "tags").write_text("".join(f"{tag_row(chance, 1 + number)}\n" for number in range(ROWS_OF_TAGS)))

        def run(side: str) -> Path:
            folder = home / side
            folder.mkdir()
            command = [*COMMANDS[side], "-f", str(configure(folder, source))]
            subprocess.run(command, check=False, timeout=PATIENCE, capture_output=True, cwd=ROOT)
            return folder

        with ThreadPoolExecutor() as pool:
            return dict(zip(COMMANDS, pool.map(run, COMMANDS), strict=True))

    return play


@pytest.mark.parametrize(("source", "plugin"), [(source, plugin) for source in SOURCES for plugin in plugins(source)])
def test_the_same_rows(printed: Callable[[str], dict[str, Path]], source: str, plugin: str) -> None:
    folders = printed(source)
    theirs, ours = rows(folders["theirs"], plugin), rows(folders["ours"], plugin)
    assert len(theirs) > DATAGRAMS
    if plugin in LISTED:
        field, listed, others = LISTED[plugin]
        theirs = [row | {field: row[field] if row[field] in listed else others} for row in theirs]
    assert comparable(ours, source, plugin) == comparable(theirs, source, plugin)


class Found(NamedTuple):
    """What a networks file says of an address."""

    prefix: IPv6Network
    origin: int
    peer: int


def look_up(address: IPv6Address, lines: list[str]) -> Found | None:
    """Return the most specific row that holds an address, by looking at all of them."""
    found = None
    for line in lines:
        *_, systems, prefix = line.split(",")
        if ":" in prefix and address in IPv6Network(prefix):
            peer, _, origin = systems.rpartition("_")
            one = Found(IPv6Network(prefix), int(origin), int(peer or 0))
            found = one if found is None or one.prefix.prefixlen > found.prefix.prefixlen else found
    return found


@pytest.mark.parametrize("source", ["file", "longest"])
def test_ipv6_is_looked_up_as_a_reader_would(printed: Callable[[str], dict[str, Path]], source: str) -> None:
    ours = printed(source)["ours"]
    lines = (ours.parent / "networks").read_text().splitlines()
    by_octets = {row["bytes"]: row for row in rows(ours, "all") if ":" in row["ip_src"]}
    flows, known = list(ipv6_flows()), 0
    assert len(by_octets) == len(flows)
    for flow in flows:
        for end, octets, mask, system in (
            ("src", flow.source, flow.source_mask, flow.source_as),
            ("dst", flow.destination, flow.destination_mask, flow.destination_as),
        ):
            address = IPv6Address(octets)
            found = look_up(address, lines)
            known += found is not None
            length, origin, peer = (mask, system, 0) if source == "longest" else (0, 0, 0)
            if found is not None and found.prefix.prefixlen >= length:
                length, origin, peer = found.prefix.prefixlen, found.origin, found.peer
            row = by_octets[flow.octets]
            assert row[f"net_{end}"] == str(IPv6Network((address, length), strict=False).network_address)
            assert (row[f"mask_{end}"], row[f"as_{end}"], row[f"peer_as_{end}"]) == (length, origin, peer)
    assert known > len(flows)
