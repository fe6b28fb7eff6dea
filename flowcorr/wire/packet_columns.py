"""Which columns the headers of a sampled packet fill, and which custom primitives its octets do."""

from collections.abc import Collection, Iterable
from typing import Final, TypeAlias

from flowcorr.columns.column import Kind
from flowcorr.columns.layout import Layout
from flowcorr.wire.custom_primitive import CustomPrimitive, Semantics

_COLUMNS: Final = (
    "src_mac",
    "dst_mac",
    "vlan",
    "in_vlan",
    "in_cvlan",
    "cos",
    "etype",
    "src_host",
    "dst_host",
    "src_port",
    "dst_port",
    "proto",
    "tos",
    "flow_label",
    "tcpflags",
    "mpls_label_top",
    "mpls_label_bottom",
    "mpls_label_stack",
    "vxlan",
)
_TUNNEL_COLUMNS: Final = {
    "src_mac",
    "dst_mac",
    "src_host",
    "dst_host",
    "src_port",
    "dst_port",
    "proto",
    "tos",
    "flow_label",
    "tcpflags",
}
#: Columns that readers of any protocol write by themselves.
PLACES: Final = (
    "record_type",
    "family",
    "packets",
    "bytes",
    "flows",
    "sampling_rate",
    "in_iface",
    "out_iface",
    "etype",
    "renormalize_rate",
)
#: In the order of the compiled decoder.
_LAYERS: Final = ("packet", "mac", "vlan", "mpls", "l3", "l4", "payload")
_ANY_PROTOCOL: Final = 0xFFFFFFFF
_INTEGER, _OCTETS, _IPV4, _STRING, _TEXT = range(5)

PacketValue: TypeAlias = tuple[int, int, int, int, list[tuple[int, int, int]]]


def packet_columns(layout: Layout, filled: Collection[str] = ()) -> dict[str, int]:
    """Return where in a row the headers go; -1 for what nobody asks for or something else has `filled`."""
    return {name: -1 if name in filled else layout.offset(name) for name in _COLUMNS}


def tunnel_columns(layout: Layout) -> dict[str, int]:
    """Return where the headers of a packet within another one go."""
    return {name: layout.offset(f"tunnel_{name}") if name in _TUNNEL_COLUMNS else -1 for name in _COLUMNS}


def packet_values(layout: Layout, custom: Iterable[CustomPrimitive]) -> list[PacketValue]:
    """Return target, width, length, form and pointers of the custom primitives that are octets of packets."""
    return [
        (
            layout.offset(primitive.column.name),
            primitive.kind.width,
            primitive.length,
            _form(primitive),
            [
                (
                    _LAYERS.index(pointer.layer),
                    _ANY_PROTOCOL if pointer.protocol is None else pointer.protocol,
                    pointer.offset,
                )
                for pointer in primitive.pointers
            ],
        )
        for primitive in custom
        if primitive.pointers and primitive.length and primitive.column.name in layout
    ]


def _form(primitive: CustomPrimitive) -> int:
    if primitive.kind is Kind.TEXT:
        return _STRING if primitive.semantics is Semantics.STR else _TEXT
    if primitive.kind is Kind.ADDRESS:
        return _IPV4 if primitive.length == 4 else _OCTETS
    return _OCTETS if primitive.kind is Kind.MAC else _INTEGER
