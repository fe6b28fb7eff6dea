"""Rules with their index beside the same rows read again and asked one after the other."""

import random
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.layout import Layout
from flowcorr.correlate._match import Rules
from flowcorr.correlate.map_compiler import compile_map
from flowcorr.correlate.maps import PRE_TAG, FlowMap, Tags
from flowcorr.daemon.packet_filters import compile_expression

NAMES = ("exporter_address", "in_iface", "out_iface", "vlan", "src_mac", "src_host", "dst_host", "dst_port", "proto")
LAYOUT = Layout([BUILTIN[name] for name in (*NAMES, "exporter", "family", "tag", "record_type")])
INTEGERS = {"in": "in_iface", "out": "out_iface", "vlan": "vlan", "dst_port": "dst_port"}


def octets(address: str) -> bytes:
    ip = ip_address(address)
    return ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed


Flow = dict[str, Any]


def flow(rng: random.Random) -> Flow:
    """One of few: rows and flows are to meet."""
    return {
        "exporter_address": f"192.0.2.{rng.randrange(4)}",
        "in_iface": rng.randrange(4),
        "out_iface": rng.randrange(4),
        "vlan": rng.randrange(3),
        "dst_port": rng.choice([53, 80]),
        "src_host": f"10.{rng.randrange(2)}.{rng.randrange(3)}.{rng.randrange(4)}",
        "dst_host": f"10.{rng.randrange(2)}.{rng.randrange(3)}.{rng.randrange(4)}",
    }


def row(rng: random.Random, number: int, names: int) -> dict[str, str]:
    """A row of a map, with a name now and then, and a jump to one."""
    of = flow(rng)
    pairs = {"set_tag": str(number + 1)}
    if rng.random() < 0.8:
        exporter = ip_network(f"{of['exporter_address']}/{rng.choice([32, 32, 31, 24, 0])}", strict=False)
        pairs["ip"] = str(exporter)
    for key in rng.sample(sorted(INTEGERS), rng.randrange(4)):
        pairs[key] = f"{rng.choice(['', '', '', '-'])}{of[INTEGERS[key]]}"
    for key, column in (("src_net", "src_host"), ("dst_net", "dst_host")):
        if rng.random() < 0.3:
            pairs[key] = str(ip_network(f"{of[column]}/{rng.choice([32, 30, 24, 16, 0])}", strict=False))
    if rng.random() < 0.1:
        pairs["jeq"] = rng.choice(["next", f"l{rng.randrange(names)}"])
    if rng.random() < 0.1:
        pairs["label"] = f"l{rng.randrange(names)}"
    return pairs


def holds(pairs: dict[str, str], of: Flow) -> bool:
    """Tell whether a row matches, from its text."""
    for key, text in pairs.items():
        column = INTEGERS.get(key)
        if column is not None:
            negated, value = text.startswith("-"), int(text.removeprefix("-"))
            if (of[column] == value) == negated:
                return False
        where = {"ip": "exporter_address", "src_net": "src_host", "dst_net": "dst_host"}.get(key)
        if where is not None and ip_address(of[where]) not in ip_network(text):
            return False
    return True


def way(rows: list[dict[str, str]], of: Flow) -> list[int]:
    """Return the rows that a flow matches, one after the other."""
    found, at = [], 0
    while at < len(rows):
        if not holds(rows[at], of):
            at += 1
            continue
        found.append(at)
        jump = rows[at].get("jeq")
        behind = range(at + 1, len(rows))
        at = next((to for to in behind if jump == "next" or rows[to].get("label") == jump), len(rows))
        if jump is None:
            break
    return found


def compiled(rows: list[dict[str, str]]) -> FlowMap[Tags]:
    made, _ = compile_map(PRE_TAG, [(f"[m:{at}]", pairs) for at, pairs in enumerate(rows)], compile_expression)
    assert len(made) == len(rows)
    return made


def batch_of(flows: list[Flow]) -> Batch:
    batch = Batch(LAYOUT, len(flows))
    for one in flows:
        batch.append(**{name: octets(value) if isinstance(value, str) else value for name, value in one.items()})
    return batch


@pytest.mark.parametrize("seed", range(25))
def test_the_index_answers_as_asking_all_rows_would(seed: int) -> None:
    rng = random.Random(seed)
    rows = [row(rng, number, 8) for number in range(rng.choice([5, 50, 400]))]
    flows = [flow(rng) for _ in range(100)]
    rules, batch = compiled(rows).rules(LAYOUT, Texts()), batch_of(flows)
    ways: list[list[int]] = [[] for _ in flows]
    rules.follow(batch, lambda flow, rule: ways[flow].append(rule))
    assert ways == [way(rows, one) for one in flows]
    assert rules.first(batch).tolist() == [found[0] + 1 if found else 0 for found in ways]


def test_rows_of_one_form_are_one_look_up() -> None:
    rows = [{"set_tag": "1", "ip": f"192.0.2.{n}/32", "in": "7", "out": f"-{n}"} for n in range(1, 200)]
    assert compiled(rows).rules(LAYOUT, Texts()).shapes == 1
    few = [{"set_tag": "1", "in": "1"}] * 3
    assert compiled(few).rules(LAYOUT, Texts()).shapes == 0
    assert compiled([*few, *few]).rules(LAYOUT, Texts()).shapes == 1


def test_packet_filters_of_rows() -> None:
    columns = [column for name, column in BUILTIN.items() if column.kind.name != "TEXT" or name == "label"]
    layout = Layout(columns)
    rows = [
        {"set_tag": "1", "ip": "192.0.2.0/24", "filter": "udp port 53"},
        {"set_tag": "2", "ip": "192.0.2.0/24", "filter": "src net 10.0.0.0/24"},
        {"set_tag": "3"},
    ]
    made = compiled(rows)
    assert {"proto", "tcpflags", "exporter_address"} <= made.columns
    batch = Batch(layout, 3)
    for values in ({"proto": 17, "dst_port": 53}, {"src_host": octets("10.0.0.9")}, {"proto": 6}):
        batch.append(**{"family": 4, "exporter_address": octets("192.0.2.1"), **values})
    rules = made.rules(layout, Texts())
    assert rules.first(batch).tolist() == [1, 2, 3]
    for proto, first in ((17, 1), (6, 3), (17, 1)):  # the same memory has other flows
        batch.clear()
        batch.append(family=4, exporter_address=octets("192.0.2.1"), proto=proto, dst_port=53)
        assert rules.first(batch).tolist() == [first]


@pytest.mark.parametrize("resumes", [[0, -1], [-1, 0], [-1, 1], [1], [2, -1]])
def test_rules_go_on_at_rules_behind_them(resumes: list[int]) -> None:
    with pytest.raises(ValueError, match=r"not behind it|as many places"):
        Rules(LAYOUT, Texts(), [(None, []), (None, [])], resumes)
    assert len(Rules(LAYOUT, Texts(), [(None, []), (None, [])], [1, -1])) == 2


def test_a_packet_filter_that_is_wrong_is_told_with_its_place() -> None:
    _, refused = compile_map(PRE_TAG, [("[m:1]", {"set_tag": "1", "filter": "udp port"})])
    assert list(refused) == [
        "[m:1] 'filter': 'udp port' cannot be compiled: there are no packet filters. Line ignored."
    ]
