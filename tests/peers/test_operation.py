"""A daemon as an operator runs it: users, ports that are shared, service managers, and what does not end by itself."""

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

import pytest

from routed.plumbing.sandbox import landlock_version
from tests.peers.bird import Bird
from tests.peers.collector import COMMAND, PATIENCE, Collector, at_work
from tests.peers.conftest import Recruit
from tests.peers.isis import CABLE, FAR, NEAR, NET, ROUTER_NET, Listener, connected, lay_cable
from tests.peers.network import COLLECTOR, Network, listens
from tests.peers.nobody import NOBODY, command_for_others, is_nobody, privileges
from tests.peers.program import ROOT, Program
from tests.peers.route import Route
from tests.peers.speaker import Link
from tests.peers.waiting import PACE, eventually

pytestmark = pytest.mark.usefixtures("not_pmacct")

PEER: Final = "127.0.0.11"
ROUTE: Final = Route(prefix="10.16.1.0/24", next_hop="192.0.2.16", local_pref=100)


def mute(address: str = COLLECTOR) -> list[str]:
    """Return a client that connects to the collector and says nothing until it is killed."""
    return ["bash", "-c", f"exec 3<>/dev/tcp/{address}/179; cat <&3"]


# -- users ------------------------------------------------------------------------------------------------------------


class Unprivileged(Collector):
    """A collector that was started by root."""

    def __init__(self, network: Network, home: Path, **settings: object) -> None:
        self.command = command_for_others(COMMAND)  # type: ignore[misc]  # of its own
        keys = {"pidfile": home / "pid", "proc_user": "nobody", "proc_sandbox": str(landlock_version() > 0).lower()}
        super().__init__(network, home, {**keys, **settings})

    def send(self, number: signal.Signals) -> None:
        self._program.send(number)


def test_root_opens_the_port_and_an_ordinary_user_serves(net: Network, recruit: Recruit, home_of_nobody: Path) -> None:
    """Keys of TCP-MD5, log rotation and the pid file do without privileges, and in a sandbox where there is one."""
    home, keys, log = home_of_nobody, home_of_nobody / "keys", home_of_nobody / "log"
    keys.write_text(f"{PEER}, open-barley\n")
    speaker = recruit(Bird, Link(local=PEER, password="open-sesame"))
    speaker.announce(ROUTE)
    with at_work(Unprivileged(net, home, bgp_daemon_md5_file=keys, logfile=log)) as daemon:
        eventually(lambda: is_nobody(daemon.pid), PATIENCE, "root to be gone")
        assert privileges(daemon.pid) == 0
        speaker.start()
        keys.write_text(f"{PEER}, open-sesame\n")
        daemon.send(signal.SIGUSR2)
        daemon.wait_for(PEER, log_type="update", ip_prefix=ROUTE.prefix)
        log.rename(home / "log.1")
        daemon.send(signal.SIGHUP)
        eventually(log.exists, PATIENCE, "a new log")
    owners = {path.name: path.stat().st_uid for path in (log, home / "log.1", home / "messages.json")}
    assert owners == dict.fromkeys(owners, NOBODY.pw_uid)
    assert not (home / "pid").exists()
    assert "maps and configuration reloaded: 0 keys changed" in (home / "log.1").read_text()


# -- several daemons, one port ----------------------------------------------------------------------------------------


class Sharing(Collector):
    """One of several daemons that share a port, with peers of its own."""

    def __init__(self, network: Network, home: Path, peer: str) -> None:
        folder = home / f"daemon-{peer}"
        folder.mkdir()
        (folder / "allow").write_text(f"{peer}\n")
        super().__init__(network, folder, {"bgp_daemon_allow_file": folder / "allow"})


def test_three_daemons_share_a_port_and_allow_files_wire_the_peers(
    net: Network, recruit: Recruit, tmp_path: Path
) -> None:
    """The kernel gives a connection to any of them; a router tries until it meets the daemon that has its address."""
    peers = [f"127.0.0.1{last}" for last in range(1, 4)]
    daemons = {peer: Sharing(net, tmp_path, peer) for peer in peers}
    try:
        for daemon in daemons.values():
            daemon.ready()
        for peer in peers:
            speaker = recruit(Bird, Link(local=peer))
            speaker.announce(ROUTE)
            speaker.start()
        for peer, daemon in daemons.items():
            daemon.wait_for(peer, log_type="update", within=4 * PATIENCE)
            assert {row["peer_ip_src"] for row in daemon.rows()} == {peer}
        for daemon in daemons.values():
            daemon.stop()
    finally:
        for daemon in daemons.values():
            daemon.kill()


# -- the start --------------------------------------------------------------------------------------------------------


def in_background(net: Network, home: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Start a daemon in the background; return what its caller is told."""
    configuration = home / "background.conf"
    configuration.write_text("\n".join([*lines, "daemonize: true", f"pidfile: {home / 'pid'}", ""]))
    argv = net.command([*COMMAND, "-f", str(configuration)])
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_who_starts_a_daemon_in_the_background_is_told_that_it_works(net: Network, tmp_path: Path) -> None:
    told = in_background(net, tmp_path, f"logfile: {tmp_path / 'log'}")
    assert (told.returncode, told.stderr) == (0, "")
    pid = int((tmp_path / "pid").read_text())
    assert listens(pid, 179)
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: not (tmp_path / "pid").exists(), PATIENCE, "the pid file to be removed")


def test_who_starts_a_daemon_in_the_background_is_told_that_it_does_not(net: Network, tmp_path: Path) -> None:
    told = in_background(net, tmp_path, "bgp_daemon_ip: 203.0.113.99")
    assert told.returncode == 1
    assert "cannot listen on ip=203.0.113.99 port=179/tcp: Cannot assign requested address" in told.stderr
    assert not (tmp_path / "pid").exists()


def test_a_service_manager_hears_of_everything_and_of_a_daemon_that_hangs(net: Network, tmp_path: Path) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(PATIENCE)
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    program = Program(net, COMMAND, tmp_path / "out", environment)

    def hear(words: str) -> None:
        while words not in manager.recv(4096).decode():
            pass

    try:
        hear("READY=1")
        assert listens(program.pid, 179)
        hear("WATCHDOG=1")
        program.send(signal.SIGSTOP)
        manager.settimeout(1)
        with pytest.raises(TimeoutError):
            hear("what no daemon says")
        program.send(signal.SIGCONT)
        manager.settimeout(PATIENCE)
        hear("WATCHDOG=1")
        program.send(signal.SIGUSR2)
        hear("RELOADING=1")
        hear("READY=1")
        program.send(signal.SIGTERM)
        hear("STOPPING=1")
        eventually(lambda: not program.running, PATIENCE, "the daemon to end")
        assert program.stop() == 0
    finally:
        program.kill()
        manager.close()


def test_a_reload_is_asked_of_a_looking_glass(net: Network, tmp_path: Path) -> None:
    """Whole or not at all, and the answer says what came of it."""
    configuration = tmp_path / "pmbgpd.conf"

    def configure(*lines: str) -> None:
        configuration.write_text("\n".join(["bgp_daemon_lg: true", *lines, ""]))

    def ask() -> subprocess.CompletedProcess[str]:
        client = "import sys; from lg.cli import main; sys.exit(main())"
        argv = net.command([sys.executable, "-c", client, "--reload"])
        return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    configure()
    program = Program(net, [*COMMAND, "-f", str(configuration)], tmp_path / "out")
    try:
        eventually(lambda: listens(program.pid, 179) and listens(program.pid, 17900), PATIENCE, "the daemon to listen")
        configure("bgp_daemon_max_peers: 20")
        assert '{"key":"bgp_daemon_max_peers","before":"10","after":"20","live":true}' in ask().stdout
        configure("bgp_daemon_max_peers: 30", "bgp_daemon_hold_time: 1")
        refused = ask()
        assert f"[{configuration}:3] bgp_daemon_hold_time: invalid value '1'" in refused.stderr
        assert "reload refused: nothing has changed" in program.text()
        assert "bgp_daemon_max_peers: 20 -> 30" not in program.text()
    finally:
        program.kill()


# -- the end ----------------------------------------------------------------------------------------------------------


#: Times that a full terminal must take nothing before it is taken to be full.
REFUSALS: Final = 4


class Stuck(Collector):
    """A collector whose message log goes to a terminal that nobody reads: writing to it blocks."""

    name: ClassVar[str] = "stuck"

    def __init__(self, network: Network, home: Path, **settings: object) -> None:
        self.master, terminal = pty.openpty()
        fill(terminal)
        keys = {"bgp_daemon_msglog_file": os.ttyname(terminal), "pidfile": home / "pid", **settings}
        super().__init__(network, home, keys)
        os.close(terminal)

    def send(self, number: signal.Signals) -> None:
        self._program.send(number)

    def status(self) -> int:
        """Wait for the exit status; ask for nothing."""
        eventually(lambda: not self.running, PATIENCE, "the daemon to end")
        return self._program.stop()


@pytest.mark.parametrize(
    ("patience", "signals", "words"),
    [
        (1, 1, "not everything could be stopped or written out within 1 s: leaving at once"),
        (600, 2, "SIGTERM received again: leaving at once"),
    ],
    ids=["in time", "at once"],
)
def test_a_disk_that_hangs_keeps_no_daemon_from_ending(
    net: Network, tmp_path: Path, patience: int, signals: int, words: str
) -> None:
    daemon = Stuck(net, tmp_path, proc_stop_patience=patience)
    try:
        daemon.ready()
        client = Program(net, mute(), tmp_path / "client")
        daemon.wait_for_text("BGP peers usage: 1/")
        client.kill()
        daemon.wait_for_text("BGP connection reset by peer")  # which is a record too: that one is stuck
        daemon.send(signal.SIGTERM)
        if signals == 2:
            eventually(lambda: not listens(daemon.pid, 179), PATIENCE, "the end to begin")
            daemon.send(signal.SIGTERM)
        assert daemon.status() == 1
        assert words in daemon.text
        assert not (tmp_path / "pid").exists()
    finally:
        daemon.kill()
        os.close(daemon.master)


def fill(writer: int) -> None:
    """Write into a pipe or a terminal until it takes no more, nor soon after: a terminal passes on what it holds."""
    os.set_blocking(writer, False)
    refused = 0
    while refused < REFUSALS:
        refused = 0 if wrote_any(writer) else refused + 1
        time.sleep(PACE)
    os.set_blocking(writer, True)


def wrote_any(writer: int) -> bool:
    """Write what fits, and tell whether anything did."""
    any_did = False
    for octets in (b"x" * 512, b"x"):
        with suppress(BlockingIOError):
            while os.write(writer, octets):
                any_did = True
    return any_did


def test_a_terminal_that_is_not_read_blocks_nobody(net: Network, tmp_path: Path) -> None:
    """Standard error is a full pipe: sessions are accepted and written down all the same."""
    reader, writer = os.pipe()
    configuration, log = tmp_path / "pipe.conf", tmp_path / "messages.json"
    configuration.write_text(f"bgp_daemon_msglog_file: {log}\n")
    argv = net.command([*COMMAND, "-f", str(configuration)])
    with subprocess.Popen(argv, cwd=ROOT, stderr=writer, stdin=subprocess.DEVNULL) as daemon:
        try:
            eventually(lambda: listens(daemon.pid, 179), PATIENCE, "the daemon to listen")
            fill(writer)
            for number, address in enumerate(("127.0.0.1", "::1"), start=1):
                client = Program(net, mute(address), tmp_path / f"client-{number}")
                eventually(
                    lambda: log.exists() and log.read_text().count("log_init") >= number,  # noqa: B023 (asked now)
                    PATIENCE,
                    f"session {number} to be written down",
                )
                client.kill()
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(PATIENCE) == 0
        finally:
            daemon.kill()
            os.close(reader)
            os.close(writer)


def test_circuits_of_isis_do_without_privileges(net: Network, home_of_nobody: Path, tmp_path: Path) -> None:
    """An interface and a tunnel of our own making, both to one neighbour; the interface goes away and comes back."""
    keys = {"hello_keys": [("GENERIC", "hello", 7, "sha256")], "domain_keys": [("GENERIC", "domain", 7, "sha256")]}
    settings = {
        "isis_daemon": "true",
        "isis_daemon_ip": NEAR,
        "isis_daemon_net": NET,
        "isis_daemon_iface": CABLE,
        "isis_daemon_gre": f"{NEAR},{FAR}",
        "isis_daemon_hello_interval": 1,
        "isis_daemon_hello_multiplier": 10,
        "isis_daemon_auth_type": "sha256",
        "isis_daemon_auth_key_id": 7,
        "isis_daemon_hello_password": "hello",
        "isis_daemon_domain_password": "domain",
    }
    with connected(net) as far:
        neighbor = Listener(
            far, tmp_path, "far", net=ROUTER_NET, circuits=[{"interface": CABLE}, {"gre": [FAR, NEAR]}], **keys
        )
        try:
            with at_work(Unprivileged(net, home_of_nobody, **settings)) as daemon:
                for link in (CABLE, f"{FAR},{NEAR}"):
                    neighbor.wait("AdjacencyUp", link=link, system_id="0000000000aa")
                eventually(lambda: is_nobody(daemon.pid), PATIENCE, "root to be gone")
                net.run("ip", "link", "delete", CABLE)
                lay_cable(net, far)
                neighbor.wait("AdjacencyUp", times=2, link=CABLE)
        finally:
            neighbor.program.kill()
