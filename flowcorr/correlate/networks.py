"""Networks files: what each of their rows gives flows, and what is said about rows that cannot be understood."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from flowcorr.correlate._network_rows import Fault, Rows
from flowcorr.correlate._networks import Networks, NetworksStage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from flowcorr.columns.layout import Layout

#: Octets of a row that are shown where something is wrong with it.
SHOWN: Final = 80
FORM: Final = "[nexthop,][[peerAS_]originAS,]network/length"
SAYINGS: Final[Mapping[Fault, str]] = {
    Fault.NO_NETWORK: f"has no network: valid is {FORM}",
    Fault.NO_LENGTH: "has no '/' and length behind the network",
    Fault.BAD_LENGTH: "has a length that is not from 0 to 32, or of IPv6 to 128",
    Fault.BAD_AS: "has something else than AS numbers from 0 to 4294967295, in plain digits, before the network",
    Fault.BAD_NEXT_HOP: "has no address where the next hop is",
    Fault.MANY_FIELDS: f"has more than three fields: valid is {FORM}",
    Fault.TOO_MANY_VALUES: "is one too many: a file has up to 16777215 different AS numbers and next hops",
    Fault.HOST_BITS: "has an address with bits behind its length, which do not count",
    Fault.CUT: "ends the file without an end of line, and its length does not fit its address: is it cut off?",
}
#: What follows says where addresses, and an AS number, are in a row of whatever form.
_ADDRESS: Final = re.compile(
    r"(?<![\w.:])((?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)(?:/(\d{1,3}))?(?![\w.:])"
)
_NUMBERS: Final = re.compile(r"(?<![\w./:])(?:AS)?(\d{1,10})(?:_(?:AS)?(\d{1,10}))?(?![\w./:])", re.IGNORECASE)
_BITS: Final = {4: 32, 6: 128}


class Told(NamedTuple):
    """Something about a row; a bad one does not count."""

    line: int
    text: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class NetworksText:
    """The table that a file makes, and what is to be said about it."""

    networks: Networks
    told: tuple[Told, ...]
    untold: int  # rows with something wrong that `told` leaves out


def parse_networks(octets: bytes) -> NetworksText:
    """Read a file; rows that cannot be understood are left out."""
    rows = Rows(octets)
    told = tuple(_told(octets[start:end], line, fault) for line, fault, start, end in rows.problems)
    untold = rows.bad + rows.advice - len(told)
    return NetworksText(Networks(rows), told, untold)


def _told(row: bytes, line: int, fault: Fault) -> Told:
    text = row[:SHOWN].decode("ascii", errors="backslashreplace")
    meant = next(_meant(text), "") if fault is not Fault.TOO_MANY_VALUES else ""
    advice = f"; did you mean {meant}?" if meant else ""
    return Told(line, f"'{text}' {SAYINGS[fault]}{advice}", fault is not Fault.HOST_BITS)


def _meant(text: str) -> Iterator[str]:
    """Propose the row that has the network, the AS numbers and the next hop of a text in their places."""
    found = list(_ADDRESS.finditer(text))
    if not found:
        return
    at = next((match for match in found if match[2]), found[-1])
    try:
        network = ip_address(at[1])
        next_hops = [str(ip_address(match[1])) for match in found if match is not at]
    except ValueError:
        return
    bits = _BITS[network.version]
    length = min(int(at[2] or bits), bits)
    first = int(network) >> (bits - length) << (bits - length)
    around = " ".join((text[: at.start()], text[at.end() :]))
    numbers = [f"{match[1]}_{match[2]}" if match[2] else match[1] for match in _NUMBERS.finditer(around)]
    yield ",".join((*next_hops[:1], *numbers[:1], f"{type(network)(first)}/{length}"))


#: Columns of each end of a flow: host, mask, network, AS numbers, next hop; the source has no next hop.
SIDES: Final = (
    ("src_host", "src_mask", "src_net", "src_as", "peer_src_as", ""),
    ("dst_host", "dst_mask", "dst_net", "dst_as", "peer_dst_as", "peer_dst_ip"),
)
_LONGEST: Final = frozenset({"longest", "fallback"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworksUse:
    """What flows take of a networks file, by the keys `networks_*`, and the words of `*_as` and `*_net`.

    Attributes:
        mask: of `networks_mask`, where `*_net` says `mask`.
        always: what the file has wins whatever the length.
        filters: ends that the file does not cover are forgotten.
        keeps_hosts: the network of mask 0 is the whole address.
        own: columns that a plugin has in place of built-in ones.
    """

    as_source: tuple[str, ...] = ()
    net_source: tuple[str, ...] = ()
    mask: int | None = None
    always: bool = False
    filters: bool = False
    keeps_hosts: bool = False
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> frozenset[str]:
        """Return the columns that it may write."""
        return frozenset(name for side in SIDES for name in side if name) | frozenset(self.own.values())

    def changes(self, *, has_file: bool) -> bool:
        """Tell whether it changes anything."""
        uses_file = has_file and bool(self.filters or _from(self.as_source) or _from(self.net_source))
        return uses_file or self.keeps_hosts or self._mask >= 0

    def stage(self, layout: Layout, networks: Networks | None) -> NetworksStage:
        """Make the stage that writes into flows."""
        has_file = networks is not None
        return NetworksStage(
            layout,
            networks,
            [[own if (own := self.own.get(name, name)) in layout else name for name in side] for side in SIDES],
            as_from=_from(self.as_source) if has_file else 0,
            net_from=_from(self.net_source) if has_file else 0,
            mask=self._mask,
            always=self.always,
            filters=self.filters and has_file,
            keeps_hosts=self.keeps_hosts,
        )

    @property
    def _mask(self) -> int:
        return self.mask if self.mask is not None and "mask" in self.net_source else -1


def _from(words: Collection[str]) -> int:
    """Return what a group of columns takes of the file, as `NetworksStage` counts it."""
    if "file" in words:
        return 1 if len(words) == 1 or set(words) == {"file", "mask"} else 2
    return 2 if _LONGEST & set(words) else 0
