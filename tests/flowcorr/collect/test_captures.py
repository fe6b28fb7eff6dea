"""Datagrams of many vendors decode to what other decoders read in them (tests/golden/flow)."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from flowcorr.collect.settings import IntakeSettings
from tests.flowcorr.exports import Input

GOLDEN: Final = Path(__file__).parents[2] / "golden" / "flow"
SEQUENCES: Final = json.loads((GOLDEN / "logstash" / "sequences.json").read_text(encoding="utf-8"))

#: What the other decoders call what we call otherwise.
NAMES: Final = {
    "ipv4_src_addr": "src_host",
    "ipv4_dst_addr": "dst_host",
    "ipv6_src_addr": "src_host",
    "ipv6_dst_addr": "dst_host",
    "sourceIPv4Address": "src_host",
    "destinationIPv4Address": "dst_host",
    "in_bytes": "bytes",
    "octetDeltaCount": "bytes",
    "octetTotalCount": "bytes",
    "in_pkts": "packets",
    "packetDeltaCount": "packets",
    "packetTotalCount": "packets",
    "l4_src_port": "src_port",
    "l4_dst_port": "dst_port",
    "sourceTransportPort": "src_port",
    "destinationTransportPort": "dst_port",
    "protocol": "proto",
    "protocolIdentifier": "proto",
    "src_tos": "tos",
    "ipClassOfService": "tos",
    "input_snmp": "in_iface",
    "output_snmp": "out_iface",
    "ingressInterface": "in_iface",
    "egressInterface": "out_iface",
    "src_as": "src_as",
    "dst_as": "dst_as",
    "src_mask": "src_mask",
    "dst_mask": "dst_mask",
    "in_src_mac": "src_mac",
    "in_dst_mac": "dst_mac",
    "bgp_ipv4_next_hop": "bgp_next_hop",
    "bgpNextHopIPv4Address": "bgp_next_hop",
    "flow_seq_num": "export_proto_seqno",
    "flowset_id": "flowset_id",
    "forwarding_status": None,
    # of the other collection
    "src": "src_host",
    "dst": "dst_host",
    "in_total_bytes": "bytes",
    "in_packets": "packets",
    "in_total_packets": "packets",
    "flow_start_ms": "timestamp_start",
    "flow_end_ms": "timestamp_end",
    "in_snmp": "in_iface",
    "out_snmp": "out_iface",
}
PROTOCOLS: Final = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58}
EVENT: Final = 100


#: Rows where the other decoder has fewer: it reads one message of three, and not the other direction of flows.
COUNTS: Final = {"IPFIX": 13, "IPFIX YAF basic with applabel": 5}


def comparable(name: str, value: Any) -> Any:
    """A value of another decoder as a row has it, None for a blank one."""
    if name.endswith("_ms"):
        return int(value) * 1000
    if isinstance(value, str) and value in PROTOCOLS:
        return PROTOCOLS[value]
    if isinstance(value, str) and re.fullmatch(r"(..:){5}..", value):
        octets = bytes.fromhex(value.replace(":", ""))
        return octets if any(octets) else None
    if isinstance(value, str) and value.startswith("0x"):
        return int(value, 16) or None
    return value if value != 0 else None


def expected_row(fields: dict[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in fields.items() if NAMES.get(name)}
    if "bgp_ipv4_next_hop" in known and known["bgp_ipv4_next_hop"] == "0.0.0.0":
        del known["bgp_ipv4_next_hop"]
    return {str(NAMES[name]): comparable(name, value) for name, value in known.items()}


def matches(row: dict[str, Any], expected: dict[str, Any]) -> bool:
    counters = {"bytes", "packets"} if row["record_type"] >= EVENT else set()  # events have none
    return all(row.get(name) == value for name, value in expected.items() if name not in counters)


def decode(folder: Path, files: list[str], *, is_sflow: bool = False) -> tuple[list[dict[str, Any]], Input]:
    i = Input(settings=IntakeSettings(account_options=True, is_sflow=is_sflow))
    rows = [row for file in files for row in i.take(first_datagram((folder / file).read_bytes()))]
    return rows, i


def first_datagram(octets: bytes) -> bytes:
    """One file has several NetFlow v5 datagrams one behind another, of which the other decoder reads the first."""
    is_v5, count = octets[:2] == b"\x00\x05", int.from_bytes(octets[2:4])
    return octets[: 24 + 48 * count] if is_v5 else octets


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence["name"])
def test_datagrams_of_vendors(sequence: dict[str, Any]) -> None:
    rows, i = decode(GOLDEN / "logstash", sequence["files"])
    for each in sequence["expected"]:
        expected = expected_row(each["json"]["netflow"])
        assert any(matches(row, expected) for row in rows), (expected, rows)
    count = COUNTS.get(sequence["name"], sequence["decoded_events"])
    if count is not None:
        assert len(rows) == count, i.intake.refused


def metrics(text: str) -> list[dict[str, Any]]:
    """Fields of lines in the InfluxDB line protocol."""
    found = []
    for line in text.splitlines():
        fields = dict(re.findall(r'([a-z0-9_]+)=("[^"]*"|[0-9.]+u?)', line.partition(" ")[2]))
        numbers = {name: int(value.strip("u")) for name, value in fields.items() if value[0] != '"'}
        found.append(numbers | {name: value.strip('"') for name, value in fields.items() if value[0] == '"'})
    return found


@pytest.mark.parametrize("folder", ["ipfix_example", "netflow_v5_example", "netflow_v9_example"])
def test_datagrams_with_metrics(folder: str) -> None:
    files = sorted(path.name for path in (GOLDEN / "telegraf" / folder).glob("*.bin"))
    rows, _ = decode(GOLDEN / "telegraf" / folder, files)
    known = metrics((GOLDEN / "telegraf" / folder / "expected.out").read_text(encoding="utf-8"))
    flows = [fields for fields in known if "src" in fields]  # others are records of options
    assert len(flows) > 5
    for fields in flows:
        expected = expected_row(fields)
        assert any(matches(row, expected) for row in rows), (expected, rows)
