"""What a record of an exporter is: the code that decides which maps apply and whether it has counters."""

from enum import IntEnum
from typing import Final


class RecordType(IntEnum):
    """Types of flow records; numbers are those that maps and outputs have known for long."""

    IPV4_V5 = 1  # NetFlow v5
    IPV4 = 2
    IPV6 = 3
    FRAME = 4  # a section of a data link frame or packet
    L2 = 5  # nothing but MAC addresses
    VLAN_IPV4 = 7
    VLAN_IPV6 = 8
    MPLS_IPV4 = 12
    MPLS_IPV6 = 13
    VLAN_MPLS_IPV4 = 17
    VLAN_MPLS_IPV6 = 18
    SRV6_L2 = 20
    SRV6_IPV4 = 22
    SRV6_IPV6 = 23
    EVENT = 100
    OPTION = 200


#: Added to IPV4 or IPV6.
VLAN: Final = 5
MPLS: Final = 10
#: From here on a record carries no counters.
FIRST_WITHOUT_COUNTERS: Final = RecordType.EVENT
