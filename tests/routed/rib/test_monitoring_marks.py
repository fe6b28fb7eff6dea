"""Marks of routes (draft-ietf-grow-bmp-path-marking-tlv): which routes they are of, and how long they stay."""

import json

import pytest

from tests.oracles.bmp_build import ROUTE_MONITORING, frame, tlv
from tests.oracles.build import MANDATORY, NET_10, label_stack, mp_reach, mp_unreach, prefix, update
from tests.oracles.compiled_router import CompiledRouter
from tests.routed.rib.monitoring_build import (
    ANNOUNCED,
    BACKUP,
    BEST,
    END_OF_RIB,
    KEY,
    NET_11,
    NOTHING,
    PEER,
    RD,
    WITHDRAWN,
    kept,
    marking,
    nets,
    stateless,
    v3,
    v4,
    values,
)


def marks(rows: list[str]) -> list[str | None]:
    return [json.loads(row).get("marks") for row in rows]


def test_marks_are_of_the_routes_that_their_index_names(router: CompiledRouter) -> None:
    group = tlv(2, b"\0\1\0\3", index=0x8001)
    octets = v4(
        update(MANDATORY, nets(0, 3)), group, marking(BEST, 2), marking(BACKUP, 0x8001), tlv(3, b"red", index=0)
    )
    found = marks(router.take(octets).rows)
    assert found == [kept(one) + kept(b"red", 3) for one in (BACKUP, BEST, BACKUP)]


def test_routes_are_counted_from_the_withdrawn_ones_on(router: CompiledRouter) -> None:
    router.take(v3(ANNOUNCED))
    both = update(MANDATORY, NET_11, NET_10)
    taken = router.take(v4(both, marking(BEST, 2)))
    assert values(taken, "log_type", "marks") == [("withdraw", None), ("update", kept(BEST))]


@pytest.mark.parametrize(
    "tlvs",
    [
        [marking(BEST, 2)],
        [marking(BEST, 0x8001)],
        [tlv(2, b"\0\2", index=0x8001), marking(BEST, 0x8001)],
        [tlv(2, b"\0", index=0x8001), marking(BEST, 0x8001)],
        [tlv(2, b"\0\1", index=0x8001), tlv(2, b"\0\2", index=0x8001), marking(BEST, 0x8001)],
        [tlv(2, b"\0\1", index=1), stateless(b"")],
    ],
    ids=["another route", "no group", "another one's group", "half a number", "the last group counts", "no mark"],
)
def test_what_is_not_about_a_route_is_no_mark_of_it(router: CompiledRouter, tlvs: list[bytes]) -> None:
    assert marks(router.take(v4(ANNOUNCED, *tlvs)).rows) == [None]


def test_marks_are_stored_with_the_route(router: CompiledRouter) -> None:
    """Later rows of a route, whatever they are, have the marks with which it was announced."""
    octets = v4(update(MANDATORY, NET_10 + NET_11), marking(BEST, 1)) + v3(END_OF_RIB)
    assert marks(router.take(octets).rows) == [kept(BEST), None, None]
    assert marks(router.dump(KEY)) == [kept(BEST), None]
    assert marks(router.take(v3(WITHDRAWN)).rows) == [kept(BEST)]
    router.take(v4(update(MANDATORY, NET_11), marking(BACKUP, 0)))
    assert marks(router.dump(KEY)) == [kept(BACKUP)]
    assert marks(router.sweep()) == [kept(BACKUP)]
    assert router.held() == NOTHING


def test_the_same_route_with_other_marks_is_another_route(router: CompiledRouter) -> None:
    marked = v4(ANNOUNCED, marking(BEST, 0))
    router.take(v3(ANNOUNCED) + marked + marked + v3(ANNOUNCED))
    assert router.ribs[KEY].counts(0) == (3, 1, 0, 0, 0)
    assert router.held() == {"routes": 1, "prefixes": 1, "paths": 1}


def test_marks_stand_beside_labels(router: CompiledRouter) -> None:
    def vpn(label: int) -> bytes:
        return prefix(bytes([10, 0, 0, 0]), 8, labels=label_stack(label), rd=RD)

    reach = mp_reach((1, 128), bytes([192, 0, 2, 1]), vpn(16) + prefix(bytes([11]), 8, labels=label_stack(17), rd=RD))
    octets = v4(update((*MANDATORY[:2], reach)), marking(BEST, 1))
    taken = router.take(octets)
    assert values(taken, "mpls_label", "marks") == [("16", kept(BEST)), ("17", None)]
    assert all('"vpn": ' in row and '"rib": ' not in row for row in taken.rows)
    withdrawn = router.take(v3(update((mp_unreach((1, 128), vpn(16)),))))
    assert values(withdrawn, "mpls_label", "marks") == [("16", kept(BEST))]
    router.sweep()
    assert router.held() == NOTHING


def test_a_route_has_at_most_512_octets_of_marks(router: CompiledRouter) -> None:
    """What does not fit is left out, and what fits behind it is taken."""
    whole, less = tlv(9, bytes(508), index=0), tlv(9, bytes(500), index=0)
    assert marks(router.take(v4(ANNOUNCED, whole)).rows) == [kept(bytes(508), 9)]
    assert marks(router.take(v4(ANNOUNCED, tlv(9, bytes(509), index=0))).rows) == [None]
    taken = router.take(v4(ANNOUNCED, less, marking(BEST, 0), tlv(8, b"", index=0)))
    assert marks(taken.rows) == [kept(bytes(500), 9) + kept(BEST)]
    router.sweep()
    assert router.held() == NOTHING


def test_looking_for_marks_has_an_end(router: CompiledRouter) -> None:
    """30,000 routes, each with thousands of TLVs, would be hours; the work for one message is bounded."""
    groups = b"".join(tlv(2, b"\xff\xff", index=0x8000 | n) for n in range(4000))
    marked = b"".join(marking(BEST, 0x8000 | n) for n in range(4000))
    octets = frame(ROUTE_MONITORING, PEER + tlv(4, update(MANDATORY, b"\0" * 30_000), index=0) + groups + marked, 4)
    router.take(octets, logged=False)
    assert router.ribs[KEY].counts(0) == (1, 29_999, 0, 0, 0)


def test_without_a_marker_marks_are_not_shown(router: CompiledRouter) -> None:
    router.rows.marker = None
    taken = router.take(v4(ANNOUNCED, marking(BEST, 0)))
    assert marks(taken.rows) == [None]
