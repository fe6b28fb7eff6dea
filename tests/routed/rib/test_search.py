"""Searches over whole tables: pages, cursors, threads, bounds; what conditions mean is a property of its own."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from routed.query.path_expression import compile_path_expression
from routed.rib._aspa import Attestations
from routed.rib._condition import Condition
from routed.rib._found import Found
from routed.rib._lookup import Lookups
from routed.rib._rib import PeerRib, Rib, sweep_all
from routed.rib._rows import Rows
from routed.rib._search import Search
from routed.rib._update import apply
from routed.rib.families import INDEX, bits_of
from routed.wire.family import Family
from tests.oracles.bmp_build import ROUTE_MONITORING, frame, peer, tlv
from tests.oracles.build import MANDATORY, NET_10, NEXT_HOP_1, attribute, prefix, segments, update
from tests.oracles.compiled_router import CompiledRouter
from tests.oracles.monitored import Agreed

IPV4, IPV6, VPN = Family(1, 1), Family(2, 1), Family(1, 128)
ROUTES = 30_000
RD = bytes.fromhex("0000fde800000064")


def host(number: int, value: int = 0, path_id: int | None = None) -> bytes:
    """An UPDATE for one /32; its MED and communities tell attribute sets apart."""
    attributes = (
        attribute(1, b"\0"),
        attribute(2, segments((2, [65001, 1 + value % 10]))),
        NEXT_HOP_1,
        attribute(4, value.to_bytes(4, "big")),
        attribute(8, (65000 << 16 | value % 1000).to_bytes(4, "big")),
    )
    return update(attributes, prefix(number.to_bytes(4, "big"), 32, path_id=path_id))


def gone(number: int, path_id: int | None = None) -> bytes:
    return update(withdrawn=prefix(number.to_bytes(4, "big"), 32, path_id=path_id))


def filled(rib: Rib, count: int, **agreed: int) -> PeerRib:
    """A peer whose routes have attribute sets of their own, in an order that is not that of their addresses."""
    rib_of_peer = PeerRib(rib, **agreed)
    apply(rib_of_peer, b"".join(host(1 + n * 7919 % count, n) for n in range(count)))
    return rib_of_peer


def sweep_everything(peers: list[PeerRib]) -> None:
    for rib in peers:
        for family, table in rib.detach():
            while not sweep_all(rib.rib, family, table, 10_000):
                pass


def pages(search: Search, most: int) -> Iterator[Found]:
    found = search.run(most)
    yield found
    while found.after is not None:
        found = search.run(most, found.after)
        yield found


def meds(found: Found) -> list[int]:
    """The values with which `host` was called."""
    return [int.from_bytes(attributes[-11:-7]) for *_, attributes in found.routes()]


@pytest.fixture(scope="module")
def full() -> list[PeerRib]:
    rib = Rib(1)
    return [filled(rib, ROUTES), filled(rib, ROUTES // 2)]


@pytest.mark.parametrize("most", [1, 7, 1000, ROUTES])
def test_pages_together_are_everything_once(full: list[PeerRib], most: int) -> None:
    search = Search(full, condition=Condition.community(65000, 17) | Condition.med("<", 5))
    found = [one for page in pages(search, most) for one in zip(*page.columns()[:3], strict=True)]
    assert len(found) == len(set(found)) == sum(search.count())
    assert list(search.count()) == [30 + 5, 15 + 5]
    assert len(search) == ROUTES + ROUTES // 2
    search.close()


def test_a_page_is_sorted_by_address(full: list[PeerRib]) -> None:
    search = Search(full)
    page = search.run(5000)
    addresses = [route[2] for route in page.routes()]
    assert addresses == sorted(addresses)
    assert page.after is not None
    assert [len(page) for page in pages(search, 25_000)] == [25_000, 20_000]
    search.close()


@pytest.mark.parametrize("expression", ["_7$", "^65001_7$", "^65001 .$", "_(3|7)_", "^7", "1,"])
def test_a_search_of_everything_asks_each_set_what_a_page_asks_it(full: list[PeerRib], expression: str) -> None:
    """Whether paths are asked one by one, a window's together, or in the order of their ids."""
    compiled = compile_path_expression(expression)
    expected = sum(compiled.matches(f"65001 {1 + n % 10}") for n in range(ROUTES))
    search = Search(full[:1], condition=Condition.path(compiled))
    assert len(search.run(100)) == min(100, expected)
    assert sum(map(len, pages(search, 700))) == expected
    assert list(search.count()) == [expected]
    search.close()


def test_the_paths_of_a_prefix_stay_together() -> None:
    rib = Rib(2)
    rib_of_peer = PeerRib(rib, add_path=bits_of([IPV4]))
    apply(rib_of_peer, b"".join(host(n, 10 * n + k, k) for n in range(1, 50) for k in range(n % 9)))
    search = Search([rib_of_peer])
    for most in (1, 3, 8, 20):
        seen: list[int] = []
        for page in pages(search, most):
            prefixes = page.columns()[2]
            assert len(page) <= most or len(set(prefixes)) == 1
            assert not set(prefixes) & set(seen)
            seen += prefixes
        assert len(seen) == len(rib_of_peer)
    search.close()


def test_another_thread_searches_while_the_writer_goes_on() -> None:
    rib = Rib(3)
    peers = [filled(rib, 20_000), filled(rib, 10_000)]
    condition = Condition.path(compile_path_expression("_[13579]$")) & ~Condition.community(65000, 8)
    expected = [sorted(n for n in range(count) if (1 + n % 10) % 2 and n % 1000 != 8) for count in (20_000, 10_000)]

    def everything(search: Search) -> list[list[int]]:
        found: list[list[int]] = [[], []]
        for page in pages(search, 300):
            for (at, *_), med in zip(page.routes(), meds(page), strict=True):
                found[at].append(med)
        return [sorted(one) for one in found]

    with ThreadPoolExecutor(1) as threads:
        search = Search(peers, condition=condition)
        searching = threads.submit(everything, search)
        for step in range(5):
            apply(peers[0], b"".join(host(n, 50_000 + n) for n in range(1 + step, 20_001, 3)))
            apply(peers[1], b"".join(gone(n) for n in range(1 + step, 10_001, 5)))
            apply(peers[1], b"".join(host(100_000 + n, 70_000 + n) for n in range(step, 5_000, 5)))
            rib.tidy()
        sweep_everything(peers)
        assert searching.result() == expected
        search.close()
    while rib.tidy():
        pass
    assert len(rib.paths) == 0


def test_a_cursor_goes_on_in_a_later_search() -> None:
    rib = Rib(4)
    peers = [filled(rib, 900), filled(rib, 900)]
    found: list[tuple[int, int]] = []
    after = None
    while True:
        search = Search(peers)
        page = search.run(100, after)
        found += [(route[0], int.from_bytes(route[2])) for route in page.routes()]
        after = page.after
        search.close()
        apply(peers[0], host(5000 + len(found)))
        if after is None:
            break
    assert len(found) == len(set(found))
    assert set(found) >= {(at, n) for at in range(2) for n in range(1, 901)}


def test_a_cancelled_search_ends_at_once_and_says_where(full: list[PeerRib]) -> None:
    search = Search(full, condition=Condition.med(">", 3))
    assert not search.is_cancelled
    first = search.run(10)
    search.cancel()
    page = search.run(10, first.after)
    assert (len(page), page.after, search.is_cancelled) == (0, first.after, True)
    assert sum(search.count()) == 0
    search.close()


def test_what_was_found_cannot_be_read_after_the_search(full: list[PeerRib]) -> None:
    search = Search(full)
    found = search.run(10)
    rows = Rows()
    rows.lookup()
    search.close()
    search.close()
    questions: list[Callable[[], object]] = [
        found.routes,
        lambda: found.render(rows, lambda _: None),
        lambda: search.run(1),
        search.count,
    ]
    for question in questions:
        with pytest.raises(ValueError, match="the search is closed"):
            question()


def test_a_search_that_is_read_cannot_be_closed(full: list[PeerRib]) -> None:
    search = Search(full)
    found = search.run(10)
    rows = Rows()
    rows.lookup()
    with pytest.raises(RuntimeError, match="cannot be let go"):
        found.render(rows, lambda _: search.close())
    assert found.render(rows, lambda _: None) == 10
    search.close()


def test_a_full_buffer_interrupts_the_rows(full: list[PeerRib]) -> None:
    search = Search(full)
    found = search.run(ROUTES)
    rows = Rows()
    rows.lookup()
    at, sources, lines = 0, 0, 0
    while at < len(found):
        at = found.render(rows, lambda _: rows.source(b"", b"", b"", None, b""), at)
        lines += rows.take().count(b"\n")
        sources += 1
    assert lines == ROUTES
    assert sources > 3
    search.close()


def test_many_small_tables() -> None:
    rib = Rib(7)
    peers = [filled(rib, 3) for _ in range(100)]
    search = Search(peers, condition=Condition.med(">", 0))
    assert list(search.count()) == [2] * 100
    assert [len(page) for page in pages(search, 150)] == [150, 50]
    search.close()


def test_no_peers_have_nothing() -> None:
    search = Search([])
    assert (len(search.run(5)), list(search.count()), len(search)) == (0, [0], 0)
    search.close()
    search = Search([PeerRib(Rib(5))])
    assert len(search.run(5)) == 0
    search.close()


def test_marked_paths_have_the_answer_of_what_they_mark() -> None:
    """And rows show the marks (BMP path marking)."""
    router = CompiledRouter(lambda _: Agreed())
    header = peer()

    def marked(octets: bytes, marks: bytes) -> bytes:
        return frame(ROUTE_MONITORING, header + tlv(5, marks, index=0) + tlv(4, octets, index=0), 4)

    nets = [prefix(bytes([n, 0, 0, 0]), 8) for n in range(20, 60)]
    router.take(*(marked(update(MANDATORY, net), at.to_bytes(4, "big")) for at, net in enumerate(nets)))
    router.take(frame(ROUTE_MONITORING, header + update(MANDATORY, NET_10)))
    [rib] = router.ribs.values()
    search = Search([rib], condition=Condition.origin_as(65001))
    found = search.run(100)
    rows = Rows()
    rows.marker = lambda octets: b'"marks": "%s", ' % octets.hex().encode()
    rows.lookup()
    found.render(rows, lambda _: rows.source(b"", b"", b"", None, b""))
    shown = [json.loads(line).get("marks") for line in rows.take().splitlines()]
    assert shown == [None, *(tlv(5, at.to_bytes(4, "big")).hex() for at in range(40))]
    search.close()
    search = Search([rib], condition=~Condition.any_as(65001))
    assert sum(search.count()) == 0
    search.close()


def test_questions_that_make_no_sense_are_refused(full: list[PeerRib]) -> None:
    for net in ((8, bytes(4), 1), (0, bytes(16), 1), (4, bytes(4), 1), (0, bytes(4), 33), (0, bytes(4), -1)):
        with pytest.raises(ValueError, match="has no prefix"):
            Search(full, within=net)
    with pytest.raises(ValueError, match="distinguisher of 4 octets"):
        Search(full, rd=bytes(4))
    with pytest.raises(ValueError, match="different daemons"):
        Search([*full, PeerRib(Rib(1))])
    search = Search(full)
    with pytest.raises(ValueError, match="no route at most"):
        search.run(0)
    for after in ((0, 0, -1), (0, 0, 1 << 32)):
        with pytest.raises(ValueError, match="no search goes on"):
            search.run(1, after)
    assert len(search.run(1, (7, 0, 0))) == len(search.run(1, (1, 7, 0))) == 0
    assert len(search.run(1, (1, 0, (1 << 32) - 1))) == 0
    search.close()
    lookups = Lookups(full[0].rib)
    with pytest.raises(ValueError, match="no prefix of family"):
        lookups.exact_routes(full, INDEX[VPN], bytes(4), 8)
    with pytest.raises(ValueError, match="no prefix of family"):
        lookups.exact_routes(full, INDEX[IPV4], bytes(4), 33)
    with pytest.raises(ValueError, match="another daemon"):
        lookups.exact_routes([PeerRib(Rib(1))], INDEX[IPV4], bytes(4), 8)


def test_conditions_that_make_no_sense_are_refused() -> None:
    compiled = compile_path_expression("_1_")

    class Broken:
        start = compiled.start
        ends = compiled.ends

        def __init__(self, table: bytes) -> None:
            self.table = table

    def verdict() -> Condition:
        return Condition.aspa(Attestations({}), "valid", is_upstream=True)

    refused: list[tuple[str, Callable[[], object]]] = [
        ("no half", lambda: Condition.community(65536, 0)),
        ("no half", lambda: Condition.community(0, -1)),
        ("no comparison '=='", lambda: Condition.med("==", 0)),
        ("3 octets", lambda: Condition.next_hop(bytes(3))),
        ("length 33", lambda: Condition.next_hop(bytes(4), 33)),
        ("extended community of 7 octets", lambda: Condition.extended_community(bytes(7))),
        ("mask of 9", lambda: Condition.extended_community(bytes(8), bytes(9))),
        ("attribute 14 is not kept", lambda: Condition.has_attribute(14)),
        ("no verdict 'i'", lambda: Condition.aspa(Attestations({}), "i", is_upstream=True)),
        ("different attestations", lambda: verdict() & ~verdict()),
        ("automaton of", lambda: Condition.path(Broken(compiled.table[2:]))),
        ("state 17 of", lambda: Condition.path(Broken(compiled.table[:-2] + b"\x11\0"))),
        ("state 65502 of", lambda: Condition.path(Broken(compiled.table[:-2] + (18 * 3639).to_bytes(2, "little")))),
    ]
    for reason, make in refused:
        with pytest.raises(ValueError, match=reason):
            make()
    with pytest.raises(OverflowError):
        Condition.origin_as(1 << 32)


def test_a_condition_has_a_bound() -> None:
    condition = Condition.origin_as(0)
    for number in range(1, 256):
        condition |= Condition.origin_as(number)
    assert (condition.count, condition.reads_sets) == (256, False)
    with pytest.raises(ValueError, match="257 tests"):
        condition | Condition.origin_as(256)
    assert (condition.count, (~condition).count) == (256, 256)


def test_a_look_up_reads_what_is_there_now() -> None:
    rib = Rib(6)
    peers = [filled(rib, 5), filled(rib, 3)]
    lookups = Lookups(rib)
    address = (4).to_bytes(4, "big")
    found = lookups.exact_routes(peers, INDEX[IPV4], address, 32)
    assert [route[0] for route in found.routes()] == [0]
    apply(peers[0], gone(4) + host(77, 9))
    assert found.routes() == []
    assert len(lookups.exact_routes(peers, INDEX[IPV4], address, 32)) == 0
