"""Route Monitoring messages of a router, and what tests ask of their rows."""

import json
from typing import Final

from tests.oracles import attributes as a
from tests.oracles.bmp_build import ROUTE_MONITORING, L, frame, peer, tlv
from tests.oracles.build import MANDATORY, NET_10, NEXT_HOP_1, ORIGIN_IGP, attribute, prefix, segments, update
from tests.oracles.compiled_router import Taken
from tests.oracles.monitored import RIB_OCTETS

NOTHING: Final = {"routes": 0, "prefixes": 0, "paths": 0}
PEER: Final = peer()
KEY: Final = PEER[:RIB_OCTETS]
OTHER: Final = peer(flags=L, address="2001:db8::1")
NET_11: Final = prefix(bytes([11, 0, 0, 0]), 8)
ANNOUNCED: Final = update(MANDATORY, NET_10)
WITHDRAWN: Final = update(withdrawn=NET_10)
END_OF_RIB: Final = update()
RD: Final = bytes.fromhex("0000fde800000064")
BEST: Final = bytes.fromhex("00000002")
BACKUP: Final = bytes.fromhex("000000100001")
#: ADD-PATH of IPv4 unicast: receive, send; of IPv6 unicast, receive.
RECEIVES, SENDS, RECEIVES_6 = (bytes.fromhex(text) for text in ("450400010101", "450400010102", "450400020101"))
NARROW: Final = update((ORIGIN_IGP, attribute(a.AS_PATH, segments((2, [65001, 65002]), width=2)), NEXT_HOP_1), NET_11)


def v3(octets: bytes, header: bytes = PEER) -> bytes:
    return frame(ROUTE_MONITORING, header + octets)


def v4(octets: bytes, *tlvs: bytes, header: bytes = PEER) -> bytes:
    return frame(ROUTE_MONITORING, header + b"".join(tlvs) + tlv(4, octets, index=0), 4)


def marking(value: bytes, index: int) -> bytes:
    return tlv(5, value, index=index)


def kept(value: bytes, kind: int = 5) -> str:
    """A TLV as it is kept with a route."""
    return tlv(kind, value).hex()


def stateless(value: bytes) -> bytes:
    return tlv(1, value, index=0)


def nets(first: int, count: int) -> bytes:
    return b"".join(bytes([24]) + n.to_bytes(3, "big") for n in range(first, first + count))


def identified(identifier: int) -> bytes:
    return prefix(bytes([10, 0, 0, 0]), 8, path_id=identifier)


def values(taken: Taken, *keys: str) -> list[tuple]:
    return [tuple(json.loads(row).get(key) for key in keys) for row in taken.rows]
