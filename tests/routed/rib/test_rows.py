"""Rows: every attribute as text, in the styles an operator can choose; each row is JSON."""

import json
import random
from collections.abc import Callable
from typing import Any, cast

import pytest

from routed.rib._attributes import ATTRIBUTES
from routed.rib._rib import PeerRib, Rib
from routed.rib._rows import Rows
from routed.rib._update import apply
from routed.rib.families import FAMILIES, bits_of
from routed.wire.family import Family
from tests.oracles.build import MANDATORY, NET_10, attribute, label_stack, mp_reach, prefix, segments, update

HOP4, HOP6 = bytes([192, 0, 2, 1]), bytes.fromhex("20010db8") + bytes(11) + b"\1"
SEQUENCE, SET, CONFED_SEQUENCE, CONFED_SET = 2, 1, 3, 4


def rows_of(
    octets: bytes, add_path: int = 0, tagger: Callable[[bytes], bytes | None] | None = None, **style: bool
) -> str:
    rows = Rows(**cast("dict[str, Any]", style))
    rows.log(b"now", b'"peer_ip_src": "192.0.2.9", ', b"", tagger)
    applied = apply(PeerRib(Rib(1), add_path=add_path), octets, rows)
    assert not applied.refusals
    assert not rows.out_of_memory
    assert len(rows) > 0
    return rows.take().decode()


def row_of(*attributes: bytes, **style: bool) -> dict[str, Any]:
    """The row of a route with these attributes besides the mandatory ones."""
    given = {one[1] for one in attributes}
    mandatory = [one for one in MANDATORY if one[1] not in given]
    row: dict[str, Any] = json.loads(rows_of(update([*mandatory, *attributes], NET_10), 0, None, **style))
    return row


def as_path(*parts: tuple[int, list[int]]) -> bytes:
    return attribute(2, segments(*parts))


def test_a_row_has_its_keys_in_order() -> None:
    text = rows_of(update(MANDATORY, NET_10))
    assert text == (
        '{"seq": 0, "log_type": "update", "timestamp": "now", "peer_ip_src": "192.0.2.9", "event_type": "log", '
        '"afi": 1, "safi": 1, "ip_prefix": "10.0.0.0/8", "bgp_nexthop": "192.0.2.1", "as_path": "65001", '
        '"origin": "i"}\n'
    )


@pytest.mark.parametrize(
    ("parts", "text", "array"),
    [
        ((), "", []),
        (((SEQUENCE, [4200000000, 1]),), "4200000000 1", ["4200000000", "1"]),
        (((SEQUENCE, [65001]), (SET, [300, 200, 300])), "65001 {200,300}", ["65001", "{200,300}"]),
        (((CONFED_SEQUENCE, [1, 2]), (SEQUENCE, [3])), "(1 2) 3", ["(1", "2)", "3"]),
        (((CONFED_SET, [9, 8]), (SEQUENCE, [3])), "[8,9] 3", ["[8,9]", "3"]),
    ],
)
def test_as_paths_are_texts_or_arrays(parts: tuple[tuple[int, list[int]], ...], text: str, array: list[str]) -> None:
    assert row_of(as_path(*parts))["as_path"] == text
    assert row_of(as_path(*parts), as_path_array=True)["as_path"] == array


def test_origin_is_a_letter_or_a_number() -> None:
    for value, letter in enumerate("ieu"):
        assert row_of(attribute(1, bytes([value])))["origin"] == letter
        assert row_of(attribute(1, bytes([value])), origin_integer=True)["origin"] == value


def test_communities_are_sorted_once_each_and_named() -> None:
    values = [0xFFFFFF01, 0xFFFFFF03, 0xFFFFFF02, 0, 65001 << 16 | 7, 65001 << 16 | 7]
    communities = attribute(8, b"".join(value.to_bytes(4, "big") for value in values))
    names = "internet 65001:7 no-export no-advertise local-AS"
    assert row_of(communities)["comms"] == names
    assert row_of(communities, communities_array=True)["comms"] == names.split()
    assert row_of(communities, communities_numeric=True)["comms"] == "0:0 65001:7 65535:65281 65535:65282 65535:65283"


def test_extended_communities_are_route_targets_origins_or_unknown() -> None:
    values = ["0002fde800000064", "0003fde800000065", "0102c00002010005", "0202fa56ea000007", "030c000000000008"]
    communities = attribute(16, b"".join(map(bytes.fromhex, values)))
    assert row_of(communities)["ecomms"] == "RT:65000:100 SoO:65000:101 RT:192.0.2.1:5 RT:4200000000:7 ?"
    numeric = row_of(communities, communities_numeric=True, communities_array=True)["ecomms"]
    assert numeric == [
        "0:2:65000:100",
        "0:3:65000:101",
        "1:2:192.0.2.1:5",
        "2:2:4200000000:7",
        "3:12:0x000000000008",
    ]


def test_large_communities_are_three_numbers() -> None:
    values = [(65001, 2, 3), (1, 4294967295, 0), (65001, 2, 3)]
    octets = b"".join(number.to_bytes(4, "big") for value in values for number in value)
    assert row_of(attribute(32, octets))["lcomms"] == "1:4294967295:0 65001:2:3"
    assert row_of(attribute(32, octets), communities_array=True)["lcomms"] == ["1:4294967295:0", "65001:2:3"]


@pytest.mark.parametrize(
    ("code", "octets", "key", "value"),
    [
        (4, "00000032", "med", 50),
        (5, "ffffffff", "local_pref", 4294967295),
        (26, "01000b0000000000000123", "aigp", 291),
        (26, "0200040001000b00000000ffffffff", "aigp", 4294967295),
        (35, "0000fde9", "otc", 65001),
        (40, "010007000000000000 07".replace(" ", ""), "psid_li", 7),
    ],
)
def test_numbers_have_keys_of_their_own(code: int, octets: str, key: str, value: int) -> None:
    assert row_of(attribute(code, bytes.fromhex(octets)))[key] == value


def test_numbers_that_say_nothing_have_no_key() -> None:
    keys = row_of(attribute(35, bytes(4)), attribute(40, bytes.fromhex("01000700000000000000")))
    assert not {"otc", "psid_li"} & keys.keys()


def test_all_attributes_can_be_shown() -> None:
    ipv6_communities = b"".join(
        bytes([0, kind]) + HOP6 + number.to_bytes(2, "big") for kind, number in ((3, 5), (2, 4), (9, 1))
    )
    more = [
        attribute(6, b""),
        attribute(7, (4200000000).to_bytes(4, "big") + HOP4),
        attribute(9, HOP4),
        attribute(10, HOP4 + bytes([10, 0, 0, 1])),
        attribute(25, ipv6_communities),
        attribute(128, b"\x01\xab\xff", 0xC0),
        attribute(255, b"", 0x80),
    ]
    row = row_of(*more, all_attributes=True)
    assert row["atomic_aggregate"] is True
    assert row["aggregator"] == "4200000000 192.0.2.1"
    assert row["originator_id"] == "192.0.2.1"
    assert row["cluster_list"] == ["192.0.2.1", "10.0.0.1"]
    assert row["ipv6_ecomms"] == ["RT:2001:db8::1:4", "SoO:2001:db8::1:5", "0:9:2001:db8::1:1"]
    assert (row["attribute_128"], row["attribute_255"]) == ("01abff", "")
    plain = row_of(*more)
    assert plain.keys() == row_of().keys()


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_each_family_shows_its_own_keys(family: Family) -> None:
    wide, vpn, labelled = family.afi == 2, family.safi == 128, family.safi in (4, 128)
    nlri = prefix(
        HOP6 if wide else HOP4,
        32,
        path_id=4294967295,
        labels=label_stack(16, 1048575) if labelled else b"",
        rd=bytes([0, 1, 192, 0, 2, 1, 0, 5]) if vpn else None,
    )
    hop = HOP6 + b"\xfe\x80" + bytes(14) if wide else HOP4
    text = rows_of(update([*MANDATORY[:2], mp_reach(family, hop, nlri)]), bits_of([family]), all_attributes=True)
    row = json.loads(text)
    assert (row["afi"], row["safi"], row["as_path_id"]) == (*family, 4294967295)
    assert row["ip_prefix"] == ("2001:db8::/32" if wide else "192.0.2.1/32")
    assert row["bgp_nexthop"] == ("2001:db8::1" if wide else "192.0.2.1")
    assert (row.get("rd"), row.get("rd_origin")) == (("1:192.0.2.1:5", "bgp") if vpn else (None, None))
    assert row.get("mpls_label") == ("1048575" if labelled else None)
    assert row.get("mpls_label_stack") == (["16", "1048575"] if labelled else None)


@pytest.mark.parametrize(
    ("rd", "text"),
    [
        ("0000fde800000064", "0:65000:100"),
        ("0001c00002010005", "1:192.0.2.1:5"),
        ("0002fa56ea000007", "2:4200000000:7"),
        ("0009fa56ea000007", "unknown"),
    ],
)
def test_route_distinguishers_are_texts(rd: str, text: str) -> None:
    nlri = prefix(HOP4, 32, labels=label_stack(3), rd=bytes.fromhex(rd))
    row = json.loads(rows_of(update([*MANDATORY[:2], mp_reach(Family(1, 128), HOP4, nlri)])))
    assert row["rd"] == text


def random_path(rng: random.Random) -> bytes:
    return segments(
        *(
            (rng.randint(1, 4), [rng.randint(1, 2**32 - 1) for _ in range(rng.randint(1, 255))])
            for _ in range(rng.randrange(4))
        )
    )


def random_attribute(rng: random.Random, code: int) -> bytes:
    """A well-formed attribute with as hostile a value as its rule allows."""
    tail = rng.randbytes(rng.randrange(60))
    values: dict[int, Callable[[], bytes]] = {
        1: lambda: bytes([rng.randrange(3)]),
        2: lambda: random_path(rng),
        7: lambda: rng.randint(1, 2**32 - 1).to_bytes(4, "big") + rng.randbytes(4),
        26: lambda: b"\x01\x00\x0b" + rng.randbytes(8),
        40: lambda: b"\x05" + len(tail).to_bytes(2, "big") + tail,
    }
    if code in values:
        return attribute(code, values[code]())
    spec = next((spec for spec in ATTRIBUTES if spec.code == code), None)
    if spec is None:
        return attribute(code, rng.randbytes(rng.randrange(400)), 0xC0)
    return attribute(code, rng.randbytes(spec.length * (1 if spec.fixed else rng.randint(1, 300 // spec.length))))


@pytest.mark.parametrize("seed", range(20))
def test_any_row_is_json(seed: int) -> None:
    rng = random.Random(seed)
    codes = [code for code in range(1, 256) if code not in (3, 14, 15, 17, 18)]
    rows = Rows(
        as_path_array=bool(seed & 1),
        communities_array=bool(seed & 2),
        communities_numeric=bool(seed & 4),
        origin_integer=bool(seed & 8),
        all_attributes=True,
    )
    rows.log(b"now", b'"peer_ip_src": "192.0.2.9", ', b'"label": "x\\"y", ')
    peer = PeerRib(Rib(seed))
    for _ in range(30):
        chosen = [1, 2, *rng.sample([code for code in codes if code > 2], rng.randrange(8))]
        attributes = [random_attribute(rng, code) for code in chosen]
        applied = apply(peer, update([*attributes, attribute(3, rng.randbytes(4))], prefix(rng.randbytes(4), 32)), rows)
        assert not applied.refusals
    records = [json.loads(line) for line in rows.take().decode("utf-8").splitlines()]
    assert [record["seq"] for record in records] == list(range(len(records)))
    assert len(records) == 30


def test_one_tail_serves_consecutive_routes_and_tags_follow_paths() -> None:
    asked: list[bytes] = []

    def tagger(communities: bytes) -> bytes | None:
        asked.append(communities)
        return None if communities == b"\0\0\0\2" else b'"tag": %d, ' % len(communities)

    def run(value: int) -> bytes:
        nlri = b"".join(prefix(bytes([10, value, n, 0]), 24) for n in range(3))
        return update([*MANDATORY, attribute(8, bytes([0, 0, 0, value]))], nlri)

    text = rows_of(run(1) + run(2) + run(3), tagger=tagger)
    assert asked == [b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3"]
    records = [json.loads(line) for line in text.splitlines()]
    assert [(record["seq"], record["tag"]) for record in records] == [(n, 4) for n in range(6)]


def test_rows_may_end_otherwise() -> None:
    rows = Rows(row_end=b', "writer_id": "w"}')
    rows.log(b"now", b"", b"")
    apply(PeerRib(Rib(1)), update(MANDATORY, NET_10), rows)
    assert rows.take().endswith(b', "writer_id": "w"}')
    assert (rows.count, len(rows)) == (0, 0)


def test_an_end_of_rib_has_the_tag_of_the_peer_or_no_row() -> None:
    rows = Rows()
    rows.log(b"now", b"", b'"tag": 1, ', lambda _: b'"tag": 2, ')
    apply(PeerRib(Rib(1)), update(MANDATORY, NET_10) + update(), rows)
    assert [json.loads(line)["tag"] for line in rows.take().splitlines()] == [2, 1]
    rows.log(b"now", b"", None, lambda _: b'"tag": 2, ')
    apply(PeerRib(Rib(1)), update(), rows)
    assert rows.take() == b""
