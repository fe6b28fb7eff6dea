"""Families that are not stored: what is said of them."""

from itertools import product

from routed.service.other_families import MAX_TOLD, OtherFamilies, not_stored
from routed.wire.family import STORABLE, Family

EVPN, UNKNOWN = Family(25, 70), Family(400, 99)
MANY = [Family(afi, safi) for afi, safi in product((25, 400), range(150, 150 + MAX_TOLD))]


def test_families_are_named_by_name_and_number() -> None:
    assert not_stored([EVPN, *STORABLE, UNKNOWN, EVPN]) == "l2vpn/evpn (25/70), unassigned_400/unassigned_99 (400/99)"
    assert not not_stored(STORABLE)


def test_so_many_are_named() -> None:
    assert "more" not in not_stored(MANY[:MAX_TOLD])
    assert not_stored(MANY[: MAX_TOLD + 1]).endswith(" and 1 more")


def test_each_is_told_of_once_and_so_many_at_all() -> None:
    others = OtherFamilies()
    assert others.news([EVPN]) == "routes of l2vpn/evpn (25/70) are not stored"
    assert not others.news([EVPN])
    assert others.news([UNKNOWN, EVPN]) == "routes of unassigned_400/unassigned_99 (400/99) are not stored"
    assert others.news(MANY).count("(") == MAX_TOLD - 2
    assert not others.news(MANY)
