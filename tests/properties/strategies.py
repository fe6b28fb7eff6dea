"""Hypothesis strategies for what peers send: contexts, and UPDATEs of all families that are stored and all attributes.

Addresses, AS numbers and attributes come from small pools, so that routes meet each other in the tables. Strategies are
made once for each thing that they depend on: to make one costs more than to draw from it.
"""

from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.fuzz.mutate import mutate_update
from tests.oracles import attributes as a
from tests.oracles.as_path import AS_CONFED_SEQUENCE, AS_CONFED_SET, AS_SEQUENCE, AS_SET, AS_TRANS
from tests.oracles.attributes import Context
from tests.oracles.build import MARKER, attribute, label_stack, mp_reach, mp_unreach, prefix, segments, update
from tests.oracles.nlri import ADDRESS_OCTETS, LABELLED_SAFIS, VPN_SAFI, Family

FAMILIES: tuple[Family, ...] = tuple(sorted(ADDRESS_OCTETS))
IPV4_ADDRESSES = (bytes([10, 0, 0, 0]), bytes([10, 1, 2, 3]), bytes([192, 0, 2, 129]), b"\xff" * 4)
IPV6_ADDRESSES = tuple(
    bytes.fromhex(text)
    for text in (
        "20010db8000000000000000000000001",
        "20010db8000100000000ffff00000000",
        "00000000000000000000ffffc0000201",
        "000000000000000000000000c0000201",
        "fe800000000000000000000000000001",
        "ff" * 16,
    )
)
RDS = tuple(
    bytes.fromhex(text) for text in ("0000fde800000064", "00010a0000010005", "0002fa56ea000007", "0009" + "ab" * 6)
)
NARROW_ASNS, WIDE_ASNS = (1, AS_TRANS, 64512, 65535), (1, AS_TRANS, 65536, 4200000000, 4294967295)

contexts: SearchStrategy[Context] = st.builds(
    Context,
    as4=st.booleans(),
    external=st.booleans(),
    add_path=st.frozensets(st.sampled_from(FAMILIES)),
)


@cache
def addresses(afi: int) -> SearchStrategy[bytes]:
    return st.sampled_from(IPV4_ADDRESSES if afi == 1 else IPV6_ADDRESSES)


@cache
def next_hops(family: Family) -> SearchStrategy[bytes]:
    """IPv6, IPv6 with a link-local address, and IPv4 for IPv4 families (RFC 8950)."""
    both = st.tuples(st.sampled_from(IPV6_ADDRESSES), st.sampled_from(IPV6_ADDRESSES)).map(b"".join)
    return st.one_of(addresses(family[0]), addresses(2), both)


def nlri_fields(family: Family, context: Context, *, withdrawn: bool, plain: bool = False) -> SearchStrategy[bytes]:
    """One to four prefixes; bits behind their length may be set. `plain`: no default route, no unnamed kind of RD."""
    return _nlri_fields(family, family in context.add_path, withdrawn, plain)


@cache
def _nlri_fields(family: Family, add_path: bool, withdrawn: bool, plain: bool) -> SearchStrategy[bytes]:
    lengths = (0, 1, 7, 8, 9, 24, 31, 32) if family[0] == 1 else (0, 1, 32, 48, 63, 64, 65, 128)
    labels = st.just(b"")
    if family[1] in LABELLED_SAFIS and withdrawn:
        labels = st.sampled_from((b"\x80\0\0", b"\0\0\0", label_stack(16)))
    elif family[1] in LABELLED_SAFIS:
        stacks = st.lists(st.sampled_from((3, 16, 1048575)), min_size=1, max_size=2)
        labels = stacks.map(lambda stack: label_stack(*stack))
    one = st.builds(
        prefix,
        addresses(family[0]),
        st.sampled_from(lengths[1:] if plain else lengths),
        path_id=st.sampled_from((0, 1, 4294967295)) if add_path else st.none(),
        labels=labels,
        rd=st.sampled_from(RDS[:3] if plain else RDS) if family[1] == VPN_SAFI else st.none(),
    )
    return st.lists(one, min_size=1, max_size=4).map(b"".join)


@cache
def paths(width: int) -> SearchStrategy[bytes]:
    """Values of AS_PATH or AS4_PATH."""
    kinds = st.sampled_from((AS_SEQUENCE, AS_SEQUENCE, AS_SET, AS_CONFED_SEQUENCE, AS_CONFED_SET))
    numbers = st.lists(st.sampled_from(NARROW_ASNS if width == 2 else WIDE_ASNS), min_size=1, max_size=4)
    return st.lists(st.tuples(kinds, numbers), max_size=4).map(lambda pieces: segments(*pieces, width=width))


def many(size: int, *values: str) -> SearchStrategy[bytes]:
    """Values of `size` octets, those given or any others, at least one."""
    known = [bytes.fromhex(value) for value in values]
    one = st.one_of(st.sampled_from(known), st.binary(min_size=size, max_size=size))
    return st.lists(one, min_size=1, max_size=5).map(b"".join)


def tlv(kind: int, value: bytes, *, counted: int) -> bytes:
    return bytes([kind]) + (len(value) + counted).to_bytes(2, "big") + value


@cache
def optional_attributes(*, as4: bool) -> dict[int, SearchStrategy[bytes]]:
    """Values of everything but ORIGIN, AS_PATH, NEXT_HOP and the MP attributes, by code."""
    numbers = st.sampled_from((0, 1, 100, 4294967295)).map(lambda number: number.to_bytes(4, "big"))
    width = 4 if as4 else 2
    asns = st.sampled_from((AS_TRANS, 64512)).map(lambda number: number.to_bytes(width, "big"))
    wide = st.sampled_from(WIDE_ASNS).map(lambda number: number.to_bytes(4, "big"))
    metrics = st.sampled_from((0, 291, 2**64 - 1)).map(lambda number: tlv(1, number.to_bytes(8, "big"), counted=3))
    indexes = st.sampled_from((0, 7, 2**32 - 1)).map(
        lambda number: tlv(1, bytes(3) + number.to_bytes(4, "big"), counted=0)
    )
    return {
        a.MED: numbers,
        a.LOCAL_PREF: numbers,
        a.ATOMIC_AGGREGATE: st.just(b""),
        a.AGGREGATOR: st.tuples(asns, addresses(1)).map(b"".join),
        a.COMMUNITIES: many(4, "00000000", "fde90001", "ffffff01", "ffffff02", "ffffff03", "ffff029a", "ffff0007"),
        a.ORIGINATOR_ID: addresses(1),
        a.CLUSTER_LIST: many(4, "0a000001"),
        a.EXTENDED_COMMUNITIES: many(
            8, "0002fde800000064", "0003fde800000065", "01020a0000010007", "0203fa56ea000008", "4002fde800000064",
            "4300000000000001", "000afde800000001",
        ),
        a.AS4_PATH: paths(4).filter(bool),
        a.AS4_AGGREGATOR: st.tuples(wide, addresses(1)).map(b"".join),
        a.IPV6_EXTENDED_COMMUNITIES: many(20, "0002" + "20" * 16 + "0001"),
        a.AIGP: st.one_of(metrics, metrics.map(lambda value: tlv(2, b"\1", counted=3) + value)),
        a.LARGE_COMMUNITIES: many(12, "0000fde90000000100000002"),
        a.OTC: numbers,
        a.PREFIX_SID: st.one_of(indexes, indexes.map(lambda value: tlv(5, b"\0\1\0\0", counted=0) + value)),
        128: st.binary(max_size=300),
    }  # fmt: skip


CODES = st.lists(st.sampled_from(sorted(optional_attributes(as4=True))), unique=True, max_size=6)


@st.composite
def attribute_lists(draw: DrawFn, context: Context, next_hop: bytes | None) -> list[bytes]:
    """Well-formed attributes of a route, in any order; NEXT_HOP when one is given."""
    optional = optional_attributes(as4=context.as4)
    chosen = draw(CODES)
    attributes = [
        attribute(a.ORIGIN, draw(st.sampled_from((b"\0", b"\1", b"\2")))),
        attribute(a.AS_PATH, draw(paths(4 if context.as4 else 2))),
        *(attribute(code, draw(optional[code])) for code in chosen),
    ]
    if next_hop is not None:
        attributes.append(attribute(a.NEXT_HOP, next_hop))
    return draw(st.permutations(attributes)) if draw(st.booleans()) else attributes


@st.composite
def valid_updates(draw: DrawFn, context: Context) -> bytes:
    """One UPDATE that breaks no rule: any mix of the four ways to announce and withdraw, or an End-of-RIB marker."""
    classic, reach, withdrawn, unreach = draw(st.tuples(*[st.booleans()] * 4))
    ipv4 = (1, 1)
    family, other = draw(st.sampled_from(FAMILIES)), draw(st.sampled_from(FAMILIES))
    attributes = []
    if classic or reach:
        attributes = draw(attribute_lists(context, draw(addresses(1)) if classic else None))
    if reach:
        nlri = draw(nlri_fields(family, context, withdrawn=False))
        attributes.insert(draw(st.integers(0, len(attributes))), mp_reach(family, draw(next_hops(family)), nlri))
    if unreach:
        lost = draw(st.one_of(st.just(b""), nlri_fields(other, context, withdrawn=True)))
        attributes.insert(draw(st.integers(0, len(attributes))), mp_unreach(other, lost))
    return update(
        attributes,
        draw(nlri_fields(ipv4, context, withdrawn=False)) if classic else b"",
        draw(nlri_fields(ipv4, context, withdrawn=True)) if withdrawn else b"",
    )


def as_update(octets: bytes) -> bytes:
    """Put any body behind the header of an UPDATE, as long as the stream cutter demands."""
    body = octets.ljust(4, b"\0")[:4077]
    return MARKER + (19 + len(body)).to_bytes(2, "big") + b"\2" + body


@st.composite
def damaged_updates(draw: DrawFn, context: Context) -> bytes:
    """One UPDATE that was valid before it was damaged."""
    donors = [draw(valid_updates(context)), draw(valid_updates(context))]
    return as_update(mutate_update(donors[0], draw(st.integers(0, 2**32 - 1)), donors)[19:])


@st.composite
def sessions(draw: DrawFn, *, damaged: bool) -> tuple[Context, list[bytes]]:
    """What was agreed, and some UPDATEs."""
    context = draw(contexts)
    one = st.one_of(valid_updates(context), damaged_updates(context)) if damaged else valid_updates(context)
    return context, draw(st.lists(one, min_size=1, max_size=6))
