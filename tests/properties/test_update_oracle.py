"""The oracle itself is held against hand-built UPDATEs, whose verdicts come from the RFCs and not from code."""

import json

import pytest

from tests.oracles import attributes as a
from tests.oracles.as_path import merge, path_text, read_path
from tests.oracles.attributes import Context
from tests.oracles.build import (
    MANDATORY,
    NET_10,
    attribute,
    label_stack,
    mp_reach,
    mp_unreach,
    prefix,
    segments,
    update,
)
from tests.oracles.cases import CASES, NET_6, NEXT_HOP_6, RD, Case
from tests.oracles.nlri import Nlri
from tests.oracles.rib import PeerTable, Route
from tests.oracles.rows import Style, row
from tests.oracles.update import AttributeSet, judge


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict_is_that_of_the_clause(case: Case) -> None:
    judgement = judge(case.octets, case.context)
    found = (judgement.verdict, len(judgement.announced), len(judgement.withdrawn))
    assert found == (case.verdict, case.announced, case.withdrawn), judgement.refusals


@pytest.mark.parametrize(
    ("octets", "family"),
    [
        (update(), (1, 1)),
        (update((mp_unreach((2, 1), b""),)), (2, 1)),
        (update((mp_unreach((25, 70), b""),)), (25, 70)),
        (update(withdrawn=NET_10), None),
        (update((mp_unreach((2, 1), NET_6),)), None),
        (update((mp_unreach((25, 70), b"\0"),)), None),
        (update((mp_unreach((2, 1), b""), *MANDATORY)), None),
        (update((mp_unreach((2, 1), b""),), withdrawn=NET_10), None),
    ],
)
def test_end_of_rib_is_an_update_that_says_nothing_else(octets: bytes, family: tuple[int, int] | None) -> None:
    assert judge(octets, Context()).end_of_rib == family


@pytest.mark.parametrize(
    ("as_path", "as4_path", "merged"),
    [
        ([(2, [1, 2, 3])], [(2, [70002, 70003])], "1 70002 70003"),
        ([(2, [1])], [(2, [70001, 70002])], "1"),
        ([(2, [1, 2])], [(1, [70001, 70002])], "1 {70001,70002}"),
        ([(1, [1, 2]), (2, [3])], [(2, [70003])], "{1,2} 70003"),
        ([(3, [9]), (2, [1, 2])], [(2, [70001, 70002])], "(9) 70001 70002"),
        ([(2, [1]), (3, [9]), (2, [2])], [(2, [70002])], "1 (9) 70002"),
        ([(2, [1, 2])], [(3, [70009]), (2, [70002])], "1 70002"),
    ],
)
def test_a_path_behind_two_octets_is_rebuilt(
    as_path: list[tuple[int, list[int]]], as4_path: list[tuple[int, list[int]]], merged: str
) -> None:
    """RFC 6793 section 4.2.3."""
    narrow, wide = read_path(segments(*as_path, width=2), 2), read_path(segments(*as4_path), 4)
    assert path_text(merge(narrow, wide)) == merged


def test_withdrawing_what_is_not_there_says_nothing_and_the_rest_says_what_was_stored() -> None:
    table = PeerTable()
    announcement = judge(update((*MANDATORY, attribute(a.MED, b"\0\0\0\7")), NET_10), Context())
    withdrawal = judge(update(withdrawn=NET_10), Context())
    assert [row.log_type for row in table.apply(withdrawal)] == []
    assert [row.log_type for row in table.apply(announcement)] == ["update"]
    assert [row.log_type for row in table.apply(announcement)] == ["update"]
    (gone,) = table.apply(withdrawal)
    assert (gone.log_type, gone.route.attributes.med) == ("withdraw", 7)
    assert (table.announced, table.withdrawn, table.unchanged, table.routes) == (2, 1, 1, {})


def test_a_row_has_its_keys_in_the_order_of_the_reference() -> None:
    attributes = AttributeSet(
        next_hop=NEXT_HOP_6,
        as_path=((2, (4200000000, 65001)), (1, (300, 200, 300))),
        origin=0,
        med=50,
        local_pref=100,
        communities=tuple(bytes.fromhex(text) for text in ("ffffff01", "fde90003", "fde90001", "ffff029a", "fde90001")),
        extended_communities=tuple(
            bytes.fromhex(text) for text in ("4300000000000001", "0002fde800000064", "0003fde800000065")
        ),
        large_communities=(bytes.fromhex("0000fde90000000100000002"),),
        aigp=291,
        label_index=5,
        otc=65001,
    )
    nlri = Nlri((2, 128), RD, 1, bytes.fromhex("20010db8000100000000000000000000"), 48, (7, 24000))
    assert row({"seq": 7}, Route(nlri, attributes), Style()) == (
        '{"seq": 7, "afi": 2, "safi": 128, "ip_prefix": "2001:db8:1::/48", "as_path_id": 1, '
        '"bgp_nexthop": "2001:db8::1", '
        '"as_path": "4200000000 65001 {200,300}", "comms": "65001:1 65001:3 65535:666 no-export", '
        '"ecomms": "RT:65000:100 SoO:65000:101 ?", "lcomms": "65001:1:2", "origin": "i", "local_pref": 100, "med": 50, '
        '"aigp": 291, "psid_li": 5, "otc": 65001, "rd": "0:65000:1", "rd_origin": "bgp", "mpls_label": "24000"}'
    )


def test_the_options_turn_texts_into_arrays_and_numbers() -> None:
    octets = update(
        (
            attribute(a.ORIGIN, b"\2"),
            attribute(a.AS_PATH, segments((2, [1, 2]), (1, [5, 4]))),
            mp_reach((1, 4), bytes([192, 0, 2, 1]), prefix(b"\x0a", 8, labels=label_stack(16))),
            attribute(a.COMMUNITIES, bytes.fromhex("ffffff01")),
        )
    )
    (operation,) = judge(octets, Context()).announced
    assert operation.attributes is not None
    style = Style(as_path_as_array=True, comms_as_array=True, comms_num=True, origin_int=True)
    found = json.loads(row({}, Route(operation.nlri, operation.attributes), style))
    assert found["as_path"] == ["1", "2", "{4,5}"]
    assert (found["comms"], found["origin"], found["mpls_label"]) == (["65535:65281"], 2, "16")
