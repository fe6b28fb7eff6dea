"""What Debian's nfacctd prints of a capture, and what we print of it: the same rows, in every text format.

Of NetFlow v5 come one field after the other; of NetFlow v9 and IPFIX templates by chance, of any order and lengths.
"""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, execute
from twisted.internet.task import Clock

from flowcorr.collect.intake import Intake
from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import ALWAYS
from flowcorr.columns.layout import Layout
from flowcorr.daemon.input_settings import intake_settings
from flowcorr.daemon.plugin_settings import plugin_settings
from flowcorr.daemon.plugins import make_plugin
from flowcorr.service.bugs import Bugs
from flowcorr.service.flow_input import FlowInput
from flowcorr.service.replay_input import ReplayInput
from routed.daemon.keys import KEYS
from routed.plumbing.config import configure
from routed.plumbing.log import Log, LogSettings
from routed.plumbing.output_file import Owner
from routed.plumbing.statements import parse_statements
from tests.flowcorr.exports import NOW, v5, v5_record
from tests.flowcorr.service.test_replay_input import udp
from tests.peers.install import require
from tests.peers.random_records import PRINTED, random_datagrams
from tests.peers.waiting import eventually
from tests.routed.plumbing.captures import ethernet, ipv4, pcap

T = TypeVar("T")

#: One primitive of each form that NetFlow v5 fills, and empty ones of others.
AGGREGATE = """
    tag, src_mac, vlan, etype, src_as, dst_as, local_pref, src_host, dst_host, src_mask, dst_mask, src_port, dst_port,
    tcpflags, proto, tos, in_iface, out_iface, peer_src_ip, post_nat_src_host, timestamp_start, timestamp_end,
    export_proto_version, flows
"""
OUTPUTS = ("csv", "formatted", "event_csv", "json")
#: The instance that prints flows of all protocols, in more primitives.
RECORDS = "records"
SEED = 5
#: Seconds that nfacctd has for the capture.
PATIENCE = 120
#: Looks at files in which they must not have grown.
LOOKS = 10


def at_once(work: Callable[[], T]) -> Deferred[T]:
    return execute(work)


def capture(path: Path) -> None:
    """Write datagrams of NetFlow v5 with records that are equal but for one field, and some that are summed.

    Behind them come those of templates by chance.

    Protocol 255 is left out: later releases than Debian's call it `others`.
    """
    protocols = [v5_record(proto=number, tos=number) for number in (0, 1, 6, 17, 58, 61, 89, 132, 250)]
    flags = [v5_record(src="192.0.2.255", flags=number, octets=2**31 + number) for number in (0, 1, 2, 16, 24, 63)]
    ports = [v5_record(src="198.51.100.7", src_port=number % 5, dst_port=0, packets=number + 1) for number in range(25)]
    payloads = [v5(*records, sequence=n) for n, records in enumerate((protocols, flags, ports))]
    payloads += random_datagrams(SEED)
    path.write_bytes(pcap([(NOW + n, ethernet(ipv4(udp(octets), protocol=17))) for n, octets in enumerate(payloads)]))


def configuration(folder: Path, *outputs: str) -> str:
    """Configure an instance of the plugin for each format, called after it."""
    names = (
        f"aggregate[{name}]: {' '.join((PRINTED if name == RECORDS else AGGREGATE).split())}\n"
        f"print_output[{name}]: {'json' if name == RECORDS else name}\nprint_output_file[{name}]: {folder / name}\n"
        for name in outputs
    )
    return (
        f"plugins: {', '.join(f'print[{name}]' for name in outputs)}\n"
        f"print_refresh_time: 3600\ntimestamps_utc: true\n{''.join(names)}"
    )


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what nfacctd prints, and of the capture."""
    require("pmacct")
    folder = tmp_path_factory.mktemp("theirs")
    capture(folder / "flows.pcap")
    text = configuration(folder, *OUTPUTS, RECORDS) + f"pcap_savefile: {folder / 'flows.pcap'}\nlogfile: {folder}/log\n"
    (folder / "nfacctd.conf").write_text(text)
    command = ["/usr/sbin/nfacctd", "-f", str(folder / "nfacctd.conf")]
    subprocess.run(command, check=False, timeout=PATIENCE, capture_output=True)
    eventually(still_files(folder), PATIENCE, "its plugins, which may end after it, to write")
    return folder


def still_files(folder: Path) -> Callable[[], bool]:
    """Tell when all files are there and have not grown for some looks."""
    seen: list[list[int]] = []

    def still() -> bool:
        files = [folder / name for name in (*OUTPUTS, RECORDS)]
        seen.append([path.stat().st_size if path.exists() else 0 for path in files])
        return len(seen) >= LOOKS and all(seen[-1]) and seen[-LOOKS:] == [seen[-1]] * LOOKS

    return still


def print_ours(folder: Path, output: str, capture_file: Path) -> list[str]:
    understood = configure(KEYS, parse_statements(configuration(folder, output), "ours").statements)
    [settings] = plugin_settings(understood, "nfacctd", {}, Owner()).plugins
    layout, texts, clock = Layout([*ALWAYS, *settings.columns]), Texts(), Clock()
    clock.advance(NOW)
    log = Log(
        LogSettings(
            process="x",
            debug=False,
            file=folder / "ourlog",
            facility=None,
            ident="x",
            stderr_timestamps=False,
            utc=True,
        ),
        Owner(),
    )
    plugin = make_plugin(settings, layout, texts, clock, at_once, log, clock.seconds)
    intake, batch = Intake(layout, texts, intake_settings(understood, "nfacctd", [])), Batch(layout, 64)

    def run(rows: Batch) -> None:
        plugin.take(rows, None)
        rows.clear()
        texts.sweep()

    replay = ReplayInput(
        clock,
        capture_file,
        FlowInput(intake, batch, run, Bugs(log, clock.seconds)),
        on_end=lambda _error: None,
        now=clock.seconds,
        seconds=clock.seconds,
    )
    replay.startService()
    clock.pump([0.0] * 20)
    ensureDeferred(plugin.stop())
    clock.pump([0.1] * 20)
    return (folder / output).read_text().splitlines()


def parsed(lines: list[str]) -> list[str]:
    """JSON in a form that compares; flags are a string in releases before 1.8."""
    rows = [json.loads(line) for line in lines]
    return sorted(json.dumps({**row, "tcp_flags": int(row["tcp_flags"])}) for row in rows)


@pytest.mark.parametrize("output", [*OUTPUTS, RECORDS])
def test_the_same_rows_are_printed(theirs: Path, tmp_path: Path, output: str) -> None:
    ours, expected = print_ours(tmp_path, output, theirs / "flows.pcap"), (theirs / output).read_text().splitlines()
    if output in {"json", RECORDS}:
        assert parsed(ours) == parsed(expected)
        return
    assert ours[0] == expected[0]
    assert sorted(ours) == sorted(expected)
