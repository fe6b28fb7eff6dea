"""`pmbgp`: what it asks, prints and returns."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lg import cli
from lg.cli import FAILED, OK, USAGE, main, task_of
from lg.server import Server
from lg.switches import CONDITIONS, MEMBERS, SWITCHES, parse
from tests.lg.fake import PATIENCE, Frames, frames, growing_patience, looking_glass, page

LOOKUP = ("-a", "198.51.100.1", "-r", "192.0.2.1")


class Glass:
    """Remembers what it was asked, and says the same to all."""

    def __init__(self, *answer: object, **facts: object) -> None:
        self.asked: list[list[object]] = []
        self.answer = page(answer, **facts) if facts or not answer else frames(*answer)

    def __call__(self, asked: Frames) -> Frames:
        self.asked.append([json.loads(frame) for frame in asked])
        return self.answer


def run(glass: Glass, *switches: str) -> int:
    with looking_glass(glass) as server:
        return main(["-Z", str(server.port), *switches])


def question(*switches: str) -> dict[str, object]:
    return task_of(parse(switches)).question


# -- as pmacct's client ------------------------------------------------------------------------------------------------


def test_a_look_up_prints_the_frames(capsys: pytest.CaptureFixture[str]) -> None:
    glass = Glass(b'{"results": 1, "query_type": 1}', b'{"ip_prefix": "198.51.100.0/24"}')
    assert run(glass, *LOOKUP, "-R", "179", "-d", "0:65000:1") == OK
    assert capsys.readouterr() == ('{"results": 1, "query_type": 1}\n{"ip_prefix": "198.51.100.0/24"}\n', "")
    assert glass.asked == [
        [
            {"query_type": 1, "queries": 1},
            {"ip_prefix": "198.51.100.1", "peer_ip_src": "192.0.2.1", "peer_tcp_port": 179, "rd": "0:65000:1"},
        ]
    ]


def test_the_long_switches_are_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    glass = Glass({"results": 0, "query_type": 1, "text": "prefix not found"})
    assert run(glass, "--prefix", "198.51.100.1", "--peer=192.0.2.1", "--zmq-host", "localhost") == OK
    assert capsys.readouterr() == ('{"results":0,"query_type":1,"text":"prefix not found"}\n', "")


@pytest.mark.parametrize("switch", ["-g", "--get-peers"])
def test_peers_are_listed(switch: str, capsys: pytest.CaptureFixture[str]) -> None:
    glass = Glass({"results": 1, "query_type": 2}, {"peer_as": 1})
    assert run(glass, switch) == OK
    assert glass.asked == [[{"query_type": 2, "queries": 1}]]
    assert capsys.readouterr().out == '{"results":1,"query_type":2}\n{"peer_as":1}\n'


def test_a_user_and_a_password_are_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "passwd").write_text("secret\nmore\n")
    with looking_glass(Glass({"results": 0, "query_type": 2}), password="secret") as server:
        common = ["-g", "-Z", str(server.port), "-u", "user"]
        assert main([*common, "-p", "secret"]) == OK
        assert main([*common, "--passwd-file", str(tmp_path / "passwd")]) == OK
        assert main([*common, "-p", "wrong"]) == FAILED
        assert main([*common, "--passwd-file", str(tmp_path / "none")]) == FAILED
    assert f"127.0.0.1:{server.port}: does not accept the user and password" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("switches", "says"),
    [
        ((), "no question"),
        (("-g", "-a", "192.0.2.1"), "one of them at a time"),
        (("-g", "--search"), "one of them at a time"),
        (("-a", "192.0.2.1"), "a look-up needs -a and -r"),
        (("-r", "192.0.2.1"), "a look-up needs -a and -r"),
        (("-a", "x", "-r", "192.0.2.1"), "-a: 'x' does not appear to be"),
        (("-a", "192.0.2.0/33", "-r", "192.0.2.1"), "-a: '192.0.2.0/33' does not appear to be"),
        (("-a", "192.0.2.1", "-r", "192.0.2.0/24"), "-r: '192.0.2.0/24' does not appear to be"),
        ((*LOOKUP, "-R", "0"), "-R: port"),
        (("-g", "-Z", "70000"), "-Z: port"),
        (("-g", "--timeout", "0"), "--timeout: more than 0"),
        (("-g", "--timeout", "nan"), "--timeout: more than 0"),
        (("-g", "--timeout", "x"), "--timeout: could not"),
        (("-g", "--json", "--table"), "--json and --table"),
        (("-g", "--server", "a", "-z", "b"), "not both"),
        (("-g", "--server", "a:b"), "--server: port"),
        (("-g", *[f"--server=127.0.0.1:{port}" for port in range(1, 258)]), "at most 256"),
        (("-g", "--client-key", "x"), "with --server-key only"),
        (("--all", "--limit", "1"), "one of them at a time"),
        (("--limit", "0"), "at least 1"),
        (("--limit", "-1"), "not a number"),
        (("--cursor", "x", "--server", "a", "--server", "b"), "--cursor is of use"),
        (("--origin-as", "x"), "--origin-as: [x] is not a number"),
        (("--origin-as", "4294967296"), "origin_as: an integer from 0 to 4294967295"),
        (("--match", "near"), "match: 'near' is none of exact, longest, less-specific, more-specific"),
        (("--where", "{"), "--where: "),
        (("--where", "[]"), "where: a condition is an object"),
        (("--med", "5-"), "--med: [] is not a number"),
    ],
)
def test_a_wrong_question_is_told_with_status_1(
    switches: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(switches) == FAILED
    out, errors = capsys.readouterr()
    assert not out
    assert errors.startswith("ERROR: ")
    assert says in errors


@pytest.mark.parametrize("switches", [("--nonsense",), ("-x",), ("-a",), ("-g", "operand"), ("--json=1",)])
def test_a_switch_that_there_is_not_has_status_2(switches: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(switches) == USAGE
    assert capsys.readouterr().err.startswith("ERROR: ")


def test_the_switch_that_was_meant_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("--as-pth", "1")) == USAGE
    assert "Did you mean --as-path?" in capsys.readouterr().err


def test_help_names_every_switch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-h"]) == OK
    page_of_help = capsys.readouterr().out
    assert all(f"--{switch.name}" in page_of_help for switch in SWITCHES.values())
    assert max(map(len, page_of_help.splitlines())) <= 120


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == OK
    assert capsys.readouterr().out.startswith("pmbgp ")


# -- ours --------------------------------------------------------------------------------------------------------------

EXAMPLES = {
    "system": ("core1", "core1"),
    "root": ("core1", "core1"),
    "origin-as": ("64500", 64500),
    "neighbor-as": ("64500", 64500),
    "as": ("64500", 64500),
    "as-path": ("^1 .*", "^1 .*"),
    "as-path-length": ("3-5", {"ge": 3, "le": 5}),
    "next-hop": ("192.0.2.0/24", "192.0.2.0/24"),
    "community": ("65000:*", "65000:*"),
    "ext-community": ("RT:1:2", "RT:1:2"),
    "large-community": ("1:2:*", "1:2:*"),
    "origin": ("i", "i"),
    "local-pref": (">=100", {"ge": 100}),
    "med": ("5", 5),
    "attribute": ("128", 128),
    "aspa-upstream": ("invalid", "invalid"),
    "aspa-downstream": ("unknown", "unknown"),
    "prefix": ("192.0.2.0/24", "192.0.2.0/24"),
    "peer": ("192.0.2.1", "192.0.2.1"),
    "peer-port": ("179", 179),
    "rd": ("0:1:2", "0:1:2"),
    "match": ("exact", "exact"),
    "peer-id": ("192.0.2.1", "192.0.2.1"),
    "router": ("2001:db8::1", "2001:db8::1"),
    "rib": ("Loc-Rib", "Loc-Rib"),
    "afi": ("2", 2),
    "safi": ("128", 128),
    "roa": ("i,u", ["i", "u"]),
    "fields": ("a,b", ["a", "b"]),
    "cursor": ("1.0.0.7", "1.0.0.7"),
}


@pytest.mark.parametrize("name", [*CONDITIONS, *MEMBERS])
def test_each_switch_sets_its_member(name: str) -> None:
    argument, value = EXAMPLES[name]
    asked = question("--search", f"--{name}", argument)
    if name in CONDITIONS:
        assert asked == {"where": {CONDITIONS[name]: value}}
    else:
        assert asked == {MEMBERS[name]: value}


@pytest.mark.parametrize(
    ("switch", "member", "value"),
    [
        ("count", "select", "count"),
        ("peers", "select", "peers"),
        ("routers", "select", "routers"),
        ("reload", "select", "reload"),
        ("all-attributes", "all_attributes", True),
    ],
)
def test_each_switch_without_an_argument_sets_its_member(switch: str, member: str, value: object) -> None:
    assert question(f"--{switch}") == {member: value}


@pytest.mark.parametrize(
    ("text", "value"), [(">5", {"gt": 5}), ("<=5", {"le": 5}), ("<5", {"lt": 5}), ("=5", {"eq": 5}), ("0", 0)]
)
def test_numbers_are_compared(text: str, value: object) -> None:
    assert question("--med", text) == {"where": {"med": value}}


def test_all_conditions_must_hold() -> None:
    asked = question("--as", "1", "--as", "2", "--med", "3", "--where", '{"not": {"origin": "i"}}')
    assert asked["where"] == {"and": [{"as": 1}, {"as": 2}, {"med": 3}, {"not": {"origin": "i"}}]}


def test_a_search_asks_for_what_the_switches_say(capsys: pytest.CaptureFixture[str]) -> None:
    glass = Glass(
        {"results": 1, "query_type": 3, "queries": 1}, {"query": 0, "results": 1, "cursor": "1.0.0.1"}, {"n": 1}
    )
    assert run(glass, "--origin-as", "64500", "-r", "192.0.2.1", "--limit", "1") == OK
    where = {"peer_ip_src": "192.0.2.1", "where": {"origin_as": 64500}, "limit": 1}
    assert glass.asked == [[{"query_type": 3, "queries": 1}, where]]
    out, errors = capsys.readouterr()
    assert out.splitlines()[2:] == ['{"n":1}']
    assert "there is more: a higher --limit, --all, or --cursor 1.0.0.1" in errors


@pytest.mark.parametrize(
    ("switches", "limits"),
    [(("--search",), [100, 100]), (("--all",), [2000, 2000]), (("--limit", "2001"), [2000, 2000])],
)
def test_a_search_is_100_routes_or_all_or_as_many_as_are_wanted(switches: tuple[str, ...], limits: list[int]) -> None:
    glass = Glass(cursor="a")  # again and again: that is not followed for ever
    assert run(glass, *switches) == OK
    assert [asked[1]["limit"] for asked in glass.asked] == limits


def test_a_field_that_no_record_has_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    glass = Glass({"results": 2, "query_type": 3, "queries": 1}, {"query": 0, "results": 2}, {"med": 1}, {})
    assert run(glass, "--search", "--fields", "med,as_pth") == OK
    assert capsys.readouterr().err == "no record has as_pth\n"


def test_a_count_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    glass = Glass(count=7)
    assert run(glass, "--count", "--json") == OK
    assert glass.asked[0][1] == {"select": "count", "limit": 100}
    assert run(glass, "--count", "--table") == OK
    assert capsys.readouterr().out.split() == ['{"count":7}', "count", "\u2500" * 5, "7"]


def test_why_nothing_was_found_is_said_besides_the_records(capsys: pytest.CaptureFixture[str]) -> None:
    glass = Glass({"results": 0, "query_type": 1, "text": "prefix not found"})
    assert run(glass, *LOOKUP, "--json") == OK
    out, errors = capsys.readouterr()
    assert not out
    assert errors.endswith(": prefix not found\n")


def test_several_are_asked_and_one_that_fails_costs_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    glass = Glass({"results": 1, "query_type": 2}, {"peer_as": 1})
    with looking_glass(glass) as one, looking_glass(glass) as two, looking_glass(glass, password="x") as closed:
        switches = [f"--server=127.0.0.1:{each.port}" for each in (one, closed, two, one)]
        assert main(["-g", *switches]) == FAILED
    out, errors = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [
        {"looking_glass": str(one), "peer_as": 1},
        {"looking_glass": str(two), "peer_as": 1},
    ]
    assert errors.startswith(f"ERROR: {closed}: wants other credentials")


def test_the_looking_glass_is_where_the_switches_say() -> None:
    def servers(*switches: str) -> tuple[Server, ...]:
        return cli.servers_of(parse(switches))

    assert servers() == (Server(),)
    assert servers("-z", "2001:db8::1", "-Z", "1") == (Server(host="2001:db8::1", port=1),)
    assert servers("--server", "a", "--server", "b:1", "--server", "a") == (Server(host="a"), Server(host="b", port=1))
    assert servers("--server-key", "x")[0].server_key == Path("x")


def test_no_answer_has_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    def attempt(timeout: float) -> tuple[str, str]:
        assert main(["-g", "-Z", str(server.port), "--timeout", str(timeout)]) == FAILED
        out, errors = capsys.readouterr()
        return out, errors.replace(f"{timeout:g} s", "its time")

    with looking_glass(lambda _: None) as server:
        expected = ("", f"ERROR: {server}: no answer within its time\n")
        assert growing_patience(attempt, expected.__eq__) == expected


@pytest.mark.parametrize("switch", ["-g", "-h"])
def test_a_reader_that_has_enough_is_no_traceback(switch: str) -> None:
    with looking_glass(Glass({"results": 0, "query_type": 2})) as server:
        reader, writer = os.pipe()
        os.close(reader)
        main_of = "import sys; from lg.cli import main; sys.exit(main())"
        argv = [sys.executable, "-c", main_of, "-Z", str(server.port), switch]
        done = subprocess.run(argv, stdout=writer, stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
        os.close(writer)
    assert (done.returncode, done.stderr) == (FAILED, b"")


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run", interrupt)
    assert main(["-g"]) == cli.INTERRUPTED
