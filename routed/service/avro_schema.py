"""The Avro schemas of message logs and dumps: which fields each record has, given how records are written.

Source: the schemas of pmacct, field by field.
Departs: mirrored messages have a schema of their own (`bmp_route_mirror`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from routed.plumbing.avro import Field, Schema, Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from routed.service.settings import RenderSettings

_TYPES: Final = {"S": Type.STRING, "I": Type.INT, "L": Type.LONG, "A": Type.TEXTS, "M": Type.TEXT_MAP}

_LOG_TYPE: Final = "log_type S"
_COMMON: Final = "seq L, timestamp S, event_type S, writer_id S"
_BGP_PEER: Final = "peer_ip_src S, peer_tcp_port I?"
_ROUTER: Final = "bmp_router S, bmp_router_port I?"
_RD: Final = "rd S?, rd_origin S?"
_PD: Final = "pd S?, pd_origin S?"
_FLAGS: Final = "bmp_rib_type S, is_filtered I, is_in I?, is_loc I?, is_post I?, is_out I?"
_MONITORED: Final = (
    f"peer_ip S, peer_asn L, bgp_id S, peer_tcp_port I?, timestamp_arrival S?, {_ROUTER}, bmp_msg_type S, {_FLAGS}"
)
_BMP_EVENT: Final = (
    "seq L, timestamp S, timestamp_event S?, timestamp_arrival S?, event_type S, "
    f"{_ROUTER}, bmp_msg_type S, writer_id S"
)
_PEER_TYPE: Final = "peer_type I, peer_type_str S?"

#: What the events of BMP have behind their common part, by `bmp_msg_type`; `|` is where a peer distinguisher goes.
_BMP_EVENTS: Final[Mapping[str, str]] = {
    "init": ("bmp_init_info_string S?, bmp_init_info_sysdescr S?, bmp_init_info_sysname S?, bmp_init_info_reserved S?"),
    "term": "bmp_term_info_string S?, bmp_term_info_reason S?",
    "peer_up": (
        f"peer_ip S, peer_asn L, local_as L, bgp_id S, {_PEER_TYPE}, {_FLAGS}, {_RD} | local_port I, remote_port I, "
        "local_ip S, bmp_peer_up_info_string S?, bmp_peer_up_info_vrf_table_name S?, "
        "bmp_peer_up_info_admin_label S?, bmp_peer_up_info_reserved S?"
    ),
    "peer_down": (
        f"peer_ip S, peer_asn L, bgp_id S, {_PEER_TYPE}, {_FLAGS}, {_RD} | reason_type I, reason_str S?, "
        "reason_loc_code I?"
    ),
    "stats": (
        f"peer_ip S, peer_asn L, bgp_id S, peer_type I, peer_type_str S, {_FLAGS}, {_RD} | counter_type I, "
        "counter_type_str S, counter_value L, afi I?, safi I?"
    ),
    "route_mirror": (
        f"peer_ip S, peer_asn L, bgp_id S, {_PEER_TYPE}, {_FLAGS}, {_RD} | mirror_code I?, mirror_code_str S?, "
        "mirror_message S?"
    ),
}


def bgp_log_schemas(render: RenderSettings, *, tags: bool) -> dict[str, Schema]:
    """Return the schemas of the records of a BGP message log, by name; `tags`: records may have one."""
    common = f"{_COMMON}, {_tags(render, tags=tags)}"
    return _schemas(
        bgp_msglog=f"{_LOG_TYPE}, {common}, {_BGP_PEER}, {_peer_id(render)}, {_route(render)}",
        bgp_loginit=f"{common}, {_BGP_PEER}",
        bgp_logclose=f"{common}, {_BGP_PEER}",
    )


def bgp_dump_schemas(render: RenderSettings, *, tags: bool) -> dict[str, Schema]:
    """Return the schemas of the records of a dump of BGP tables, by name."""
    common = f"{_COMMON}, {_tags(render, tags=tags)}"
    return _schemas(
        bgp_dump=f"{common}, {_BGP_PEER}, {_peer_id(render)}, {_route(render)}",
        bgp_dumpinit=f"{common}, {_BGP_PEER}, dump_period L",
        bgp_dumpclose=f"{common}, {_BGP_PEER}, entries L?, tables I?",
    )


def bmp_log_schemas(render: RenderSettings, *, tags: bool, set_pd: bool) -> dict[str, Schema]:
    """Return the schemas of the records of a BMP message log; `set_pd`: they show peer distinguishers."""
    common, pd = f"{_COMMON}, {_tags(render, tags=tags)}", _PD if set_pd else ""
    return _schemas(
        bmp_msglog_rm=f"{_LOG_TYPE}, {common}, {_route(render)}, {_MONITORED}, {pd}",
        bmp_loginit=f"{common}, {_ROUTER}",
        bmp_logclose=f"{common}, {_ROUTER}",
    ) | _bmp_events(render, tags=tags, set_pd=set_pd)


def bmp_dump_schemas(render: RenderSettings, *, tags: bool, set_pd: bool) -> dict[str, Schema]:
    """Return the schemas of the records of a BMP dump, whose events have those of the message log."""
    common, pd = f"{_COMMON}, {_tags(render, tags=tags)}", _PD if set_pd else ""
    return _schemas(
        bmp_dump_rm=f"{common}, {_route(render)}, {_MONITORED}, {pd}",
        bmp_dumpinit=f"{common}, {_ROUTER}, dump_period L",
        bmp_dumpclose=f"{common}, {_ROUTER}, entries L?, tables I?",
    ) | _bmp_events(render, tags=tags, set_pd=set_pd)


def _bmp_events(render: RenderSettings, *, tags: bool, set_pd: bool) -> dict[str, Schema]:
    head = f"{_BMP_EVENT}, {_tags(render, tags=tags)}"
    pd = f", {_PD}, " if set_pd else ", "
    return _schemas(**{f"bmp_{kind}": f"{head}, {facts.replace('|', pd)}" for kind, facts in _BMP_EVENTS.items()})


def _tags(render: RenderSettings, *, tags: bool) -> str:
    if not tags:
        return ""
    return "tag L?, label M?" if render.label_as_map else "tag L?, label S?"


def _peer_id(render: RenderSettings) -> str:
    return "peer_id S" if render.peer_id else ""


def _route(render: RenderSettings) -> str:
    communities = "A" if render.communities_as_array else "S?"
    return (
        f"afi I, safi I, ip_prefix S?, {_RD}, bgp_nexthop S?, as_path {'A' if render.as_path_as_array else 'S?'}, "
        f"as_path_id L?, comms {communities}, ecomms {communities}, lcomms {communities}, "
        f"origin {'L?' if render.origin_as_integer else 'S?'}, local_pref L?, med L?, aigp L?, psid_li L?, otc L?, "
        f"mpls_label S?{', roa S' if render.validates_origins else ''}"
    )


def _schemas(**fields: str) -> dict[str, Schema]:
    return {name: Schema(name, tuple(_fields(text.split(",")))) for name, text in fields.items()}


def _fields(texts: Iterable[str]) -> Iterator[Field]:
    for words in filter(None, map(str.split, texts)):
        name, kind = words
        yield Field(name, _TYPES[kind[0]], kind.endswith("?"))
