"""Our `pmbgp` against running daemons, beside the client that pmacct has."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.peers.collector import PATIENCE, is_pmacct
from tests.peers.install import require
from tests.peers.raw_speaker import RawSession, prefix, update, usual_attributes
from tests.peers.siege import Target, target
from tests.ports import reserved_port

PORT, GLASS = reserved_port(), reserved_port()
OTHER_PORT, OTHER_GLASS = reserved_port(), reserved_port()
REFERENCE: Final = Path("/usr/lib/x86_64-linux-gnu/pmacct/examples/lg/pmbgp")
PEER: Final = "127.6.0.1"
ASN: Final = 65_306
NETWORKS: Final = tuple(f"10.{number}.0.0/16" for number in range(1, 31))


def run(argv: list[str], *arguments: str) -> tuple[int, str, str]:
    """Run a client: status, output, errors."""
    done = subprocess.run([*argv, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


def pmbgp(*arguments: str) -> tuple[int, str, str]:
    return run([sys.executable, "-c", "import sys; from lg.cli import main; sys.exit(main())"], *arguments)


@pytest.fixture
def reference(tmp_path: Path) -> list[str]:
    """pmacct's client in C."""
    require("pmacct")
    if not REFERENCE.exists():
        pytest.skip("SKIPPED: the pmacct package has no pmbgp")
    copied = Path(shutil.copy(REFERENCE, tmp_path))
    copied.chmod(0o755)
    return [str(copied)]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A collector with a password and one peer."""
    keys = {"bgp_daemon_lg": "true", "bgp_daemon_lg_port": GLASS, "bgp_daemon_max_peers": 4}
    secrets = {"bgp_daemon_lg_user": "operator", "bgp_daemon_lg_passwd": "secret"}
    home = tmp_path_factory.mktemp("pmbgp")
    with (
        target(home, PORT, bgp_table_dump_refresh_time=60, **keys, **secrets) as daemon,
        RawSession(daemon.address, PEER) as session,
    ):
        session.establish(ASN, hold_time=0)
        session.send(update(attributes=usual_attributes(ASN), nlri=b"".join(map(prefix, NETWORKS))))
        session.send(update())
        daemon.wait_for_routes(PEER, "update", len(NETWORKS))
        yield daemon


@pytest.fixture
def access(daemon: Target) -> tuple[str, ...]:
    """What lets a client in."""
    assert daemon
    return ("-Z", str(GLASS), "-u", "operator", "-p", "secret")


@pytest.mark.parametrize(
    "question",
    [("-g",), ("-a", "10.7.6.5", "-r", PEER), ("-a", "11.0.0.1", "-r", PEER), ("-a", "10.7.6.5", "-r", "127.6.0.9")],
)
def test_it_prints_what_the_client_of_pmacct_prints(
    reference: list[str], access: tuple[str, ...], question: tuple[str, ...]
) -> None:
    status, out, errors = run(reference, *access, *question)
    assert pmbgp(*access, *question) == (status, out, errors)
    assert json.loads(out.splitlines()[0])["query_type"] in {1, 2}


@pytest.mark.parametrize("question", [(), ("-g", "-a", "10.7.6.5", "-r", PEER), ("-a", "x", "-r", PEER), ("-r", PEER)])
def test_it_fails_as_the_client_of_pmacct_fails(reference: list[str], question: tuple[str, ...]) -> None:
    assert pmbgp(*question)[0] == run(reference, *question)[0] == 1


def test_a_wrong_password_is_told(access: tuple[str, ...]) -> None:
    status, out, errors = pmbgp(*access, "-g", "-p", "wrong", "--timeout", str(PATIENCE))
    assert (status, out) == (1, "")
    assert "does not accept the user and password" in errors


@pytest.mark.skipif(is_pmacct(), reason="SKIPPED: these are questions that pmacct does not know")
def test_searches_are_answered(access: tuple[str, ...]) -> None:
    assert pmbgp(*access, "--origin-as", str(ASN), "--count", "--json") == (0, '{"count":30}\n', "")
    status, out, errors = pmbgp(*access, "--limit", "7", "--json", "--fields", "ip_prefix")
    assert (status, len(out.splitlines())) == (0, 7)
    cursor = errors.split()[-1]
    status, rest, errors = pmbgp(*access, "--all", "--cursor", cursor, "--json", "--fields", "ip_prefix")
    assert (status, errors) == (0, "")
    found = [json.loads(line)["ip_prefix"] for line in (out + rest).splitlines()]
    assert sorted(found) == sorted(NETWORKS)


@pytest.mark.skipif(is_pmacct(), reason="SKIPPED: these are questions that pmacct does not know")
def test_peers_are_described_for_programs_and_for_people(access: tuple[str, ...]) -> None:
    status, out, errors = pmbgp(*access, "--peers", "--json")
    assert (status, errors) == (0, "")
    record = json.loads(out)
    assert (record["peer_ip_src"], record["state"], record["peer_as"]) == (PEER, "established", ASN)
    [family] = record["families"]
    assert (family["afi"], family["safi"], family["routes"], family["stale"], family["add_path"]) == (
        1,
        1,
        30,
        0,
        False,
    )
    assert family["counters"]["announced"] == 30
    assert record["messages_received"]["update"] == record["counters"]["updates"] == 2
    assert f"4-bytes AS [65] ASN [{ASN}]" in record["capabilities"]
    status, out, _ = pmbgp(*access, "--peers", "--table")
    assert status == 0
    assert "IPv4 30" in out
    assert pmbgp(*access, "--routers", "--json") == (0, "", "")


@pytest.mark.skipif(not is_pmacct(), reason="SKIPPED: only pmacct knows no searches")
def test_pmacct_knows_no_searches(access: tuple[str, ...]) -> None:
    status, out, errors = pmbgp(*access, "--search")
    assert (status, out) == (1, "")
    assert "it answers only what pmacct asks" in errors


@pytest.mark.skipif(is_pmacct(), reason="SKIPPED: these are questions that pmacct does not know")
def test_two_daemons_are_asked_at_a_time(access: tuple[str, ...], tmp_path: Path) -> None:
    keys = {"bgp_daemon_lg": "true", "bgp_daemon_lg_port": OTHER_GLASS}
    secrets = {"bgp_daemon_lg_user": "operator", "bgp_daemon_lg_passwd": "secret"}
    servers = (f"--server=127.0.0.1:{GLASS}", f"--server=127.0.0.1:{OTHER_GLASS}")
    with target(tmp_path, OTHER_PORT, **keys, **secrets):
        status, out, errors = pmbgp(*access[2:], *servers, "--count")
    assert (status, errors) == (0, "")
    assert [tuple(json.loads(line).values()) for line in out.splitlines()] == [
        (f"127.0.0.1:{GLASS}", 30),
        (f"127.0.0.1:{OTHER_GLASS}", 0),
    ]
