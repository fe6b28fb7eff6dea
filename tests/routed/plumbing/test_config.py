from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from routed.plumbing.config import (
    Configuration,
    Daemons,
    Group,
    Key,
    Registry,
    Status,
    configure,
    declared_plugins,
)
from routed.plumbing.statements import Kind, Problem, parse_statements
from routed.plumbing.values import ANYTHING, BOOLEAN, TEXT, between, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ANY = Daemons.PMBGPD
REGISTRY = Registry(
    [
        Group(
            "test",
            "",
            (
                Key("port", between(1, 9), 5, "a port", daemons=ANY),
                Key("color", one_of("red", "green"), None, "a color", daemons=ANY, aliases=("colour",)),
                Key("shape", TEXT, None, "a shape", daemons=ANY, is_global=False),
                Key("later", BOOLEAN, False, "not there", daemons=ANY, status=Status.NOT_BUILT),
                Key("aggregate", ANYTHING, None, "", daemons=Daemons.FLOW, status=Status.FLOW, is_global=False),
                Key("plugins", ANYTHING, None, "", daemons=Daemons.FLOW, status=Status.FLOW),
                Key("lock_password", between(10, 99), None, "a number", daemons=ANY),
                Key("core_proc_name", TEXT, "default", "name", daemons=ANY, aliases=("old_name",)),
            ),
        )
    ]
)


def read(text: str) -> Configuration:
    statements = parse_statements(text, "f")
    return configure(REGISTRY, statements.statements, statements.problems)


def problems(text: str) -> list[tuple[Kind, str]]:
    return [(problem.kind, problem.text) for problem in read(text).problems]


def test_what_is_not_written_has_its_default() -> None:
    configuration = read("")
    assert configuration.of("port", int) == 5
    assert configuration.maybe("color", str) is None
    assert not configuration.is_set("port")
    assert (configuration.is_usable, configuration.passes_check) == (True, True)


def test_what_is_written_counts_and_knows_its_place() -> None:
    configuration = read("\nport: 7\ncolor: GREEN")
    assert configuration.of("port", int) == 7
    assert configuration.maybe("color", str) == "green"
    assert configuration.where("port") == "[f:2]"


def test_the_last_of_several_wins() -> None:
    assert read("port: 7\nport: 8").of("port", int) == 8


def test_an_alias_is_the_same_key() -> None:
    configuration = read("color: red\ncolour: green")
    assert configuration.maybe("color", str) == "green"
    assert configuration.is_set("color")


def test_a_key_that_nobody_knows_is_a_warning_with_advice() -> None:
    configuration = read("prot: 7\nqqqqqqqq: 1")
    assert [(problem.kind, problem.text) for problem in configuration.problems] == [
        (Kind.UNKNOWN_KEY, "[f:1] Unknown key: prot. Ignored. Did you mean port?"),
        (Kind.UNKNOWN_KEY, "[f:2] Unknown key: qqqqqqqq. Ignored."),
    ]
    assert (configuration.is_usable, configuration.passes_check) == (True, False)


def test_every_bad_value_is_an_error_that_says_what_is_valid() -> None:
    configuration = read("port: 77\nport: 7x\ncolor: gren\nport: 6")
    assert [(problem.kind, problem.text) for problem in configuration.problems] == [
        (Kind.BAD_VALUE, "[f:1] port: invalid value '77': valid is an integer from 1 to 9"),
        (Kind.BAD_VALUE, "[f:2] port: invalid value '7x' (7x is not an integer): valid is an integer from 1 to 9"),
        (Kind.BAD_VALUE, "[f:3] color: invalid value 'gren': valid is one of red, green; did you mean green?"),
    ]
    assert (configuration.is_usable, configuration.passes_check) == (False, False)


def test_a_secret_that_is_wrong_is_not_shown() -> None:
    [problem] = read("lock_password: 7x").problems
    assert problem.text == "[f:1] lock_password: invalid value (secret): valid is an integer from 10 to 99"


def test_syntax_errors_are_among_the_problems() -> None:
    assert problems("broken") == [
        (Kind.SYNTAX, "[f:1] syntax error: the line has no ':' between key and value"),
    ]
    assert not read("broken").is_usable


def test_a_key_that_is_not_built_is_named_once() -> None:
    configuration = read("later: true\nlater: false")
    assert [(problem.kind, problem.text) for problem in configuration.problems] == [
        (Kind.ADVICE, "[f:2] later: not built yet. Ignored."),
    ]
    assert (configuration.is_usable, configuration.passes_check) == (True, True)


def test_a_key_that_is_not_built_has_its_values_checked() -> None:
    assert [kind for kind, _ in problems("later: yes")] == [Kind.BAD_VALUE]


@pytest.mark.parametrize("text", ["aggregate: a, b", "aggregate[x]: a", "plugins: print[x]", "plugins[y]: z"])
def test_keys_of_flow_daemons_are_accepted_in_silence(text: str) -> None:
    assert problems(text) == []


def test_a_global_key_applies_whatever_name_it_carries() -> None:
    assert problems("port[x]: 7") == [(Kind.ADVICE, "[f:1] plugin name not supported for key 'port'. Globalized.")]
    assert read("port[x]: 7").of("port", int) == 7


def test_a_key_for_a_plugin_leaves_the_core_alone() -> None:
    text = "plugins: print[x], kafka\nshape[x]: round\nshape[default_kafka]: flat"
    assert problems(text) == []
    assert read(text).maybe("shape", str) is None


def test_a_plugin_that_is_not_declared_is_a_warning() -> None:
    text = "[f:1] Unknown symbol 'x'. Ignored. shape: no plugin is called so."
    assert problems("shape[x]: round") == [(Kind.UNKNOWN_KEY, text)]
    assert read("shape[x]: round").maybe("shape", str) is None


def test_a_flow_daemon_names_the_plugin_that_was_meant() -> None:
    statements = parse_statements("plugins: print[totals]\naggregate[toals]: a\nport[x]: 7", "f").statements
    [unknown, _] = configure(REGISTRY, statements, has_plugins=True).problems
    assert unknown.text.startswith("[f:2] Unknown symbol 'toals'. Ignored. aggregate: no plugin is called so.")
    assert unknown.text.endswith("Did you mean [totals]?")


def test_a_comment_behind_a_value_is_named_as_what_is_wrong() -> None:
    [problem] = read("port: 7 ! seven").problems
    assert problem.text.endswith("; a comment has a line of its own")
    [problem] = read("port: seven").problems
    assert "comment" not in problem.text


def test_the_core_has_a_name_of_its_own() -> None:
    assert read("shape[default]: round").maybe("shape", str) == "round"
    text = "core_proc_name: me\nshape[me]: round"
    assert problems(text) == []
    assert read(text).maybe("shape", str) == "round"
    text = "core_proc_name: me\nold_name: you\nshape[you]: round"
    assert problems(text) == []
    assert read(text).maybe("shape", str) == "round"
    assert read(text).of("core_proc_name", str) == "you"


def test_checks_see_all_keys_and_their_problems_come_last() -> None:
    def check(configuration: Configuration) -> Iterator[Problem]:
        yield Problem(Kind.CONFLICT, f"port is {configuration.of('port', int)}")

    configuration = configure(REGISTRY, parse_statements("port: 7\nx: 1", "f").statements, checks=[check])
    assert [problem.kind for problem in configuration.problems] == [Kind.UNKNOWN_KEY, Kind.CONFLICT]
    assert configuration.problems[-1].text == "port is 7"
    assert not configuration.is_usable


def test_instances_have_the_name_in_brackets_or_one_of_their_kind() -> None:
    assert declared_plugins("print[a], kafka [ b ], memory,") == {"a", "b", "default_memory"}
    assert declared_plugins("") == frozenset()


def test_a_value_of_another_type_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="port is 5"):
        read("").of("port", str)


def test_a_name_that_is_declared_twice_is_our_mistake() -> None:
    key = Key("a", TEXT, None, "", daemons=ANY)
    with pytest.raises(AssertionError, match="a is declared twice"):
        Registry([Group("g", "", (key, Key("b", TEXT, None, "", daemons=ANY, aliases=("a",))))])


def test_a_plugin_sees_what_is_for_it_alone_and_for_all() -> None:
    whole = read("plugins: print[one], print[two]\nshape: round\nshape[one]: square\naggregate[two]: src_host\nport: 7")
    one, two = whole.for_plugin("one"), whole.for_plugin("two")
    assert (one.of("shape", str), two.of("shape", str), whole.of("shape", str)) == ("square", "round", "round")
    assert (one.is_set("aggregate"), two.is_set("aggregate"), whole.is_set("aggregate")) == (False, True, False)
    assert two.of("port", int) == 7
    assert two.where("aggregate") == "[f:4]"
