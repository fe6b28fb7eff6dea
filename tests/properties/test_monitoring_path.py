"""Compiled runs of Route Monitoring against the oracle: rows byte for byte, counts, tables, and what remains."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from routed.rib._monitoring import MonitoredRib
from tests.fuzz.mutate import mutate
from tests.oracles.attributes import Context
from tests.oracles.bmp_build import ROUTE_MONITORING, A, F, L, O, frame, peer, tlv
from tests.oracles.compiled_router import OUTCOMES, CompiledRouter, Taken
from tests.oracles.monitored import PEER_OCTETS, Agreed, ExpectedRouter
from tests.oracles.nlri import ADDRESS_OCTETS, Family
from tests.oracles.rows import Style
from tests.properties.strategies import as_update, damaged_updates, valid_updates

NONE = (0,) * len(OUTCOMES)
NOTHING = {"routes": 0, "prefixes": 0, "paths": 0}
ALL: frozenset[Family] = frozenset(ADDRESS_OCTETS)

#: Whom messages are about, and what was agreed with them; None: they are not up.
PEERS: tuple[tuple[bytes, Agreed | None], ...] = (
    (peer(), Agreed()),
    (peer(flags=L, time=(1_700_000_001, 1)), Agreed(add_path=ALL)),
    (peer(flags=O, address="2001:db8::1"), Agreed(add_path=frozenset({(1, 1), (2, 128)}))),
    (peer(1, rd=b"\0\0\xfd\xe8\0\0\0\x64", flags=A, time=(0, 7)), Agreed(as4=False)),
    (peer(1, rd=b"\0\0\xfd\xe8\0\0\0\x65"), Agreed(guesses_as4=True)),
    (peer(1, rd=b"\0\0\xfd\xe8\0\0\0\x66", flags=A), Agreed(as4=False, guesses_as4=True)),
    (peer(3, F, address="0.0.0.0"), Agreed(add_path=ALL)),
    (peer(address="192.0.2.77"), None),
)
#: Capabilities of stateless parsing: of none and of some families, in every direction; AS4; two that are malformed.
STATELESS = tuple(
    bytes.fromhex(text)
    for text in (
        "", "450400010101", "450400010102", "450400010103", "4508000101030002 8003", "4104000000ff",
        "4104000000ff450400010103", "4503000101", "45",
    )
)  # fmt: skip

styles = st.builds(Style, as_path_as_array=st.booleans(), comms_num=st.booleans())


def agreed_of(header: bytes) -> Agreed | None:
    """What was agreed with the peer of a header; with one that damage made, as chance will have it."""
    for known, agreed in PEERS:
        if header[:26] == known[:26]:
            return agreed
    return Agreed() if header[9] & 1 else None


def about_routes() -> SearchStrategy[bytes]:
    """A TLV about some routes of an UPDATE, about a group of them, or of a group."""
    indexes = st.sampled_from((0, 1, 2, 3, 0x8001, 0x8002))
    values = st.sampled_from((b"", b"\0\0\0\2", b"\0\0\4\2\0\3", b"red", bytes(250), bytes(506), bytes(600)))
    groups = st.lists(st.integers(0, 4), max_size=3).map(
        lambda numbers: b"".join(n.to_bytes(2, "big") for n in numbers)
    )
    return st.one_of(
        st.builds(
            lambda kind, value, index: tlv(kind, value, index=index), st.sampled_from((3, 5, 9)), values, indexes
        ),
        st.builds(lambda value, index: tlv(6, value, enterprise=9, index=index), values, indexes),
        st.builds(lambda value, index: tlv(2, value, index=index), groups, indexes),
    )


@st.composite
def messages(draw: DrawFn, *, damaged: bool) -> bytes:
    """One Route Monitoring message of either version."""
    header, agreed = draw(st.sampled_from(PEERS))
    agreed = agreed or Agreed()
    stateless = None
    version = draw(st.sampled_from((3, 4)))
    if version == 4 and draw(st.booleans()):
        stateless = draw(st.sampled_from(STATELESS if damaged else STATELESS[:-2]))
    families = draw(st.sampled_from((agreed.add_path, frozenset(), frozenset({(1, 1)}), frozenset({(1, 1), (2, 128)}))))
    context = Context(as4=agreed.as4 ^ draw(st.booleans()) if agreed.guesses_as4 else agreed.as4, add_path=families)
    update = draw(st.one_of(valid_updates(context), damaged_updates(context)) if damaged else valid_updates(context))
    if version == 3:
        return frame(ROUTE_MONITORING, header + update)
    tlvs = draw(st.lists(about_routes(), max_size=4))
    if stateless is not None:
        tlvs.append(tlv(1, stateless, index=0))
    tlvs.insert(draw(st.integers(0, len(tlvs))), tlv(4, update, index=0))
    return frame(ROUTE_MONITORING, header + b"".join(tlvs), 4)


@st.composite
def damaged_messages(draw: DrawFn) -> bytes:
    """A message whose octets behind the common header were damaged, or whose UPDATE was."""
    octets = draw(messages(damaged=True))
    if draw(st.booleans()):
        return octets
    donors = [octets, draw(messages(damaged=False))]
    body = mutate(octets[6:], draw(st.integers(0, 2**32 - 1)), donors)[:70_000]
    return frame(ROUTE_MONITORING, body, octets[0])


def counts_of(rib: MonitoredRib) -> list[int]:
    """Return what became of the routes of all families."""
    of_families = [rib.counts(family) for family in rib.counted()]
    return [sum(of) for of in zip(NONE, *of_families, strict=True)]


def check(router: CompiledRouter, expected: ExpectedRouter, taken: Taken) -> None:
    found = (taken.end_of_ribs, taken.orphans, taken.malformed)
    assert found == (expected.end_of_ribs, expected.orphans, expected.malformed)
    assert router.ribs.keys() == expected.ribs.keys()
    counts = [counts_of(router.ribs[key]) for key in expected.ribs]
    for key, rib in expected.ribs.items():
        announced, unchanged, withdrawn, unknown, dropped = counts_of(router.ribs[key])
        assert len(router.ribs[key]) == len(rib.routes)
        assert (announced + unchanged, withdrawn, unknown) == (rib.announced, rib.withdrawn, rib.unknown)
        assert unchanged <= rib.unchanged  # what is the same on the wire is the same
        assert dropped == 0
    assert sum(len(table) for _, _, table in router.gone) == expected.gone
    assert [taken.routes[name] for name in OUTCOMES] == [sum(of) for of in zip(NONE, *counts, strict=True)]


@given(octets=st.lists(damaged_messages(), min_size=1, max_size=10), style=styles)
def test_messages_do_and_say_what_the_oracle_does_and_says(octets: list[bytes], style: Style) -> None:
    expected, router = ExpectedRouter(agreed_of, style), CompiledRouter(agreed_of, style)
    for message in octets:
        expected.take(message)
    taken = router.take(b"".join(octets))
    assert taken.rows == expected.rows
    check(router, expected, taken)


@given(octets=st.lists(damaged_messages(), min_size=1, max_size=10))
def test_it_makes_no_difference_whether_rows_are_written(octets: list[bytes]) -> None:
    expected, router = ExpectedRouter(agreed_of), CompiledRouter(agreed_of)
    for message in octets:
        expected.take(message)
    check(router, expected, router.take(b"".join(octets), logged=False))


@given(octets=st.lists(damaged_messages(), min_size=2, max_size=10), cuts=st.sets(st.integers(1, 9)))
def test_how_messages_are_grouped_into_runs_is_invisible(octets: list[bytes], cuts: set[int]) -> None:
    together, apart = CompiledRouter(agreed_of), CompiledRouter(agreed_of)
    places = [0, *sorted(cut for cut in cuts if cut < len(octets)), len(octets)]
    runs = [b"".join(octets[a:b]) for a, b in pairwise(places)]
    assert apart.take(*runs).rows == together.take(b"".join(octets)).rows
    assert apart.held() == together.held()
    for key in together.ribs:
        assert apart.dump(key) == together.dump(key)


@given(octets=st.lists(damaged_messages(), min_size=1, max_size=10))
def test_a_dump_shows_each_route_with_its_marks(octets: list[bytes]) -> None:
    expected, router = ExpectedRouter(agreed_of), CompiledRouter(agreed_of)
    for message in octets:
        expected.take(message)
    router.take(b"".join(octets), logged=False)
    for key, rib in expected.ribs.items():
        header = key.ljust(PEER_OCTETS, b"\0")
        rows = [expected.log_row("", header, shown) for shown in rib.routes.values()]
        found = router.dump(key)
        assert sorted(map(route_part, found)) == sorted(
            route_part(row.replace(', "arrival": "now"', "")) for row in rows
        )


def route_part(row: str) -> str:
    """A row from the keys that name its RIB on, without the kind of event."""
    at = min(at for at in (row.find('"rib": '), row.find('"vpn": ')) if at >= 0)
    return row[at:].replace('"event_type": "dump"', '"event_type": "log"')


@given(octets=st.lists(damaged_messages(), min_size=1, max_size=10))
def test_taking_the_router_away_deletes_each_route_and_leaves_nothing(octets: list[bytes]) -> None:
    router = CompiledRouter(agreed_of)
    router.take(b"".join(octets))
    routes = router.held()["routes"]
    assert len(router.sweep()) == routes
    assert router.held() == NOTHING


@given(bodies=st.lists(st.binary(max_size=200), max_size=5), version=st.sampled_from((3, 4)), seed=st.integers(0, 7))
def test_any_octets_are_taken_or_counted_and_leave_nothing_behind(bodies: list[bytes], version: int, seed: int) -> None:
    router = CompiledRouter(agreed_of)
    expected = ExpectedRouter(agreed_of)
    octets = [frame(ROUTE_MONITORING, body, version) for body in bodies]
    octets += [frame(ROUTE_MONITORING, PEERS[seed][0] + as_update(body), 3) for body in bodies]
    octets += [frame(ROUTE_MONITORING, PEERS[seed][0] + tlv(4, as_update(body), index=0) + body, 4) for body in bodies]
    for message in octets:
        expected.take(message)
    taken = router.take(b"".join(octets))
    assert taken.rows == expected.rows
    check(router, expected, taken)
    router.sweep()
    assert router.held() == NOTHING
