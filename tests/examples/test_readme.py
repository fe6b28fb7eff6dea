"""Configurations that the README shows are ones that a daemon has nothing to say against."""

import re
from pathlib import Path

import pytest

from flowcorr.daemon.command import flow_command
from routed.daemon.settings import read_configuration
from routed.daemon.switches import NFACCTD
from routed.plumbing.config import Daemons
from routed.plumbing.statements import parse_statements

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("begins", "kind", "checks"),
    [("bgp_daemon_ip", Daemons.PMBGPD, ()), ("nfacctd_port", Daemons.FLOW, flow_command(NFACCTD).checks)],
)
def test_a_configuration_of_the_readme_is_good(begins: str, kind: Daemons, checks: tuple) -> None:
    [block] = re.findall(rf"^```\n({begins}:.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert read_configuration(parse_statements(block, "README.md"), kind, checks).problems == ()
