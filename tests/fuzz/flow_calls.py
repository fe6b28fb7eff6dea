"""Decoders of flow daemons as fuzzing calls them: datagrams, templates of others, networks, packet filters."""

from flowcorr.collect.template_exchange import Listener, Teller
from flowcorr.collect.template_sets import template_sets
from flowcorr.correlate._packet_program import Program
from flowcorr.correlate.networks import parse_networks
from tests.flowcorr.exports import Input
from tests.oracles.flow_reader import FlowReader


def read_networks(octets: bytes) -> object:
    """Read, and look up what is at the ends and in the middle of all addresses."""
    read = parse_networks(octets)
    ends = (
        bytes(16),
        b"\xff" * 16,
        bytes(10) + b"\xff" * 2 + bytes(4),
        bytes(10) + b"\xff" * 6,
        b"\x20\x01" + bytes(14),
    )
    assert len(read.networks) + sum(told.is_bad for told in read.told) <= octets.count(b"\n") + 1
    return [read.networks.find(address) for address in ends]


def run_program(octets: bytes) -> object:
    """Run what is a program, on frames of several lengths."""
    program = Program(octets)
    return [program.runs(frame) for frame in (b"", bytes(13), bytes(86), b"\xff" * 60)]


def take_flows(octets: bytes) -> object:
    """Read a datagram three times: the second time templates are known, the third time by an exporter that is new."""
    return _take_flows(octets, is_sflow=False)


def take_samples(octets: bytes) -> object:
    return _take_flows(octets, is_sflow=True)


def _take_flows(octets: bytes, *, is_sflow: bool) -> object:
    """Read into batches that are soon full; nothing may be lost between two of them, or read from elsewhere."""
    counts = []
    for capacity in (3, 1000):
        flows = FlowReader(is_sflow=is_sflow, capacity=capacity)
        counts.append([flows.take(octets, sender=sender) for sender in (1, 1, 2)])
        assert flows.held_texts() == 0
    assert counts[0] == counts[1]
    return counts


def pass_templates_on(octets: bytes) -> object:
    """Cut templates out of a datagram, let another collector learn them, and let it tell of them."""
    one, other = Input(), Input()
    for found in template_sets(octets):
        one.intake.learn(found, bytes(16), 1, 1)
    one.take()
    teller, listener = Teller(one.intake, "one"), Listener(other.intake)
    while listener.take(teller.answer([listener.question()]), 2):
        pass
    assert (listener.taken, listener.refused) == (one.intake.templates.count, 0)
    return listener.taken


def learn_from_others(octets: bytes) -> object:
    """Take lines as an answer about templates."""
    listener = Listener(Input().intake)
    while listener.take(octets.split(b"\n"), 1_700_000_100_000_000):
        pass
    return listener.taken
