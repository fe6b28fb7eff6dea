"""How the UPDATEs of Route Monitoring are read: width of AS numbers, path identifiers, what a message itself says."""

from typing import Final

import pytest

from tests.oracles import attributes as a
from tests.oracles.bmp_build import O, peer
from tests.oracles.build import MANDATORY, NET_10, NEXT_HOP_1, ORIGIN_IGP, attribute, mp_reach, prefix, segments, update
from tests.oracles.compiled_router import CompiledRouter
from tests.oracles.monitored import Agreed
from tests.routed.rib.monitoring_build import (
    ANNOUNCED,
    KEY,
    NARROW,
    NOTHING,
    OTHER,
    PEER,
    RECEIVES,
    RECEIVES_6,
    SENDS,
    WITHDRAWN,
    identified,
    nets,
    stateless,
    v3,
    v4,
    values,
)

WIDE: Final = update((ORIGIN_IGP, attribute(a.AS_PATH, segments((2, [65001, 65002]))), NEXT_HOP_1), NET_10)

#: A path without numbers does not tell.
EITHER: Final = update((ORIGIN_IGP, attribute(a.AS_PATH, b""), NEXT_HOP_1), NET_10)


@pytest.mark.parametrize("as4", [True, False])
def test_where_the_router_is_not_clear_as_numbers_are_as_long_as_they_look(as4: bool) -> None:
    router = CompiledRouter(lambda _: Agreed(as4=as4, guesses_as4=True))
    taken = router.take(v3(WIDE) + v3(NARROW) + v3(EITHER) + v4(WIDE) + v3(NARROW))
    assert [path for (path,) in values(taken, "as_path")] == ["65001 65002", "65001 65002", "", *["65001 65002"] * 2]


@pytest.mark.parametrize(("as4", "octets"), [(True, WIDE), (False, NARROW)])
def test_where_it_is_clear_nothing_is_guessed(as4: bool, octets: bytes) -> None:
    router = CompiledRouter(lambda _: Agreed(as4=as4))
    assert values(router.take(v3(octets)), "as_path") == [("65001 65002",)]
    other = CompiledRouter(lambda _: Agreed(as4=not as4))
    assert values(other.take(v3(octets)), "as_path") == [("",)]


def test_path_identifiers_are_read_as_the_opens_agreed() -> None:
    router = CompiledRouter(lambda header: Agreed(add_path=frozenset({(1, 1)} if header == PEER else ())))
    octets = v3(update(MANDATORY, identified(1) + identified(2))) + v3(ANNOUNCED, OTHER)
    taken = router.take(octets)
    assert [identifier for (identifier,) in values(taken, "as_path_id")] == [1, 2, None]


def test_stateless_parsing_says_how_its_own_message_is_read(router: CompiledRouter) -> None:
    """draft-ietf-grow-bmp-tlv: the peer need not be up; without the TLV, what the OPENs agreed holds."""
    octets = v4(update(MANDATORY, identified(7)), stateless(RECEIVES)) * 2 + v4(ANNOUNCED) + v3(ANNOUNCED)
    taken = router.take(octets)
    assert [identifier for (identifier,) in values(taken, "as_path_id")] == [7, 7, None, None]
    assert router.asked == [(PEER, True)]
    assert router.read == [RECEIVES]
    assert [len(table) for _, _, table in router.gone] == [1]
    router.sweep()
    assert router.held() == NOTHING


@pytest.mark.parametrize("logged", [True, False])
def test_a_message_about_one_family_leaves_the_tables_of_others(router: CompiledRouter, logged: bool) -> None:
    """Routers name only the family of the message, so capabilities change all the time while the tables do not."""
    wide = mp_reach((2, 1), bytes(16), prefix(bytes([32, 1]), 16, path_id=3))
    octets = v4(update(MANDATORY, identified(7)), stateless(RECEIVES)) + v4(
        update((*MANDATORY, wide)), stateless(RECEIVES_6)
    )
    router.take(octets * 3, octets * 300, logged=logged)
    assert router.gone == []
    assert [router.ribs[KEY].family_table(family) is not None for family in (0, 4)] == [True, True]
    assert router.ribs[KEY].counts(0) == router.ribs[KEY].counts(4) == (1, 302, 0, 0, 0)


@pytest.mark.parametrize("logged", [True, False])
def test_a_table_goes_when_its_routes_get_path_identifiers(router: CompiledRouter, logged: bool) -> None:
    many = update(MANDATORY, nets(0, 600))
    octets = v3(many) + v4(WITHDRAWN) + v4(update(MANDATORY, identified(7)), stateless(RECEIVES))
    router.take(octets, logged=logged)
    assert [(family, len(table)) for _, family, table in router.gone] == [(0, 600)]
    assert len(router.ribs[KEY]) == 1
    assert len(router.sweep()) == 601
    assert router.held() == NOTHING


@pytest.mark.parametrize(
    ("header", "capability", "identifier"),
    [(PEER, RECEIVES, 7), (PEER, SENDS, None), (peer(flags=O), SENDS, 7), (peer(3, address="0.0.0.0"), SENDS, 7)],
)
def test_the_direction_must_be_that_of_the_rib(
    router: CompiledRouter, header: bytes, capability: bytes, identifier: int | None
) -> None:
    octets = update(MANDATORY, NET_10 if identifier is None else identified(7))
    taken = router.take(v4(octets, stateless(capability), header=header))
    assert values(taken, "as_path_id", "ip_prefix") == [(identifier, "10.0.0.0/8")]


def test_other_opens_take_tables_out_at_once(router: CompiledRouter) -> None:
    router.take(v3(ANNOUNCED))
    rib = router.ribs[KEY]
    assert rib.reread(as4=True, guesses_as4=False, add_path=0) == []
    ((family, table),) = rib.reread(as4=False, guesses_as4=False, add_path=1)
    assert (family, len(table), len(rib), rib.as4) == (0, 1, 0, False)
    router.gone.append((rib, family, table))
    taken = router.take(v3(update((ORIGIN_IGP, attribute(a.AS_PATH, b""), NEXT_HOP_1), identified(5))))
    assert values(taken, "as_path_id") == [(5,)]
