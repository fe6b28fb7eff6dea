"""Whatever a file and the reactor do meanwhile, a router's records are those of a collector that is never busy."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routed.service import bmp_collector as module
from routed.service import bmp_event_log
from tests.oracles.bmp_build import L, peer
from tests.routed.service.bmp_rig import (
    ADD_PATH,
    AS4,
    BLUE,
    INIT,
    P1,
    P2,
    RED,
    STATION,
    TERM,
    Rig,
    Wire,
    announce,
    peer_down,
    peer_up,
    stats,
    two_routes_a_turn,
    withdraw,
)
from tests.routed.service.doubles import bugs_logged

POST = peer(flags=L)
ADDRESSES = ("192.0.2.101", "192.0.2.102")
headers = st.sampled_from((P1, P1, P2, RED, BLUE, POST))
numbers = st.lists(st.integers(1, 12), min_size=1, max_size=6, unique=True)
messages = st.one_of(
    st.builds(peer_up, headers),
    st.builds(peer_up, headers, router=st.just(AS4 + ADD_PATH), remote=st.just(AS4 + ADD_PATH)),
    st.builds(peer_down, headers),
    st.builds(lambda header, numbers: announce(*numbers, header=header), headers, numbers),
    st.builds(lambda header, numbers: withdraw(*numbers, header=header), headers, numbers),
    st.builds(stats, headers, st.integers(0, 9)),
)
#: What a router of two does: it sends, it says farewell, or it is lost; then it connects again from another port.
deeds = st.tuples(
    st.integers(0, 1), st.one_of(st.lists(messages, min_size=1, max_size=8), st.sampled_from(("term", "lose")))
)
#: What happens meanwhile.
meanwhile = st.lists(st.sampled_from(("turn", "turn", "fill", "drain", "drain")), max_size=4)


class Routers:
    """Two routers that follow a script."""

    def __init__(self, **settings: Any) -> None:
        self.rig = Rig(replace(STATION, **settings))
        self.wires: list[Wire | None] = [None, None]
        self.port = 1000

    def do(self, who: int, deed: Sequence[bytes] | str) -> None:
        wire = self.wires[who]
        if wire is None or wire.end:
            self.port += 1
            wire = self.wires[who] = self.rig.up(port=self.port, address=ADDRESSES[who])
        if deed == "lose":
            wire.finish()
            self.wires[who] = None
        elif deed == "term":
            wire.send(TERM)
            self.wires[who] = None
        else:
            wire.send(*[octets for octets in deed if isinstance(octets, bytes)])

    def let(self, what: str) -> None:
        if "log" not in self.rig.files:
            return
        watch = self.rig.files["log"].watch
        if what == "turn":
            self.rig.clock.turn()
        elif what == "fill":
            watch.on_full()
        else:
            watch.on_drained()

    def rows(self) -> dict[int, list[dict[str, Any]]]:
        """The records of each session, but for their numbers; deletes in a row are in no certain order."""
        rows: dict[int, list[dict[str, Any]]] = {}
        for number, record in enumerate(self.rig.records() if "log" in self.rig.files else ()):
            assert record.pop("seq") == number
            rows.setdefault(record["bmp_router_port"], []).append(record)
        return {port: list(ordered(records)) for port, records in rows.items()}


def ordered(records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for is_delete, group in groupby(records, lambda record: record.get("log_type") == "delete"):
        alike = list(group)
        yield from sorted(alike, key=str) if is_delete else alike


@pytest.fixture(autouse=True, scope="module")
def _small_slices() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        two_routes_a_turn(patch)
        yield


@given(script=st.lists(st.tuples(deeds, meanwhile), max_size=12), backlog=st.sampled_from((1, 2_000, 1 << 20)))
def test_neither_a_slow_file_nor_long_sweeps_change_what_is_logged(script: Any, backlog: int) -> None:
    idle, busy = Routers(), Routers(backlog=backlog)
    for (who, deed), events in script:
        idle.do(who, deed)
        idle.rig.settle()
        busy.do(who, deed)
        for event in events:
            busy.let(event)
    busy.let("drain")
    busy.rig.settle()
    assert busy.rows() == idle.rows()
    assert busy.rig.routes == idle.rig.routes
    for routers in (idle, busy):
        for who in (0, 1):
            wire = routers.wires[who]
            if wire is not None:
                wire.lose()
        routers.rig.settle()
        assert routers.rig.is_empty
    assert busy.rows() == idle.rows()


@given(script=st.lists(st.tuples(deeds, meanwhile), max_size=12), backlog=st.sampled_from((1, 2_000, 1 << 20)))
def test_a_stop_at_any_moment_closes_every_stream_once_and_last(script: Any, backlog: int) -> None:
    routers = Routers(backlog=backlog)
    for (who, deed), events in script:
        routers.do(who, deed)
        for event in events:
            routers.let(event)
    ended: list[None] = []
    routers.rig.collector.stop().addCallback(ended.append)
    routers.rig.listener.stopService()
    routers.let("drain")
    routers.rig.settle()
    assert ended == [None]
    for records in routers.rows().values():
        types = [record["event_type"] for record in records]
        assert (types[0], types[-1]) == ("log_init", "log_close")
        assert types.count("log_close") == types.count("log_init") == 1


@settings(max_examples=50)
@given(
    script=st.lists(st.tuples(deeds, meanwhile), max_size=12),
    backlog=st.sampled_from((1, 2_000, 1 << 20)),
    where=st.sampled_from(((module, "sweep_all"), (bmp_event_log, "event_records"), (module, "begin_internal"))),
    number=st.integers(1, 6),
    lasts=st.booleans(),
)
def test_a_bug_anywhere_leaves_nothing_behind_but_what_it_keeps_itself(
    script: Any, backlog: int, where: tuple[ModuleType, str], number: int, lasts: bool
) -> None:
    place, name = where
    original, calls = getattr(place, name), [0]

    def broken(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == number or (lasts and number < calls[0] < number + 4):
            raise RuntimeError("bug")
        return original(*arguments, **named)

    routers = Routers(backlog=backlog)
    with pytest.MonkeyPatch.context() as patch, bugs_logged() as bugs:
        patch.setattr(place, name, broken)
        for (who, deed), events in script:
            routers.do(who, deed)
            for event in events:
                routers.let(event)
        routers.let("drain")
        routers.rig.settle()
    for wire in routers.wires:
        if wire is not None:
            wire.lose()
    routers.rig.settle()
    collector = routers.rig.collector
    assert [collector._sessions, collector._leaving, collector._works] == [{}, {}, set()]
    assert all(what is RuntimeError for _, what in bugs)
    if not bugs or not (lasts and name == "sweep_all"):
        gc.collect()
        assert routers.rig.is_empty
    for records in routers.rows().values():
        types = [record["event_type"] for record in records]
        assert types.count("log_close") == types.count("log_init") == 1
        assert types[-1] == "log_close"


def test_the_script_reaches_what_it_is_about() -> None:
    routers = Routers()
    routers.do(0, [INIT, announce(1), announce(1, header=POST)])
    routers.do(0, "term")
    routers.do(0, [announce(2)])
    routers.rig.settle()
    assert {port: len(records) for port, records in routers.rows().items()} == {1001: 10, 1002: 4}
