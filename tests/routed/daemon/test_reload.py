"""A reload: whole or not at all, and what is different is said."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any, cast

import pytest
from twisted.internet.defer import Deferred, maybeDeferred

from routed.daemon.reload import Reload, Source, Target
from routed.daemon.settings import BgpSettings, log_settings, pmbgpd_settings, process_settings, read_configuration
from routed.daemon.switches import PMBGPD
from routed.plumbing.cli import parse_command_line
from routed.plumbing.config import Daemons
from routed.plumbing.lifecycle import StartError
from routed.plumbing.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from routed.plumbing.service_manager import ServiceManager
    from routed.service.settings import Reloaded

CHANGES = """\
bgp_daemon_max_peers: 20
bgp_daemon_hold_time: 90
bgp_daemon_lg_passwd: other
"""


class Manager:
    def __init__(self) -> None:
        self.told: list[str] = []

    def reloading(self) -> None:
        self.told.append("reloading")

    def ready(self, status: str) -> None:
        self.told.append(status)


class Rig:
    """A daemon that is reloaded, its work done at once."""

    def __init__(self, folder: Path, text: str = "", *switches: str) -> None:
        self.file = folder / "daemon.conf"
        self.file.write_text(text)
        self.taken: list[BgpSettings] = []
        self.refusal: StartError | None = None
        self.manager, self.terminal = Manager(), StringIO()
        command_line = parse_command_line(PMBGPD, ["-f", str(self.file), *switches])
        configuration = read_configuration(command_line.all_statements(), Daemons.PMBGPD)
        owner = process_settings(configuration).owner
        self.reload = Reload(
            Source(command_line, configuration),
            Target(Daemons.PMBGPD, pmbgpd_settings, self.prepare),
            Log(log_settings(configuration, "pmbgpd"), owner, terminal=self.terminal),
            cast("ServiceManager", self.manager),
            self.in_thread,
        )

    def in_thread(self, work: Callable[[], Any], /) -> Deferred[Any]:
        return maybeDeferred(work)

    def prepare(self, settings: BgpSettings) -> Callable[[], None]:
        if self.refusal is not None:
            raise self.refusal
        return lambda: self.taken.append(settings)

    def ask(self) -> Reloaded:
        outcomes: list[Reloaded] = []
        self.reload.ask().addCallback(outcomes.append)
        [outcome] = outcomes
        return outcome

    @property
    def lines(self) -> list[str]:
        return [line.replace(" ( default/core ):", "") for line in self.terminal.getvalue().splitlines()]


def test_live_keys_are_taken_over_and_the_others_are_named(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "bgp_daemon_lg_passwd: one\nbgp_daemon_lg_user: me\nbgp_daemon_port: 1179\n")
    rig.file.write_text(f"{CHANGES}bgp_daemon_lg_user: me\ndebug: true\n")
    outcome = rig.ask()
    [settings] = rig.taken
    assert (settings.listener.max_peers, settings.speaker.hold_time, settings.listener.port) == (20, 90, 1179)
    assert settings.log.debug
    assert rig.lines == [
        "WARN bgp_daemon_port: 1179 -> 179 takes a restart",
        "INFO bgp_daemon_max_peers: 10 -> 20",
        "INFO bgp_daemon_hold_time: 180 -> 90",
        "INFO debug: false -> true",
        "WARN bgp_daemon_lg_passwd: (secret) -> (secret) takes a restart",
        "INFO maps and configuration reloaded: 3 keys changed, 2 more take a restart",
    ]
    assert rig.manager.told == ["reloading", outcome.summary]


def test_the_login_in_an_address_is_not_told(tmp_path: Path) -> None:
    records = "bgp_daemon_msglog_output: avro\nbgp_daemon_msglog_kafka_topic: routes\n"
    rig = Rig(tmp_path, records)
    rig.file.write_text(f"{records}bgp_daemon_msglog_kafka_avro_schema_registry: http://me:secret@one/,http://two\n")
    assert [str(change) for change in rig.ask().changes] == [
        "bgp_daemon_msglog_kafka_avro_schema_registry: (not set) -> http://one/,http://two takes a restart"
    ]


def test_what_takes_a_restart_is_said_each_time_and_what_was_taken_over_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.file.write_text("bgp_daemon_max_peers: 20\nbgp_daemon_port: 1179\n")
    rig.ask()
    assert [change.key for change in rig.ask().changes] == ["bgp_daemon_port"]
    assert rig.taken[-1].listener.max_peers == 20
    assert rig.lines[-1] == "INFO maps and configuration reloaded: 0 keys changed, 1 more takes a restart"


def test_a_live_key_that_is_taken_out_has_its_default_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "bgp_daemon_max_peers: 20\nbgp_daemon_tag_map: /tags\n")
    rig.file.write_text("")
    assert [str(change) for change in rig.ask().changes] == [
        "bgp_daemon_max_peers: 20 -> 10",
        "bgp_daemon_tag_map: /tags -> (not set)",
    ]
    assert (rig.taken[0].listener.max_peers, rig.taken[0].maps.tag_map) == (10, None)


def test_switches_still_win(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "", "-i", "120")
    rig.file.write_text("bgp_table_dump_refresh_time: 300\n")
    assert rig.ask().changes == ()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bgp_daemon_max_peers: many", "[{}:2] bgp_daemon_max_peers: invalid value 'many'"),
        ("no statement", "[{}:2] syntax error"),
        ("bgp_daemon_lg_user: me", "[{}:2] bgp_daemon_lg_user: bgp_daemon_lg_passwd is missing"),
    ],
)
def test_one_mistake_and_nothing_changes(tmp_path: Path, line: str, words: str) -> None:
    rig = Rig(tmp_path)
    rig.file.write_text(f"bgp_daemon_hold_time: 90\n{line}\n")
    outcome = rig.ask()
    assert rig.taken == []
    assert outcome.problems[0].startswith(words.format(rig.file))
    assert rig.lines[0].startswith("ERROR " + words.format(rig.file))
    assert rig.lines[-1] == "ERROR reload refused: nothing has changed"
    assert rig.manager.told == ["reloading", "reload refused: nothing has changed"]


def test_keys_that_do_not_go_together_change_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "bgp_table_dump_file: /d\nbgp_table_dump_refresh_time: 600\nbgp_table_dump_time_slots: 120\n")
    rig.file.write_text("bgp_table_dump_file: /d\nbgp_table_dump_refresh_time: 60\nbgp_table_dump_time_slots: 120\n")
    assert "120 slots do not fit" in rig.ask().problems[0]
    assert rig.taken == []


def test_maps_that_cannot_be_used_change_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.refusal = StartError("[map:1] malformed line. Ignored.", "[map] Rolling back old map.")
    rig.file.write_text("bgp_daemon_max_peers: 20\n")
    assert rig.ask().problems == ("[map:1] malformed line. Ignored.", "[map] Rolling back old map.")
    rig.refusal = None
    assert [change.key for change in rig.ask().changes] == ["bgp_daemon_max_peers"]


def test_a_file_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.file.unlink()
    assert rig.ask().problems == (f"[{rig.file}] No such file or directory",)


def test_advice_is_given_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.file.write_text("bgp_daemon_max_peer: 20\n")
    rig.ask()
    assert rig.lines[0].endswith("Unknown key: bgp_daemon_max_peer. Ignored. Did you mean bgp_daemon_max_peers?")


def test_a_signal_reloads_unless_it_is_not_to(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.reload.signalled()
    assert len(rig.taken) == 1
    rig.file.write_text("maps_refresh: false\n")
    rig.reload.signalled()
    rig.reload.signalled()
    assert len(rig.taken) == 2
    assert rig.lines[-1] == "INFO SIGUSR2 received: nothing is read again, because maps_refresh is false"
    assert not rig.ask().problems
    assert len(rig.taken) == 3


def test_reloads_follow_each_other_and_those_who_wait_share_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    waiting: list[tuple[Deferred[Any], Any]] = []

    def in_thread(work: Callable[[], Any], /) -> Deferred[Any]:
        waiting.append((Deferred(), work))
        return waiting[-1][0]

    rig.reload._in_thread = in_thread  # type: ignore[assignment]
    outcomes: list[Reloaded] = []
    rig.reload.ask().addCallback(outcomes.append)
    rig.file.write_text("bgp_daemon_max_peers: 20\n")
    for _ in range(2):
        rig.reload.ask().addCallback(outcomes.append)
    for done in (1, 3):
        deferred, work = waiting.pop()
        assert waiting == []
        deferred.callback(work())
        assert len(outcomes) == done
    assert [len(outcome.changes) for outcome in outcomes] == [1, 0, 0]
    assert waiting == []


def test_a_bug_costs_that_reload(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.refusal = cast("Any", RuntimeError("a bug"))
    assert rig.ask().problems == ("internal error",)
    rig.refusal = None
    assert rig.ask().problems == ()
