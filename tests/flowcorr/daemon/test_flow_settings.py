"""What a flow daemon is told as a whole."""

import pytest

from flowcorr.daemon.settings import flow_settings
from routed.daemon.keys import KEYS
from routed.plumbing.config import configure
from routed.plumbing.statements import parse_statements

ROWS = "plugins: print[a]\naggregate[a]: src_host\n"
TABLES = """plugins: memory[a], print[b], memory[c]
aggregate[a]: src_host
aggregate[b]: src_host
aggregate[c]: src_host
imt_path[a]: /tmp/a
imt_path[c]: /tmp/c
"""


def connections(text: str, daemon: str = "nfacctd") -> int:
    configuration = configure(KEYS, parse_statements(text, "c").statements)
    assert configuration.is_usable, configuration.problems
    return flow_settings(configuration, daemon).connections


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ROWS, 0),
        (ROWS + "nfacctd_tcp_port: 4739\n", 1_024),
        (ROWS + "nfacctd_templates_zmq_address: 127.0.0.1:17911\n", 1_024),
        (TABLES, 128),
        (ROWS + "bgp_daemon: true\nbgp_daemon_max_peers: 7\nnfacctd_tcp_port: 4739\n", 1_031),
    ],
)
def test_all_that_others_can_open_counts_as_connections(text: str, expected: int) -> None:
    """Descriptors are asked for by it; whoever opens all of his must not take those of files and sessions."""
    assert connections(text) == expected


def test_agents_with_counters_may_have_a_file_each() -> None:
    assert connections(ROWS + "sfacctd_counter_file: /tmp/$peer_src_ip\n", "sfacctd") == 4_096
