"""Commands of a looking glass: who may, and what is answered."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from routed.plumbing.zeromq_settings import ZmqSettings
from routed.query.codec import decode_question
from routed.service.answering import Answer
from routed.service.commands import MAX_PROBLEMS, NOT_ALLOWED, NOT_HERE, Commands, may_command
from routed.service.settings import Change, Reloaded

RELOAD = decode_question({"select": "reload"})
CHANGES = (Change("bgp_daemon_max_peers", "10", "20", live=True), Change("bgp_daemon_port", "179", "1179", live=False))


def answer_of(commands: Commands) -> Answer:
    answers: list[Answer] = []
    ensureDeferred(commands.carry_out(RELOAD)).addCallback(answers.append)
    [answer] = answers
    return answer


def commands_with(reloaded: Reloaded) -> Commands:
    commands = Commands(allowed=True)

    def reload() -> Deferred[Reloaded]:
        done: Deferred[Reloaded] = Deferred()
        done.callback(reloaded)
        return done

    commands.reload = reload
    return commands


def test_a_reload_is_answered_with_what_is_different() -> None:
    facts, rows = answer_of(commands_with(Reloaded(CHANGES)))
    assert facts == {"outcome": "maps and configuration reloaded: 1 key changed, 1 more takes a restart"}
    assert [json.loads(row) for row in rows] == [
        {"key": "bgp_daemon_max_peers", "before": "10", "after": "20", "live": True},
        {"key": "bgp_daemon_port", "before": "179", "after": "1179", "live": False},
    ]


def test_a_reload_that_is_refused_is_answered_with_the_mistakes() -> None:
    facts, rows = answer_of(commands_with(Reloaded(problems=("[f:1] a", "[f:2] b"))))
    assert facts == {
        "text": "reload refused: nothing has changed: [f:1] a; [f:2] b",
        "problems": ["[f:1] a", "[f:2] b"],
    }
    assert rows == []


def test_of_very_many_mistakes_the_first_are_told() -> None:
    facts, _ = answer_of(commands_with(Reloaded(problems=tuple(map(str, range(MAX_PROBLEMS + 1))))))
    assert facts["problems"] == [str(number) for number in range(MAX_PROBLEMS)]


def test_who_is_not_allowed_changes_nothing() -> None:
    commands = Commands(allowed=False)
    commands.reload = lambda: pytest.fail("reloaded")
    assert answer_of(commands) == Answer({"text": NOT_ALLOWED}, [])


def test_there_is_no_reload_before_the_daemon_has_started() -> None:
    assert answer_of(Commands(allowed=True)) == Answer({"text": NOT_HERE}, [])


@pytest.mark.parametrize(
    ("address", "known", "may"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("192.0.2.1", {}, False),
        ("0.0.0.0", {}, False),
        ("192.0.2.1", {"user": "me", "password": "x"}, True),
        ("192.0.2.1", {"server_key_file": Path("key")}, False),
        ("192.0.2.1", {"server_key_file": Path("key"), "client_keys": Path("keys")}, True),
    ],
)
def test_only_known_clients_or_those_of_this_machine_may(address: str, known: dict[str, Any], may: bool) -> None:
    assert may_command(ZmqSettings(address=ip_address(address), port=17900, **known)) is may
