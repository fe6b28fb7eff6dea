import asyncio
import json
import os
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from demo import BGP, BMP, FLOWS
from demo_part import DemoError, Part
from demo_screen import Screen
from demo_totals import Totals, sample_flows
from demo_watch import Crew, RowCounter, finished_dumps, format_cost, last_rows


def told(event: str, who: str = "127.0.0.11", **facts: object) -> str:
    return json.dumps({"speaker": who, "asn": 65001, "event": event, **facts})


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_rows_are_counted_as_the_file_grows(tmp_path: Path) -> None:
    path = tmp_path / "log"
    counter = RowCounter(path)
    assert counter.look() == 0
    path.write_text("one\ntwo\nhal")
    assert counter.look() == 2
    with path.open("a") as file:
        file.write("f\n")
    assert counter.look() == 3


def test_the_first_whole_row_with_a_text_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("is a\nis b\nagain is a\nis ")
    counter = RowCounter(path, ("is a", "is b", "is c"))
    counter.look()
    assert counter.samples == ["is a", "is b"]
    with path.open("a") as file:
        file.write("c\nanother is c\n")
    counter.look()
    assert counter.samples == ["is a", "is b", "another is c"]


def test_last_rows_come_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "dump"
    path.write_text("".join(f"row {n}\n" for n in range(50_000)) + "close\nunfinished row")
    assert last_rows(path, ("row", "close", "absent")) == ["row 49999", "close"]


def test_dumps_are_shown_when_all_are_whole(tmp_path: Path) -> None:
    small, large = tmp_path / "dump-a.json", tmp_path / "dump-b.json"
    small.write_text('{"event_type": "dump_init"}\n{"event_type": "dump_close"}\n')
    large.write_text('{"event_type": "dump_init"}\n{"event_type": "dump"}\n')
    (tmp_path / "latest-a.json").symlink_to("nowhere")
    (tmp_path / "bmp-dump-a.json").write_text("{}\n")
    assert finished_dumps(tmp_path, "dump-*.json") == []
    with large.open("a") as file:
        file.write('{"event_type": "dump_close"}\n')
    assert finished_dumps(tmp_path, "dump-*.json") == [large, small]


def test_the_cost_of_a_process_is_read_where_the_system_tells(tmp_path: Path) -> None:
    assert format_cost(1, tmp_path) == ""
    (tmp_path / "1").mkdir()
    ticks, pages = 2 * os.sysconf("SC_CLK_TCK"), 10**6 // os.sysconf("SC_PAGE_SIZE")
    (tmp_path / "1" / "stat").write_text(f"1 (a name) R {'0 ' * 10}{ticks} {ticks} 0")
    (tmp_path / "1" / "statm").write_text(f"999 {pages} 9")
    assert format_cost(1, tmp_path) == "4.0 CPU seconds since its start, 1 MB resident"


def test_the_crew_knows_who_is_ready() -> None:
    crew = Crew(wanted=2)
    for who in ("127.0.0.11", "127.0.0.12"):
        assert not crew.all_read
        assert "1,000 routes" in (crew.hear(told("table read", who, routes=1000, attribute_sets=10)) or "")
        assert "is up" in (crew.hear(told("established", who, hold_time=90)) or "")
        assert not crew.all_sent
        assert "in 0.50 s" in (crew.hear(told("table sent", who, routes=1000, seconds=0.5)) or "")
    assert crew.all_read
    assert crew.all_sent
    assert crew.routes == 2000


def test_the_crew_counts_live_updates_silently_and_hears_of_losses() -> None:
    crew = Crew(wanted=1)
    assert crew.hear(told("live", updates=10)) is None
    assert crew.hear(told("live", updates=5)) is None
    assert crew.live_updates == 15
    crew.hear(told("lost", why="connection closed"))
    assert crew.lost is not None
    assert "connection closed" in crew.lost


def test_the_crew_counts_the_routes_of_all_ribs_that_a_router_shows() -> None:
    crew = Crew(wanted=1)
    assert crew.whose == "1 peers"
    assert "14 peers" in (crew.hear(told("ribs read", peers=14, pre=1000, post=100, loc=90)) or "")
    assert "router edge, 14 peers" in (crew.hear(told("router up", name="edge", peers=14)) or "")
    assert "peer down, 192.0.2.1 AS65002" in (crew.hear(told("peer down", peer="192.0.2.1", peer_as=65002)) or "")
    assert (crew.routes, crew.whose, crew.up) == (1190, "14 monitored peers", {"127.0.0.11": 65001})


def total(path: str, octets: int, flows: int = 1, exporter: str = "127.0.0.11", stamp: str = "12:00:10") -> str:
    asn = int(path.rpartition("_")[2] or 0)
    row = {"as_dst": asn, "as_path": path, "peer_ip_src": exporter, "stamp_inserted": stamp, "bytes": octets}
    return json.dumps({**row, "packets": 2 * flows, "flows": flows}) + "\n"


def test_totals_sum_what_files_hold_and_what_they_grow_by(tmp_path: Path) -> None:
    totals = Totals(tmp_path, "flows-totals-*.json")
    totals.look()
    assert (totals.flows, totals.octets) == (0, 0)
    first, second = tmp_path / "flows-totals-1.json", tmp_path / "flows-totals-2.json"
    first.write_text(total("1_2", 100, 3) + total("1_3", 10) + total("1_2", 5)[:20])
    (tmp_path / "flows-totals-latest.json").symlink_to(first)
    totals.look()
    assert (totals.flows, totals.octets) == (4, 110)
    with first.open("a") as file:
        file.write(total("1_2", 5)[20:])
    second.write_text(total("4_2", 200, stamp="12:00:20") + total("", 1, stamp="12:00:20"))
    totals.look()
    assert (totals.flows, totals.octets, len(totals.bins)) == (7, 316, 2)
    largest = totals.of_as[2]
    assert (largest.octets, largest.packets, largest.flows, largest.main_path) == (305, 10, 5, "4 2")


def test_the_table_of_totals_shows_the_largest_and_sums_the_others(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("".join(total(f"1_{n}", 1_000_000 * n) for n in range(1, 15)))
    totals = Totals(tmp_path, "t.json")
    totals.look()
    stream = StringIO()
    Screen(stream).table(totals.table(10))
    rows = [line.split() for line in stream.getvalue().splitlines() if line.strip()][2:]
    assert rows[0] == ["14", "11.20", "13.3%", "2", "1", "1", "14"]
    assert [row[0] for row in rows] == [*map(str, range(14, 4, -1)), "4"]
    assert rows[-1] == ["4", "others", "8.00", "9.5%"]


def test_destinations_without_route_are_named_so(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(total("", 1))
    totals = Totals(tmp_path, "t.json")
    totals.look()
    stream = StringIO()
    Screen(stream).table(totals.table(10))
    assert "no route" in stream.getvalue()


def test_the_sample_of_an_exporter_is_what_passes_most_ases(tmp_path: Path) -> None:
    path = tmp_path / "flows"
    rows = [total("1_2", 1), total("1_2_2_2_2", 2), total("1_5_6", 3), total("7", 4, exporter="127.0.0.12")]
    path.write_text("".join(rows) + rows[0][:9])
    assert sample_flows(path, 4) == [rows[2].strip(), rows[3].strip()]


def test_the_crew_counts_flows_and_knows_who_exports_them() -> None:
    crew = Crew(wanted=1)
    assert "exports flows, IPFIX" in (crew.hear(told("flows", flows=100, protocol="IPFIX")) or "")
    assert crew.hear(told("flows", flows=50, protocol="IPFIX")) is None
    assert crew.hear(told("flows paused")) is None
    assert (crew.flows, crew.exports, crew.paused) == (150, {"127.0.0.11": "IPFIX"}, {"127.0.0.11"})


def test_a_plan_names_its_files_and_its_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMBMPD", "/usr/sbin/pmbmpd -d")
    assert BMP.command == ["/usr/sbin/pmbmpd", "-d", "-f", "examples/quickstart-bmp.conf"]
    assert (str(BMP.message_log), BMP.dumps) == ("demo-output/bmp-msglog.json", "bmp-dump-*.json")
    assert (str(BGP.message_log), BGP.dumps) == ("demo-output/msglog.json", "dump-*.json")
    assert str(BMP.daemon_log) == "demo-output/pmbmpd.log"
    assert FLOWS.command[-3:] == ["flowcorr.daemon.nfacctd", "-f", "examples/quickstart-flows.conf"]


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        ('trap "exit 0" TERM', None),
        ('trap "exit 5" TERM', "pmbmpd was told to end, and did with status 5"),
        ("true", None),
    ],
)
def test_the_failure_of_a_daemon_at_its_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, complaint: str | None
) -> None:
    monkeypatch.setenv("PMBMPD", f"sh -c '{program}; echo up; while :; do sleep 0.1; done'")
    part = Part(replace(BMP, output=tmp_path, routers=()), Screen(StringIO()))

    async def run() -> str | None:
        await part.start_daemon()
        async with asyncio.timeout(30):
            while not part.plan.daemon_log.stat().st_size:  # noqa: ASYNC110 (another process writes it)
                await asyncio.sleep(0)
        part.check()
        return await part.stop()

    assert asyncio.run(run()) == complaint


def test_a_daemon_that_ends_by_itself_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMBMPD", "sh -c 'exit 7'")
    part = Part(replace(BMP, output=tmp_path, routers=()), Screen(StringIO()))

    async def run() -> None:
        await part.start_daemon()
        async with asyncio.timeout(30):
            while True:
                await asyncio.sleep(0)
                part.check()

    with pytest.raises(DemoError, match="pmbmpd ended with status 7"):
        asyncio.run(run())


def test_a_pipe_gets_plain_lines_and_progress_now_and_then() -> None:
    stream = StringIO()
    screen = Screen(stream)
    screen.title("Title")
    for now in range(7):
        screen.progress(f"at {now}", float(now))
    screen.row("x" * 1000)
    assert stream.getvalue() == "\n== Title\nat 0\nat 5\n  " + "x" * 1000 + "\n"


def test_a_terminal_gets_progress_in_place_and_rows_cut_to_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    screen = Screen(stream)
    screen.progress("half", 0.0)
    screen.progress("whole", 0.1)
    screen.row("x" * 1000)
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "\r\x1b[Kwhole\r\x1b[K" in text
    assert "x" * 37 + "…" in text
    assert "x" * 38 not in text
