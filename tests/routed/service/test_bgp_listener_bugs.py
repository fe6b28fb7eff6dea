"""Bugs around a BGP listener: each costs one connection, and is logged."""

from typing import Any

import pytest

from tests.routed.service.bgp_listener_rig import Rig, lose


@pytest.mark.parametrize("where", ["OpenReceived", "PeerUp"])
def test_a_bug_of_a_subscriber_closes_that_session_only(where: str, bugs: list[tuple[str, type]]) -> None:
    rig = Rig()
    _good, good_wire = rig.establish("192.0.2.1")
    rig.history.bug_in = where
    pump, wire = rig.establish("192.0.2.2", router_id=bytes([192, 0, 2, 2]))
    assert wire.disconnected
    lose(pump)
    assert not good_wire.disconnecting
    assert [kind for _where, kind in bugs] == [KeyError]
    assert rig.listener.counters.bugs_total == 1
    assert rig.history.story()[-1] == ("closed", 1)
    assert len(rig.listener.peers) == 1


def test_a_bug_at_the_end_of_a_session_still_frees_its_slot(bugs: list[tuple[str, type]]) -> None:
    rig = Rig()
    pump, _wire = rig.establish()
    rig.history.bug_in = "closed"
    lose(pump)
    assert len(rig.listener.peers) == 0
    assert len(bugs) == 1
    assert rig.history.story().count(("closed", 0)) == 1


def test_a_bug_of_the_reporter_does_not_keep_an_end_back(bugs: list[tuple[str, type]]) -> None:
    rig = Rig()
    pump, _wire = rig.establish()
    rig.log.bug_in = "reset by peer"
    lose(pump)
    assert rig.history.story()[-1] == ("closed", 0)
    assert len(bugs) == 1


def test_a_bug_in_a_policy_costs_that_connection_only(bugs: list[tuple[str, type]]) -> None:
    def allows(address: Any) -> bool:
        if str(address) == "192.0.2.9":
            raise SystemError("bug")
        return True

    rig = Rig(allows=allows)
    assert rig.connect("192.0.2.9") is None
    rig.establish("192.0.2.1")
    assert rig.history.story() == [("accepted", 0), ("PeerUp", 0)]
    assert rig.listener.counters.bugs_total == 1
    assert [kind for _where, kind in bugs] == [SystemError]


def test_a_bug_behind_an_acceptance_leaves_no_peer(bugs: list[tuple[str, type]]) -> None:
    rig = Rig()
    rig.log.bug_in = "usage"
    assert rig.connect() is None
    assert len(rig.listener.peers) == 0
    assert rig.history.story() == [("accepted", 0), ("closed", 0)]
    assert len(bugs) == 1


def test_a_bug_at_acceptance_costs_that_connection_only(bugs: list[tuple[str, type]]) -> None:
    rig = Rig()
    rig.history.bug_in = "accepted"
    assert rig.connect() is None
    rig.history.bug_in = ""
    rig.establish()
    assert rig.history.story()[-1] == ("PeerUp", 0)
    assert len(bugs) == 1
