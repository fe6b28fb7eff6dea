"""What a looking glass does with questions that make no sense, with too many of them, and with bugs of ours."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routed.service import answering as module
from routed.service.answering import SEARCHES, WAITING, Answerer
from tests.oracles.build import MANDATORY, prefix, update
from tests.routed.service.asked_rig import OTHER, RD_TEXT, VPN, Asked, answered, labeled, vpn_route
from tests.routed.service.collector_rig import ADDRESS, LOST, announce, announce_ipv6, net, withdraw
from tests.routed.service.doubles import bugs_logged


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ({"cursor": "x"}, "cursor: not one of ours"),
        ({"cursor": "1.0.0.0"}, "cursor: not one of ours"),
        ({"cursor": f"{'0' * 16}.0.0"}, "cursor: not one of ours"),
        ({"cursor": f"{'0' * 16}.0.0.99999999999"}, "cursor: not one of ours"),
        ({"cursor": f"{'0' * 16}.0.0.-1"}, "cursor: not one of ours"),
        ({"cursor": f"{'0' * 16}.0.0.0"}, "cursor: peers have come or gone, begin again"),
        ({"select": "peers", "cursor": "x"}, "cursor: not one of ours"),
        ({"rd": "red"}, "rd: red is not written like 0:65000:100"),
        ({"ip_prefix": "10.0.0.0/8", "afi": 2}, "afi: the prefix is of another"),
        ({"safi": 5}, "safi: such routes are not stored"),
        ({"safi": 1, "rd": RD_TEXT}, "rd: such routes have none"),
        ({"safi": 128, "ip_prefix": "10.0.0.0/8"}, "rd: a prefix of a VPN has one"),
        ({"where": {"as_path": "("}}, "as_path: "),
        ({"where": {"attribute": 3}}, "where: attribute 3 is not kept"),
        ({"where": {"ext_community": "x"}}, "ext_community: x is not written like"),
    ],
)
def test_questions_that_make_no_sense(rig: Asked, question: dict[str, object], text: str) -> None:
    assert rig.glass.refusal(**question).startswith(text)
    assert rig.glass.glass.counters.not_understood == 1


def test_one_bad_question_does_not_spoil_the_others(rig: Asked) -> None:
    frames = rig.glass.ask_octets({"query_type": 3}, {"rd": "red"}, {"ip_prefix": "10.1.0.1"})
    assert [json.loads(frame).get("results") for frame in frames] == [1, 0, 1, None]


@pytest.mark.parametrize(("kind", "question"), [(1, answered("10.1.0.1")), (3, {"ip_prefix": "10.1.0.1"})])
def test_the_reactor_turns_between_questions(rig: Asked, kind: int, question: object) -> None:
    glass = rig.glass
    glass.send({"query_type": kind}, question, question)
    assert glass.answers == []
    counters = glass.glass.counters
    assert counters.lookups + counters.searches == 1
    glass.clock.advance(0)
    assert len(glass.answers) == 1


def test_a_command_is_no_question_where_there_are_no_commands(rig: Asked) -> None:
    assert rig.glass.search(select="reload") == ({"text": "select: reload is no question"}, [])


def test_few_searches_at_a_time_and_those_for_which_there_is_no_patience_are_refused(rig: Asked) -> None:
    glass = rig.glass
    glass.thread.held = True
    for _ in range(SEARCHES + WAITING):
        glass.send({"query_type": 3}, {})
    assert (len(glass.thread.waiting), glass.answers) == (SEARCHES, [])
    assert glass.refusal() == "too many searches wait, ask again later"
    assert glass.glass.counters.refused == 1
    assert glass.look_up("10.1.0.1", ADDRESS)[0]["results"] == 1  # which takes no turn
    assert glass.prefixes(ip_prefix="10.1.0.1") == ["10.1.0.0/16"]
    del glass.answers[:]
    while glass.thread.waiting:
        glass.thread.go_on()
    assert len(glass.answers) == SEARCHES + WAITING
    assert {len(answer) for answer in glass.answers} == {2 + 3}


def test_searches_side_by_side_write_to_buffers_of_their_own(rig: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    render = Answerer._render_found

    def watch(glass: Answerer, found: Any, tables: Any, rows: Any, most: int | None = None) -> list[bytes]:
        written.append(rows)
        return render(glass, found, tables, rows, most)

    monkeypatch.setattr(Answerer, "_render_found", watch)
    rig.glass.prefixes()
    rig.glass.prefixes()
    rig.glass.look_up("10.1.0.1", ADDRESS)
    assert len({id(rows) for rows in written}) == len(written) == 3


def test_a_search_is_about_the_tables_at_its_turn(rig: Asked) -> None:
    rig.glass.thread.held = True
    rig.glass.send({"query_type": 3}, {"select": "count"})
    [peer] = [neighbor.peer for neighbor in rig.collector.neighbors()]
    assert peer is not None
    rig.send(peer, announce(77), withdraw(1, 2))
    rig.collector.closed(peer, LOST)
    rig.settle()
    rig.glass.thread.go_on()
    assert json.loads(rig.glass.answers[0][1])["count"] == 3


@pytest.mark.parametrize(
    "question",
    [{}, {"select": "count"}, {"ip_prefix": "10.1.0.1"}, {"where": {"as": 1}}, {"match": "exact", "ip_prefix": "::"}],
)
def test_a_bug_is_logged_and_answered(rig: Asked, question: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("bug")

    for name in ("project", "compile_condition"):
        monkeypatch.setattr(module, name, fail)
    monkeypatch.setattr(module.Answer, "__new__", fail)
    with bugs_logged() as bugs:
        [answer] = rig.glass.ask_octets({"query_type": 3}, question)
    assert json.loads(answer) == {
        "results": 0,
        "query_type": 0,
        "text": "no answer because of a bug, which is in the log",
    }
    assert bugs == [("a looking-glass request", KeyError)]
    monkeypatch.undo()
    assert len(rig.glass.prefixes()) == 3
    everything_can_go(rig)


def test_a_bug_in_a_look_up_is_answered(rig: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "afi_of", None)
    with bugs_logged() as bugs:
        header, _ = rig.glass.look_up("10.1.0.1", ADDRESS)
    assert (header["results"], bugs) == (0, [("a looking-glass request", TypeError)])


def everything_can_go(rig: Asked) -> None:
    """Demand that no search has kept the stores as they were."""
    [peer] = [neighbor.peer for neighbor in rig.collector.neighbors()]
    assert peer is not None
    rig.collector.closed(peer, LOST)
    rig.settle()
    assert rig.is_empty


VALUES = st.sampled_from([1, 2, 4, 128, 0, "10.0.0.0/8", "10.2.3.1", "::/0", RD_TEXT, ADDRESS, "1.0.0.2", "count"])


MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "select": st.sampled_from(["routes", "count", "peers", "routers"]),
        "all_attributes": st.booleans(),
        "match": st.sampled_from(["exact", "longest", "less-specific", "more-specific"]),
        "ip_prefix": st.sampled_from(["10.0.0.0/8", "10.2.3.1", "10.2.0.0/16", "::/0", "2001:db8::1", "0.0.0.0/0"]),
        "peer_ip_src": st.sampled_from([ADDRESS, OTHER]),
        "afi": st.sampled_from([1, 2]),
        "safi": st.sampled_from([1, 2, 4, 5, 128]),
        "rd": st.sampled_from([RD_TEXT, "2:1:1", "red"]),
        "where": st.sampled_from([{"as": 65001}, {"not": {"attribute": 3}}, {"as_path": "^65001$"}, {"as_path": "("}]),
        "limit": st.integers(1, 3),
        "cursor": st.sampled_from([f"{'0' * 16}.0.0.2", f"{'f' * 16}.1.0.0", "0400", "x"]) | st.text(max_size=5),
        "fields": st.just(["ip_prefix"]),
        "peer_tcp_port": VALUES,
    },
)


@pytest.fixture(scope="module")
def shared() -> Asked:
    """Two peers with routes of several families."""
    rig = Asked()
    rig.send(rig.connect(), announce(1, 2), update(MANDATORY, prefix(bytes([10, 2, 3, 0]), 24)), announce_ipv6())
    rig.send(rig.connect(1001, OTHER), labeled(vpn_route(1), family=VPN), update(MANDATORY, net(2)))
    return rig


@given(kind=st.sampled_from([1, 2, 3]), questions=st.lists(MEMBERS | st.binary(max_size=9), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_request_has_one_answer_and_no_bug(shared: Asked, kind: int, questions: list[object]) -> None:
    frames = shared.glass.ask_octets({"query_type": kind}, *questions)
    header = json.loads(frames[0])
    assert shared.glass.glass.counters.bugs == 0
    if kind == 3:
        assert header["results"] == len(frames) - 1 - header.get("queries", 0)


@given(frames=st.lists(st.binary(max_size=40), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_octets_have_one_answer(shared: Asked, frames: list[bytes]) -> None:
    [answer] = shared.glass.ask_octets(*frames)
    assert json.loads(answer)["results"] == 0
