"""Pages of answers to questions of ours, and the cursors that lead from one to the next."""

import pytest

from routed.query.codec import QueryError
from routed.query.request import MAX_LIMIT
from routed.service.questions import Cursors
from routed.wire.family import IPV4_UNICAST
from tests.oracles.build import MANDATORY, label_stack, prefix, update
from tests.routed.service.asked_rig import OTHER, Asked, labeled
from tests.routed.service.collector_rig import ADDRESS, KEPT, LOST, announce, grace
from tests.routed.service.glass_rig import Glass


def pages(glass: Glass, **question: object) -> list[list[tuple[str, int, str]]]:
    found, cursor = [], None
    while True:
        facts, routes = glass.search(**question, cursor=cursor)
        found.append([(route["peer_ip_src"], route["safi"], route["ip_prefix"]) for route in routes])
        cursor = facts.get("cursor")
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50, MAX_LIMIT])
@pytest.mark.parametrize("facts", [{}, {"match": "more-specific", "ip_prefix": "10.0.0.0/8"}, {"where": {"as": 65001}}])
def test_pages_have_every_route_once(limit: int, facts: dict[str, object]) -> None:
    rig = Asked()
    for number in range(3):
        peer = rig.connect(1000 + number, f"192.0.2.{number + 1}")
        rig.send(peer, announce(*range(number + 4)))
        rig.send(peer, labeled(*(prefix(bytes([10, n, 0, 0]), 16, labels=label_stack(7)) for n in range(2))))
    found = pages(rig.glass, limit=limit, **facts)
    routes = [route for page in found for route in page]
    assert len(routes) == len(set(routes)) == 4 + 5 + 6 + 3 * 2
    assert max(map(len, found)) <= limit


def test_pages_have_all_paths_of_every_prefix() -> None:
    rig = Asked()
    peer = rig.connect(add_path=frozenset({IPV4_UNICAST}))
    for number in range(3):
        for path in range(5):
            rig.send(peer, update(MANDATORY, prefix(bytes([10, number, 0, 0]), 16, path_id=path)))
    for limit in (1, 4, 6, 100):
        assert sum(map(len, pages(rig.glass, limit=limit))) == 15


def cursor(rig: Asked, *place: int) -> str:
    """Write a cursor among the tables that there are."""
    tables = rig.glass.answerer.tables.all_tables()
    return rig.glass.answerer._cursors.write(place, [table.owner.serial for table in tables])  # type: ignore[arg-type]  # three


@pytest.mark.parametrize(
    ("place", "text"), [((1, 0, 0), "come or gone"), ((0, 8, 0), "come"), ((0, 0, 1 << 32), "come")]
)
def test_a_cursor_of_a_place_that_there_is_not(rig: Asked, place: tuple[int, ...], text: str) -> None:
    assert text in rig.glass.refusal(cursor=cursor(rig, *place))


def test_a_cursor_of_another_question(rig: Asked) -> None:
    assert rig.glass.refusal(cursor=cursor(rig, 0, 4, 0), afi=1) == "cursor: of another question"


@pytest.mark.parametrize("place", [(0, 0, 4294967295), (0, 2, 0), (0, 2, 4294967295), (0, 0, 268435456)])
@pytest.mark.parametrize("facts", [{}, {"where": {"as": 65001}}, {"match": "more-specific", "ip_prefix": "10.0.0.0/8"}])
def test_a_cursor_behind_the_last_route_finds_nothing(
    rig: Asked, place: tuple[int, ...], facts: dict[str, object]
) -> None:
    assert rig.glass.search(cursor=cursor(rig, *place), **facts) == ({}, [])


def test_a_cursor_is_refused_when_a_table_was_replaced_by_another(rig: Asked) -> None:
    facts, _ = rig.glass.search(limit=1)
    assert len(rig.glass.prefixes(**facts)) == 2
    [peer] = [neighbor.peer for neighbor in rig.collector.neighbors()]
    assert peer is not None
    rig.collector.closed(peer, LOST)
    rig.settle()
    rig.send(rig.connect(), announce(1, 2))
    assert rig.glass.refusal(**facts) == "cursor: peers have come or gone, begin again"


def test_a_cursor_is_refused_when_a_peer_came_back_with_other_tables() -> None:
    rig = Asked()
    peer = rig.connect(graceful=grace(IPV4_UNICAST))
    rig.send(peer, announce(1, 2))
    facts, _ = rig.glass.search(limit=1)
    rig.collector.closed(peer, KEPT)
    rig.settle()
    assert len(rig.glass.prefixes(**facts)) == 1  # the same routes, stale
    rig.connect(add_path=frozenset({IPV4_UNICAST}), graceful=grace(IPV4_UNICAST))
    rig.settle()
    assert rig.glass.refusal(**facts) == "cursor: peers have come or gone, begin again"


def test_a_cursor_is_of_use_for_its_own_peer_whatever_others_do(rig: Asked) -> None:
    facts, _ = rig.glass.search(limit=1, peer_ip_src=ADDRESS)
    rig.send(rig.connect(1001, OTHER), announce(1))
    assert len(rig.glass.prefixes(peer_ip_src=ADDRESS, **facts)) == 2


def test_a_cursor_of_one_daemon_is_of_no_use_to_another() -> None:
    one, other = Cursors(), Cursors()
    assert one.read(one.write((0, 0, 7), [1]), [1]) == (0, 0, 7)
    with pytest.raises(QueryError, match="begin again"):
        other.read(one.write((0, 0, 7), [1]), [1])
