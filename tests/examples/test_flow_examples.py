"""The example configurations of flow daemons are understood, and write what they promise."""

import csv
import json
import struct
import subprocess
import sys
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.flowcorr.exports import NOW, V9_DATA, V9_OPTIONS, export_set, options_v9, template, v9
from tests.flowcorr.service.test_replay_input import udp
from tests.routed.plumbing.captures import ethernet, ipv4, pcap

ROOT = Path(__file__).parents[2]
NAMES = ("memory", "print", "logger", "options", "rpki-flows", "bmp-flows", "cores")
#: Seconds that a daemon has for a capture, on a machine that does much else.
PATIENCE = 120

#: Templates: a flow, an address translation, the name of an interface, the sampling rate, the name of a VRF.
FLOW, NAT, INTERFACE, SAMPLER, VRF = range(256, 261)
TEMPLATES = (
    export_set(
        V9_DATA,
        template(FLOW, (8, 4), (12, 4), (4, 1), (7, 2), (11, 2), (10, 4), (14, 4), (1, 4), (2, 4), (234, 4), (235, 4)),
        template(NAT, (8, 4), (225, 4), (7, 2), (227, 2), (4, 1), (230, 1)),
    ),
    export_set(V9_OPTIONS, options_v9(INTERFACE, [(1, 4)], (10, 4), (83, 64))),
    export_set(V9_OPTIONS, options_v9(SAMPLER, [(1, 4)], (48, 2), (50, 4))),
    export_set(V9_OPTIONS, options_v9(VRF, [(1, 4)], (234, 4), (236, 32))),
)


def address(text: str) -> bytes:
    return IPv4Address(text).packed


RECORDS = (
    export_set(
        FLOW,
        address("198.51.100.1")
        + address("203.0.113.5")
        + struct.pack("!BHHIIIIII", 6, 1024, 443, 7, 8, 5000, 10, 3, 4),
    ),
    export_set(NAT, address("10.0.0.1") + address("192.0.2.99") + struct.pack("!HHBB", 1024, 40_000, 6, 1), bytes(2)),
    export_set(INTERFACE, address("192.0.2.1") + struct.pack("!I64s", 7, b"uplink")),
    export_set(SAMPLER, address("192.0.2.1") + struct.pack("!HI", 1, 1000), bytes(2)),
    export_set(VRF, address("192.0.2.1") + struct.pack("!I32s", 3, b"blue")),
)


@pytest.mark.parametrize("name", NAMES)
def test_the_daemon_has_nothing_to_say_against_the_example(name: str) -> None:
    command = [sys.executable, "-m", "flowcorr.daemon.nfacctd", "-f", f"examples/quickstart-{name}.conf"]
    done = subprocess.run([*command, "-T", "config"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stdout + done.stderr
    assert "ERROR" not in done.stdout + done.stderr


def played(folder: Path, name: str) -> dict[str, str]:
    """Play a capture into an example; return the files that it writes, by the beginning of their names."""
    payloads = [v9(*TEMPLATES, sequence=1), v9(*RECORDS, sequence=2)]
    (folder / "flows.pcap").write_bytes(
        pcap([(NOW + n, ethernet(ipv4(udp(octets), protocol=17))) for n, octets in enumerate(payloads)])
    )
    (folder / "examples").symlink_to(ROOT / "examples")
    command = [sys.executable, "-m", "flowcorr.daemon.nfacctd", "-f", f"examples/quickstart-{name}.conf"]
    done = subprocess.run(
        [*command, "-I", "flows.pcap"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stdout + done.stderr
    return {
        path.name.partition("_")[0].partition("-")[0]: path.read_text()
        for path in sorted((folder / "demo-output").rglob("*.*"))
    }


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_files_of_quarters_hold_the_flows_of_theirs(tmp_path: Path) -> None:
    [(_, text)] = played(tmp_path, "print").items()
    assert {row["SRC_IP"]: row["BYTES"] for row in rows(text)}["198.51.100.1"] == "5000"


def test_flows_and_translations_are_logged_apart(tmp_path: Path) -> None:
    files = played(tmp_path, "logger")
    [flow] = rows(files["traffic"])
    assert (flow["SRC_IP"], flow["DST_PORT"], flow["IN_IFACE"], flow["PACKETS"]) == ("198.51.100.1", "443", "7", "10")
    [event] = [json.loads(line) for line in files["nat"].splitlines()]
    assert (event["ip_src"], event["post_nat_ip_src"], event["post_nat_port_src"]) == ("10.0.0.1", "192.0.2.99", 40_000)
    assert event["nat_event"] == 1


def test_options_of_exporters_are_accounted_apart(tmp_path: Path) -> None:
    files = played(tmp_path, "options")
    assert [(row["vrf_id_ingress"], row["BYTES"]) for row in rows(files["flow"])][:1] == [("3", "5000")]
    assert {row["int_descr"] for row in rows(files["interfaces"])} >= {"uplink"}
    assert {(row["sampler_id"], row["sampler_interval"]) for row in rows(files["sampling"])} >= {("1", "1000")}
    assert {(row["vrf_id_ingress"], row["vrf_name"]) for row in rows(files["vrf"])} >= {("3", "blue")}
