"""Searches and look-ups of routes against the slow and obvious way, whatever the writer does meanwhile."""

import operator
import re
from collections.abc import Callable
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from routed.query.path_expression import compile_path_expression
from routed.rib._aspa import Attestations
from routed.rib._condition import Condition
from routed.rib._found import Found
from routed.rib._lookup import Lookups
from routed.rib._rib import PeerRib, Rib, sweep_all
from routed.rib._rows import Rows
from routed.rib._search import Search
from routed.rib._update import apply
from tests.oracles import aspa
from tests.oracles.as_path import AS_SEQUENCE, AS_SET, Path, path_length, path_text
from tests.oracles.attributes import Context
from tests.oracles.build import segments
from tests.oracles.compiled import FAMILIES
from tests.oracles.nlri import VPN_SAFI, Nlri
from tests.oracles.rib import PeerTable, Route
from tests.oracles.rows import Style, row
from tests.oracles.update import AttributeSet, judge
from tests.properties.strategies import (
    IPV4_ADDRESSES,
    IPV6_ADDRESSES,
    RDS,
    WIDE_ASNS,
    contexts,
    valid_updates,
)

MAPPED = bytes(10) + b"\xff\xff"
COMPARISONS = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}


class Asked(NamedTuple):
    """A condition, and what it means."""

    condition: Condition
    holds: Callable[[AttributeSet], bool]


# -- conditions ----------------------------------------------------------------------------------------------------


def ends(path: Path) -> tuple[int, int]:
    """The neighbour and origin AS: 0 where a set is there, or nothing."""
    numbers = [asns if kind == AS_SEQUENCE else (0,) for kind, asns in path if kind in {AS_SEQUENCE, AS_SET}]
    return (numbers[0][0], numbers[-1][-1]) if numbers else (0, 0)


def next_hops_of(attributes: AttributeSet) -> list[bytes]:
    hop = attributes.next_hop
    if len(hop) == 16 and hop.startswith(MAPPED):
        return [hop[12:]]
    return [hop[:16], hop[16:]] if len(hop) == 32 else [hop]


def begins(address: bytes, net: bytes, length: int) -> bool:
    shift = 8 * len(net) - length
    return len(address) == len(net) and (int.from_bytes(address) ^ int.from_bytes(net)) >> shift == 0


def as_tests() -> SearchStrategy[Asked]:
    numbers = st.sampled_from((*WIDE_ASNS, 64512, 0))
    return st.one_of(
        numbers.map(lambda n: Asked(Condition.neighbour_as(n), lambda s: ends(s.as_path)[0] == n)),
        numbers.map(lambda n: Asked(Condition.origin_as(n), lambda s: ends(s.as_path)[1] == n)),
        numbers.map(lambda n: Asked(Condition.any_as(n), lambda s: any(n in asns for _, asns in s.as_path))),
    )


BOUNDARY = r"(?:^|\Z|[ ,{}()\[\]])"
#: Expressions, and what they are in Python.
EXPRESSIONS = {
    text: (compile_path_expression(text), re.compile(pattern.replace("_", BOUNDARY)))
    for text, pattern in {
        "^1_": "^1_",
        "_65536_": "_65536_",
        "_(1|23456)$": r"_(1|23456)\Z",
        "^$": r"^\Z",
        r"[\[{]": r"[\[{]",
        "_1_.*_1_": "_1_.*_1_",
        "[^0-9]6": "[^0-9]6",
        r"\(.*\) {": r"\(.*\) \{",
        ",": ",",
        "29.*[7-9]": "29.*[7-9]",
    }.items()
}


def path_tests() -> SearchStrategy[Asked]:
    def asked(text: str) -> Asked:
        compiled, pattern = EXPRESSIONS[text]
        return Asked(Condition.path(compiled), lambda s: bool(pattern.search(path_text(s.as_path))))

    return st.sampled_from(sorted(EXPRESSIONS)).map(asked)


#: What some ASes say of their providers.
ASPAS = {1: frozenset({65536}), 65536: frozenset({1, 4200000000}), 4294967295: frozenset({0})}
ATTESTATIONS = Attestations(ASPAS)


def aspa_tests() -> SearchStrategy[Asked]:
    def asked(verdict: aspa.Verdict, is_upstream: bool) -> Asked:
        verify = aspa.verify_upstream if is_upstream else aspa.verify_downstream

        def holds(attributes: AttributeSet) -> bool:
            octets = segments(*((kind, list(asns)) for kind, asns in attributes.as_path))
            return verify(ASPAS, aspa.ases_of(octets)) is verdict

        return Asked(Condition.aspa(ATTESTATIONS, verdict.value, is_upstream=is_upstream), holds)

    return st.builds(asked, st.sampled_from(aspa.Verdict), st.booleans())


def comparisons() -> SearchStrategy[Asked]:
    def asked(name: str, sign: str, value: int) -> Asked:
        def holds(attributes: AttributeSet) -> bool:
            found = path_length(attributes.as_path) if name == "path_length" else getattr(attributes, name)
            return found is not None and COMPARISONS[sign](found, value)

        return Asked(getattr(Condition, name)(sign, value), holds)

    values = st.sampled_from((0, 1, 2, 3, 100, 4294967295))
    names = st.sampled_from(("path_length", "med", "local_pref"))
    return st.builds(asked, names, st.sampled_from(sorted(COMPARISONS)), values)


def next_hop_tests() -> SearchStrategy[Asked]:
    def asked(address: bytes, bits: int | None) -> Asked:
        length = 8 * len(address) if bits is None else bits % (8 * len(address) + 1)
        net, plain = address, length
        if address.startswith(MAPPED) and length >= 96:
            net, plain = address[12:], length - 96
        return Asked(
            Condition.next_hop(address, None if bits is None else length),
            lambda s: any(begins(hop, net, plain) for hop in next_hops_of(s)),
        )

    return st.builds(asked, st.sampled_from((*IPV4_ADDRESSES, *IPV6_ADDRESSES)), st.none() | st.integers(0, 128))


def community_tests() -> SearchStrategy[Asked]:
    def standard(value: bytes, high: bool, low: bool) -> Asked:
        wanted = [value[:2] if high else None, value[2:] if low else None]
        numbers = [None if part is None else int.from_bytes(part) for part in wanted]
        return Asked(
            Condition.community(*numbers),
            lambda s: any(
                wanted[0] in {None, found[:2]} and wanted[1] in {None, found[2:]} for found in s.communities or ()
            ),
        )

    def extended(value: bytes, mask: bytes) -> Asked:
        def masked(octets: bytes) -> int:
            return int.from_bytes(octets) & int.from_bytes(mask)

        return Asked(
            Condition.extended_community(value, mask),
            lambda s: any(masked(found) == masked(value) for found in s.extended_communities or ()),
        )

    def large(*parts: int | None) -> Asked:
        def agree(octets: bytes) -> bool:
            found = (int.from_bytes(octets[at : at + 4]) for at in (0, 4, 8))
            return all(part in {None, value} for part, value in zip(parts, found, strict=True))

        return Asked(Condition.large_community(*parts), lambda s: any(map(agree, s.large_communities or ())))

    known = st.sampled_from([bytes.fromhex(text) for text in ("fde90001", "ffffff01", "00000000", "ffff0007")])
    values = st.sampled_from([bytes.fromhex(text) for text in ("0002fde800000064", "4002fde800000064", "0" * 16)])
    masks = st.sampled_from([b"\xff" * 8, bytes(8), b"\xbf" + b"\xff" * 7, b"\xff\xff" + bytes(6)])
    part = st.none() | st.sampled_from((1, 2, 65001))
    return st.one_of(
        st.builds(standard, known, st.booleans(), st.booleans()),
        st.builds(extended, values, masks),
        st.builds(large, part, part, part),
    )


def attribute_tests() -> SearchStrategy[Asked]:
    def has(code: int) -> Asked:
        named = {4: "med", 5: "local_pref", 8: "communities", 16: "extended_communities", 32: "large_communities"}
        if code in named:
            return Asked(Condition.has_attribute(code), lambda s: getattr(s, named[code]) is not None)
        return Asked(Condition.has_attribute(code), lambda s: any(found == code for found, _ in s.others))

    origins = st.integers(0, 3).map(lambda code: Asked(Condition.origin(code), lambda s: s.origin == code))
    return origins | st.sampled_from((4, 5, 8, 9, 16, 32, 128)).map(has)


def joined(inner: SearchStrategy[Asked]) -> SearchStrategy[Asked]:
    return st.one_of(
        inner.map(lambda a: Asked(~a.condition, lambda s: not a.holds(s))),
        st.tuples(inner, inner).map(
            lambda ab: Asked(ab[0].condition & ab[1].condition, lambda s: ab[0].holds(s) and ab[1].holds(s))
        ),
        st.tuples(inner, inner).map(
            lambda ab: Asked(ab[0].condition | ab[1].condition, lambda s: ab[0].holds(s) or ab[1].holds(s))
        ),
    )


conditions = st.recursive(
    st.one_of(
        as_tests(),
        path_tests(),
        aspa_tests(),
        comparisons(),
        next_hop_tests(),
        community_tests(),
        attribute_tests(),
    ),
    joined,
    max_leaves=6,
)


# -- tables --------------------------------------------------------------------------------------------------------


class Peers:
    """Some peers of one daemon, and what their tables should be."""

    def __init__(self, all_contexts: list[Context]) -> None:
        self.rib = Rib(1)
        self.contexts = all_contexts
        self.tables = [PeerTable() for _ in all_contexts]
        self.ribs = [
            PeerRib(
                self.rib,
                as4=context.as4,
                external=context.external,
                add_path=sum(1 << FAMILIES.index(family) for family in context.add_path),
            )
            for context in all_contexts
        ]

    def apply(self, at: int, updates: list[bytes]) -> None:
        apply(self.ribs[at], b"".join(updates))
        for octets in updates:
            list(self.tables[at].apply(judge(octets, self.contexts[at])))

    def routes(self) -> list[tuple[int, Route]]:
        return [(at, route) for at, table in enumerate(self.tables) for route in table.dump()]

    def sweep(self) -> None:
        for rib in self.ribs:
            for family, table in rib.detach():
                while not sweep_all(self.rib, family, table, 1000):
                    pass
        while self.rib.tidy():
            pass


@st.composite
def all_peers(draw: DrawFn) -> tuple[Peers, list[tuple[int, list[bytes]]]]:
    """Peers with routes, and what they send later."""
    peers = Peers(draw(st.lists(contexts, min_size=1, max_size=3)))
    runs = []
    for _ in range(2):
        for at, context in enumerate(peers.contexts):
            runs.append((at, draw(st.lists(valid_updates(context), max_size=3))))
    for at, updates in runs[: len(peers.ribs)]:
        peers.apply(at, updates)
    return peers, runs[len(peers.ribs) :]


class Wanted(NamedTuple):
    """Which prefixes are looked for."""

    families: int
    within: tuple[int, bytes, int] | None
    around: tuple[int, bytes, int] | None
    rd: bytes | None

    def fits(self, nlri: Nlri) -> bool:
        index = FAMILIES.index(nlri.family)
        if not self.families >> index & 1 or (self.rd is not None and self.rd != nlri.rd):
            return False
        if self.within and not (index == self.within[0] and covers(self.within[1:], (nlri.address, nlri.length))):
            return False
        return not self.around or (index == self.around[0] and covers((nlri.address, nlri.length), self.around[1:]))


def covers(wide: tuple[bytes, int], narrow: tuple[bytes, int]) -> bool:
    return wide[1] <= narrow[1] and begins(narrow[0], wide[0], wide[1])


@st.composite
def nets(draw: DrawFn) -> tuple[int, bytes, int]:
    index = draw(st.integers(0, 7))
    address = draw(st.sampled_from(IPV4_ADDRESSES if index < 4 else IPV6_ADDRESSES))
    return index, address, draw(st.integers(0, 8 * len(address)) | st.sampled_from((8, 24, 32)))


anything = st.just(Wanted(0xFF, None, None, None))
wants = anything | st.builds(
    Wanted, st.integers(0, 255), st.none() | nets(), st.none() | nets(), st.none() | st.sampled_from(RDS)
)


def identity(at: int, route: Route) -> tuple:
    return (at, FAMILIES.index(route.nlri.family), *route.nlri.key()[1:])


def identities(found: Found) -> list[tuple]:
    return [
        (at, family, rd or None, address, length, path_id)
        for at, family, address, length, rd, path_id, *_ in found.routes()
    ]


def shown(found: Found) -> list[str]:
    rows = Rows(row_end=b"}\n")
    rows.lookup()
    at = 0
    while at < len(found):
        at = found.render(
            rows, lambda peer: rows.source(*[b'"peer": %d, ' % peer] * 2, b'"tag": 7, ', None, b', "end": 1'), at
        )
    return rows.take().decode().splitlines()


def expected_row(at: int, route: Route) -> str:
    return row({"peer": at, "tag": 7, "event_type": "lglass"}, route, Style())[:-1] + ', "end": 1}'


# -- properties ----------------------------------------------------------------------------------------------------


@given(all_peers(), st.none() | conditions, wants, st.integers(1, 4))
def test_a_search_finds_what_was_there_when_it_was_opened(
    drawn: tuple[Peers, list[tuple[int, list[bytes]]]], asked: Asked | None, wanted: Wanted, most: int
) -> None:
    peers, later = drawn
    expected = {
        identity(at, route): expected_row(at, route)
        for at, route in peers.routes()
        if wanted.fits(route.nlri) and (asked is None or asked.holds(route.attributes))
    }
    search = Search(peers.ribs, condition=asked and asked.condition, **wanted._asdict())
    found, after = [], None
    while True:
        page = search.run(most, after)
        same_prefix = len({one[:5] for one in identities(page)}) == 1
        assert len(page) <= most or same_prefix
        assert identities(page) == sorted(identities(page), key=dump_order)
        assert shown(page) == [expected[one] for one in identities(page)]
        found += identities(page)
        after = page.after
        if after is None:
            break
        assert len(page)
        if later:
            peers.apply(*later.pop())
        else:
            peers.sweep()
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    counts = search.count()
    assert list(counts) == [sum(one[0] == at for one in expected) for at in range(len(counts))]
    assert sum(counts) == len(expected)
    search.close()
    peers.sweep()
    assert len(peers.rib.paths) == 0


def dump_order(one: tuple) -> tuple:
    at, family, rd, address, length, path_id = one
    return at, family, address, length, rd or b"", path_id or 0


@given(all_peers(), st.none() | conditions, nets(), st.sampled_from(RDS))
def test_look_ups_of_routes(
    drawn: tuple[Peers, list[tuple[int, list[bytes]]]], asked: Asked | None, net: tuple[int, bytes, int], rd: bytes
) -> None:
    peers, _ = drawn
    index, address, length = net
    rd = rd if FAMILIES[index][1] == VPN_SAFI else b""
    here = [
        (identity(at, route), asked is None or asked.holds(route.attributes))
        for at, route in peers.routes()
        if FAMILIES.index(route.nlri.family) == index and (route.nlri.rd or b"") == rd
    ]
    around = [(one, holds) for one, holds in here if covers((one[3], one[4]), (address, length))]
    host = [(one, holds) for one, holds in here if covers((one[3], one[4]), (address, 8 * len(address)))]
    longest = {at: max((one[4] for one, _ in host if one[0] == at), default=-1) for at in range(len(peers.ribs))}
    lookups = Lookups(peers.rib)
    condition = asked and asked.condition

    found = lookups.exact_routes(peers.ribs, index, address, length, rd, condition=condition)
    assert identities(found) == [one for one, holds in around if holds and one[4] == length]
    found = lookups.less_specific_routes(peers.ribs, index, address, length, rd, condition=condition)
    assert identities(found) == sorted((one for one, holds in around if holds), key=dump_order)
    found = lookups.longest_match_routes(peers.ribs, index, address, rd, condition=condition)
    assert identities(found) == [one for one, holds in host if holds and one[4] == longest[one[0]]]
    assert found.after is None
    rows = {identity(at, route): expected_row(at, route) for at, route in peers.routes()}
    assert shown(found) == [rows[one] for one in identities(found)]
    peers.sweep()
    assert shown(found) == identities(found) == []
