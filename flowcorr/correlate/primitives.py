"""All primitives: what each one reads, and how it is shown in every output.

One row for each field of a record, in the order of JSON records; a primitive has one field, `mpls_vpn_rd` two. What a
configuration can ask for, the outputs and the reference page all come from this table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.column import Column, Kind
from flowcorr.wire.custom_primitive import CustomPrimitive, Semantics


class Form(Enum):
    """How the value of a column becomes text."""

    NUMBER = auto()
    NUMBER_TEXT = auto()  # a number that JSON has as a string
    HEX = auto()  # likewise, without prefix and padding
    ADDRESS = auto()
    MAC = auto()
    PROTOCOL = auto()
    CHARACTER = auto()  # the column is its code; 0 is `u`
    TEXT = auto()
    LIST = auto()  # a text of items with `_` between them
    LABEL = auto()  # a text of items with `,` between them, each perhaps a key and a value around `%`
    LABEL_STACK = auto()
    SEGMENTS = auto()
    TCPFLAGS = auto()
    TCPFLAGS_TEXT = auto()  # the same, which JSON has as a string
    FWD_STATUS = auto()
    TIME = auto()
    RD = auto()
    ORIGIN = auto()
    OCTETS = auto()  # a text that is any octets: upper-case hexadecimal pairs with `-` between them


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record.

    `width` is that of its formatted column with the gap; `daemons` those that fill it; `unknown` is what stands for an
    address that is not known where that is not left empty.
    """

    primitive: str
    column: Column
    key: str
    header: str | None
    form: Form
    width: int
    daemons: str
    meaning: str
    is_custom: bool = False
    unknown: bytes = b""


#: Daemons by the letter that rows have: nfacctd, sfacctd; pmacctd and uacctd are to come.
DAEMONS: Final[Mapping[str, str]] = {"nfacctd": "N", "sfacctd": "S", "pmacctd": "P", "uacctd": "U"}
#: Of a formatted column whose text may have any length; longer texts move the rest of the row.
TEXT_WIDTH: Final = 25
_ALL: Final = "NSPU"


def _field(  # noqa: PLR0917 (a row of a table)
    primitive: str,
    key: str,
    form: Form,
    width: int,
    daemons: str,
    meaning: str,
    header: str | None = "",
    column: str | None = None,
) -> Field:
    shown = primitive.upper() if header == "" else header
    return Field(primitive, BUILTIN[column or primitive], key, shown, form, width, daemons, meaning)


# fmt: off
FIELDS: Final[tuple[Field, ...]] = (
    _field("tag", "tag", Form.NUMBER, 12, _ALL, "tag of `pre_tag_map`"),
    _field("tag2", "tag2", Form.NUMBER, 12, _ALL, "second tag of `pre_tag_map`"),
    _field("label", "label", Form.LABEL, TEXT_WIDTH, _ALL, "labels of `pre_tag_map`"),
    _field("class", "class", Form.TEXT, 18, "N", "application (IE 95)"),
    _field("src_mac", "mac_src", Form.MAC, 19, _ALL, "source MAC address"),
    _field("dst_mac", "mac_dst", Form.MAC, 19, _ALL, "destination MAC address"),
    _field("vlan", "vlan", Form.NUMBER, 7, _ALL, "VLAN, that of the way in before that of the way out"),
    _field("in_vlan", "vlan_in", Form.NUMBER, 9, "NS", "VLAN of the way in"),
    _field("out_vlan", "vlan_out", Form.NUMBER, 10, "NS", "VLAN of the way out"),
    _field("in_cvlan", "cvlan_in", Form.NUMBER, 10, _ALL, "customer VLAN of the way in"),
    _field("out_cvlan", "cvlan_out", Form.NUMBER, 11, "N", "customer VLAN of the way out"),
    _field("cos", "cos", Form.NUMBER, 4, _ALL, "class of service (IEEE 802.1p)"),
    _field("etype", "etype", Form.HEX, 7, _ALL, "EtherType"),
    _field("src_as", "as_src", Form.NUMBER, 12, _ALL, "origin AS of the source"),
    _field("dst_as", "as_dst", Form.NUMBER, 12, _ALL, "origin AS of the destination"),
    _field("std_comm", "comms", Form.LIST, TEXT_WIDTH, _ALL, "communities (RFC 1997)", "COMMS"),
    _field("ext_comm", "ecomms", Form.LIST, TEXT_WIDTH, _ALL, "extended communities (RFC 4360)", "ECOMMS"),
    _field("lrg_comm", "lcomms", Form.LIST, TEXT_WIDTH, _ALL, "large communities (RFC 8092)", "LCOMMS"),
    _field("as_path", "as_path", Form.LIST, TEXT_WIDTH, _ALL, "AS path of the destination"),
    _field("local_pref", "local_pref", Form.NUMBER, 9, _ALL, "LOCAL_PREF", "PREF"),
    _field("med", "med", Form.NUMBER, 8, _ALL, "MULTI_EXIT_DISC"),
    _field("dst_roa", "roa_dst", Form.CHARACTER, 8, _ALL, "origin validation of the destination (RFC 6811)"),
    _field("peer_src_as", "peer_as_src", Form.NUMBER, 12, _ALL, "AS that the flow came from"),
    _field("peer_dst_as", "peer_as_dst", Form.NUMBER, 12, _ALL, "AS that the flow goes to next"),
    _field("peer_src_ip", "peer_ip_src", Form.ADDRESS, 47, "NS", "exporter; of sFlow, the agent"),
    _field("peer_dst_ip", "peer_ip_dst", Form.ADDRESS, 47, _ALL, "BGP next hop"),
    _field("src_std_comm", "comms_src", Form.LIST, TEXT_WIDTH, _ALL, "communities of the source", "SRC_COMMS"),
    _field("src_ext_comm", "ecomms_src", Form.LIST, TEXT_WIDTH, _ALL, "extended ones", "SRC_ECOMMS"),
    _field("src_lrg_comm", "lcomms_src", Form.LIST, TEXT_WIDTH, _ALL, "large ones", "SRC_LCOMMS"),
    _field("src_as_path", "as_path_src", Form.LIST, TEXT_WIDTH, _ALL, "AS path to the source"),
    _field("src_local_pref", "local_pref_src", Form.NUMBER, 9, _ALL, "LOCAL_PREF of the source", "SRC_PREF"),
    _field("src_med", "med_src", Form.NUMBER, 8, _ALL, "MULTI_EXIT_DISC of the source"),
    _field("src_roa", "roa_src", Form.CHARACTER, 8, _ALL, "origin validation of the source (RFC 6811)"),
    _field("in_iface", "iface_in", Form.NUMBER, 12, "NSPU", "interface of the way in (ifIndex)"),
    _field("out_iface", "iface_out", Form.NUMBER, 12, "NSPU", "interface of the way out (ifIndex)"),
    _field("mpls_vpn_rd", "mpls_vpn_rd", Form.RD, 20, "NS", "route distinguisher (RFC 4364 section 4.2)"),
    _field("mpls_vpn_rd", "mpls_vpn_rd_origin", Form.ORIGIN, 12, "NS", "who said so", None, "mpls_vpn_rd_origin"),
    _field("mpls_pw_id", "mpls_pw_id", Form.NUMBER, 12, "NS", "pseudowire"),
    _field("src_host", "ip_src", Form.ADDRESS, 47, _ALL, "source address", "SRC_IP"),
    _field("src_net", "net_src", Form.ADDRESS, 47, _ALL, "prefix of the source, without its length"),
    _field("dst_host", "ip_dst", Form.ADDRESS, 47, _ALL, "destination address", "DST_IP"),
    _field("dst_net", "net_dst", Form.ADDRESS, 47, _ALL, "prefix of the destination, without its length"),
    _field("src_mask", "mask_src", Form.NUMBER, 10, _ALL, "length of the prefix of the source"),
    _field("dst_mask", "mask_dst", Form.NUMBER, 10, _ALL, "length of the prefix of the destination"),
    _field("src_port", "port_src", Form.NUMBER, 10, _ALL, "source port"),
    _field("dst_port", "port_dst", Form.NUMBER, 10, _ALL, "destination port"),
    _field("tcpflags", "tcp_flags", Form.TCPFLAGS, 11, _ALL, "TCP flags of all records together", "TCP_FLAGS"),
    _field("fwd_status", "fwd_status", Form.FWD_STATUS, 11, "N", "forwarding status (RFC 7270 section 4.12)"),
    _field("mpls_label_stack", "mpls_label_stack", Form.LABEL_STACK, TEXT_WIDTH, "NSPU", "labels, top first"),
    _field("srv6_seg_ipv6_list", "srv6_seg_ipv6_list", Form.SEGMENTS, TEXT_WIDTH, "N", "segments (RFC 9487)", None),
    _field("path_delay_avg_usec", "path_delay_avg_usec", Form.NUMBER, 21, "N", "mean delay on the path"),
    _field("path_delay_min_usec", "path_delay_min_usec", Form.NUMBER, 21, "N", "least delay on the path"),
    _field("path_delay_max_usec", "path_delay_max_usec", Form.NUMBER, 21, "N", "largest delay on the path"),
    _field("proto", "ip_proto", Form.PROTOCOL, 12, _ALL, "IP protocol", "PROTOCOL"),
    _field("tos", "tos", Form.NUMBER, 7, _ALL, "type of service or traffic class"),
    _field("flow_label", "flow_label", Form.NUMBER, 11, "NS", "IPv6 flow label"),
    _field("sampling_rate", "sampling_rate", Form.NUMBER, 14, _ALL, "packets for each sampled one"),
    _field("sampling_direction", "sampling_direction", Form.CHARACTER, 20, "NS", "`i` in, `e` out, `u` unknown"),
    _field("post_nat_src_host", "post_nat_ip_src", Form.ADDRESS, 47, "N", "translated source", "POST_NAT_SRC_IP"),
    _field("post_nat_dst_host", "post_nat_ip_dst", Form.ADDRESS, 47, "N", "translated destination", "POST_NAT_DST_IP"),
    _field("post_nat_src_port", "post_nat_port_src", Form.NUMBER, 19, "N", "translated source port"),
    _field("post_nat_dst_port", "post_nat_port_dst", Form.NUMBER, 19, "N", "translated destination port"),
    _field("nat_event", "nat_event", Form.NUMBER, 10, "N", "NAT event (IE 230)"),
    _field("fw_event", "fw_event", Form.NUMBER, 9, "N", "firewall event (IE 233)"),
    _field("mpls_label_top", "mpls_label_top", Form.NUMBER, 16, "NSPU", "label at the top"),
    _field("mpls_label_bottom", "mpls_label_bottom", Form.NUMBER, 19, "NPU", "label at the bottom"),
    _field("tunnel_src_mac", "tunnel_mac_src", Form.MAC, 19, "SPU", "source MAC address in the tunnel"),
    _field("tunnel_dst_mac", "tunnel_mac_dst", Form.MAC, 19, "SPU", "destination MAC address in the tunnel"),
    _field("tunnel_src_host", "tunnel_ip_src", Form.ADDRESS, 47, _ALL, "source of the tunnel", "TUNNEL_SRC_IP"),
    _field("tunnel_dst_host", "tunnel_ip_dst", Form.ADDRESS, 47, _ALL, "destination of the tunnel", "TUNNEL_DST_IP"),
    _field("tunnel_proto", "tunnel_ip_proto", Form.PROTOCOL, 17, _ALL, "protocol of the tunnel", "TUNNEL_PROTOCOL"),
    _field("tunnel_tos", "tunnel_tos", Form.NUMBER, 12, _ALL, "type of service of the tunnel"),
    _field("tunnel_flow_label", "tunnel_flow_label", Form.NUMBER, 18, "N", "flow label of the tunnel"),
    _field("tunnel_src_port", "tunnel_port_src", Form.NUMBER, 17, _ALL, "source port of the tunnel"),
    _field("tunnel_dst_port", "tunnel_port_dst", Form.NUMBER, 17, _ALL, "destination port of the tunnel"),
    _field("tunnel_tcpflags", "tunnel_tcp_flags", Form.TCPFLAGS_TEXT, 18, _ALL, "TCP flags", "TUNNEL_TCP_FLAGS"),
    _field("vxlan", "vxlan", Form.NUMBER, 10, _ALL, "VXLAN network"),
    _field("nvgre", "nvgre", Form.NUMBER, 10, "N", "NVGRE network"),
    _field("timestamp_start", "timestamp_start", Form.TIME, 31, "N", "start of the flow"),
    _field("timestamp_end", "timestamp_end", Form.TIME, 31, "N", "end of the flow"),
    _field("timestamp_arrival", "timestamp_arrival", Form.TIME, 31, _ALL, "when the record came"),
    _field("export_proto_seqno", "export_proto_seqno", Form.NUMBER, 20, "NS", "sequence number of the datagram"),
    _field("export_proto_version", "export_proto_version", Form.NUMBER, 22, "NS", "version of the protocol"),
    _field("export_proto_sysid", "export_proto_sysid", Form.NUMBER, 20, "NS", "engine, source or sub-agent"),
    _field("timestamp_export", "timestamp_export", Form.TIME, 31, "N", "when the record was sent"),
    _field("lookup_reason_src", "lookup_reason_src", Form.TEXT, TEXT_WIDTH, "NS", "how the source was looked up"),
    _field("lookup_reason_dst", "lookup_reason_dst", Form.TEXT, TEXT_WIDTH, "NS", "... and the destination"),
    _field("vrf_name", "vrf_name", Form.TEXT, TEXT_WIDTH, "N", "VRF of the way in before that of the way out"),
    _field("ingress_vrf_name", "ingress_vrf_name", Form.TEXT, TEXT_WIDTH, "N", "VRF of the way in"),
    _field("egress_vrf_name", "egress_vrf_name", Form.TEXT, TEXT_WIDTH, "N", "VRF of the way out"),
    _field("in_iface_name", "iface_name_in", Form.TEXT, TEXT_WIDTH, "N", "name of the interface of the way in"),
    _field("out_iface_name", "iface_name_out", Form.TEXT, TEXT_WIDTH, "N", "name of the interface of the way out"),
)
# fmt: on

#: Primitives in front of which custom ones and the times of bins stand in JSON records.
FIRST_BEHIND_CUSTOM: Final = "vrf_name"
#: Columns that are summed or OR-ed and so are no part of the key.
SUMMED: Final = frozenset({"tcpflags", "tunnel_tcpflags"})
#: The order of CSV and formatted columns, where it is not that of JSON: the primitive in front of which others stand.
_CSV_MOVED: Final[Mapping[str, tuple[str, ...]]] = {
    "as_path": ("src_std_comm", "src_ext_comm", "src_lrg_comm"),
    "local_pref": ("src_as_path",),
    "med": ("src_local_pref",),
    "dst_roa": ("src_med", "src_roa"),
    "src_host": ("vrf_name", "ingress_vrf_name", "egress_vrf_name", "in_iface_name", "out_iface_name"),
    "sampling_rate": (),
    "fw_event": (),
    "mpls_label_top": ("fwd_status",),
    "tunnel_src_mac": ("mpls_label_stack",),
    "export_proto_seqno": ("timestamp_export",),
    "lookup_reason_src": ("path_delay_avg_usec", "path_delay_min_usec", "path_delay_max_usec"),
}
#: ... of the columns of memory tables, beside these.
_MEMORY_MOVED: Final[Mapping[str, tuple[str, ...]]] = {"src_mac": ("in_iface", "out_iface")}
#: ... and of Avro records.
_AVRO_MOVED: Final[Mapping[str, tuple[str, ...]]] = {
    "path_delay_avg_usec": ("vrf_name", "ingress_vrf_name", "egress_vrf_name", "in_iface_name", "out_iface_name"),
    "tunnel_src_mac": ("path_delay_avg_usec", "path_delay_min_usec", "path_delay_max_usec"),
}

#: Names that stand for both directions on one key: the primitive of the key, and where its second value comes from.
SUMS: Final[Mapping[str, tuple[str, str]]] = {
    "sum_host": ("src_host", "dst_host"),
    "sum_net": ("src_net", "dst_net"),
    "sum_as": ("src_as", "dst_as"),
    "sum_port": ("src_port", "dst_port"),
    "sum_mac": ("src_mac", "dst_mac"),
}
#: Other names of primitives.
ALIASES: Final[Mapping[str, str]] = {"sum": "sum_host"}
NONE: Final = "none"
FLOWS: Final = "flows"

_GEOIP: Final = "GeoIP look-ups are not built yet"
#: Primitives that exist and that we refuse, and why.
REFUSED: Final[Mapping[str, str]] = {
    **{f"{end}_host_{what}": _GEOIP for end in ("src", "dst") for what in ("country", "pocode", "coords")},
    "class_frame": "classification by nDPI is not built yet",
}
#: Primitives that another daemon has from a source that we do not have: by name and letter of the daemon.
REFUSED_IN: Final[Mapping[tuple[str, str], str]] = {
    ("class", letter): "classification by nDPI is not built yet" for letter in "SPU"
}


def fields_by_primitive() -> Mapping[str, tuple[Field, ...]]:
    """Return the fields of each primitive."""
    found: dict[str, list[Field]] = {}
    for field in FIELDS:
        found.setdefault(field.primitive, []).append(field)
    return {name: tuple(fields) for name, fields in found.items()}


def _moved(moves: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    order = list(dict.fromkeys(field.primitive for field in FIELDS))
    for before, names in moves.items():
        for name in names:
            order.remove(name)
        at = order.index(before)
        order[at:at] = names
    return tuple(order)


JSON_ORDER: Final = _moved({})
CSV_ORDER: Final = _moved(_CSV_MOVED)
MEMORY_ORDER: Final = _moved({**_CSV_MOVED, **_MEMORY_MOVED})
AVRO_ORDER: Final = _moved(_AVRO_MOVED)

_FORMS: Final[Mapping[Semantics, Form]] = {
    Semantics.U_INT: Form.NUMBER_TEXT,
    Semantics.HEX: Form.HEX,
    Semantics.STR: Form.TEXT,
    Semantics.IP: Form.ADDRESS,
    Semantics.MAC: Form.MAC,
    Semantics.RAW: Form.OCTETS,
}
#: Characters of the largest integer of as many octets, as formatted columns have room for.
_DIGITS: Final[Mapping[Kind, int]] = {Kind.U8: 3, Kind.U16: 5, Kind.U32: 10, Kind.U64: 20}
_GAP: Final = 2


#: Length of a custom primitive that is an IPv4 address.
IPV4_OCTETS: Final = 4


def custom_field(primitive: CustomPrimitive) -> Field:
    """Return the field of a custom primitive: its name is its key and its header."""
    form, column = _FORMS[primitive.semantics], primitive.column
    widths = {Form.ADDRESS: 46, Form.MAC: 18}
    width = widths.get(form) or _DIGITS.get(column.kind) or primitive.length or TEXT_WIDTH
    name = primitive.name
    width = max(len(name), width) + _GAP
    unknown = b"" if form is not Form.ADDRESS else b"0.0.0.0" if primitive.length == IPV4_OCTETS else b"::"
    where = f"defined at {primitive.where}"
    return Field(name, column, name, name, form, width, _ALL, where, is_custom=True, unknown=unknown)


def names() -> Iterator[str]:
    """Go through all names that `aggregate` knows."""
    yield from JSON_ORDER
    yield from (*SUMS, *ALIASES, NONE, FLOWS)
