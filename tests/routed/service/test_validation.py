"""What origins are validated by: sets that are exchanged whole, exceptions to them, who follows, and why."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred

from routed.query.codec import QueryError, decode_question
from routed.rib._lookup import Lookups
from routed.rib._payloads import Payloads
from routed.rib._rib import Rib
from routed.rib._rows import Rows
from routed.rib._vrps import Vrps
from routed.rib.payload_set import PayloadSet, origins_of
from routed.service.explaining import Explainer, as_path_of, origin_of
from routed.service.slurm import Slurm, parse_slurm
from routed.service.validation import Validation
from tests.oracles.build import attribute, segments

if TYPE_CHECKING:
    from collections.abc import Callable

EXCEPTIONS = """{"slurmVersion": 1,
 "validationOutputFilters": {"prefixFilters": [{"asn": 1}], "bgpsecFilters": []},
 "locallyAddedAssertions": {"prefixAssertions": [{"asn": 9, "prefix": "192.0.2.0/24"}], "bgpsecAssertions": []}}"""


def payloads(*asns: int) -> PayloadSet:
    """Make a set: 192.0.2.0/24 for each AS."""
    announced = Payloads()
    for asn in asns:
        announced.add(b"\xc0\0\x02\0", 24, 24, asn)
    return PayloadSet(origins_of(announced), {asn: frozenset({asn + 1}) for asn in asns})


def asns(vrps: Vrps) -> set[int]:
    """Return who is in a set."""
    return {payload[3] for payload in vrps.payloads()}


class Follower:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.changes: list[tuple[set[int], set[int], set[int]]] = []

    def payloads_changed(self, before: Vrps, after: Vrps, changed: Vrps) -> None:
        """Take note."""
        self.changes.append((asns(before), asns(after), asns(changed)))


def make(exceptions: Callable[[], Slurm | None] = lambda: None, in_thread: Any = maybeDeferred) -> Validation:
    """Make one whose thread is this one."""
    return Validation(in_thread, exceptions)


def test_followers_hear_of_what_differs_and_of_nothing_else() -> None:
    """An exchange for the same payloads is no change."""
    validation, follower = make(), Follower()
    validation.followers.append(follower)
    for these in ((1, 2), (2, 3), (2, 3)):
        ensureDeferred(validation.replace(payloads(*these)))
    assert follower.changes == [(set(), {1, 2}, {1, 2}), ({1, 2}, {2, 3}, {1, 3})]
    assert (validation.counters.payloads_ipv4, validation.counters.changes) == (2, 3)


def test_exchanges_come_in_the_order_in_which_they_were_asked_for() -> None:
    """However long each takes in its thread."""
    waiting: list[tuple[Deferred[Any], Any]] = []

    def in_thread(work: Any) -> Deferred[Any]:
        waiting.append((Deferred(), work))
        return waiting[-1][0]

    validation = make(in_thread=in_thread)
    for one in (1, 2):
        ensureDeferred(validation.replace(payloads(one)))
    assert len(waiting) == 1
    for _ in range(2):
        deferred, work = waiting.pop(0)
        deferred.callback(work())
    assert asns(validation.current.vrps) == {2}


def test_exceptions_apply_to_what_was_received() -> None:
    """And again when they are others."""
    exceptions: list[Slurm | None] = [parse_slurm(EXCEPTIONS, "f").content]
    validation = make(lambda: exceptions[0])
    validation.load(payloads(1, 2))
    assert asns(validation.current.vrps) == {2, 9}
    exceptions[0] = None
    ensureDeferred(validation.renew())
    assert asns(validation.current.vrps) == {1, 2}


def test_rows_validate_by_what_counts_when_they_begin() -> None:
    """Whoever writes a dump keeps the set that it began with."""
    validation, rows = make(), Rows()
    validation.load(payloads(1))
    validation.prepare(rows)
    ensureDeferred(validation.replace(payloads(2)))
    assert rows.origins is not None
    assert asns(rows.origins) == {1}
    assert rows.verifier is None
    validation.prepare(rows, verifies=True)
    assert rows.verifier is not None
    assert rows.verifier(segments((2, [3, 2]))) == b', "aspa_upstream": "valid", "aspa_downstream": "valid"'


def explainer(validation: Validation | None) -> Explainer:
    """Make one without tables."""

    def render(found: object, tables: object) -> list[bytes]:
        raise AssertionError(f"{found} of {tables} are no routes that are made up")

    return Explainer(Lookups(Rib(1)), validation, render)


@pytest.mark.parametrize(
    ("prefix", "origin", "status", "kinds"),
    [
        ("192.0.2.0/24", 1, "v", {"matched": 1, "wrong_as": 1}),
        ("192.0.2.0/25", 1, "i", {"wrong_length": 1, "wrong_as_and_length": 1}),
        ("192.0.2.0/24", 3, "i", {"wrong_as": 2}),
        ("192.0.2.0/24", None, "i", {"wrong_as": 2}),
        ("192.0.3.0/24", 1, "u", {}),
    ],
)
def test_each_payload_says_what_does_not_fit(
    prefix: str, origin: int | None, status: str, kinds: dict[str, int]
) -> None:
    """Origin, length, both, or nothing."""
    validation = make()
    validation.load(payloads(1, 2))
    told = explainer(validation).explain(ip_network(prefix), origin)
    assert told["roa"] == status
    assert {kind: len(found) for kind, found in told["why"].items() if found} == kinds


def test_a_route_can_be_made_up() -> None:
    """No table is asked for it."""
    validation = make()
    validation.load(payloads(1, 2))
    question = decode_question({"select": "validation", "ip_prefix": "192.0.2.0/24", "origin_as": 2})
    facts, rows = explainer(validation).answer(question, [])
    assert facts == {"payloads_ipv4": 2, "payloads_ipv6": 0, "aspas": 2}
    assert b'"roa":"v"' in rows[0]


@pytest.mark.parametrize(
    ("question", "validation", "complaint"),
    [
        ({"ip_prefix": "192.0.2.0/24"}, None, "not validated"),
        ({}, make(), "one prefix"),
        ({"ip_prefix": "192.0.2.0/24", "match": "more-specific"}, make(), "all at once"),
    ],
)
def test_questions_that_make_no_sense_are_refused(
    question: dict[str, str], validation: Validation | None, complaint: str
) -> None:
    """With the reason."""
    with pytest.raises(QueryError, match=complaint):
        explainer(validation).answer(decode_question({"select": "validation", **question}), [])


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        (segments((2, [5, 6])), 6),
        (segments((2, [5]), (1, [6, 7])), None),
        (segments((3, [65001]), (2, [8])), 8),
        (segments((3, [65001])), 77),
        (b"", 77),
    ],
)
def test_the_origin_of_a_path(path: bytes, origin: int | None) -> None:
    """RFC 6811 section 2; found among other attributes, short and long."""
    for flags in (0x40, 0x50):
        attributes = attribute(1, b"\0") + attribute(2, path, flags) + attribute(5, bytes(4))
        assert origin_of(as_path_of(attributes), 77) == origin
    assert as_path_of(attribute(1, b"\0")) == b""
