"""Decoding of flows into rows, nothing else: million records a second of CPU, for each protocol.

usage: python tests/bench/bench_flow_decode.py [--seconds 1.0] [--columns dst_as ...]

The columns are those of a usual aggregation with BGP and with addresses and ports, so a record costs what it costs in a
daemon.  The datagrams hold as many records as fit into 1400 octets, of 40 exporters in turn.
"""

import argparse
import struct
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address

from flowcorr.collect._datagrams import Datagrams
from flowcorr.collect.intake import Intake
from flowcorr.collect.settings import IntakeSettings
from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS, BUILTIN
from flowcorr.columns.layout import Layout

COLUMNS = "src_host dst_host src_port dst_port proto tcpflags tos peer_src_ip in_iface out_iface bgp_next_hop"
EXPORTERS = 40
DATAGRAMS = 256
BATCH = 4096
#: Of the usual NetFlow v9 record of a router: element, octets.
FIELDS = (
    (8, 4), (12, 4), (15, 4), (18, 4), (10, 4), (14, 4), (2, 4), (1, 4), (22, 4), (21, 4), (7, 2), (11, 2), (6, 1),
    (4, 1), (5, 1), (9, 1), (13, 1), (61, 1), (16, 4), (17, 4), (48, 1), (89, 1),
)  # fmt: skip
RECORD = sum(octets for _, octets in FIELDS)
PER_DATAGRAM = 1400 // RECORD


def sender(n: int) -> bytes:
    return bytes(10) + b"\xff\xff" + ip_address(0x0A000001 + n).packed


def v9_layout(set_id: int) -> bytes:
    fields = b"".join(struct.pack("!HH", *field) for field in FIELDS)
    return struct.pack("!HHHH", set_id, 8 + len(fields), 300, len(FIELDS)) + fields


def record(n: int) -> bytes:
    return b"".join((n * 7919 + element).to_bytes(8, "big")[8 - octets :] for element, octets in FIELDS)


def data_set(n: int) -> bytes:
    octets = b"".join(record(n * PER_DATAGRAM + i) for i in range(PER_DATAGRAM))
    return struct.pack("!HH", 300, 4 + len(octets)) + octets


def v9(*sets: bytes) -> bytes:
    return struct.pack("!HHIIII", 9, len(sets), 100_000, 1_700_000_000, 0, 0) + b"".join(sets)


def ipfix(*sets: bytes) -> bytes:
    octets = b"".join(sets)
    return struct.pack("!HHIII", 10, 16 + len(octets), 1_700_000_000, 0, 0) + octets


def v5(n: int) -> bytes:
    records = b"".join((n * 29 + i).to_bytes(4, "big") + bytes(range(44)) for i in range(29))
    return struct.pack("!HHIIIIBBH", 5, 29, 100_000, 1_700_000_000, 0, 0, 0, 0, 0) + records


def sflow(n: int) -> bytes:
    frame = bytes(12) + b"\x08\x00" + b"\x45" + bytes(8) + b"\x06" + bytes(2) + struct.pack("!II", n, n * 7) + bytes(94)
    raw = struct.pack("!IIIIII", 1, 16 + len(frame), 1, 1000, 4, len(frame)) + frame
    router = struct.pack("!IIIIII", 1002, 16, 1, n, 24, 24)
    sample = struct.pack("!IIIIIIII", n, 1, 1000, 0, 0, 1, 2, 2) + raw + router
    samples = (struct.pack("!II", 1, len(sample)) + sample) * 7
    return struct.pack("!IIIIIII", 5, 1, 0x0A000001, 0, n, 0, 7) + samples


def vector(make: Callable[[int], bytes]) -> Datagrams:
    datagrams = Datagrams(DATAGRAMS)
    for n in range(DATAGRAMS):
        datagrams.append(make(n), sender(n % EXPORTERS), 2055, 1_700_000_000_000_000)
    return datagrams


def measure(intake: Intake, datagrams: Datagrams, batch: Batch, seconds: float) -> float:
    """Return records a second of CPU."""
    rows, start = intake.rows, time.process_time()
    while time.process_time() - start < seconds:
        while not intake.take(datagrams, batch):
            batch.clear()
        batch.clear()
    return (intake.rows - rows) / (time.process_time() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--columns", nargs="*", default=COLUMNS.split())
    options = parser.parse_args()
    layout = Layout([*ALWAYS, *(BUILTIN[name] for name in options.columns)])
    for name, make, layouts in (
        ("NetFlow v5", v5, None),
        ("NetFlow v9", lambda n: v9(data_set(n)), lambda _: v9(v9_layout(0))),
        ("IPFIX", lambda n: ipfix(data_set(n)), lambda _: ipfix(v9_layout(2))),
        ("sFlow", sflow, None),
    ):
        intake = Intake(layout, Texts(), IntakeSettings(is_sflow=name == "sFlow"))
        batch = Batch(layout, BATCH)
        if layouts is not None:
            intake.take(vector(layouts), batch)
        rate = measure(intake, vector(make), batch, options.seconds)
        sys.stdout.write(f"{name:12} {rate / 1e6:6.2f} M records a second of CPU, {1e9 / rate:5.0f} ns each\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
