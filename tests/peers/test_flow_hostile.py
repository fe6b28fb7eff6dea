"""Hostile exporters against a running daemon: bounded, counted, and nobody else notices."""

from __future__ import annotations

import random
import re
import socket
import struct
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.flowcorr.exports import (
    export_set,
    field,
    ipfix,
    options_ipfix,
    options_v9,
    template,
    v5,
    v5_record,
    v9,
)
from tests.peers.collector import PATIENCE, at_work
from tests.peers.flow_daemon import FlowDaemon
from tests.peers.siege import Host
from tests.peers.waiting import eventually
from tests.ports import reserved_port

pytestmark = pytest.mark.peers

MOST_EXPORTERS: Final = 500
CROWD: Final = 5_000
#: Datagrams that are sent before somebody looks whether they were read: a receive buffer holds them.
AT_ONCE: Final = 25
#: What one attack may make the daemon hold for good. Units: octets.
GROWTH: Final = 64 << 20
GOOD: Final = "127.9.5.1"
SIMPLE: Final = template(300, (8, 4), (12, 4), (2, 4), (1, 4))
NUMBERS: Final = count(1)


class Attack(NamedTuple):
    """What is sent, and a count that must grow by that: a metric with its labels."""

    datagrams: Callable[[], Iterator[bytes]]
    counted: str = ""


def record(number: int) -> bytes:
    return struct.pack("!IIII", 0x0A000001, 0x0B000000 + number, 3, 300)


def bomb() -> Iterator[bytes]:
    """Templates with every id that there is, of many fields."""
    fields = [(8, 4), (1, 4)] + [(number, 4) for number in range(100, 120)]
    for first in range(256, 6_000, 10):
        yield v9(export_set(0, *(template(each, *fields) for each in range(first, first + 10))))


def fields_without_end() -> Iterator[bytes]:
    """A template with more fields than octets, and one with as many as there can be."""
    yield v9(export_set(0, struct.pack("!HH", 300, 65_535) + field(8, 4)))
    yield v9(export_set(0, template(301, *((8, 4),) * 15_000)))
    yield v9(export_set(301, bytes(60_000)))


def false_lengths() -> Iterator[bytes]:
    for length in (0, 1, 3, 5, 65_535):
        yield v9(SIMPLE[:0] + struct.pack("!HH", 0, length) + SIMPLE)
        yield ipfix(struct.pack("!HH", 2, length) + SIMPLE)
        yield ipfix(export_set(2, SIMPLE))[:2] + struct.pack("!H", length) + ipfix(export_set(2, SIMPLE))[4:]
    yield v5(v5_record())[:-1]
    yield b"\0\x05\xff\xff" + v5(v5_record())[4:]


def zero_lengths() -> Iterator[bytes]:
    """Templates whose records have no octets, and records of them."""
    for fields in ([(8, 0)], [(8, 0), (1, 0)], [(95, 0)] * 50):
        yield v9(export_set(0, template(310, *fields)), export_set(310, bytes(1_000)))
        yield ipfix(export_set(2, template(310, *fields)), export_set(310, bytes(1_000)))
    yield ipfix(export_set(2, template(311, (96, 65_535))), export_set(311, bytes(1_000)))
    yield v9(export_set(1, options_v9(312, [(1, 0)], (34, 0))), export_set(312, bytes(1_000)))
    yield ipfix(export_set(3, options_ipfix(312, [(149, 0)], (34, 0))), export_set(312, bytes(1_000)))


def withdrawal() -> Iterator[bytes]:
    """A template that is withdrawn, and records that come after (RFC 7011 section 8.1)."""
    yield ipfix(export_set(2, SIMPLE), export_set(300, record(1)))
    for withdrawn in (300, 2, 3):
        yield ipfix(export_set(2, struct.pack("!HH", withdrawn, 0)))
        yield from (ipfix(export_set(300, record(1) * 50)) for _ in range(20))


def redefinition() -> Iterator[bytes]:
    """A live template whose new meaning cannot be read, and records of it."""
    yield v9(export_set(0, SIMPLE), export_set(300, record(1)))
    yield v9(export_set(0, struct.pack("!HH", 300, 9) + field(8, 4)))
    yield v9(export_set(300, record(1) * 50))


def nested_options() -> Iterator[bytes]:
    """Options about options, and lists in lists of lists (RFC 6313) inside them."""
    lists = b"\x03" + struct.pack("!HH", 292, 65_535)
    for _ in range(12):
        lists = b"\xff" + struct.pack("!H", len(lists)) + lists
    yield ipfix(export_set(3, options_ipfix(320, [(145, 2)], (292, 65_535), (303, 2))))
    yield ipfix(export_set(320, struct.pack("!H", 320) + lists + struct.pack("!H", 320)))
    yield v9(export_set(1, options_v9(321, [(5, 2)], (145, 2))), export_set(321, struct.pack("!HH", 321, 321)))
    yield ipfix(export_set(3, options_ipfix(322, [(149, 4)] * 200, (34, 4))), export_set(322, bytes(60_000)))


def rate_of_nothing() -> Iterator[bytes]:
    """Rates of zero, which counters are not to be multiplied by."""
    yield v5(v5_record(src="192.0.2.200", packets=7), sampling=1 << 14)
    options = options_v9(330, [(1, 4)], (48, 1), (49, 1), (50, 4))
    yield v9(export_set(1, options), export_set(330, struct.pack("!IBBI", 0, 1, 1, 0)))
    yield v9(export_set(0, template(331, (8, 4), (2, 4), (1, 4), (48, 1))))
    yield v9(export_set(331, struct.pack("!4sIIB", bytes((192, 0, 2, 201)), 7, 700, 1)))


def noise() -> Iterator[bytes]:
    draw = random.Random(1)
    for version in (5, 9, 10, 1, 0):
        for length in range(0, 200, 3):
            yield struct.pack("!H", version) + draw.randbytes(length)
    for _ in range(300):
        octets = bytearray(v9(export_set(0, SIMPLE), export_set(300, record(1) * 5)))
        octets[draw.randrange(len(octets))] = draw.randrange(256)
        yield bytes(octets)


def crowd() -> Iterator[bytes]:
    """Exporters that nobody has ever heard of, each with a template."""
    for domain in range(CROWD):
        yield v9(export_set(0, SIMPLE), export_set(300, record(1)), domain=domain)


REFUSED: Final = 'flowcorr_input_refused_total{{reason="{}"}}'.format
#: By name. The crowd comes last: it takes the places that there are.
ATTACKS: Final[Mapping[str, Attack]] = {
    "a bomb of templates": Attack(bomb),
    "fields without end": Attack(fields_without_end),
    "false lengths": Attack(false_lengths, REFUSED("length of a set")),
    "records without octets": Attack(zero_lengths),
    "records behind a withdrawal": Attack(withdrawal, "flowcorr_input_sets_without_template_total"),
    "a broken redefinition": Attack(redefinition, "flowcorr_input_sets_without_template_total"),
    "options in options": Attack(nested_options),
    "rates of nothing": Attack(rate_of_nothing, "flowcorr_input_flows_total"),
    "noise": Attack(noise, REFUSED("unknown version")),
    "a crowd": Attack(crowd, REFUSED("exporter refused")),
}


class Besieged(FlowDaemon):
    """A daemon on a port of the machine that tells its metrics."""

    def __init__(self, home: Path) -> None:
        self.port, self.http = reserved_port(), reserved_port()
        keys = {
            "nfacctd_max_exporters": MOST_EXPORTERS,
            "nfacctd_renormalize": "true",
            "nfacctd_pipe_size": 4 << 20,
            "aggregate": "src_host, dst_host, peer_src_ip, flows",
            "bgp_daemon": "true",
            "bgp_daemon_ip": "127.0.0.1",
            "bgp_daemon_port": reserved_port(),
            "bgp_daemon_lg": "true",
            "bgp_daemon_lg_port": reserved_port(),
            "bgp_daemon_lg_http": "true",
            "bgp_daemon_lg_http_port": self.http,
            "bgp_daemon_lg_http_rate": 0,
        }
        super().__init__(Host(), home, keys)

    def metrics(self) -> dict[str, float]:
        """Ask for all numbers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}/metrics", timeout=PATIENCE) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for line in lines if line[:1] != "#" for name, _, value in [line.rpartition(" ")]}


class Sender:
    """An exporter at an address of its own, which waits until what it sends is read."""

    def __init__(self, daemon: Besieged, address: str) -> None:
        self._daemon = daemon
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.connect(("127.0.0.1", daemon.port))

    def send(self, datagrams: Iterator[bytes]) -> int:
        sent = 0
        for octets in datagrams:
            self._socket.send(octets)
            sent += 1
            if sent % AT_ONCE == 0:
                self._settle()
        self._settle()
        return sent

    def _settle(self) -> None:
        """Wait until the daemon's socket is empty."""
        eventually(lambda: waiting(self._daemon) == 0, PATIENCE, "the daemon to read")

    def close(self) -> None:
        self._socket.close()


def total(metrics: Mapping[str, float], name: str) -> float:
    """Return the sum of a metric over its labels, of which there must be some."""
    values = [value for each, value in metrics.items() if each.partition("{")[0] == name]
    assert values, name
    return sum(values)


def waiting(daemon: Besieged) -> int:
    """Octets that wait for the daemon."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    fields = (line.split() for line in lines)
    return sum(int(each[4].partition(":")[2], 16) for each in fields if each[1].endswith(f":{daemon.port:04X}"))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    """A daemon with one good exporter, whose template it knows."""
    with at_work(Besieged(tmp_path_factory.mktemp("siege"))) as ours:
        good = Sender(ours, GOOD)
        good.send(iter([v9(export_set(0, SIMPLE))]))
        good.close()
        yield ours


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_bounded_and_counted_and_others_do_not_notice(daemon: Besieged, name: str) -> None:
    attack = ATTACKS[name]
    before, resident = daemon.metrics(), daemon.resident
    attacker, good = Sender(daemon, f"127.9.6.{next(NUMBERS)}"), Sender(daemon, GOOD)
    attacker.send(attack.datagrams())
    number = next(NUMBERS)
    good.send(iter([v9(export_set(300, record(number)))]))
    attacker.close()
    good.close()
    [row] = daemon.wait_for_flows(1, ip_dst=f"11.0.0.{number}", peer_ip_src=GOOD)
    assert (row["ip_src"], row["packets"], row["bytes"], row["flows"]) == ("10.0.0.1", 3, 300, 1)
    after = daemon.metrics()
    assert daemon.resident - resident < GROWTH
    assert after["flowcorr_input_exporters"] <= MOST_EXPORTERS
    assert after["flowcorr_input_templates"] <= 1024 * len(ATTACKS) + MOST_EXPORTERS
    assert after["flowcorr_input_dropped_total"] == before["flowcorr_input_dropped_total"]
    if attack.counted:
        assert after[attack.counted] > before.get(attack.counted, 0)
    assert total(after, "routed_daemon_bugs_total") == 0
    assert not re.search("Traceback|ERROR", daemon.text), daemon.text[-3000:]


def test_a_rate_of_nothing_multiplies_nothing(daemon: Besieged) -> None:
    """Runs behind the attacks, one of which has sent these flows."""
    for source in ("192.0.2.200", "192.0.2.201"):
        [row] = daemon.wait_for_flows(1, ip_src=source)
        assert row["packets"] == 7
