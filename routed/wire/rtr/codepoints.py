"""The registries of the RPKI to Router protocol, and the limits of its PDUs.

Source: RFC 8210 sections 5, 12 and 14; draft-ietf-sidrops-8210bis.
"""

from collections.abc import Mapping
from typing import Final

from routed.octets import CodePoint

#: The versions that are spoken, the newest first.
VERSIONS: Final = (2, 1, 0)
#: The header that all PDUs begin with. Units: octets.
HEADER_OCTETS: Final = 8
#: The longest PDU that is read: an ASPA of 16,000 providers, or an Error Report about one. Units: octets.
MAX_PDU: Final = 65_536


class PduType(CodePoint):
    """PDU types (RFC 8210 section 14)."""

    SERIAL_NOTIFY = 0
    SERIAL_QUERY = 1
    RESET_QUERY = 2
    CACHE_RESPONSE = 3
    IPV4_PREFIX = 4
    IPV6_PREFIX = 6
    END_OF_DATA = 7
    CACHE_RESET = 8
    ROUTER_KEY = 9
    ERROR_REPORT = 10
    ASPA = 11


class ErrorCode(CodePoint):
    """Error codes (RFC 8210 section 12)."""

    CORRUPT_DATA = 0
    INTERNAL_ERROR = 1
    NO_DATA_AVAILABLE = 2
    INVALID_REQUEST = 3
    UNSUPPORTED_VERSION = 4
    UNSUPPORTED_PDU_TYPE = 5
    WITHDRAWAL_OF_UNKNOWN_RECORD = 6
    DUPLICATE_ANNOUNCEMENT = 7
    UNEXPECTED_VERSION = 8
    ASPA_PROVIDER_LIST_ERROR = 9


#: What a PDU may be long, at least and at most, by type; End of Data depends on the version too. Units: octets.
LENGTHS: Final[Mapping[PduType, tuple[int, int]]] = {
    PduType.SERIAL_NOTIFY: (12, 12),
    PduType.SERIAL_QUERY: (12, 12),
    PduType.RESET_QUERY: (8, 8),
    PduType.CACHE_RESPONSE: (8, 8),
    PduType.IPV4_PREFIX: (20, 20),
    PduType.IPV6_PREFIX: (32, 32),
    PduType.END_OF_DATA: (12, 24),
    PduType.CACHE_RESET: (8, 8),
    PduType.ROUTER_KEY: (32, MAX_PDU),
    PduType.ERROR_REPORT: (16, MAX_PDU),
    PduType.ASPA: (12, MAX_PDU),
}
#: The version in which a PDU type appears.
SINCE: Final[Mapping[PduType, int]] = {PduType.ROUTER_KEY: 1, PduType.ASPA: 2}
#: What only routers send.
QUERIES: Final = frozenset({PduType.SERIAL_QUERY, PduType.RESET_QUERY})
