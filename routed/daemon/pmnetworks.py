"""`pmnetworks`: a networks file out of the routing table of an archive or of `pmbgpd` itself.

What `networks_file` needs is in every table that is dumped as MRT: prefixes, and the AS numbers at the ends of their
paths.  One command reads the file as it was published (plain, gzip, bzip2), chooses among the paths of a prefix, and
writes rows; into a file, whole or not at all, so that a daemon may read it again at any moment.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from routed.octets import WireError
from routed.plumbing.build import build
from routed.plumbing.manual import Item, Section, page
from routed.service.table_networks import Choice, Counts, Network, Wanted, networks_of, peers_of
from routed.wire.family import IPV4_UNICAST, IPV6_UNICAST
from routed.wire.mrt import Damage, Record, read
from routed.wire.prefix import format_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

NAME: Final = "pmnetworks"
OK, FAILED = 0, 1
#: User commands.
SECTION: Final = 1
SUMMARY: Final = "make a networks_file from an MRT table"
ORIGIN, NEIGHBOUR, BOTH = "origin", "neighbour", "both"
#: Members of what a path says that a row has, by the word of `--as`.
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    ORIGIN: ("origin_as",),
    NEIGHBOUR: ("neighbour_as",),
    BOTH: ("neighbour_as", "origin_as"),
}


@dataclass(frozen=True, slots=True)
class Switch:
    """One switch, as the command line and the manual page have it."""

    names: tuple[str, ...]
    meaning: str
    argument: str = ""
    reads: Mapping[str, Any] = field(default_factory=dict)


def _address(text: str) -> bytes:
    return ip_address(text).packed


SWITCHES: Final = (
    Switch(
        ("-p", "--peer"),
        "only routes of this peer; may come several times",
        "ADDRESS",
        {"action": "append", "type": _address, "default": []},
    ),
    Switch(
        ("-P", "--peer-as"),
        "only routes of peers of this AS; may come several times",
        "ASN",
        {"action": "append", "type": int, "default": []},
    ),
    Switch(
        ("-a", "--as"),
        "AS numbers of a row: `origin`, the last of the path (default); `neighbour`, the first; "
        "`both`, as `neighbour_origin`",
        "WHICH",
        {"choices": tuple(_MEMBERS), "default": ORIGIN, "dest": "numbers"},
    ),
    Switch(("-n", "--next-hop"), "begin each row with the next hop", reads={"action": "store_true"}),
    Switch(
        ("-c", "--choose"),
        "path of a prefix that has several: of what `most` paths say, the shortest (default); the `shortest` of all; "
        "the `first` or the `last` in the file. Of equally short ones the first",
        "WHICH",
        {"choices": tuple(choice.value for choice in Choice), "default": Choice.MOST.value},
    ),
    Switch(("-4", "--ipv4"), "only IPv4", reads={"action": "store_true"}),
    Switch(("-6", "--ipv6"), "only IPv6", reads={"action": "store_true"}),
    Switch(
        ("-o", "--output"),
        "write into this file, which takes the place of one that is there when it is whole; without, to the standard "
        "output",
        "FILE",
        {"type": Path},
    ),
    Switch(("-k", "--keep"), "make do with what can be read of a file that is damaged", reads={"action": "store_true"}),
    Switch(("-l", "--list-peers"), "list the peers of the table instead", reads={"action": "store_true"}),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    given = _parser().parse_args(arguments)
    counts = Counts()
    try:
        if given.list_peers:
            _list_peers(given.table)
        elif given.output is None:
            _write(given, counts, sys.stdout.write)
            sys.stdout.flush()
        else:
            _replace(given, counts)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever reads has enough
    except (OSError, WireError, _DamagedError) as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return FAILED
    if not given.list_peers:
        sys.stderr.write(f"{NAME}: {_summary(counts)}\n")
    return OK if counts.prefixes or given.list_peers else FAILED


class _DamagedError(Exception):
    """A file is cut or corrupt."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(NAME, description=SUMMARY)
    parser.add_argument("-V", "--version", action="version", version=f"{NAME} {build()}")
    for switch in SWITCHES:
        named: dict[str, Any] = {"metavar": switch.argument} if switch.argument else {}
        parser.add_argument(*switch.names, help=switch.meaning.replace("`", ""), **named, **switch.reads)
    parser.add_argument("table", nargs="+", type=Path, help="MRT tables, plain, gzip or bzip2", metavar="TABLE")
    return parser


def _wanted(given: argparse.Namespace) -> Wanted:
    families = [family for family, on in ((IPV4_UNICAST, given.ipv4), (IPV6_UNICAST, given.ipv6)) if on]
    return Wanted(
        peers=frozenset(given.peer),
        peer_as=frozenset(given.peer_as),
        families=families or (IPV4_UNICAST, IPV6_UNICAST),
        choice=Choice(given.choose),
        compares=_MEMBERS[given.numbers],
    )


def _write(given: argparse.Namespace, counts: Counts, write: Callable[[str], object]) -> None:
    members, wanted = _MEMBERS[given.numbers], _wanted(given)
    for table in given.table:
        for network in networks_of(_records(table, keeps=given.keep), wanted, counts):
            write(_row(network, members, next_hop=given.next_hop))


def _row(network: Network, members: Sequence[str], *, next_hop: bool) -> str:
    said = network.said
    numbers = "_".join(str(getattr(said, member)) for member in members)
    first = f"{ip_address(said.next_hop)}," if next_hop and said.next_hop else ""
    return f"{first}{numbers},{format_prefix(network.prefix)}\n"


def _replace(given: argparse.Namespace, counts: Counts) -> None:
    """Write a file beside the one that is there, and put it in its place."""
    beside = given.output.with_name(f".{given.output.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="ascii") as file:
            _write(given, counts, file.write)
            file.flush()
            os.fsync(file.fileno())
        if counts.prefixes:
            beside.replace(given.output)
    finally:
        beside.unlink(missing_ok=True)


def _records(table: Path, *, keeps: bool) -> Iterator[Record | Damage]:
    for record in read(table):
        if isinstance(record, Damage):
            text = f"{table} is damaged at octet {record.offset}: {record.why}"
            if not keeps:
                raise _DamagedError(f"{text}; --keep makes do with what stands before")
            sys.stderr.write(f"{NAME}: {text}\n")
        yield record


def _list_peers(tables: Sequence[Path]) -> None:
    for peer in chain.from_iterable(peers_of(read(table)) for table in tables):
        sys.stdout.write(f"{ip_address(peer.address)} AS{peer.asn} {ip_address(peer.router_id)}\n")
    sys.stdout.flush()


def _summary(counts: Counts) -> str:
    left_out = [
        f"{number} {what}"
        for number, what in ((counts.without_as, "paths without an AS number"), (counts.undecodable, "malformed"))
        if number
    ]
    return f"{counts.prefixes} networks of {counts.paths} paths" + (
        f"; left out: {', '.join(left_out)}" if left_out else ""
    )


DESCRIPTION: Final = (
    (
        "Reads tables in the MRT format (RFC 6396: TABLE_DUMP_V2 and TABLE_DUMP), as route collectors publish them and "
        "`pmbgpd` writes them with `bgp_table_dump_output: mrt`, and writes a row `AS,network/length` for each prefix, "
        "which is what `networks_file` of nfacctd(8) and sfacctd(8) takes. Prefixes come in the order of the table; of "
        "a prefix that comes twice the last row counts for the daemons."
    ),
    "A path that ends in a set has the last number of the set as its origin. Paths without an AS number are left out.",
)
EXAMPLE: Final = "`pmnetworks -p 192.0.2.1 -o /etc/pmacct/networks rib.20240101.0000.bz2 && pkill -USR2 nfacctd`"
STATUS: Final = (
    Item("0", "rows were written"),
    Item(
        "1", "there are none, or a file cannot be read or written, or is damaged: then an output FILE stays as it was"
    ),
    Item("2", "the command line is not understood"),
)


def manual() -> str:
    """Write the manual page."""
    switches = [Item(", ".join(switch.names), switch.meaning, switch.argument) for switch in SWITCHES]
    sections = [
        Section("SYNOPSIS", (f"`{NAME}` [switches] TABLE...",)),
        Section("DESCRIPTION", DESCRIPTION),
        Section("OPTIONS", (), tuple(switches)),
        Section("EXAMPLE", ("The view of one peer, taken over by a daemon that runs:", EXAMPLE)),
        Section("EXIT STATUS", (), STATUS),
        Section("SEE ALSO", ("nfacctd(8), sfacctd(8), pmbgpd(8)",)),
    ]
    return page(NAME, SECTION, SUMMARY, sections)


if __name__ == "__main__":
    sys.exit(main())
