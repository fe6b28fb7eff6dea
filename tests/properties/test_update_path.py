"""The compiled UPDATE path against the oracle: rows byte for byte, counts, refusals, tables, and what remains."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import attributes as a
from tests.oracles.attributes import Context, Verdict
from tests.oracles.build import (
    MANDATORY,
    NET_10,
    NEXT_HOP_1,
    ORIGIN_IGP,
    attribute,
    label_stack,
    mp_reach,
    mp_unreach,
    prefix,
    segments,
    update,
)
from tests.oracles.cases import CASES, Case
from tests.oracles.compiled import PEER, TIMESTAMP, CompiledPeer, Taken
from tests.oracles.nlri import LABELLED_SAFIS, Nlri
from tests.oracles.rib import PeerTable, Route
from tests.oracles.rows import Style, row
from tests.oracles.update import Judgement, judge
from tests.properties.strategies import as_update, sessions

NOTHING = {"routes": 0, "prefixes": 0, "paths": 0}

styles = st.builds(
    Style,
    as_path_as_array=st.booleans(),
    comms_as_array=st.booleans(),
    comms_num=st.booleans(),
    origin_int=st.booleans(),
)


class Expected:
    """What the oracle makes of UPDATEs one after the other; it stops at the first that ends the session."""

    def __init__(self, style: Style | None = None) -> None:
        self.style = style or Style()
        self.table = PeerTable()
        self.rows: list[str] = []
        self.judgements: list[Judgement] = []

    def apply(self, updates: list[bytes], context: Context) -> None:
        for octets in updates:
            judgement = judge(octets, context)
            self.judgements.append(judgement)
            for one in self.table.apply(judgement):
                self.rows.append(self.log_row(one.log_type, one.route))
            if judgement.end_of_rib is not None:
                afi, safi = judgement.end_of_rib
                self.rows.append(
                    f'{{"seq": {len(self.rows)}, "log_type": "end-of-rib", "timestamp": "{TIMESTAMP}", {PEER}'
                    f'"event_type": "log", "afi": {afi}, "safi": {safi}}}'
                )
            if judgement.verdict == Verdict.SESSION_RESET:
                return

    def log_row(self, log_type: str, route: Route) -> str:
        head = {
            "seq": len(self.rows),
            "log_type": log_type,
            "timestamp": TIMESTAMP,
            "peer_ip_src": "192.0.2.9",
            "peer_tcp_port": 179,
            "event_type": "log",
        }
        return row(head, route, self.style)

    def dump_row(self, sequence: int, route: Route) -> str:
        head = {
            "seq": sequence,
            "timestamp": TIMESTAMP,
            "peer_ip_src": "192.0.2.9",
            "peer_tcp_port": 179,
            "event_type": "dump",
        }
        return row(head, route, self.style)

    @property
    def verdicts(self) -> Counter[Verdict]:
        """UPDATEs by their strongest verdict."""
        return Counter(judgement.verdict for judgement in self.judgements)


def check_counts(expected: Expected, taken: Taken) -> None:
    judgements = expected.judgements
    assert taken.announced + taken.unchanged == sum(len(judgement.announced) for judgement in judgements)
    assert taken.unchanged <= expected.table.unchanged  # what is the same on the wire is the same
    assert taken.withdrawn == expected.table.withdrawn
    assert taken.withdrawn + taken.unknown == sum(len(judgement.withdrawn) for judgement in judgements)
    assert taken.dropped == 0
    assert list(taken.end_of_rib) == [each.end_of_rib for each in judgements if each.end_of_rib is not None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict_is_that_of_the_clause(case: Case) -> None:
    taken = CompiledPeer(case.context).apply(case.octets)
    found = (taken.verdict, taken.announced, taken.withdrawn + taken.unknown, taken.reset)
    assert found == (case.verdict, case.announced, case.withdrawn, case.verdict == Verdict.SESSION_RESET)


@given(session=sessions(damaged=False), style=styles)
def test_valid_updates_do_and_say_what_the_oracle_does_and_says(
    session: tuple[Context, list[bytes]], style: Style
) -> None:
    context, updates = session
    expected, peer = Expected(style), CompiledPeer(context, style)
    expected.apply(updates, context)
    assert expected.verdicts.keys() <= {Verdict.ACCEPT}
    taken = peer.apply(b"".join(updates))
    assert taken.rows == expected.rows
    assert taken.refused == {}
    check_counts(expected, taken)
    assert peer.held()["routes"] == len(expected.table.routes)


@given(session=sessions(damaged=True))
def test_damaged_updates_get_the_verdict_of_the_oracle(session: tuple[Context, list[bytes]]) -> None:
    context, updates = session
    for octets in updates:
        judgement, taken = judge(octets, context), CompiledPeer(context).apply(octets)
        assert taken.verdict == judgement.verdict, (judgement, octets.hex())
        assert taken.reset == (judgement.verdict == Verdict.SESSION_RESET)
        if judgement.verdict < Verdict.SESSION_RESET:
            refused = {(refusal.code, refusal.verdict) for refusal in judgement.refusals if refusal.reason != "missing"}
            assert refused <= taken.refused.keys()


@given(session=sessions(damaged=True), style=styles)
def test_damaged_updates_do_and_say_what_the_oracle_does_and_says(
    session: tuple[Context, list[bytes]], style: Style
) -> None:
    context, updates = session
    expected, peer = Expected(style), CompiledPeer(context, style)
    expected.apply(updates, context)
    taken = peer.apply(b"".join(updates))
    assert taken.rows == expected.rows
    check_counts(expected, taken)
    assert peer.held()["routes"] == len(expected.table.routes)


@given(session=sessions(damaged=True))
def test_how_updates_are_grouped_into_runs_is_invisible(session: tuple[Context, list[bytes]]) -> None:
    context, updates = session
    together, apart = CompiledPeer(context), CompiledPeer(context)
    rows = []
    for octets in updates:
        taken = apart.apply(octets)
        rows += taken.rows
        if taken.reset:
            break
    assert together.apply(b"".join(updates)).rows == rows
    assert together.held() == apart.held()


@given(session=sessions(damaged=False))
def test_saying_the_same_again_changes_nothing(session: tuple[Context, list[bytes]]) -> None:
    context, updates = session
    peer = CompiledPeer(context)
    peer.apply(updates[0])
    if judge(updates[0], context).withdrawn:
        return
    held = peer.held()
    again = peer.apply(updates[0])
    keys = {operation.nlri.key() for operation in judge(updates[0], context).announced}
    assert again.unchanged >= len(keys) - again.announced
    assert peer.held() == held


@given(session=sessions(damaged=True))
def test_withdrawing_everything_leaves_nothing(session: tuple[Context, list[bytes]]) -> None:
    context, updates = session
    expected, peer = Expected(), CompiledPeer(context)
    expected.apply(updates, context)
    peer.apply(b"".join(updates))
    withdrawals = b"".join(withdrawal(route.nlri) for route in expected.table.routes.values())
    taken = peer.apply(withdrawals)
    assert (taken.withdrawn, taken.unknown) == (len(expected.table.routes), 0)
    assert peer.held() == NOTHING


def withdrawal(nlri: Nlri) -> bytes:
    """The UPDATE that withdraws one route."""
    labels = b"\x80\0\0" if nlri.family[1] in LABELLED_SAFIS else b""
    octets = prefix(nlri.address, nlri.length, path_id=nlri.path_id, labels=labels, rd=nlri.rd)
    return update((mp_unreach(nlri.family, octets),))


@given(session=sessions(damaged=True))
def test_taking_the_peer_away_deletes_each_route_and_leaves_nothing(session: tuple[Context, list[bytes]]) -> None:
    context, updates = session
    expected, peer = Expected(), CompiledPeer(context)
    expected.apply(updates, context)
    peer.apply(b"".join(updates))
    expected.rows = []
    deleted = [expected.log_row("delete", route) for route in expected.table.routes.values()]
    assert sorted(map(without_sequence, peer.sweep())) == sorted(map(without_sequence, deleted))
    assert peer.held() == NOTHING


@given(session=sessions(damaged=True), later=st.integers(0, 5), style=styles)
def test_a_dump_is_the_table_at_one_moment_in_order(
    session: tuple[Context, list[bytes]], later: int, style: Style
) -> None:
    """What arrives while a snapshot is open is not in it, and is in the tables afterwards."""
    context, updates = session
    expected, peer = Expected(style), CompiledPeer(context, style)
    before, after = updates[:later], updates[later:]
    expected.apply(before, context)
    peer.apply(b"".join(before))
    rows = [expected.dump_row(peer.rows.sequence, route) for route in expected.table.dump()]
    snapshot = peer.snapshot()
    expected.apply(after, context)
    peer.apply(b"".join(after))
    peer.rows.sequence = 0
    assert [without_sequence(text) for text in peer.dump(snapshot)] == [without_sequence(text) for text in rows]
    rows = [expected.dump_row(0, route) for route in expected.table.dump()]
    assert peer.dump(peer.snapshot()) == rows
    peer.sweep()
    assert peer.held() == NOTHING


def test_rows_follow_the_path_when_its_number_is_used_again_within_a_run() -> None:
    """A route goes with the last reference to its path, and the next path in the same run takes the free number."""
    first, second = ((attribute(a.MED, bytes([0, 0, 0, med])), *MANDATORY) for med in (1, 2))
    plain = [update(first, NET_10), update(withdrawn=NET_10), update(second, NET_10), update(withdrawn=NET_10)]
    labelled = [
        update((*attributes, change(label)))
        for attributes in (first, second)
        for label in (16, 17)
        for change in CHANGES
    ]
    for updates in (plain, labelled, plain + labelled, labelled + plain):
        expected, peer = Expected(), CompiledPeer(Context())
        for octets in updates:
            peer.apply(octets)
            expected.apply([octets], Context())
        expected.rows = []
        expected.apply(updates, Context())
        peer.rows.sequence = 0
        assert peer.apply(b"".join(updates)).rows == expected.rows


def announced_with(label: int) -> bytes:
    return mp_reach((1, 4), bytes([192, 0, 2, 1]), prefix(b"\x0a", 8, labels=label_stack(label)))


def withdrawn_with(label: int) -> bytes:
    return mp_unreach((1, 4), prefix(b"\x0a", 8, labels=label_stack(label)))


CHANGES = (announced_with, withdrawn_with)


@pytest.mark.parametrize("hops", [8_000, 16_000, 30_000])
def test_a_two_octet_path_that_grows_past_64_kilobytes_is_stored_whole_or_refused(hops: int) -> None:
    """Widened to four octets a path of an extended message (RFC 8654) may outgrow the length of an attribute."""
    numbers = [1 + number % 60_000 for number in range(hops)]
    pieces = [(2, numbers[at : at + 255]) for at in range(0, hops, 255)]
    path = attribute(a.AS_PATH, segments(*pieces, width=2))
    peer = CompiledPeer(Context(as4=False))
    taken = peer.apply(update((ORIGIN_IGP, path, NEXT_HOP_1), NET_10))
    if taken.verdict == Verdict.ACCEPT:
        assert [json.loads(text)["as_path"] for text in taken.rows] == [" ".join(map(str, numbers))]
    else:
        assert taken.verdict == Verdict.TREAT_AS_WITHDRAW
        assert taken.rows == []
    peer.sweep()
    assert peer.held() == NOTHING


def without_sequence(text: str) -> str:
    return text.split(", ", 1)[1]


@given(context_and_updates=sessions(damaged=True), octets=st.lists(st.binary(max_size=120), max_size=5))
def test_any_octets_are_taken_or_refused_and_leave_nothing_behind(
    context_and_updates: tuple[Context, list[bytes]], octets: list[bytes]
) -> None:
    context, _ = context_and_updates
    peer = CompiledPeer(context)
    for body in octets:
        message = as_update(body)
        assert peer.apply(message).verdict == judge(message, context).verdict
    peer.sweep()
    assert peer.held() == NOTHING
