"""Compiled runs of Route Monitoring behind the few calls that tests need: the only place that knows their interface."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from routed.octets import Cursor
from routed.rib._dump import Snapshot
from routed.rib._monitoring import MonitoredRib, MonitoringRun
from routed.rib._rib import Rib, sweep_all
from routed.rib._rows import Rows
from routed.rib._table import Table
from routed.rib.families import bits_of
from routed.session.bmp_peers import read_stateless
from routed.wire.bmp.peer import decode_peer_header
from tests.oracles.compiled import FAMILIES
from tests.oracles.monitored import RIB_OCTETS, Agreed
from tests.oracles.rows import Style

#: What becomes of routes, in the order of `MonitoredRib.counts`.
OUTCOMES = ("announced", "unchanged", "withdrawn", "unknown", "dropped")


@dataclass(slots=True, kw_only=True)
class Taken:
    """What messages came to, over all runs."""

    rows: list[str]
    end_of_ribs: int = 0
    orphans: int = 0
    malformed: int = 0
    malformed_of: bytes | None = None
    routes: Counter[str] = field(default_factory=Counter)  # by what became of them
    steps: int = 0


class CompiledRouter:
    """One router of a fresh set of stores. `agreed_of`: 42 octets of a header -> Agreed, None for no such peer."""

    def __init__(self, agreed_of: Callable[[bytes], Agreed | None], style: Style | None = None) -> None:
        style = style or Style()
        self.rib = Rib(0x0123456789ABCDEF)
        self.agreed_of = agreed_of
        self.ribs: dict[bytes, MonitoredRib] = {}
        self.gone: list[tuple[MonitoredRib, int, Table]] = []
        self.asked: list[tuple[bytes, bool]] = []
        self.read: list[bytes] = []
        self.rows = Rows(
            as_path_array=style.as_path_as_array,
            communities_array=style.comms_as_array,
            communities_numeric=style.comms_num,
            origin_integer=style.origin_int,
        )
        self.rows.clock = lambda seconds: (b"<%d" % seconds, b">")
        self.rows.marker = lambda octets: b'"marks": "%s", ' % octets.hex().encode()

    def find(self, header: bytes, says_how: bool) -> MonitoredRib | None:
        """Make the RIB of a header that was not seen before."""
        self.asked.append((header, says_how))
        peer = decode_peer_header(Cursor(header))
        agreed = self.agreed_of(header)
        if agreed is None:
            if not says_how:
                return None
            agreed = Agreed(as4=not peer.is_legacy_as_path)
        rib = MonitoredRib(self.rib, as4=agreed.as4, add_path=add_path_bits(agreed))
        rib.guesses_as4 = agreed.guesses_as4
        name = header[:RIB_OCTETS].hex().encode()
        rib.keys, rib.vpn_keys, rib.end = b'"rib": "%s", ' % name, b'"vpn": "%s", ' % name, b', "end": "%s"' % name
        self.ribs[header[:RIB_OCTETS]] = rib
        return rib

    def read_stateless(self, header: bytes, octets: bytes) -> tuple[bool, bool, int] | None:
        """Read what a message says about how it is to be read."""
        self.read.append(octets)
        reading = read_stateless(octets, decode_peer_header(Cursor(header)))
        return None if reading is None else (reading.as4, reading.guesses_as4, bits_of(reading.add_path))

    def take(self, *runs: bytes, logged: bool = True) -> Taken:
        """Take messages, all of one argument in one run."""
        taken = Taken(rows=[])
        self.rows.log_monitored(b"collector's time", b', "arrival": "now"')
        for octets in runs:
            run = MonitoringRun(self.rib, octets, self.ribs, self.find, self.read_stateless)
            came_to = None
            while came_to is None:
                came_to = run.step(self.rows if logged else None)
                taken.steps += 1
                taken.rows += self.rows.take().decode().splitlines()
            assert run.is_over
            taken.end_of_ribs += came_to.end_of_ribs
            taken.orphans += came_to.orphans
            taken.malformed += came_to.malformed
            taken.malformed_of = taken.malformed_of or came_to.malformed_of
            taken.routes.update({name: getattr(came_to, name) for name in OUTCOMES})
            self.gone += run.gone
        return taken

    def dump(self, key: bytes) -> list[str]:
        """The rows of one RIB, named by 26 octets of a header."""
        rib = self.ribs[key]
        snapshot = Snapshot(rib)
        self.rows.dump(b"dump", b"", b"")
        self.rows.source(rib.keys, rib.vpn_keys, b"", None, rib.end)
        while snapshot.render(self.rows, 3):
            continue
        snapshot.close()
        return self.rows.take().decode().splitlines()

    def sweep(self) -> list[str]:
        """Take everything away; the rows of what went."""
        self.rows.log_monitored(b"collector's time", b', "arrival": "now"')
        tables = self.gone + [(rib, *each) for rib in self.ribs.values() for each in rib.detach()]
        text = b""
        for rib, family, table in tables:
            self.rows.source(rib.keys, rib.vpn_keys, rib.tag, rib.tagger, b', "end": "internal"')
            while not sweep_all(self.rib, family, table, 2000, self.rows):
                text += self.rows.take()
        self.gone.clear()
        return (text + self.rows.take()).decode().splitlines()

    def held(self) -> dict[str, int]:
        """What the stores hold: all zero when nothing is stored."""
        routes = sum(len(rib) for rib in self.ribs.values()) + sum(len(table) for _, _, table in self.gone)
        prefixes = sum(len(index) for index in self.rib.prefixes)
        return {"routes": routes, "prefixes": prefixes, "paths": len(self.rib.paths)}


def add_path_bits(agreed: Agreed) -> int:
    """Families as bits."""
    return sum(1 << FAMILIES.index(family) for family in agreed.add_path if family in FAMILIES)
