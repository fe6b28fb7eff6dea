"""Verification of paths by providers, on the examples of the draft, on hand-made paths, and beside the slow way."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.rib._aspa import Attestations
from tests.oracles import aspa as oracle
from tests.oracles.build import segments

VALID, INVALID, UNKNOWN = "valid", "invalid", "unknown"
SET, SEQUENCE, CONFED_SEQUENCE = 1, 2, 3
#: 1 and 2 are customers of 10 and 20, which are customers of 100; 100 and 200 have no providers.
ASPAS = {
    1: frozenset({10}),
    2: frozenset({20}),
    10: frozenset({100}),
    20: frozenset({100, 200}),
    100: frozenset({0}),
    200: frozenset({0}),
}
ATTESTATIONS = Attestations(ASPAS)


@pytest.mark.parametrize(
    ("path", "upstream", "downstream"),
    [
        ((1,), VALID, VALID),
        ((1, 10), VALID, VALID),
        ((1, 10, 100), VALID, VALID),
        ((1, 20), INVALID, VALID),
        ((1, 10, 100, 20), INVALID, VALID),
        ((1, 10, 100, 20, 2), INVALID, VALID),
        ((1, 10, 100, 200, 20, 2), INVALID, VALID),
        ((10, 1, 20), INVALID, INVALID),
        ((100, 10, 1, 77, 20), INVALID, INVALID),
        ((77, 10), UNKNOWN, VALID),
        ((77, 78, 79), UNKNOWN, UNKNOWN),
        ((1, 10, 77, 78, 79, 20, 2), INVALID, INVALID),
        ((77, 10, 100, 20, 78), INVALID, UNKNOWN),
        ((100, 20, 1, 10, 200), INVALID, INVALID),
        ((), INVALID, INVALID),
    ],
)
def test_paths_are_judged_both_ways(path: Sequence[int], upstream: str, downstream: str) -> None:
    """Upstream a path may only go up; downstream it may go up, then across, then down. Origins are in front here."""
    octets = segments((SEQUENCE, [*path[::-1]])) if path else b""
    assert ATTESTATIONS.verdicts(octets) == (upstream, downstream)
    assert ATTESTATIONS.keys(octets) == (
        b', "aspa_upstream": "%s", "aspa_downstream": "%s"' % (upstream.encode(), downstream.encode())
    )


@pytest.mark.parametrize(
    ("path", "same"),
    [
        (segments((SEQUENCE, [100, 100, 10, 1, 1, 1])), (VALID, VALID)),
        (segments((CONFED_SEQUENCE, [65001]), (SEQUENCE, [10, 1])), (VALID, VALID)),
        (segments((SEQUENCE, [10]), (SEQUENCE, [10, 1])), (VALID, VALID)),
        (segments((SEQUENCE, [10]), (SET, [1, 2])), (INVALID, INVALID)),
        (segments((SEQUENCE, [100, 10]))[:-1], (INVALID, INVALID)),
    ],
)
def test_what_does_not_count_in_a_path(path: bytes, same: tuple[str, str]) -> None:
    """Repetitions and confederations; a set makes a path unfit, and so do octets that are no path."""
    assert ATTESTATIONS.verdicts(path) == same


def test_nobody_has_to_say_anything() -> None:
    nobody = Attestations({})
    assert (len(nobody), nobody.verdicts(segments((SEQUENCE, [1, 2])))) == (0, (UNKNOWN, VALID))


#: Few ASes, so that they meet; some that fall into one place of the hash or are the largest there are.
ASES = st.sampled_from([1, 2, 3, 4, 5, 6, 65_536, 131_072, 4_294_967_295])
MANY = st.dictionaries(ASES, st.frozensets(ASES | st.just(0), min_size=1, max_size=4))
PATHS = st.lists(
    st.tuples(st.sampled_from([SEQUENCE] * 6 + [CONFED_SEQUENCE, SET, 4]), st.lists(ASES, min_size=1, max_size=5)),
    max_size=3,
)


@given(aspas=MANY, path=PATHS)
def test_verdicts_are_those_of_the_draft(aspas: dict[int, frozenset[int]], path: list[tuple[int, list[int]]]) -> None:
    octets = segments(*path)
    ases = oracle.ases_of(octets)
    expected = (oracle.verify_upstream(aspas, ases).value, oracle.verify_downstream(aspas, ases).value)
    assert Attestations(aspas).verdicts(octets) == expected


def test_as_many_customers_as_a_cache_may_have_are_found() -> None:
    attestations = Attestations({number: frozenset({number + 1}) for number in range(1, 20_000, 2)})
    for customer in range(1, 20_000, 2):
        assert attestations.verdicts(segments((SEQUENCE, [customer + 1, customer])))[0] == VALID
        assert attestations.verdicts(segments((SEQUENCE, [customer + 2, customer])))[0] == INVALID


def says(customer: int, provider: int, *, when_silent: bool) -> bool:
    """Tell whether an AS has another one among its providers; `when_silent` is what counts when it says nothing."""
    return provider in ASPAS[customer] if customer in ASPAS else when_silent


def can_go(path: Sequence[int], *, is_downstream: bool, when_silent: bool) -> bool:
    """Try every top of a path: up to it each AS goes to a provider, behind it each comes from one, with a peer between.

    Source: draft-ietf-sidrops-aspa-verification, its principles; no ramps are counted.
    """
    last = len(path) - 1
    tops = itertools.product(range(len(path)), repeat=2) if is_downstream else [(last, last)]
    return any(
        all(says(path[i], path[i + 1], when_silent=when_silent) for i in range(up))
        and all(says(path[i + 1], path[i], when_silent=when_silent) for i in range(down, last))
        for up, down in tops
        if up <= down <= up + 1
    )


@given(st.lists(st.sampled_from((*ASPAS, 77, 78)), min_size=1, max_size=7))
def test_verdicts_are_those_of_trying_every_top(path: list[int]) -> None:
    """Valid where what is said suffices, invalid where not even silence helps."""
    ases = [asn for i, asn in enumerate(path) if not i or asn != path[i - 1]]
    for is_downstream, found in enumerate(ATTESTATIONS.verdicts(segments((SEQUENCE, ases[::-1])))):
        certain, possible = (
            can_go(ases, is_downstream=bool(is_downstream), when_silent=silent) for silent in (False, True)
        )
        assert found == (VALID if certain else UNKNOWN if possible else INVALID)


def test_as_0_is_nobodys_provider() -> None:
    """Alone it says that there are none; among others it changes nothing."""
    some = Attestations({1: frozenset({0}), 2: frozenset({0, 10})})
    for path, upstream in (((10, 1), INVALID), ((0, 1), INVALID), ((10, 2), VALID), ((0, 2), INVALID)):
        assert some.verdicts(segments((SEQUENCE, [*path])))[0] == upstream
