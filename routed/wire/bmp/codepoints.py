"""The IANA registries of BMP, and the names that records give to their values.

Sources: RFC 7854 section 10, RFC 9069, RFC 9736, draft-ietf-grow-bmp-tlv, draft-ietf-grow-bmp-path-marking-tlv.
"""

from collections.abc import Mapping
from typing import Final

from routed.octets import CodePoint


class MessageType(CodePoint):
    """BMP message types (RFC 7854 section 4.1)."""

    ROUTE_MONITORING = 0
    STATISTICS_REPORT = 1
    PEER_DOWN = 2
    PEER_UP = 3
    INITIATION = 4
    TERMINATION = 5
    ROUTE_MIRRORING = 6


class PeerType(CodePoint):
    """BMP peer types (RFC 7854 section 4.2, RFC 9069 section 4.1)."""

    GLOBAL_INSTANCE = 0
    RD_INSTANCE = 1
    LOCAL_INSTANCE = 2
    LOC_RIB_INSTANCE = 3


class InitiationType(CodePoint):
    """TLVs of an Initiation message (RFC 7854 section 4.4, RFC 9736 section 3.1)."""

    STRING = 0
    SYS_DESCR = 1
    SYS_NAME = 2


class TerminationType(CodePoint):
    """TLVs of a Termination message (RFC 7854 section 4.5)."""

    STRING = 0
    REASON = 1


class TerminationReason(CodePoint):
    """Why a router ends the session (RFC 7854 section 4.5)."""

    ADMINISTRATIVELY_CLOSED = 0
    UNSPECIFIED = 1
    OUT_OF_RESOURCES = 2
    REDUNDANT_CONNECTION = 3
    PERMANENTLY_CLOSED = 4


class PeerUpType(CodePoint):
    """TLVs of a Peer Up and of a Peer Down message (RFC 9736 section 3.3, RFC 9069 section 5.3)."""

    STRING = 0
    VRF_TABLE_NAME = 3
    ADMIN_LABEL = 4


class PeerDownReason(CodePoint):
    """Why a peer went down (RFC 7854 section 4.9, RFC 9069 section 5.3)."""

    LOCAL_NOTIFICATION = 1
    LOCAL_FSM_EVENT = 2
    REMOTE_NOTIFICATION = 3
    REMOTE_NO_DATA = 4
    DE_CONFIGURED = 5
    LOCAL_TLVS = 6


class MirroringType(CodePoint):
    """TLVs of a Route Mirroring message (RFC 7854 section 4.7)."""

    BGP_MESSAGE = 0
    INFORMATION = 1


class MirroringInformation(CodePoint):
    """Information codes of a Route Mirroring message (RFC 7854 section 4.7)."""

    ERRORED_PDU = 0
    MESSAGES_LOST = 1


class MonitoringType(CodePoint):
    """TLVs of a Route Monitoring message of version 4, with the code points that routers and collectors deploy.

    Departs: draft-ietf-grow-bmp-tlv-20 section 9 renumbers them (group 4, VRF/table name 5, stateless parsing 6, BGP
    message 7) and so collides with draft-ietf-grow-bmp-path-marking-tlv-05; captures of routers have these.
    """

    STATELESS_PARSING = 1
    GROUP = 2
    VRF_TABLE_NAME = 3
    BGP_PDU = 4
    PATH_MARKING = 5


PEER_TYPE_NAMES: Final[Mapping[int, str]] = {
    PeerType.GLOBAL_INSTANCE: "Global Instance Peer",
    PeerType.RD_INSTANCE: "RD Instance Peer",
    PeerType.LOCAL_INSTANCE: "Local Instance Peer",
    PeerType.LOC_RIB_INSTANCE: "Loc-RIB Instance Peer",
}

#: What records call TLVs, behind `bmp_init_info_`, as in pmacct; so 3 and 4 are reserved although routers send them.
INITIATION_NAMES: Final[Mapping[int, str]] = {
    InitiationType.STRING: "string",
    InitiationType.SYS_DESCR: "sysdescr",
    InitiationType.SYS_NAME: "sysname",
    3: "reserved",
    4: "reserved",
}

TERMINATION_NAMES: Final[Mapping[int, str]] = {
    TerminationType.STRING: "string",
    TerminationType.REASON: "reason",
}

PEER_UP_NAMES: Final[Mapping[int, str]] = {
    PeerUpType.STRING: "string",
    1: "reserved",
    2: "reserved",
    PeerUpType.VRF_TABLE_NAME: "vrf_table_name",
    PeerUpType.ADMIN_LABEL: "admin_label",
}

MONITORING_NAMES: Final[Mapping[int, str]] = {
    MonitoringType.STATELESS_PARSING: "stateless",
    MonitoringType.GROUP: "group",
    MonitoringType.VRF_TABLE_NAME: "vrf",
    MonitoringType.BGP_PDU: "bgp_pdu",
    MonitoringType.PATH_MARKING: "path_marking",
}

TERMINATION_REASON_TEXTS: Final[Mapping[int, str]] = {
    TerminationReason.ADMINISTRATIVELY_CLOSED: "Session administratively closed",
    TerminationReason.UNSPECIFIED: "Unspecified reason",
    TerminationReason.OUT_OF_RESOURCES: "Out of resources",
    TerminationReason.REDUNDANT_CONNECTION: "Redundant connection",
    TerminationReason.PERMANENTLY_CLOSED: "Session permanently administratively closed",
}

PEER_DOWN_REASON_TEXTS: Final[Mapping[int, str]] = {
    0: "Reserved",
    PeerDownReason.LOCAL_NOTIFICATION: "The local system closed the session",
    PeerDownReason.LOCAL_FSM_EVENT: "The local system closed the session without a notification message",
    PeerDownReason.REMOTE_NOTIFICATION: "The remote system closed the session",
    PeerDownReason.REMOTE_NO_DATA: "The remote system closed the session without a notification message",
    PeerDownReason.DE_CONFIGURED: "Info for this peer will no longer be sent for configuration reasons",
    PeerDownReason.LOCAL_TLVS: "The local system closed the session, TLV data follows",
}

MIRRORING_INFORMATION_NAMES: Final[Mapping[int, str]] = {
    MirroringInformation.ERRORED_PDU: "errored_pdu",
    MirroringInformation.MESSAGES_LOST: "messages_lost",
}

#: Bits of a path status (draft-ietf-grow-bmp-path-marking-tlv section 3.1), lowest first.
PATH_STATUS_NAMES: Final[Mapping[int, str]] = {
    0x0001: "Invalid",
    0x0002: "Best",
    0x0004: "Non-selected",
    0x0008: "Primary",
    0x0010: "Backup",
    0x0020: "Non-installed",
    0x0040: "Best-external",
    0x0080: "Add-Path",
    0x0100: "Filtered-In-Policy",
    0x0200: "Filtered-Out-Policy",
    0x0400: "Stale",
    0x0800: "Suppressed",
}
