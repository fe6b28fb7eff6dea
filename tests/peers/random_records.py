"""Templates and records by chance, the same ones for one seed, of what releases of nfacctd agree about.

Left out is what they read differently: see docs/compatibility.md, and times and counters that are lists of their own.
"""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING, Final

from tests.flowcorr.exports import NOW, export_set, ipfix, template, v9

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Value = Callable[[random.Random, int], bytes]

#: Templates, each of an exporter's own domain.
TEMPLATES: Final = 120


def number(most: int) -> Value:
    """Return what makes integers: small ones, large ones, and 0."""

    def value(chance: random.Random, octets: int) -> bytes:
        drawn = chance.choice((0, 1, chance.randint(0, 99), chance.randint(0, most)))
        return min(drawn, 256**octets - 1).to_bytes(octets, "big")

    return value


def ipv4(chance: random.Random, _octets: int) -> bytes:
    return bytes((*chance.choice(((10, 1), (192, 0))), chance.randint(0, 3), chance.randint(1, 255)))


def ipv6(chance: random.Random, _octets: int) -> bytes:
    return bytes.fromhex("20010db8") + bytes(11) + bytes([chance.randint(1, 255)])


def one_of(*values: bytes) -> Value:
    return lambda chance, _octets: chance.choice(values)


def mac(chance: random.Random, _octets: int) -> bytes:
    return bytes((2, 0, 0, 0, 0, chance.randint(0, 3)))


def label(chance: random.Random, _octets: int) -> bytes:
    return (chance.randint(16, 2**20 - 1) << 4 | chance.randint(0, 1)).to_bytes(3, "big")


def milliseconds(chance: random.Random, _octets: int) -> bytes:
    return struct.pack("!Q", NOW * 1000 - chance.randint(0, 60_000))


#: Addresses and what belongs to their family: a template has those of one.
FAMILIES: Final[tuple[dict[int, tuple[tuple[int, ...], Value]], ...]] = (
    {8: ((4,), ipv4), 12: ((4,), ipv4), 9: ((1,), number(32)), 13: ((1,), number(32)), 18: ((4,), ipv4)},
    {27: ((16,), ipv6), 28: ((16,), ipv6), 29: ((1,), number(128)), 30: ((1,), number(128)), 63: ((16,), ipv6)},
)
#: Octets and packets.
COUNTERS: Final = ((1, 2), (85, 86), (23, 24), (352, 2))
#: All others by element: the lengths that fields have, and what is in them.
ELEMENTS: Final[dict[int, tuple[tuple[int, ...], Value]]] = {
    **dict.fromkeys((1, 85, 23), ((4, 8), number(2**31))),
    **dict.fromkeys((2, 86, 24), ((4, 8), number(2**20))),
    352: ((8,), number(2**31)),
    3: ((4,), number(50)),
    4: ((1,), one_of(*(bytes([each]) for each in (0, 1, 6, 17, 47, 58, 89)))),
    5: ((1,), number(255)),
    6: ((1,), number(63)),
    **dict.fromkeys((7, 11, 180, 181, 182, 183, 227, 228), ((2,), number(65_535))),
    **dict.fromkeys((10, 14, 16, 17), ((2, 4), number(65_535))),
    **dict.fromkeys((252, 253), ((4,), number(65_535))),
    **dict.fromkeys((56, 80, 57, 81), ((6,), mac)),
    **dict.fromkeys((58, 59, 243, 254, 245), ((2,), number(4_095))),
    **dict.fromkeys((128, 129), ((4,), number(2**32 - 1))),
    **dict.fromkeys((70, 71, 72), ((3,), label)),
    **dict.fromkeys((152, 153, 323), ((8,), milliseconds)),
    61: ((1,), one_of(b"\0", b"\1")),
    244: ((1,), number(7)),
    249: ((4,), number(2**20)),
    256: ((2,), one_of(b"\x08\0", b"\x86\xdd", b"\x88\x47")),
}

#: What Debian's release prints of them.
PRINTED: Final = """
    src_host, dst_host, src_mask, dst_mask, proto, tos, src_port, dst_port, tcpflags, cos, etype, src_mac, dst_mac,
    src_as, dst_as, peer_src_as, peer_dst_as, peer_dst_ip, peer_src_ip, post_nat_src_port, post_nat_dst_port,
    mpls_label_bottom, mpls_label_top, mpls_pw_id, flows, in_iface, out_iface, sampling_direction, export_proto_seqno,
    export_proto_version, export_proto_sysid, timestamp_start, timestamp_end, timestamp_export
"""


def random_datagrams(seed: int) -> Iterator[bytes]:
    """Iterate over templates, each with records of it behind."""
    chance = random.Random(seed)
    of_counters = {element for pair in COUNTERS for element in pair}
    for domain in range(1, TEMPLATES + 1):
        family = chance.choice(FAMILIES)
        known = {**ELEMENTS, **family}
        first, second, *rest = family
        others = sorted({*rest, *(ELEMENTS.keys() - of_counters)})
        elements = [first, second, *chance.choice(COUNTERS), *chance.sample(others, chance.randint(0, 14))]
        chance.shuffle(elements)
        fields = [(element, chance.choice(known[element][0])) for element in elements]
        records = [
            b"".join(known[element][1](chance, octets) for element, octets in fields)
            for _ in range(chance.randint(1, 3))
        ]
        of_templates, message = chance.choice(((0, v9), (2, ipfix)))
        template_id = chance.randint(256, 400)
        yield message(export_set(of_templates, template(template_id, *fields)), domain=domain, sequence=domain)
        yield message(export_set(template_id, *records), domain=domain, sequence=domain + 1)
