"""BMP messages as facts that can be compared with what NetGauze, an independent reader, says of the same octets.

A fact is left out where the two have different words for it: BGP attributes, and most capabilities.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

from routed.octets import Cursor
from routed.wire.bgp.capability import AddPath, FourOctetAs, PathsOffer
from routed.wire.bgp.context import DecodeContext
from routed.wire.bgp.open import OpenMessage
from routed.wire.bgp.reach import MpReachNlri, MpUnreachNlri
from routed.wire.bgp.update import decode_update
from routed.wire.bmp.codepoints import InitiationType, MonitoringType, PeerUpType
from routed.wire.bmp.initiation import Initiation
from routed.wire.bmp.message import Message
from routed.wire.bmp.monitoring import RouteMonitoring
from routed.wire.bmp.peer import PeerHeader
from routed.wire.bmp.peer_down import PeerDown
from routed.wire.bmp.peer_up import PeerUp
from routed.wire.bmp.statistics import StatisticsReport
from routed.wire.family import STORABLE
from routed.wire.rd import parse_rd

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PEER_TYPES = {"GlobalInstancePeer": 0, "RdInstancePeer": 1, "LocalInstancePeer": 2, "LocRibInstancePeer": 3}
INITIATION = {"String": InitiationType.STRING, "SystemDescription": 1, "SystemName": InitiationType.SYS_NAME}
PEER_UP = {"String": PeerUpType.STRING, "VrfTableName": 3, "AdminLabel": PeerUpType.ADMIN_LABEL}
COUNTERS = {
    "NumberOfPrefixesRejectedByInboundPolicy": 0,
    "NumberOfDuplicatePrefixAdvertisements": 1,
    "NumberOfDuplicateWithdraws": 2,
    "NumberOfUpdatesInvalidatedDueToClusterListLoop": 3,
    "NumberOfUpdatesInvalidatedDueToAsPathLoop": 4,
    "NumberOfRoutesInAdjRibIn": 7,
    "NumberOfRoutesInLocRib": 8,
}
REASONS = {"LocalSystemClosedNotificationPduFollows": 1, "RemoteSystemClosedNotificationPduFollows": 3}
CEASES = {"AdministrativeReset": (6, 4)}


def our_facts(message: Message) -> dict[str, Any]:
    match message:
        case Initiation():
            return {"tlvs": [(tlv.kind, tlv.octets.decode()) for tlv in message.tlvs]}
        case PeerUp():
            is_loc = message.peer.is_loc
            return {
                **_peer(message.peer),
                "local": None if is_loc else (message.local_address, message.local_port, message.remote_port),
                "opens": [_open(message.sent_open), _open(message.received_open)],
                "tlvs": [(tlv.kind, tlv.octets.decode()) for tlv in message.tlvs],
            }
        case PeerDown():
            assert message.notification is not None
            notification = (message.notification.code, message.notification.subcode)
            return {**_peer(message.peer), "reason": message.reason, "notification": notification}
        case StatisticsReport():
            return {**_peer(message.peer), "statistics": [(each.kind, each.value) for each in message.statistics]}
        case RouteMonitoring():
            vrf = message.vrf
            return {
                **_peer(message.peer),
                "tlvs": sorted(MonitoringType(tlv.kind).name for tlv in message.tlvs),
                "indices": [tlv.index for tlv in message.tlvs],
                "vrf": None if vrf is None else vrf.decode(),
                "add_path": sorted((offer.family, offer.send_receive) for offer in _offers(message)),
                "routes": sorted(_routes(message)),
            }
        case other:
            raise AssertionError(f"no capture has {other!r}")


def their_facts(line: dict[str, Any]) -> dict[str, Any]:
    ((_version, body),) = line.items()
    ((kind, value),) = body.items()
    facts = {} if kind == "Initiation" else _their_peer(value["peer_header"])
    match kind:
        case "Initiation":
            facts["tlvs"] = [(INITIATION[name], text) for each in value["information"] for name, text in each.items()]
        case "PeerUpNotification":
            address, ports = value["local_address"], (value["local_port"], value["remote_port"])
            facts["local"] = None if address is None else (ip_address(address), *ports)
            facts["opens"] = [_their_open(value[each]["Open"]) for each in ("sent_message", "received_message")]
            facts["tlvs"] = [(PEER_UP[name], text) for each in value["information"] for name, text in each.items()]
        case "PeerDownNotification":
            ((reason, message),) = value["reason"].items()
            ((subcode, _),) = message["Notification"]["CeaseError"].items()
            facts |= {"reason": REASONS[reason], "notification": CEASES[subcode]}
        case "StatisticsReport":
            facts["statistics"] = [
                (COUNTERS[name], count) for each in value["counters"] for name, count in each.items()
            ]
        case "RouteMonitoring":
            facts |= _their_monitoring(value)
    return facts


def _peer(peer: PeerHeader) -> dict[str, Any]:
    return {
        "type": peer.peer_type,
        "flags": (peer.is_ipv6, peer.is_post, peer.is_legacy_as_path, peer.is_out, peer.is_filtered),
        "rd": peer.distinguisher,
        "address": peer.address,
        "asn": peer.asn,
        "bgp_id": peer.bgp_id,
        "time": EPOCH + timedelta(seconds=peer.seconds, microseconds=peer.microseconds),
    }


def _their_peer(header: dict[str, Any]) -> dict[str, Any]:
    ((kind, flags),) = header["peer_type"].items()
    names = ("ipv6", "post_policy", "asn2", "adj_rib_out", "filtered")
    return {
        "type": PEER_TYPES[kind],
        "flags": tuple(flags.get(name, False) for name in names),
        "rd": _their_rd(header["rd"]),
        "address": ip_address(header["address"] or "0.0.0.0"),
        "asn": header["peer_as"],
        "bgp_id": IPv4Address(header["bgp_id"]),
        "time": datetime.fromisoformat(header["timestamp"]),
    }


def _their_rd(rd: dict[str, Any] | None) -> bytes:
    match rd:
        case None:
            return bytes(8)
        case {"As2Administrator": {"asn2": asn, "number": number}}:
            return parse_rd(f"0:{asn}:{number}")
        case {"As4Administrator": {"asn4": asn, "number": number}}:
            return parse_rd(f"2:{asn}:{number}")
        case other:
            raise AssertionError(f"another kind of route distinguisher: {other}")


def _open(message: OpenMessage) -> tuple[Any, ...]:
    numbers = [each.asn for each in message.having(FourOctetAs)]
    return message.my_as, message.hold_time, IPv4Address(message.bgp_identifier), numbers, len([*message.capabilities])


def _their_open(message: dict[str, Any]) -> tuple[Any, ...]:
    capabilities = [each for parameter in message["params"] for each in parameter["Capabilities"]]
    numbers = [each["FourOctetAs"]["asn4"] for each in capabilities if "FourOctetAs" in each]
    return message["my_as"], message["hold_time"], IPv4Address(message["bgp_id"]), numbers, len(capabilities)


def _offers(message: RouteMonitoring) -> Iterator[PathsOffer]:
    for capability in message.capabilities or ():
        assert isinstance(capability, AddPath)
        yield from capability.offers


def _routes(message: RouteMonitoring) -> Iterator[tuple[int, str]]:
    """Path identifiers (-1: none) and prefixes."""
    context = DecodeContext(as4=True, families=STORABLE, add_path=message.add_path or frozenset())
    update = decode_update(Cursor(message.update[19:]), context)
    routes = [*update.withdrawn, *update.nlri]
    for attribute in update.attributes:
        if isinstance(attribute.value, MpReachNlri | MpUnreachNlri):
            routes += attribute.value.routes
    for route in routes:
        yield -1 if route.path_id is None else route.path_id, str(route.prefix)


def _their_monitoring(value: dict[str, Any]) -> dict[str, Any]:
    tlvs = value.get("tlvs", [])
    values = {name: each for tlv in tlvs for name, each in tlv["value"].items()}
    names = {"StatelessParsing": "STATELESS_PARSING", "VrfTableName": "VRF_TABLE_NAME"}
    families = {"Ipv4Unicast": (1, 1), "Ipv4MplsLabeledVpn": (1, 128)}
    parsing = values.get("StatelessParsing", {"AddPath": {"address_families": []}})
    return {
        "tlvs": sorted(names[name] for name in values),
        "indices": [tlv["index"] for tlv in tlvs],
        "vrf": values.get("VrfTableName"),
        "add_path": sorted(
            (families[each["address_type"]], each["receive"] + 2 * each["send"])
            for each in parsing["AddPath"]["address_families"]
        ),
        "routes": sorted(_their_routes(value.get("update_pdu", value.get("update_message")))),
    }


def _their_routes(value: Any) -> Iterator[tuple[int, str]]:
    """All networks, wherever they are."""
    match value:
        case {"network": str(network), **rest} | {"prefix": str(network), "labels": _, **rest}:
            path_id = rest.get("path_id")
            yield -1 if path_id is None else path_id, str(ip_network(network, strict=False))
        case dict():
            for each in value.values():
                yield from _their_routes(each)
        case list():
            for each in value:
                yield from _their_routes(each)
