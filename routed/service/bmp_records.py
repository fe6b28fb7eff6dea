"""The records that only BMP has: events of routers and their peers, and the keys around route rows.

Source: the record formats of pmacct's message logs and table dumps, key by key.
Departs: a TLV that is repeated loses nothing, its values are joined; statistics that carry a family name it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from routed.octets import Cursor
from routed.wire.bmp.codepoints import (
    INITIATION_NAMES,
    MIRRORING_INFORMATION_NAMES,
    MONITORING_NAMES,
    PEER_DOWN_REASON_TEXTS,
    PEER_TYPE_NAMES,
    PEER_UP_NAMES,
    TERMINATION_NAMES,
    TERMINATION_REASON_TEXTS,
    InitiationType,
    MonitoringType,
    PeerDownReason,
    PeerType,
    PeerUpType,
    TerminationType,
)
from routed.wire.bmp.initiation import Initiation
from routed.wire.bmp.mirroring import RouteMirroring
from routed.wire.bmp.monitoring import path_marking
from routed.wire.bmp.peer import NO_DISTINGUISHER
from routed.wire.bmp.peer_down import PeerDown
from routed.wire.bmp.peer_up import PeerUp
from routed.wire.bmp.statistics import Statistic, StatisticsReport, statistic_name
from routed.wire.bmp.termination import Termination
from routed.wire.bmp.tlv import IndexedTlv, Tlv, decode_tlvs, tlv_name
from routed.wire.rd import format_rd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from routed.service.records import PeerText, TimeFormat
    from routed.wire.bmp.message import Message
    from routed.wire.bmp.peer import PeerHeader

_INITIATION_TEXTS: Final = (InitiationType.STRING, InitiationType.SYS_DESCR, InitiationType.SYS_NAME)
_PEER_TEXTS: Final = (PeerUpType.STRING, PeerUpType.VRF_TABLE_NAME, PeerUpType.ADMIN_LABEL)
#: Peers whose distinguisher is that of a VRF.
_WITH_DISTINGUISHER: Final = (PeerType.RD_INSTANCE, PeerType.LOC_RIB_INSTANCE)
_LAST_NAMED_REASON: Final = PeerDownReason.DE_CONFIGURED
#: Path markings of a table are few; each is written once.
_REMEMBERED_MARKS: Final = 4_096
_BMP_4: Final = 4

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event of a router, but for what differs between log and dump; `facts` begin with a comma and a blank."""

    kind: str
    seconds: int
    microseconds: int
    facts: bytes

    def log(self, sequence: int, arrival: bytes, router: PeerText, times: TimeFormat) -> bytes:
        """Write the record for the message log."""
        return (
            b'{"event_type": "log", "seq": %d, "timestamp": "%s", "timestamp_arrival": "%s", '
            b'"%s": "%s", "%s": %d, %s"bmp_msg_type": "%s"%s}\n'
        ) % (sequence, times.of_router(self.seconds, self.microseconds), arrival, *self._rest(router, router.tag))

    def dump(self, sequence: int, timestamp: bytes, router: PeerText, times: TimeFormat) -> bytes:
        """Write the record for a dump."""
        return (
            b'{"event_type": "dump", "seq": %d, "timestamp": "%s", "timestamp_event": "%s", '
            b'"%s": "%s", "%s": %d, %s"bmp_msg_type": "%s"%s}\n'
        ) % (
            sequence,
            timestamp,
            times.of_router(self.seconds, self.microseconds),
            *self._rest(router, router.dump_tag),
        )

    def _rest(self, router: PeerText, tag: bytes | None) -> tuple[bytes, bytes, bytes, int, bytes, bytes, bytes]:
        return (
            router.names.address,
            str(router.address).encode(),
            router.names.port,
            router.port,
            tag or b"",
            self.kind.encode(),
            self.facts,
        )


def event_records(message: Message, *, set_pd: bool) -> list[EventRecord]:
    """Return the records of a message: several for statistics and for mirrored messages, none for an unknown type."""
    header: PeerHeader | None = None
    kind, records = "", []
    match message:
        case Initiation():
            kind, records = "init", [_tlv_facts("bmp_init_info", INITIATION_NAMES, _INITIATION_TEXTS, message.tlvs)]
        case Termination():
            kind, records = "term", [_termination_facts(message)]
        case PeerUp(peer=header):
            kind, records = "peer_up", [_peer_up_facts(message, set_pd=set_pd)]
        case PeerDown(peer=header):
            kind, records = "peer_down", [_peer_down_facts(message, set_pd=set_pd)]
        case StatisticsReport(peer=header):
            head = _head(header, with_type_name=False) | _distinguisher(header, set_pd=set_pd)
            kind, records = "stats", [head | _statistic_facts(one) for one in message.statistics]
        case RouteMirroring(peer=header):
            head = _head(header) | _distinguisher(header, set_pd=set_pd)
            kind, records = "route_mirror", [head | facts for facts in _mirroring_facts(message)]
    seconds, microseconds = (0, 0) if header is None else (header.seconds, header.microseconds)
    return [EventRecord(kind, seconds, microseconds, b", " + _text(facts)[:-2] if facts else b"") for facts in records]


def route_keys(header: PeerHeader, *, set_pd: bool) -> tuple[bytes, bytes]:
    """Return the keys of route rows that say which RIB they are of: in general, and where a prefix has its own RD."""
    facts: Facts = {
        "bmp_rib_type": header.rib_type,
        "is_filtered": int(header.is_filtered),
        **_flags(header),
        "bgp_id": str(header.bgp_id),
    }
    distinguisher = _distinguisher(header, set_pd=set_pd)
    return _text(facts | distinguisher), _text(facts | distinguisher if set_pd else facts)


def route_end(router: PeerText, header: PeerHeader, asn: int, kind: str) -> bytes:
    """Return the last keys of route rows: who sent them, and because of what (`route_monitor`, `internal`)."""
    facts: Facts = {
        router.names.address.decode(): str(router.address),
        router.names.port.decode(): router.port,
        "peer_ip": str(header.address),
        "peer_asn": asn,
        "peer_tcp_port": 0,
        "bmp_msg_type": kind,
    }
    return b", " + _text(facts)[:-2]


@lru_cache(_REMEMBERED_MARKS)
def mark_keys(octets: bytes) -> bytes:
    """Return the keys of the TLVs about a route, each with its comma and blank behind it; the last marking counts.

    Octets: TLVs of version 4 without their index.
    """
    facts: Facts = {}
    others: list[Tlv] = []
    for tlv in decode_tlvs(Cursor(octets), _BMP_4):
        marking = path_marking(IndexedTlv(tlv.kind, 0, tlv.octets, tlv.enterprise))
        if marking is None:
            others.append(tlv)
            continue
        facts = {"path_status": list(marking.names)}
        if marking.reason is not None:
            facts["reason_code"] = f"0x{marking.reason:04x}"
    return _text(facts | _tlv_facts("bmp_rm_info", MONITORING_NAMES, (MonitoringType.VRF_TABLE_NAME,), others))


def _text(facts: Facts) -> bytes:
    """Write facts as keys, each with a comma and a blank behind it."""
    return json.dumps(facts, ensure_ascii=False)[1:-1].encode() + b", " if facts else b""


def _head(header: PeerHeader, *, local_as: int | None = None, with_type_name: bool = True) -> Facts:
    facts: Facts = {"peer_ip": str(header.address), "peer_asn": header.asn}
    if local_as is not None:
        facts["local_as"] = local_as
    facts |= {"bgp_id": str(header.bgp_id), "peer_type": int(header.peer_type)}
    if with_type_name and header.peer_type in PEER_TYPE_NAMES:
        facts["peer_type_str"] = PEER_TYPE_NAMES[header.peer_type]
    return facts | {"bmp_rib_type": header.rib_type, "is_filtered": int(header.is_filtered)} | _flags(header)


def _flags(header: PeerHeader) -> Facts:
    if header.is_loc:
        return {"is_loc": 1}
    return {"is_post": int(header.is_post), "is_out" if header.is_out else "is_in": 1}


def _distinguisher(header: PeerHeader, *, set_pd: bool) -> Facts:
    if header.peer_type not in _WITH_DISTINGUISHER or header.distinguisher == NO_DISTINGUISHER:
        return {}
    key = "pd" if set_pd else "rd"
    return {key: format_rd(header.distinguisher), f"{key}_origin": "bmp"}


def _peer_up_facts(message: PeerUp, *, set_pd: bool) -> Facts:
    facts = _head(message.peer, local_as=message.sent_open.asn) | {
        "local_port": message.local_port,
        "remote_port": message.remote_port,
        "local_ip": str(message.local_address),
    }
    facts |= _distinguisher(message.peer, set_pd=set_pd)
    return facts | _tlv_facts("bmp_peer_up_info", PEER_UP_NAMES, _PEER_TEXTS, message.tlvs)


def _peer_down_facts(message: PeerDown, *, set_pd: bool) -> Facts:
    facts = _head(message.peer) | _distinguisher(message.peer, set_pd=set_pd) | {"reason_type": int(message.reason)}
    if message.reason <= _LAST_NAMED_REASON:
        facts["reason_str"] = PEER_DOWN_REASON_TEXTS[message.reason]
    if message.fsm_event is not None:
        facts["reason_loc_code"] = message.fsm_event
    return facts | _tlv_facts("bmp_peer_down_info", PEER_UP_NAMES, _PEER_TEXTS, message.tlvs)


def _statistic_facts(one: Statistic) -> Facts:
    name = statistic_name(one.kind) if one.enterprise is None else statistic_name(-1)
    facts: Facts = {"counter_type": one.kind, "counter_type_str": name}
    if one.family is not None:
        facts |= {"afi": int(one.family.afi), "safi": int(one.family.safi)}
    return facts | {"counter_value": dashed(one.octets) if one.value is None else one.value}


def _mirroring_facts(message: RouteMirroring) -> Iterable[Facts]:
    """Yield the facts of each mirrored message, or of the codes alone when there is none."""
    codes: Facts = {}
    if message.information:
        code = message.information[0]
        codes = {"mirror_code": int(code), "mirror_code_str": MIRRORING_INFORMATION_NAMES.get(code, "unknown")}
    for octets in message.messages:
        yield codes | {"mirror_message": octets.hex()}
    if not message.messages:
        yield codes


def _termination_facts(message: Termination) -> Facts:
    facts: Facts = {}
    for tlv in message.tlvs:
        key = tlv_name("bmp_term_info", TERMINATION_NAMES, tlv)
        if tlv.enterprise is None and tlv.kind == TerminationType.REASON and len(tlv.octets) == 2:
            reason = int.from_bytes(tlv.octets, "big")
            _add(facts, key, TERMINATION_REASON_TEXTS.get(reason, str(reason)))
        else:
            is_text = tlv.enterprise is None and tlv.kind == TerminationType.STRING
            _add(facts, key, _text_value(tlv) if is_text else _hex_value(tlv))
    return facts


def _tlv_facts(prefix: str, names: Mapping[int, str], texts: Iterable[int], tlvs: Iterable[Tlv]) -> Facts:
    facts: Facts = {}
    for tlv in tlvs:
        is_text = tlv.enterprise is None and tlv.kind in texts
        _add(facts, tlv_name(prefix, names, tlv), _text_value(tlv) if is_text else _hex_value(tlv))
    return facts


def _add(facts: Facts, key: str, value: str | None) -> None:
    before = facts.get(key)
    facts[key] = value if before is None else f"{before}; {value or ''}"


def _text_value(tlv: Tlv) -> str | None:
    return tlv.octets.decode(errors="replace") if tlv.octets else None


def _hex_value(tlv: Tlv) -> str | None:
    return dashed(tlv.octets) if tlv.octets else None


def dashed(octets: bytes) -> str:
    """Write octets as `01-02-03`."""
    return octets.hex("-")
