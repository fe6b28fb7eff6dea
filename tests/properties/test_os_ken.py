"""The compiled UPDATE path against os-ken, a decoder that others wrote, on UPDATEs that both can read.

os-ken guesses the width of AS numbers, knows no path identifiers, loses the label of a default route and fails
on an unnamed kind of route distinguisher; so those do not occur here.
"""

import json
from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from os_ken.lib.packet import bgp

from tests.oracles import attributes as a
from tests.oracles.attributes import Context
from tests.oracles.build import attribute, mp_reach, segments, update
from tests.oracles.compiled import CompiledPeer
from tests.oracles.nlri import Family
from tests.oracles.rows import Style
from tests.properties.strategies import addresses, many, nlri_fields

CONTEXT = Context()
FAMILIES: tuple[Family, ...] = ((1, 1), (2, 1), (1, 4), (1, 128), (2, 128))
COMPARED = {
    "ip_prefix", "bgp_nexthop", "as_path", "comms", "origin", "local_pref", "med", "rd", "mpls_label",
}  # fmt: skip


@st.composite
def announcements(draw: DrawFn) -> bytes:
    """An UPDATE that announces in one family, IPv4 unicast in the classic way."""
    family = draw(st.sampled_from(FAMILIES))
    numbers = draw(st.lists(st.sampled_from((64512, 70000, 4200000000)), min_size=1, max_size=5))
    attributes = [
        attribute(a.ORIGIN, draw(st.sampled_from((b"\0", b"\1", b"\2")))),
        attribute(a.AS_PATH, segments((2, numbers))),
        attribute(a.MED, draw(st.integers(0, 2**32 - 1)).to_bytes(4, "big")),
        attribute(a.LOCAL_PREF, draw(st.integers(0, 2**32 - 1)).to_bytes(4, "big")),
        attribute(a.COMMUNITIES, draw(many(4, "fde90001"))),
    ]
    nlri = draw(nlri_fields(family, CONTEXT, withdrawn=False, plain=True))
    next_hop = draw(addresses(family[0]))
    if family == (1, 1):
        return update((*attributes, attribute(a.NEXT_HOP, next_hop)), nlri)
    return update((*attributes, mp_reach(family, next_hop, nlri)))


def fields_of(octets: bytes) -> list[dict[str, Any]]:
    """What os-ken reads, in the terms of a row."""
    message, _, _ = bgp.BGPMessage.parser(octets)
    attributes = {each.type: each for each in message.path_attributes}
    reach = attributes.get(a.MP_REACH)
    path = [number for segment in attributes[a.AS_PATH].value for number in segment]
    communities = sorted(set(attributes[a.COMMUNITIES].communities))
    shared = {
        "bgp_nexthop": ip_address(reach.next_hop if reach else attributes[a.NEXT_HOP].value),
        "as_path": " ".join(map(str, path)),
        "comms": " ".join(f"{value >> 16}:{value & 0xFFFF}" for value in communities),
        "origin": attributes[a.ORIGIN].value,
        "local_pref": attributes[a.LOCAL_PREF].value,
        "med": attributes[a.MED].value,
    }
    return [{**shared, **nlri_of(one)} for one in (reach.nlri if reach else message.nlri)]


def nlri_of(one: Any) -> dict[str, Any]:
    """Prefix, distinguisher and last label; os-ken leaves the bits behind a prefix as they came."""
    match one.addr:
        case str(address):
            return {"ip_prefix": ip_network((address, one.length), strict=False)}
        case [labels, address]:
            prefix = ip_network((address, one.length - 24 * len(labels)), strict=False)
            return {"ip_prefix": prefix, "mpls_label": str(labels[-1])}
        case [labels, rd, address]:
            prefix = ip_network((address, one.length - 24 * len(labels) - 64), strict=False)
            return {"ip_prefix": prefix, "rd": f"{rd.type}:{rd.admin}:{rd.assigned}", "mpls_label": str(labels[-1])}
        case other:
            raise AssertionError(f"os-ken has another kind of prefix: {other!r}")


def as_values(text: str) -> dict[str, Any]:
    """A row of ours in the same terms."""
    fields = {key: value for key, value in json.loads(text).items() if key in COMPARED}
    return {
        **fields,
        "bgp_nexthop": ip_address(fields["bgp_nexthop"]),
        "ip_prefix": ip_network(fields["ip_prefix"]),
    }


@given(octets=announcements())
def test_routes_are_those_that_os_ken_reads(octets: bytes) -> None:
    style = Style(origin_int=True, comms_num=True)
    rows = CompiledPeer(CONTEXT, style).apply(octets).rows
    assert [as_values(text) for text in rows] == fields_of(octets)
