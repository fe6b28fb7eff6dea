"""The IANA registries of BGP-4 that messages, capabilities and errors draw on."""

from collections.abc import Mapping
from typing import Final

from routed.octets import CodePoint

#: Stands for a 4-octet AS number in the 2-octet fields of RFC 4271 (RFC 6793 section 9).
AS_TRANS: Final = 23456
MAX_AS2: Final = 0xFFFF


class MessageType(CodePoint):
    """BGP message types (RFC 4271 section 4.1, RFC 2918)."""

    OPEN = 1
    UPDATE = 2
    NOTIFICATION = 3
    KEEPALIVE = 4
    ROUTE_REFRESH = 5


class OptionalParameterType(CodePoint):
    """OPEN optional parameter types (RFC 5492, RFC 9072)."""

    CAPABILITIES = 2
    EXTENDED_LENGTH = 255


class CapabilityCode(CodePoint):
    """Capability codes (RFC 5492)."""

    MULTIPROTOCOL = 1
    ROUTE_REFRESH = 2
    OUTBOUND_ROUTE_FILTERING = 3
    EXTENDED_NEXT_HOP = 5
    EXTENDED_MESSAGE = 6
    BGPSEC = 7
    MULTIPLE_LABELS = 8
    BGP_ROLE = 9
    GRACEFUL_RESTART = 64
    FOUR_OCTET_AS = 65
    DYNAMIC_CAPABILITY = 67
    MULTISESSION = 68
    ADD_PATH = 69
    ENHANCED_ROUTE_REFRESH = 70
    LONG_LIVED_GRACEFUL_RESTART = 71
    ROUTING_POLICY_DISTRIBUTION = 72
    FQDN = 73
    BFD = 74
    SOFTWARE_VERSION = 75
    PATHS_LIMIT = 76
    PRESTANDARD_ROUTE_REFRESH = 128


class SendReceive(CodePoint):
    """What a speaker wants to do with path identifiers (RFC 7911 section 4)."""

    RECEIVE = 1
    SEND = 2
    BOTH = 3


class Role(CodePoint):
    """BGP roles (RFC 9234 section 4.1)."""

    PROVIDER = 0
    ROUTE_SERVER = 1
    ROUTE_SERVER_CLIENT = 2
    CUSTOMER = 3
    PEER = 4


class RefreshSubtype(CodePoint):
    """ROUTE-REFRESH message subtypes (RFC 7313 section 3.2)."""

    REQUEST = 0
    BEGIN = 1
    END = 2


class ErrorCode(CodePoint):
    """NOTIFICATION error codes (RFC 4271 section 4.5)."""

    MESSAGE_HEADER = 1
    OPEN_MESSAGE = 2
    UPDATE_MESSAGE = 3
    HOLD_TIMER_EXPIRED = 4
    FINITE_STATE_MACHINE = 5
    CEASE = 6
    ROUTE_REFRESH_MESSAGE = 7
    SEND_HOLD_TIMER_EXPIRED = 8


class Unspecific(CodePoint):
    """Subcodes of the codes that have none (RFC 4271 section 4.5)."""

    UNSPECIFIC = 0


class HeaderSubcode(CodePoint):
    """Subcodes of MESSAGE_HEADER (RFC 4271 section 6.1)."""

    UNSPECIFIC = 0
    CONNECTION_NOT_SYNCHRONIZED = 1
    BAD_MESSAGE_LENGTH = 2
    BAD_MESSAGE_TYPE = 3


class OpenSubcode(CodePoint):
    """Subcodes of OPEN_MESSAGE (RFC 4271 section 6.2, RFC 5492, RFC 9234)."""

    UNSPECIFIC = 0
    UNSUPPORTED_VERSION_NUMBER = 1
    BAD_PEER_AS = 2
    BAD_BGP_IDENTIFIER = 3
    UNSUPPORTED_OPTIONAL_PARAMETER = 4
    AUTHENTICATION_FAILURE = 5  # deprecated by RFC 4271
    UNACCEPTABLE_HOLD_TIME = 6
    UNSUPPORTED_CAPABILITY = 7
    ROLE_MISMATCH = 11


class UpdateSubcode(CodePoint):
    """Subcodes of UPDATE_MESSAGE (RFC 4271 section 6.3)."""

    UNSPECIFIC = 0
    MALFORMED_ATTRIBUTE_LIST = 1
    UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE = 2
    MISSING_WELL_KNOWN_ATTRIBUTE = 3
    ATTRIBUTE_FLAGS_ERROR = 4
    ATTRIBUTE_LENGTH_ERROR = 5
    INVALID_ORIGIN_ATTRIBUTE = 6
    AS_ROUTING_LOOP = 7  # deprecated by RFC 4271
    INVALID_NEXT_HOP_ATTRIBUTE = 8
    OPTIONAL_ATTRIBUTE_ERROR = 9
    INVALID_NETWORK_FIELD = 10
    MALFORMED_AS_PATH = 11


class FsmSubcode(CodePoint):
    """Subcodes of FINITE_STATE_MACHINE (RFC 6608)."""

    UNSPECIFIC = 0
    UNEXPECTED_IN_OPEN_SENT = 1
    UNEXPECTED_IN_OPEN_CONFIRM = 2
    UNEXPECTED_IN_ESTABLISHED = 3


class CeaseSubcode(CodePoint):
    """Subcodes of CEASE (RFC 4486, RFC 8538, RFC 9384)."""

    UNSPECIFIC = 0
    MAXIMUM_PREFIXES_REACHED = 1
    ADMINISTRATIVE_SHUTDOWN = 2
    PEER_DE_CONFIGURED = 3
    ADMINISTRATIVE_RESET = 4
    CONNECTION_REJECTED = 5
    OTHER_CONFIGURATION_CHANGE = 6
    CONNECTION_COLLISION_RESOLUTION = 7
    OUT_OF_RESOURCES = 8
    HARD_RESET = 9
    BFD_DOWN = 10


class RefreshSubcode(CodePoint):
    """Subcodes of ROUTE_REFRESH_MESSAGE (RFC 7313 section 5)."""

    UNSPECIFIC = 0
    INVALID_MESSAGE_LENGTH = 1


#: Which registry a NOTIFICATION's subcode belongs to.
SUBCODES: Final[Mapping[ErrorCode, type[CodePoint]]] = {
    ErrorCode.MESSAGE_HEADER: HeaderSubcode,
    ErrorCode.OPEN_MESSAGE: OpenSubcode,
    ErrorCode.UPDATE_MESSAGE: UpdateSubcode,
    ErrorCode.HOLD_TIMER_EXPIRED: Unspecific,
    ErrorCode.FINITE_STATE_MACHINE: FsmSubcode,
    ErrorCode.CEASE: CeaseSubcode,
    ErrorCode.ROUTE_REFRESH_MESSAGE: RefreshSubcode,
    ErrorCode.SEND_HOLD_TIMER_EXPIRED: Unspecific,
}
