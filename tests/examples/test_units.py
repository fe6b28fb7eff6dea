"""The systemd units say what the daemons do, in words that systemd knows."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from routed.daemon.settings import process_settings, read_configuration
from routed.plumbing.statements import Statements

EXAMPLES = Path(__file__).parents[2] / "examples"
UNITS = ("pmbgpd", "pmbmpd", "nfacctd", "sfacctd")
#: From the unit of which daemon that of another one is made.
MADE_FROM = {"sfacctd": "nfacctd"}
#: Daemons that take BGP sessions.
ON_PORT_179 = {"pmbgpd", "nfacctd", "sfacctd"}


def unit(name: str) -> str:
    source = MADE_FROM.get(name, name)
    return (EXAMPLES / f"{source}.service").read_text().replace(source, name)


def value(name: str, key: str) -> str:
    [found] = re.findall(rf"^{key}=(.*)$", unit(name), re.MULTILINE)
    return str(found)


@pytest.mark.parametrize("name", UNITS)
def test_systemd_waits_longer_than_the_daemon(name: str) -> None:
    patience = process_settings(read_configuration(Statements(()))).stop_patience
    assert int(value(name, "TimeoutStopSec")) > patience


@pytest.mark.parametrize("name", UNITS)
def test_no_capability_is_given_that_is_not_bounded(name: str) -> None:
    assert value(name, "AmbientCapabilities") == value(name, "CapabilityBoundingSet")
    assert value(name, "AmbientCapabilities") == ("CAP_NET_BIND_SERVICE" if name in ON_PORT_179 else "")
    assert value(name, "NoNewPrivileges") == "true"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="SKIPPED: systemd-analyze is not installed")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_a_unit(name: str, tmp_path: Path) -> None:
    """User and command of the example are not on this machine, so the test puts others in their place."""
    here = re.sub(r"^(User|Group)=.*$", r"\1=root", unit(name), flags=re.MULTILINE)
    here = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", here, flags=re.MULTILINE)
    (tmp_path / f"{name}.service").write_text(here)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / f"{name}.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
