"""Networks files, lists of ports and packet filters: what Debian's nfacctd and ours print of one capture."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from tests.flowcorr.exports import NOW, v5, v5_record
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
    "src_port, dst_port, proto, tos, flows"
)
#: Instances of the plugin, each with keys of its own.
PLUGINS: Final[dict[str, dict[str, object]]] = {
    "all": {},
    "known": {"networks_file_filter": "true"},
    "whole": {"networks_no_mask_if_zero": "true"},
    "firm": {"networks_file_no_lpm": "true"},
    "ports": {"ports_file": "ports"},
    "web": {"aggregate_filter": "dst port 80 or dst port 443"},
    "near": {"aggregate_filter": "src net 10.0.0.0/9 and tcp, udp and ip[1] != 0"},
}
#: Values of `nfacctd_as` and `nfacctd_net`.
SOURCES: Final = ("file", "longest")


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
                )
                for _ in range(RECORDS)
            ),
            sequence=number * RECORDS,
        )
        for number in range(DATAGRAMS)
    ]
    path.write_bytes(pcap([(NOW + n, ethernet(ipv4(udp(octets), protocol=17))) for n, octets in enumerate(payloads)]))


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


def configure(home: Path, source: str) -> Path:
    lines: dict[str, object] = {
        "plugins": ", ".join(f"print[{name}]" for name in PLUGINS),
        "pcap_savefile": home.parent / "flows.pcap",
        "logfile": home / "log",
        "nfacctd_as": source,
        "nfacctd_net": source,
        "aggregate": AGGREGATE,
        "networks_file": home.parent / "networks",
        "print_output": "json",
        "print_refresh_time": 3600,
    }
    for name, keys in PLUGINS.items():
        lines[f"print_output_file[{name}]"] = home / name
        for key, value in keys.items():
            lines[f"{key}[{name}]"] = home.parent / str(value) if key.endswith("s_file") else value
    file = home / "nfacctd.conf"
    file.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    return file


def rows(home: Path, plugin: str) -> list[str]:
    """Return what was printed, in an order that compares."""
    file = home / plugin
    text = file.read_text() if file.exists() else ""
    return sorted(json.dumps(comparable(json.loads(line)), sort_keys=True) for line in text.splitlines())


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what Debian's does not print: next hops of a networks file stay empty there."""
    return {name: value for name, value in row.items() if name not in {"event_type", "peer_ip_dst"}}


@pytest.fixture(scope="module", params=SOURCES)
def printed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of what both printed, who ran at the same time."""
    require("pmacct")
    home, chance = tmp_path_factory.mktemp(request.param), Random(3)
    capture(home / "flows.pcap", chance)
    (home / "networks").write_text("".join(f"{row}\n" for row in networks(chance)))
    (home / "ports").write_text("80\n443\n22\n")

    def run(side: str) -> Path:
        folder = home / side
        folder.mkdir()
        command = [*COMMANDS[side], "-f", str(configure(folder, request.param))]
        subprocess.run(command, check=False, timeout=PATIENCE, capture_output=True, cwd=ROOT)
        return folder

    with ThreadPoolExecutor() as pool:
        return dict(zip(COMMANDS, pool.map(run, COMMANDS), strict=True))


@pytest.mark.parametrize("plugin", PLUGINS)
def test_the_same_rows(printed: dict[str, Path], plugin: str) -> None:
    theirs, ours = rows(printed["theirs"], plugin), rows(printed["ours"], plugin)
    assert len(theirs) > DATAGRAMS
    assert ours == theirs
