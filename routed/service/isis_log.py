"""What is told of IS-IS: lines of the log, and records of a message log of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import orjson

from routed.model.isis_event import AdjacencyUp
from routed.plumbing.log import Level
from routed.service.isis_records import (
    describe_change,
    describe_circuit,
    describe_header,
    describe_lsp,
    describe_system,
)
from routed.service.records import Counter
from routed.wire.isis.codepoints import SYSTEM_ID_OCTETS
from routed.wire.isis.names import format_lsp_id, format_system_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from routed.model.isis_event import AdjacencyDown, PduRefused
    from routed.plumbing.log import Log
    from routed.plumbing.sink_file import FileSink
    from routed.rib.igp import Change
    from routed.service.isis import Circuit, Isis
    from routed.service.records import TimeFormat
    from routed.wire.isis.lsp import Lsp

#: Lines of one kind a minute, of what a neighbour can have said again and again.
AT_MOST: Final = 6
#: Newer LSPs of ours that are none of another system: what was left of an earlier life, and a neighbour's copy of it.
FROM_EARLIER_LIFE: Final = 2


class LogFollower:
    """Writes lines of the log: adjacencies always, LSPs and routes where `isis_daemon_msglog` wants them."""

    def __init__(self, isis: Isis, log: Log, *, tells_all: bool) -> None:
        self.tells_all = tells_all
        self._superseded = 0
        self._isis, self._log = isis, log

    def circuit_changed(self, circuit: Circuit, event: AdjacencyUp | AdjacencyDown) -> None:
        """Say that an adjacency is up or down."""
        system = self._name(event.system_id)
        if isinstance(event, AdjacencyUp):
            self._log.info(f"[{circuit.link}] IS-IS adjacency with {system} up, hold time {event.hold_time} s")
        else:
            self._log.warning(f"[{circuit.link}] IS-IS adjacency with {system} down: {event.reason}")

    def circuit_lost(self, circuit: Circuit, reason: str) -> None:
        """Say that an interface is not there."""
        self._log.warning(f"[{circuit.link}] IS-IS hears nothing: {reason}")

    def pdu_refused(self, circuit: Circuit, event: PduRefused) -> None:
        """Say that a PDU does not count."""
        line = f"[{circuit.link}] IS-IS PDU refused, {event.why.value}: {event.text}"
        self._log.write_limited(f"isis {circuit.link} {event.why.value}", AT_MOST, Level.WARN, line)

    def lsp_taken(self, lsp: Lsp, what: str) -> None:
        """Say what became of an LSP."""
        if what == "originated" and self._isis.own.superseded > max(self._superseded, FROM_EARLIER_LIFE):
            self._superseded = self._isis.own.superseded
            line = f"somebody else had a newer IS-IS LSP of ours, {self._superseded} times: another system has our id"
            self._log.write_limited("isis superseded", AT_MOST, Level.WARN, f"{line} {self._name(lsp.node)}")
        if what == "refused":
            line = f"no room for LSP {format_lsp_id(lsp.lsp_id)}: the IS-IS database is full"
            self._log.write_limited("isis database full", AT_MOST, Level.WARN, line)
        elif self.tells_all:
            self._log.info(f"IS-IS LSP {format_lsp_id(lsp.lsp_id)} {what}: sequence number {lsp.sequence:#010x}")

    def routes_changed(self, changes: Sequence[Change]) -> None:
        """Say how many routes changed."""
        if self.tells_all:
            for change in changes:
                self._log.info(f"IS-IS route {change.prefix} {kind_of(change)}, metric {change.route.metric}")

    def _name(self, system_id: bytes) -> str:
        name = self._isis.lsdb.hostnames().get(system_id[:SYSTEM_ID_OCTETS])
        text = format_system_id(system_id[:SYSTEM_ID_OCTETS])
        return text if name is None else f"{name} ({text})"


class MessageFollower:
    """Writes JSON records of what happens to a file."""

    def __init__(
        self,
        isis: Isis,
        sink: FileSink,
        times: TimeFormat,
        *,
        seconds: Callable[[], float],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._isis, self._sink, self._sequence, self._times = isis, sink, Counter(), times
        self._seconds, self._wall_clock = seconds, wall_clock

    def circuit_changed(self, circuit: Circuit, event: AdjacencyUp | AdjacencyDown) -> None:
        """Record an adjacency."""
        names = self._isis.lsdb.hostnames()
        facts = {**describe_circuit(circuit, names, self._seconds()), **describe_system(event.system_id, names)}
        self._write([("adjacency", "up" if isinstance(event, AdjacencyUp) else "down", facts)])

    def circuit_lost(self, circuit: Circuit, reason: str) -> None:
        """Record that an interface is not there."""
        self._write([("circuit", "down", {"circuit": str(circuit.link), "reason": reason})])

    def pdu_refused(self, circuit: Circuit, event: PduRefused) -> None:
        """Record nothing: what does not count did not happen; the log has it."""

    def lsp_taken(self, lsp: Lsp, what: str) -> None:
        """Record an LSP, with all that it says where that is news."""
        describe = describe_lsp if what in {"new", "changed", "originated"} else describe_header
        self._write([("lsp", what, describe(lsp, lsp.lifetime, {}) | {"hostname": lsp.hostname or None})])

    def routes_changed(self, changes: Sequence[Change]) -> None:
        """Record routes."""
        self._write([("route", kind_of(change), describe_change(change.prefix, change.route)) for change in changes])

    def _write(self, records: list[tuple[str, str, dict[str, Any]]]) -> None:
        if not records:
            return
        timestamp = self._times.exact(self._wall_clock()).decode()
        rows = (
            orjson.dumps(
                {
                    "seq": self._sequence.take(),
                    "timestamp": timestamp,
                    "event_type": "log",
                    "isis_type": kind,
                    "log_type": what,
                    **facts,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for kind, what, facts in records
        )
        self._sink.write(b"".join(rows), len(records))


def kind_of(change: Change) -> str:
    """Return what the message log calls a change."""
    return "withdraw" if change.after is None else "update"
