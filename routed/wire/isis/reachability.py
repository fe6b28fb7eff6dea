"""What a system reaches: neighbours and prefixes, with narrow and wide metrics, in the standard topology and others.

Source: ISO/IEC 10589 section 9.9, RFC 1195 section 5.3, RFC 5302, RFC 5305, RFC 5308, RFC 5120 section 7.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from routed.octets import Cursor, WireError, Writer
from routed.wire.isis.codepoints import MAX_TOPOLOGY, NODE_OCTETS, TlvType
from routed.wire.isis.tlv import encode_items
from routed.wire.prefix import Prefix, cut_prefix

_METRIC_BITS: Final = 0x3F
_EXTERNAL_METRIC: Final = 0x40  # of narrow metrics, and of IPv6: whether the prefix is external
_DOWN: Final = 0x80
_IPV4_SUB_TLVS: Final = 0x40
_IPV6_SUB_TLVS: Final = 0x20
_IPV4_LENGTH: Final = 0x3F
#: Delay, expense and error metric that a system does not support.
_UNSUPPORTED: Final = b"\x80\x80\x80"


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A neighbouring system or pseudonode."""

    topology: int
    node: bytes  # system id and number of the pseudonode
    metric: int
    wide: bool = True
    external_metric: bool = False  # narrow: not comparable with internal ones
    sub_tlvs: bytes = b""


@dataclass(frozen=True, slots=True)
class Reachability:
    """A prefix; `down` when it came from a higher level (RFC 5302), `external` when from another protocol."""

    topology: int
    prefix: Prefix
    metric: int
    down: bool = False
    external: bool = False
    wide: bool = True
    external_metric: bool = False  # narrow: not comparable with internal ones
    sub_tlvs: bytes = b""


# -- narrow metrics ----------------------------------------------------------------------------------------------------


def decode_is_neighbors(c: Cursor) -> list[Neighbor]:
    """Decode neighbours with narrow metrics.

    Octets: virtual flag u8, n x (default, delay, expense and error metric u8 each, system id[6], pseudonode u8).
    """
    c.u8()
    neighbors = []
    while c.remaining:
        default, _ = c.u8(), c.take(3)
        metric, is_external = default & _METRIC_BITS, bool(default & _EXTERNAL_METRIC)
        neighbors.append(Neighbor(0, c.take(NODE_OCTETS), metric, wide=False, external_metric=is_external))
    return neighbors


def decode_internal_prefixes(c: Cursor) -> list[Reachability]:
    """Decode IPv4 prefixes of the area, with narrow metrics."""
    return _decode_narrow_prefixes(c, is_external=False)


def decode_external_prefixes(c: Cursor) -> list[Reachability]:
    """Decode IPv4 prefixes of other protocols, with narrow metrics."""
    return _decode_narrow_prefixes(c, is_external=True)


def _decode_narrow_prefixes(c: Cursor, *, is_external: bool) -> list[Reachability]:
    """Decode IPv4 prefixes with masks.

    Octets: n x (default, delay, expense and error metric u8 each, address[4], mask[4]); in the default metric, up/down
        and internal/external above 6 bits.
    """
    prefixes = []
    while c.remaining:
        default, _, address, offset = c.u8(), c.take(3), c.take(4), c.offset
        prefixes.append(
            Reachability(
                topology=0,
                prefix=cut_prefix(address, _mask_length(c.u32(), offset), 4),
                metric=default & _METRIC_BITS,
                down=bool(default & _DOWN),
                external=is_external,
                wide=False,
                external_metric=bool(default & _EXTERNAL_METRIC),
            )
        )
    return prefixes


def _mask_length(mask: int, offset: int) -> int:
    """Return how many bits of a mask are set.

    Raises: WireError when they are not its first ones.
    """
    zeros = ~mask & 0xFFFF_FFFF
    if zeros & (zeros + 1):
        raise WireError(f"mask {mask:#010x} has holes", offset, "RFC 1195 5.3")
    return 32 - zeros.bit_length()


# -- wide metrics ------------------------------------------------------------------------------------------------------


def decode_extended_neighbors(c: Cursor) -> list[Neighbor]:
    """Decode neighbours with wide metrics, of the standard topology."""
    return _decode_extended_neighbors(c, 0)


def decode_mt_neighbors(c: Cursor) -> list[Neighbor]:
    """Decode neighbours of another topology: topology u16, then as in the standard one."""
    return _decode_extended_neighbors(c, c.u16() & MAX_TOPOLOGY)


def _decode_extended_neighbors(c: Cursor, topology: int) -> list[Neighbor]:
    """Decode neighbours with wide metrics.

    Octets: n x (system id[6], pseudonode u8, metric u24, length u8, sub-TLVs[length]).
    """
    neighbors = []
    while c.remaining:
        node, metric = c.take(NODE_OCTETS), c.u24()
        neighbors.append(Neighbor(topology, node, metric, sub_tlvs=c.take(c.u8())))
    return neighbors


def decode_extended_ipv4(c: Cursor) -> list[Reachability]:
    """Decode IPv4 prefixes with wide metrics, of the standard topology."""
    return _decode_ipv4(c, 0)


def decode_mt_ipv4(c: Cursor) -> list[Reachability]:
    """Decode IPv4 prefixes of another topology: topology u16, then as in the standard one."""
    return _decode_ipv4(c, c.u16() & MAX_TOPOLOGY)


def _decode_ipv4(c: Cursor, topology: int) -> list[Reachability]:
    """Decode IPv4 prefixes with wide metrics.

    Octets: n x (metric u32, up/down, sub-TLVs?, length of the prefix in 6 bits, as few octets as hold it, and where
        there are sub-TLVs, length u8, sub-TLVs[length]).
    """
    prefixes = []
    while c.remaining:
        metric, offset, control = c.u32(), c.offset, c.u8()
        prefix = _decode_prefix(c, control & _IPV4_LENGTH, 4, offset)
        sub_tlvs = c.take(c.u8()) if control & _IPV4_SUB_TLVS else b""
        prefixes.append(Reachability(topology, prefix, metric, down=bool(control & _DOWN), sub_tlvs=sub_tlvs))
    return prefixes


def decode_ipv6(c: Cursor) -> list[Reachability]:
    """Decode IPv6 prefixes of the standard topology."""
    return _decode_ipv6(c, 0)


def decode_mt_ipv6(c: Cursor) -> list[Reachability]:
    """Decode IPv6 prefixes of another topology: topology u16, then as in the standard one."""
    return _decode_ipv6(c, c.u16() & MAX_TOPOLOGY)


def _decode_ipv6(c: Cursor, topology: int) -> list[Reachability]:
    """Decode IPv6 prefixes.

    Octets: n x (metric u32, up/down, external, sub-TLVs?, 5 reserved bits, length of the prefix u8, as few octets as
        hold it, and where there are sub-TLVs, length u8, sub-TLVs[length]).
    """
    prefixes = []
    while c.remaining:
        metric, control, offset, length = c.u32(), c.u8(), c.offset, c.u8()
        prefix = _decode_prefix(c, length, 16, offset)
        sub_tlvs = c.take(c.u8()) if control & _IPV6_SUB_TLVS else b""
        is_down, is_external = bool(control & _DOWN), bool(control & _EXTERNAL_METRIC)
        prefixes.append(Reachability(topology, prefix, metric, is_down, is_external, sub_tlvs=sub_tlvs))
    return prefixes


def _decode_prefix(c: Cursor, length: int, address_octets: int, offset: int) -> Prefix:
    if length > 8 * address_octets:
        raise WireError(f"prefix length {length} is above {8 * address_octets}", offset, "RFC 5305 4, RFC 5308 2")
    return cut_prefix(c.take((length + 7) // 8), length, address_octets)


# -- encoding ----------------------------------------------------------------------------------------------------------


def encode_neighbors(w: Writer, neighbors: Iterable[Neighbor]) -> None:
    """Encode neighbours: narrow ones, those of the standard topology, those of each other one."""
    every = tuple(neighbors)
    narrow = (_narrow(each.metric, each.external_metric) + each.node for each in every if not each.wide)
    encode_items(w, TlvType.IS_NEIGHBORS, narrow, b"\0")
    for topology in dict.fromkeys(each.topology for each in every if each.wide):
        items = (_extended(each) for each in every if each.wide and each.topology == topology)
        _encode_of_topology(w, TlvType.EXTENDED_IS_REACHABILITY, TlvType.MT_IS_REACHABILITY, topology, items)


def encode_prefixes(w: Writer, prefixes: Iterable[Reachability]) -> None:
    """Encode prefixes: narrow ones, IPv4 and IPv6 of the standard topology, those of each other one."""
    every = tuple(prefixes)
    narrow = (
        (TlvType.IPV4_INTERNAL_REACHABILITY, False),
        (TlvType.IPV4_EXTERNAL_REACHABILITY, True),
    )
    for kind, is_external in narrow:
        encode_items(w, kind, (_masked(each) for each in every if not each.wide and each.external == is_external))
    wide = (
        (TlvType.EXTENDED_IPV4_REACHABILITY, TlvType.MT_IPV4_REACHABILITY, 4, _ipv4),
        (TlvType.IPV6_REACHABILITY, TlvType.MT_IPV6_REACHABILITY, 16, _ipv6),
    )
    for kind, mt_kind, octets, encode in wide:
        family = [each for each in every if each.wide and len(each.prefix.address) == octets]
        for topology in dict.fromkeys(each.topology for each in family):
            items = (encode(each) for each in family if each.topology == topology)
            _encode_of_topology(w, kind, mt_kind, topology, items)


def _encode_of_topology(w: Writer, kind: TlvType, mt_kind: TlvType, topology: int, items: Iterable[bytes]) -> None:
    if topology:
        encode_items(w, mt_kind, items, topology.to_bytes(2, "big"))
    else:
        encode_items(w, kind, items)


def _narrow(metric: int, is_external: bool, is_down: bool = False) -> bytes:
    return bytes((metric | is_external * _EXTERNAL_METRIC | is_down * _DOWN,)) + _UNSUPPORTED


def _masked(reached: Reachability) -> bytes:
    length = reached.prefix.length
    mask = (0xFFFF_FFFF << (32 - length)) & 0xFFFF_FFFF
    return (
        _narrow(reached.metric, reached.external_metric, reached.down)
        + reached.prefix.address
        + mask.to_bytes(4, "big")
    )


def _extended(neighbor: Neighbor) -> bytes:
    return neighbor.node + neighbor.metric.to_bytes(3, "big") + _with_length(neighbor.sub_tlvs)


def _ipv4(reached: Reachability) -> bytes:
    control = reached.prefix.length | reached.down * _DOWN | bool(reached.sub_tlvs) * _IPV4_SUB_TLVS
    return reached.metric.to_bytes(4, "big") + bytes((control,)) + _rest(reached)


def _ipv6(reached: Reachability) -> bytes:
    control = reached.down * _DOWN | reached.external * _EXTERNAL_METRIC | bool(reached.sub_tlvs) * _IPV6_SUB_TLVS
    return reached.metric.to_bytes(4, "big") + bytes((control, reached.prefix.length)) + _rest(reached)


def _rest(reached: Reachability) -> bytes:
    address = reached.prefix.address[: (reached.prefix.length + 7) // 8]
    return address + (_with_length(reached.sub_tlvs) if reached.sub_tlvs else b"")


def _with_length(octets: bytes) -> bytes:
    return bytes((len(octets),)) + octets
