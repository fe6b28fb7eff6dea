"""Code points that compiled modules read in octets, by their names in `routed.wire.bgp`."""

cdef enum:                           # path attributes (IANA)
    ORIGIN = 1
    AS_PATH = 2
    NEXT_HOP = 3
    MULTI_EXIT_DISC = 4
    LOCAL_PREF = 5
    ATOMIC_AGGREGATE = 6
    AGGREGATOR = 7
    COMMUNITIES = 8
    ORIGINATOR_ID = 9
    CLUSTER_LIST = 10
    MP_REACH_NLRI = 14
    MP_UNREACH_NLRI = 15
    EXTENDED_COMMUNITIES = 16
    AS4_PATH = 17
    AS4_AGGREGATOR = 18
    IPV6_EXTENDED_COMMUNITIES = 25
    AIGP = 26
    LARGE_COMMUNITY = 32
    ONLY_TO_CUSTOMER = 35
    PREFIX_SID = 40

cdef enum:                           # segments of an AS path (RFC 4271 section 4.3, RFC 5065 section 3)
    AS_SET = 1
    AS_SEQUENCE = 2
    AS_CONFED_SEQUENCE = 3
    AS_CONFED_SET = 4

cdef enum:                           # subcodes of UPDATE errors (RFC 4271 section 4.5)
    MALFORMED_ATTRIBUTE_LIST = 1
    UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE = 2
    ATTRIBUTE_FLAGS_ERROR = 4
    OPTIONAL_ATTRIBUTE_ERROR = 9
    INVALID_NETWORK_FIELD = 10
