"""PDUs of others: as holo decoded them, captures that crashed tcpdump, and the TLVs that FRR is fuzzed with."""

import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from routed.octets import WireError
from routed.plumbing.pcap import CaptureError, read_packets
from routed.wire.isis.checksum import is_checksum_right
from routed.wire.isis.codepoints import PduType, TlvType
from routed.wire.isis.header import cut_pdu, with_length
from routed.wire.isis.hello import decode_p2p_hello
from routed.wire.isis.lsp import READABLE, Lsp, decode_lsp, encode_lsp
from routed.wire.isis.names import format_node
from routed.wire.isis.snp import Csnp, Psnp, decode_csnp, decode_psnp
from routed.wire.prefix import format_address, format_prefix

#: An LLC header and the first octet of a PDU.
LLC = b"\xfe\xfe\x03\x83"
LSPS = (PduType.LSP_1, PduType.LSP_2)
EMPTY = encode_lsp(Lsp(lsp_id=bytes(8), sequence=1, lifetime=1200, checksum=0))
REACHED = re.compile(r"^(?:Extended IP|MT IP|IPv6|MT IPv6) Reachability: (\S+) \(Metric: (\d+)\)( Down)?", re.MULTILINE)
ADJACENT = re.compile(r"^(?:Extended|MT) Reachability: (\S+) \(Metric: (\d+)\)", re.MULTILINE)
#: TLVs that FRR reads and we do not, or not in an LSP.
ELSEWHERE = {6, 9, 13, 27, 149, 150, 240, 242} - READABLE


@pytest.fixture(scope="module")
def recordings() -> Path:
    """The larger collection that developers keep beside the project."""
    beside = Path(__file__).parents[5] / "shared" / "data"
    path = Path(os.environ.get("ROUTED_TEST_DATA", beside)) / "isis"
    if not path.is_dir():
        pytest.skip(f"NOT TESTED against PDUs of others: {path} is missing, see ROUTED_TEST_DATA")
    return path


def pdus_of(capture: Path, scratch: Path) -> Iterator[bytes]:
    """Yield the PDUs of frames of any sort, as far as the capture goes."""
    path = capture
    if capture.suffix == ".gz":
        path = scratch / capture.stem
        path.write_bytes(gzip.decompress(capture.read_bytes()))
    packets = read_packets(path)
    with suppress(CaptureError):
        for packet in packets:
            llc = packet.octets.find(LLC)  # behind an Ethernet header, tagged or not
            at = llc + len(LLC) - 1 if llc >= 0 else packet.octets.find(LLC[-1:])
            if at >= 0:
                yield packet.octets[at:]


def node(theirs: dict[str, Any]) -> bytes:
    return bytes((*theirs["system_id"], theirs["pseudonode"]))


def texts(addresses: tuple[bytes, ...]) -> list[str]:
    return [format_address(address) for address in addresses]


def listed(tlvs: dict[str, Any], *names: str) -> list[Any]:
    """Everything that holo lists under these names."""
    return [item for name in names for tlv in tlvs.get(name, ()) for item in tlv["list"]]


def lsp_facts(lsp: Lsp) -> dict[str, Any]:
    return {
        "header": (lsp.lifetime, lsp.lsp_id, lsp.sequence, lsp.checksum, lsp.flags.is_type),
        "areas": list(lsp.areas),
        "protocols": list(lsp.protocols),
        "hostname": lsp.hostname,
        "addresses": sorted(texts(lsp.addresses)),
        "neighbors": sorted((each.node, each.metric, each.wide) for each in lsp.neighbors),
        "prefixes": sorted((format_prefix(each.prefix), each.metric, each.down, each.wide) for each in lsp.prefixes),
    }


def their_lsp_facts(lsp: dict[str, Any]) -> dict[str, Any]:
    tlvs = lsp["tlvs"]
    lsp_id = node(lsp["lsp_id"]) + bytes((lsp["lsp_id"]["fragment"],))
    reach = [(each, name == "ext_is_reach") for name in ("is_reach", "ext_is_reach") for each in listed(tlvs, name)]
    narrow = ("ipv4_internal_reach", "ipv4_external_reach")
    wide = ("ext_ipv4_reach", "ipv6_reach")
    prefixes = [(each, names is wide) for names in (narrow, wide) for each in listed(tlvs, *names)]
    return {
        "header": (lsp["rem_lifetime"], lsp_id, lsp["seqno"], lsp["cksum"], 3 if "IS_TYPE2" in lsp["flags"] else 1),
        "areas": [bytes(area) for area in listed(tlvs, "area_addrs")],
        "protocols": tlvs.get("protocols_supported", {"list": []})["list"],
        "hostname": tlvs.get("hostname", {"hostname": ""})["hostname"],
        "addresses": sorted(str(ip_address(text)) for text in listed(tlvs, "ipv4_addrs", "ipv6_addrs")),
        "neighbors": sorted((node(each["neighbor"]), each["metric"], is_wide) for each, is_wide in reach),
        "prefixes": sorted((each["prefix"], each["metric"], each["up_down"], is_wide) for each, is_wide in prefixes),
    }


def check(pdu: bytes, theirs: dict[str, Any]) -> str:
    """Compare one PDU with what holo says of it; return its sort."""
    kind, _ = cut_pdu(pdu)
    if kind in LSPS:
        assert lsp_facts(decode_lsp(pdu)) == their_lsp_facts(theirs["Lsp"])
        assert is_checksum_right(pdu) or not theirs["Lsp"]["cksum"]  # a purge has none
        return "LSP"
    if "Snp" in theirs:
        snp: Csnp | Psnp = decode_csnp(pdu) if kind in (PduType.CSNP_1, PduType.CSNP_2) else decode_psnp(pdu)
        assert snp.source == node(theirs["Snp"]["source"])
        assert [(each.lifetime, each.lsp_id, each.sequence, each.checksum) for each in snp.entries] == [
            (e["rem_lifetime"], node(e["lsp_id"]) + bytes((e["lsp_id"]["fragment"],)), e["seqno"], e["cksum"])
            for e in listed(theirs["Snp"]["tlvs"], "lsp_entries")
        ]
        return "SNP"
    if kind is not PduType.P2P_HELLO:
        return "LAN hello"
    hello, tlvs = decode_p2p_hello(pdu), theirs["Hello"]["tlvs"]
    assert (hello.source, hello.hold_time) == (bytes(theirs["Hello"]["source"]), theirs["Hello"]["holdtime"])
    assert list(hello.areas) == [bytes(area) for area in listed(tlvs, "area_addrs")]
    assert texts(hello.addresses) == listed(tlvs, "ipv4_addrs", "ipv6_addrs")
    assert not hello.malformed
    return "hello"


def test_what_routers_received_is_what_holo_decoded(recordings: Path, tmp_path: Path) -> None:
    """Two networks, all PDUs that each router received."""
    seen: Counter[str] = Counter()
    for capture in sorted((recordings / "holo").glob("*/*.pcap.gz")):
        decoded = capture.with_name(capture.name.replace(".pcap.gz", ".decoded.jsonl.gz"))
        lines = [json.loads(line) for line in gzip.decompress(decoded.read_bytes()).splitlines() if line.strip()]
        pdus = list(pdus_of(capture, tmp_path))
        assert len(pdus) == len(lines)
        seen.update(check(pdu, line["pdu"]["Ok"]) for pdu, line in zip(pdus, lines, strict=True))
    assert set(seen) == {"LSP", "SNP", "hello", "LAN hello"}
    assert seen["LSP"] > 100


def test_captures_that_crashed_another_reader_are_decoded_or_refused(recordings: Path, tmp_path: Path) -> None:
    """tcpdump's own tests, among them loops without end and reads beyond the end."""
    decoders = dict.fromkeys(LSPS, decode_lsp) | {PduType.P2P_HELLO: decode_p2p_hello}
    seen: Counter[bool] = Counter()
    for capture in sorted((recordings / "tcpdump").glob("*.pcap*")):
        for pdu in pdus_of(capture, tmp_path):
            try:
                kind, _ = cut_pdu(pdu)
                decoders.get(kind, cut_pdu)(pdu)
            except WireError:
                seen[False] += 1
            else:
                seen[True] += 1
    assert seen[True] > 30
    assert seen[False]


def test_the_tlvs_that_frr_is_fuzzed_with_are_read_as_frr_reads_them(recordings: Path) -> None:
    """FRR refuses a whole PDU for a broken TLV where we put that one aside, and takes masks with holes."""
    lines = gzip.decompress((recordings / "frr" / "isis_tlv_fuzz.jsonl.gz").read_bytes()).splitlines()
    compared = 0
    for line in lines:
        case = json.loads(line)
        octets = bytes.fromhex(case["input_hex"])
        found = [int(number) for number in re.findall(r"Found TLV of type (\d+)", case["output"])]
        try:
            lsp = decode_lsp(with_length(PduType.LSP_2, EMPTY + octets))
        except WireError:
            assert case["ret"], case["id"]
            continue
        if case["ret"]:
            assert lsp.malformed or found[-1] in ELSEWHERE, (case["id"], found)
            continue
        masked = {TlvType.IPV4_INTERNAL_REACHABILITY, TlvType.IPV4_EXTERNAL_REACHABILITY}
        assert masked.issuperset(lsp.malformed), case["id"]
        compared += compare(lsp, case["output"].partition("Unpacked TLVs:")[2])
    assert compared > 500


def compare(lsp: Lsp, text: str) -> int:
    """Compare prefixes with wide metrics and neighbours with what FRR prints of them; return how many there are."""
    theirs = Counter((prefix, int(metric), bool(down)) for prefix, metric, down in REACHED.findall(text))
    ours = Counter((format_prefix(each.prefix), each.metric, each.down) for each in lsp.prefixes if each.wide)
    assert ours == theirs
    neighbors = ADJACENT.findall(text)
    assert Counter((format_node(each.node), each.metric) for each in lsp.neighbors if each.wide) == Counter(
        (name, int(metric)) for name, metric in neighbors
    )
    return ours.total() + len(neighbors)
