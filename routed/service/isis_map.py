"""A network that is written down (`igp_daemon_map`), where there is no neighbour to hear it from.

A row is what one node says of itself; several rows of a node add up:

    node=192.0.2.1 area_id=1 adj_metric=192.0.2.2,10;192.0.2.3,20 reach_metric=198.51.100.0/24,5
    node=192.0.2.2 area_id=1 adj_metric=192.0.2.1,10 reach6_metric=2001:db8::/32,1

Each becomes an LSP, whose system id is the node's address with two octets of zeros behind it, so that the database,
shortest paths, routes and answers are those of a network that was heard. As there, a link counts when both ends name
it. The view is that of the node that `isis_daemon_ip` names, else that of the first row.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, ip_network
from typing import TYPE_CHECKING, Final, NamedTuple

from routed.plumbing.maps import Loaded, MapFile, Row, RowError, left_out, parse_rows
from routed.plumbing.output_file import replace_whole
from routed.plumbing.pcap_writer import LINKTYPE_C_HDLC, encode_pcap
from routed.plumbing.values import parse_integer
from routed.rib.spf import MAX_PATH_METRIC
from routed.rib.spf_tree import UNUSABLE_LINK
from routed.wire.isis.codepoints import Nlpid
from routed.wire.isis.lsp import Lsp, encode_lsp
from routed.wire.isis.reachability import Neighbor, Reachability
from routed.wire.prefix import Prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from twisted.internet.interfaces import IDelayedCall

    from routed.plumbing.log import Log, LogLine
    from routed.plumbing.maps import Limits
    from routed.plumbing.output_file import Owner
    from routed.service.clock import DaemonReactor
    from routed.service.isis import Isis

KEYS: Final = ("node", "area_id", "adj_metric", "reach_metric", "reach6_metric")
#: As in pmacct: nodes of a map, and elements of a list.
MAX_NODES: Final = 4_096
MAX_ELEMENTS: Final = 64
MAX_AREA: Final = 0xFFFF
#: Fragments of a node are numbered in an octet.
MAX_ROWS_OF_NODE: Final = 256
#: The longest that an LSP may live, as pmacct has it, and when these are issued again. Units: seconds.
LIFETIME: Final = 0xFFFF
REFRESH_INTERVAL: Final = 32_400.0

#: The area of private networks, in front of the number of an area (ISO/IEC 10589 section 7.1).
_LOCAL_AREA: Final = b"\x49"
#: What stands in front of OSI on a line with Cisco HDLC: to all, and the EtherType.
_HDLC: Final = bytes.fromhex("8f00fefe")


class IgpMapSettings(NamedTuple):
    """Where the map is, how it is read, and where its LSPs are recorded as a capture, if they are."""

    path: Path
    limits: Limits
    record: Path | None
    owner: Owner


class IgpMap:
    """A map and the database that it fills.

    Raises: MapError when it cannot be read.
    """

    def __init__(self, reactor: DaemonReactor, settings: IgpMapSettings, isis: Isis, view: bytes, log: Log) -> None:
        self._reactor, self._settings, self._isis, self._log = reactor, settings, isis, log
        self._view = system_id_of(view)
        self._generation = 0
        self._again: IDelayedCall | None = None
        read = _map_file(settings, strict=False)
        self._lines = read.load()
        self._lsps: Sequence[Lsp] = read.content

    def __str__(self) -> str:
        return str(self._settings.path)

    def start(self) -> None:
        """Fill the database, and keep it from growing old."""
        self._log.write_all(self._lines)
        self._issue()

    def stop(self) -> None:
        """Let it be."""
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def prepare(self, settings: IgpMapSettings) -> Callable[[], None]:
        """Read the map again, in any thread; return what takes it over.

        Raises: MapError, and nothing has changed.
        """
        read = _map_file(settings, strict=True)
        lines = read.load()
        return partial(self._take_over, settings, lines, read.content)

    def _take_over(self, settings: IgpMapSettings, lines: Iterable[LogLine], lsps: Sequence[Lsp]) -> None:
        self._settings, self._lsps = settings, lsps
        self._log.write_all(lines)
        self.stop()
        self._issue()

    def _issue(self) -> None:
        self._generation += 1
        lsps = [replace(lsp, sequence=self._generation) for lsp in self._lsps]
        nodes = {lsp.node for lsp in lsps}
        view = self._view + b"\0" if self._view + b"\0" in nodes else lsps[0].node if lsps else b""
        self._isis.hold(lsps, view)
        self._again = self._reactor.callLater(REFRESH_INTERVAL, self._issue)
        if self._settings.record is not None:
            self._record(self._settings.record, lsps)

    def _record(self, path: Path, lsps: Iterable[Lsp]) -> None:
        capture = encode_pcap(LINKTYPE_C_HDLC, (_HDLC + encode_lsp(lsp) for lsp in lsps), int(time.time()))
        try:
            warning = replace_whole(path, capture, self._settings.owner)
        except OSError as error:
            warning = f"not written: {error.strerror}"
        if warning:
            self._log.warning(f"[{path}] {warning}")


def _map_file(settings: IgpMapSettings, *, strict: bool) -> MapFile[tuple[Lsp, ...]]:
    return MapFile(settings.path, partial(parse_igp_map, limits=settings.limits), strict=strict)


def parse_igp_map(text: str, name: str, limits: Limits) -> Loaded[tuple[Lsp, ...]]:
    """Parse a map into LSPs without a sequence number.

    An element that cannot be understood is left out of its row.
    """
    rows = parse_rows(text, name, KEYS, limits)
    lines = list(rows.lines)
    lsps: list[Lsp] = []
    rows_of: dict[bytes, int] = {}
    for row in rows.content:
        try:
            lsp = _lsp_of(row, rows_of, lines)
        except RowError as error:
            lines.append(left_out(f"{row.where} {error} Line ignored."))
        else:
            rows_of[lsp.node] = lsp.fragment + 1
            lsps.append(lsp)
    return Loaded(tuple(lsps), tuple(lines))


def system_id_of(address: bytes) -> bytes:
    """Return the system id of a node with an IPv4 address; of one of IPv6 there is none, and so no such node."""
    return address + b"\0\0"


def _lsp_of(row: Row, rows_of: dict[bytes, int], lines: list[LogLine]) -> Lsp:
    """Return what a row says; add to the lines what of it is left out.

    Raises: RowError.
    """
    pairs = row.pairs
    lists = [key for key in KEYS[2:] if key in pairs]
    if "node" not in pairs or "area_id" not in pairs or not lists:
        raise RowError(
            "required key missing. Required keys are: 'node', 'area_id', 'adj_metric' or 'reach_metric' or "
            "'reach6_metric'."
        )
    address = _address(pairs["node"])
    node = system_id_of(address) + b"\0"
    fragment = rows_of.get(node, 0)
    if fragment >= MAX_ROWS_OF_NODE:
        raise RowError(f"more than {MAX_ROWS_OF_NODE} rows of node {pairs['node']}.")
    if not fragment and len(rows_of) >= MAX_NODES:
        raise RowError(f"more than {MAX_NODES} nodes.")
    return Lsp(
        lsp_id=node + bytes((fragment,)),
        sequence=0,
        lifetime=LIFETIME,
        checksum=0,
        areas=(_LOCAL_AREA + _area(pairs["area_id"]).to_bytes(2, "big"),),
        protocols=(int(Nlpid.IPV4), int(Nlpid.IPV6)),
        addresses=(address,),
        neighbors=tuple(_neighbors(row, lines)),
        prefixes=(*_prefixes(row, "reach_metric", 4, lines), *_prefixes(row, "reach6_metric", 16, lines)),
    )


def _address(text: str) -> bytes:
    try:
        return IPv4Address(text).packed
    except ValueError:
        raise RowError(f"Bad IPv4 address '{text}'.") from None


def _area(text: str) -> int:
    try:
        number = parse_integer(text)
    except ValueError:
        number = 0
    if not 1 <= number <= MAX_AREA:
        raise RowError(f"Bad 'area_id' value '{text}' (range: 1 to {MAX_AREA}).")
    return number


def _neighbors(row: Row, lines: list[LogLine]) -> Iterator[Neighbor]:
    for text, metric in _elements(row, "adj_metric", UNUSABLE_LINK - 1, lines):
        try:
            yield Neighbor(0, system_id_of(IPv4Address(text).packed) + b"\0", metric)
        except ValueError:
            lines.append(left_out(f"{row.where} adj_metric: Bad IPv4 address '{text}'. Skipped."))


def _prefixes(row: Row, key: str, octets: int, lines: list[LogLine]) -> Iterator[Reachability]:
    version = 4 if octets == 4 else 6
    for text, metric in _elements(row, key, MAX_PATH_METRIC, lines):
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            network = None
        if network is None or network.version != version:
            lines.append(left_out(f"{row.where} {key}: Bad IPv{version} prefix '{text}'. Skipped."))
        else:
            yield Reachability(0, Prefix(network.network_address.packed, network.prefixlen), metric)


def _elements(row: Row, key: str, most: int, lines: list[LogLine]) -> Iterator[tuple[str, int]]:
    """Go through a list of what is reached and what the way costs.

    Raises: RowError when it is too long.
    """
    elements = [element for element in row.pairs.get(key, "").split(";") if element]
    if len(elements) > MAX_ELEMENTS:
        raise RowError(f"maximum number of elements ({MAX_ELEMENTS}) per {key} violated.")
    for element in elements:
        reached, _, text = element.partition(",")
        try:
            metric = parse_integer(text)
        except ValueError:
            metric = 0
        if 1 <= metric <= most:
            yield reached, metric
        else:
            lines.append(left_out(f"{row.where} {key}: Bad metric in '{element}' (range: 1 to {most}). Skipped."))
