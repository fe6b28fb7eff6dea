"""Validated payloads: look-ups, changes, filters, and what caches may not do."""

import random
from array import array
from ipaddress import ip_network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.rib._payloads import MAX_PAYLOADS, PayloadError, Payloads
from routed.rib._vrps import Vrps, difference
from tests.oracles.origins import Payload, inside, network_of, status_alone


def made(*payloads: tuple[str, int, int]) -> Vrps:
    """Make a store of (prefix, maximum length, AS number)."""
    return build([(ip_network(prefix), longest, asn) for prefix, longest, asn in payloads])


def build(payloads: list[Payload], base: Vrps | None = None) -> Vrps:
    """Make a store of payloads as the oracle has them."""
    announced = Payloads()
    for network, longest, asn in payloads:
        announced.add(network.network_address.packed, network.prefixlen, longest, asn)
    return announced.applied_to(base or Vrps(), strict=False)


def pdu(prefix: str, longest: int, asn: int, *, flags: int = 1, version: int = 1) -> bytes:
    """Write a prefix PDU."""
    network = ip_network(prefix)
    octets = network.network_address.packed
    kind, length = (4, 20) if len(octets) == 4 else (6, 32)
    lengths = bytes((flags, network.prefixlen, longest, 0))
    return bytes((version, kind, 0, 0)) + length.to_bytes(4, "big") + lengths + octets + asn.to_bytes(4, "big")


def judged(vrps: Vrps, prefix: str, origin: int) -> str:
    """Judge one route."""
    network = ip_network(prefix)
    return vrps.status(network.network_address.packed, network.prefixlen, origin)


@pytest.mark.parametrize(
    ("prefix", "origin", "status"),
    [
        ("10.0.0.0/8", 65001, "v"),
        ("10.1.0.0/16", 65001, "v"),
        ("10.1.0.0/16", 65002, "i"),
        ("10.1.2.0/24", 65001, "i"),
        ("10.1.2.0/24", 65003, "v"),
        ("11.0.0.0/8", 65001, "u"),
        ("8.0.0.0/6", 65001, "u"),
        ("10.9.0.0/16", 0, "i"),
        ("2001:db8::/32", 65001, "v"),
        ("2001:db8:1::/48", 65001, "i"),
        ("2001:db9::/32", 65001, "u"),
    ],
)
def test_routes_are_judged_by_all_payloads_around_them(prefix: str, origin: int, status: str) -> None:
    """RFC 6811 section 2: valid if one matches, invalid if one covers, else not found."""
    vrps = made(("10.0.0.0/8", 16, 65001), ("10.1.2.0/23", 24, 65003), ("2001:db8::/32", 32, 65001))
    assert judged(vrps, prefix, origin) == status


def test_a_payload_of_as_0_makes_routes_invalid_and_never_valid() -> None:
    """RFC 6483 section 4."""
    vrps = made(("192.0.2.0/24", 24, 0))
    assert judged(vrps, "192.0.2.0/24", 0) == "i"
    assert judged(vrps, "192.0.2.0/24", 65001) == "i"


def test_a_default_payload_covers_everything() -> None:
    """A prefix of no bits is around all others."""
    vrps = made(("0.0.0.0/0", 0, 1), ("::/0", 128, 2))
    assert judged(vrps, "255.255.255.255/32", 1) == "i"
    assert judged(vrps, "0.0.0.0/0", 1) == "v"
    assert judged(vrps, "ffff::1/128", 2) == "v"


NETWORKS = st.builds(
    lambda address, length: network_of((address >> (32 - length) << (32 - length)).to_bytes(4, "big"), length),
    st.integers(0, 15).map(lambda value: 0x0AFF_FFF8 + value),
    st.integers(0, 32),
) | st.builds(
    lambda address, length: network_of((address >> (128 - length) << (128 - length)).to_bytes(16, "big"), length),
    st.integers(0, 15).map(lambda value: (0x2001_0DB8 << 96) + (1 << 64) - 8 + value),
    st.integers(0, 128),
)
PAYLOADS = st.lists(st.tuples(NETWORKS, st.integers(0, 128), st.integers(0, 3)), max_size=40)


@given(PAYLOADS, st.lists(st.tuples(NETWORKS, st.integers(0, 3)), max_size=20))
def test_statuses_are_those_of_the_oracle(payloads: list[Payload], routes: list[tuple[object, int]]) -> None:
    """Whatever is nested in whatever."""
    vrps = build(payloads)
    for version in (4, 6):
        asked = [(network, origin) for network, origin in routes if network.version == version]  # type: ignore[attr-defined]
        found = vrps.statuses(
            b"".join(network.network_address.packed for network, _ in asked),
            bytes(network.prefixlen for network, _ in asked),
            array("I", [origin for _, origin in asked]),
        )
        assert found.decode() == "".join(status_alone(payloads, network, origin) for network, origin in asked)
        for network, _ in asked:
            around = {p for p in payloads if p[0].version == version and network.subnet_of(p[0])}
            covering = vrps.covering(network.network_address.packed, network.prefixlen)
            assert sorted(covering) == sorted((p[0].prefixlen, p[1], p[2]) for p in around)


@given(PAYLOADS, PAYLOADS)
def test_a_change_makes_what_a_new_store_would_be(first: list[Payload], second: list[Payload]) -> None:
    """And the difference is what one of the two has."""
    one, two = build(first), build(second)
    both = build(second, one)
    assert list(both.payloads()) == list(build(first + second).payloads())
    expected = set(one.payloads()) ^ set(two.payloads())
    assert set(difference(one, two).payloads()) == expected == set(difference(two, one).payloads())


@given(PAYLOADS, PAYLOADS)
def test_withdrawals_leave_what_was_not_withdrawn(kept: list[Payload], gone: list[Payload]) -> None:
    """Announced and withdrawn as PDUs, in any order of payloads."""
    kept, gone = [[p for p in some if p[1] >= p[0].prefixlen and p[1] <= p[0].max_prefixlen] for some in (kept, gone)]
    base = build(kept + gone)
    changes = Payloads()
    withdrawn = set(gone) - set(kept)
    run = b"".join(pdu(str(network), longest, asn, flags=0) for network, longest, asn in withdrawn)
    assert changes.add_pdus(run) == -1
    assert list(changes.applied_to(base, strict=True).payloads()) == list(build(kept).payloads())


def test_what_a_cache_may_not_do() -> None:
    """RFC 8210 section 12, errors 6 and 7: both name the payload, and nothing changes."""
    base = made(("192.0.2.0/24", 24, 1))
    twice, unknown = Payloads(), Payloads()
    twice.add_pdus(pdu("192.0.2.0/24", 24, 1))
    with pytest.raises(PayloadError) as caught:
        twice.applied_to(base, strict=True)
    assert (caught.value.kind, caught.value.payload) == ("duplicate", (b"\xc0\0\x02\0", 24, 24, 1))
    unknown.add_pdus(pdu("2001:db8::/32", 48, 1, flags=0))
    with pytest.raises(PayloadError) as caught:
        unknown.applied_to(base, strict=True)
    assert (caught.value.kind, caught.value.payload) == ("unknown", (b"\x20\x01\x0d\xb8" + bytes(12), 32, 48, 1))
    assert list(twice.applied_to(base, strict=False).payloads()) == list(base.payloads())


def test_a_payload_may_come_back_in_one_answer() -> None:
    """What happens to one payload happens in its order, wherever it stands in the answer."""
    base, changes = made(("192.0.2.0/24", 24, 1)), Payloads()
    steps = [pdu("192.0.2.0/24", 24, 1, flags=flags) for flags in (0, 1, 0, 1)]
    assert (
        changes.add_pdus(
            b"".join(pdu("198.51.100.0/24", 24, 9, flags=1) + step if not n else step for n, step in enumerate(steps))
        )
        == -1
    )
    assert len(changes.applied_to(base, strict=True)) == 2


@pytest.mark.parametrize(
    ("octets", "where"),
    [
        (pdu("192.0.2.0/24", 24, 1, flags=2), 0),
        (pdu("192.0.2.0/24", 23, 1), 0),
        (pdu("192.0.2.0/24", 33, 1), 0),
        (pdu("192.0.2.0/24", 32, 1) + pdu("2001:db8::/32", 129, 1), 20),
        (pdu("2001:db8::/32", 128, 1) + pdu("2001:db8::/32", 31, 1), 32),
        (pdu("192.0.2.0/24", 32, 1), -1),
    ],
)
def test_a_pdu_that_cannot_be_is_found(octets: bytes, where: int) -> None:
    """Its place is what the Error Report quotes from."""
    assert Payloads().add_pdus(octets) == where


def test_bits_behind_a_prefix_do_not_matter() -> None:
    """As in NLRI (RFC 4271 section 4.3)."""
    octets = bytearray(pdu("192.0.2.0/24", 24, 1))
    octets[15] = 99
    changes = Payloads()
    changes.add_pdus(bytes(octets))
    assert list(changes.applied_to(Vrps(), strict=True).payloads()) == [(b"\xc0\0\x02\0", 24, 24, 1)]


def test_filters_leave_out_what_is_inside_them() -> None:
    """RFC 8416 section 3.3.1: by prefix, by AS, by both."""
    vrps = made(
        ("192.0.2.0/24", 24, 1),
        ("192.0.2.0/25", 25, 2),
        ("198.51.100.0/24", 24, 1),
        ("203.0.113.0/24", 24, 3),
        ("2001:db8::/32", 48, 3),
    )
    by_prefix = made(("192.0.2.0/24", 0, 0))
    assert [p[3] for p in vrps.without(by_prefix).payloads()] == [1, 3, 3]
    by_both = made(("192.0.2.0/24", 1, 2))
    assert [p[3] for p in vrps.without(by_both).payloads()] == [1, 1, 3, 3]
    by_as = made(("0.0.0.0/0", 1, 3), ("::/0", 1, 3))
    assert [p[3] for p in vrps.without(by_as).payloads()] == [1, 2, 1]


def test_payloads_that_share_an_address_are_sorted_too() -> None:
    """Thousands of ASes for one prefix, in no order."""
    asns = list(range(1, 3000))
    random.Random(5).shuffle(asns)
    vrps = build([(ip_network("10.0.0.0/8"), 8 + asn % 9, asn) for asn in asns])
    assert len(vrps) == len(asns)
    assert judged(vrps, "10.0.0.0/16", 8) == "v"
    assert judged(vrps, "10.0.0.0/16", 7) == "i"


def random_pdus(version: int, count: int) -> bytes:
    """Write PDUs of payloads that differ, in no order: half of them in crowds of a few /32 or /16."""
    chance = np.random.default_rng(version)
    addresses = chance.integers(0, 1 << 64, count, dtype=np.uint64)
    crowds = chance.integers(0, 1 << 64, count // 1000 + 1, dtype=np.uint64)
    shift = np.uint64(32 if version == 6 else 16)
    crowded = chance.random(count) < 0.5
    inside = crowds[chance.integers(0, len(crowds), count)] >> (np.uint64(64) - shift) << (np.uint64(64) - shift)
    addresses[crowded] = inside[crowded] | addresses[crowded] >> shift
    lengths = chance.integers(17, 33 if version == 4 else 65, count, dtype=np.uint64)
    addresses = addresses >> (np.uint64(64) - lengths) << (np.uint64(64) - lengths)
    pdus = np.zeros((count, 20 if version == 4 else 32), np.uint8)
    pdus[:, :8] = np.frombuffer(bytes((1, version, 0, 0, 0, 0, 0, pdus.shape[1])), np.uint8)
    pdus[:, 8], pdus[:, 9], pdus[:, 10] = 1, lengths, lengths
    width = 4 if version == 4 else 8
    pdus[:, 12 : 12 + width] = addresses.astype(">u8").view(np.uint8).reshape(count, 8)[:, :width]
    pdus[:, -4:] = np.arange(1, count + 1, dtype=">u4").view(np.uint8).reshape(count, 4)
    return pdus.tobytes()


@pytest.fixture(scope="module")
def many() -> Vrps:
    """A quarter of a million payloads, a fifth of them IPv6."""
    payloads = Payloads()
    assert payloads.add_pdus(random_pdus(4, 200_000) + random_pdus(6, 50_000)) == -1
    return payloads.applied_to(Vrps(), strict=True)


def test_a_million_payloads_fit_into_forty_megabytes(many: Vrps) -> None:
    """So a quarter of them into ten."""
    assert many.counts == (200_000, 50_000)
    assert many.memory < 10_000_000
    assert MAX_PAYLOADS == 1 << 23


@pytest.mark.parametrize(("version", "width"), [(4, 4), (6, 16)])
def test_each_of_many_payloads_is_found(many: Vrps, version: int, width: int) -> None:
    """However crowded its neighbourhood is: its own AS makes a route to it valid, one that has no payload does not."""
    pdus = random_pdus(version, 200_000 if version == 4 else 50_000)
    octets = np.frombuffer(pdus, np.uint8).reshape(-1, 20 if version == 4 else 32)
    addresses, lengths = octets[:, 12 : 12 + width].tobytes(), octets[:, 9].tobytes()
    asns = octets[:, -4:].copy().view(">u4").astype(np.uint32).ravel()
    assert set(many.statuses(addresses, lengths, asns)) == {ord("v")}
    assert set(many.statuses(addresses, lengths, asns + 1_000_000)) == {ord("i")}


@pytest.mark.parametrize("bits", [32, 128])
def test_addresses_around_a_payload_are_told_from_it(bits: int) -> None:
    """The last one before it, the first, the last, the first behind it: crowds in crowds, as a dictionary has them."""
    chance = random.Random(bits)
    nets = {(0, 0), (0, bits), ((1 << bits) - 1, bits)}
    for _ in range(40):
        crowd, depth = chance.getrandbits(bits), chance.randrange(8, bits - 8)
        for _ in range(chance.choice((1, 5, 60))):
            length = chance.randrange(depth, min(depth + 30, bits) + 1)
            address = crowd ^ chance.getrandbits(bits - depth + 3) >> chance.choice((3, 8))
            nets.add((address >> (bits - length) << (bits - length), length))
    payloads = Payloads()
    for address, length in nets:
        payloads.add(address.to_bytes(bits // 8, "big"), length, bits, length + 1)
    vrps = payloads.applied_to(Vrps(), strict=True)
    edges = {edge for at, length in nets for edge in (at - 1, at, at + (1 << (bits - length)) - 1)}
    asked = sorted(edge for edge in edges if edge >= 0)
    around = [[n for n in range(bits, -1, -1) if (at >> (bits - n) << (bits - n), n) in nets] for at in asked]
    octets = [at.to_bytes(bits // 8, "big") for at in asked]
    for one, lengths in zip(octets, around, strict=True):
        assert [length for length, _, _ in vrps.covering(one, bits)] == lengths
    for pick, status in ((-1, b"v"), (0, b"v"), (None, b"i")):
        origins = array("I", [bits + 2 if pick is None else lengths[pick] + 1 for lengths in around])
        assert vrps.statuses(b"".join(octets), bytes([bits]) * len(asked), origins) == status * len(asked)


@pytest.mark.parametrize("same", [3, 4, 5, 9, 32])
def test_prefixes_that_share_an_address_are_all_found(same: int) -> None:
    """As many as are compared at once, one less, one more: at the lowest address, in the middle, behind all others."""
    crowds = [
        [network_of(bytes(4), length) for length in range(33 - same, 33)],
        [network_of(b"\x80\0\0\0", length) for length in range(33 - same, 33)],
        [ip_network("255.255.255.255/32").supernet(new_prefix=length) for length in range(33 - same, 33)],
    ]
    payloads: list[Payload] = [(network, 32, 1) for network in {one for crowd in crowds for one in crowd}]
    vrps = build(payloads)
    for network, _, _ in payloads:
        around = sorted((one.prefixlen, 32, 1) for one, _, _ in payloads if inside(network, one))
        assert sorted(vrps.covering(network.network_address.packed, network.prefixlen)) == around
        assert vrps.status(network.network_address.packed, network.prefixlen, 1) == "v"


@pytest.mark.parametrize("arguments", [(b"\0" * 5, 8, 8, 1), (b"\0" * 4, 33, 8, 1), (b"\0" * 4, 8, 256, 1)])
def test_what_is_no_payload_is_refused(arguments: tuple[bytes, int, int, int]) -> None:
    """Lengths are checked before they are used."""
    with pytest.raises(ValueError, match="no payload"):
        Payloads().add(*arguments)


def test_questions_that_do_not_fit_are_refused() -> None:
    """Arrays of one length each."""
    with pytest.raises(ValueError, match="octets of addresses"):
        Vrps().statuses(b"\0" * 8, b"\x08", array("I", [1, 2]))
    with pytest.raises(ValueError, match="above 32"):
        Vrps().statuses(b"\0" * 4, b"\x21", array("I", [1]))
    with pytest.raises(ValueError, match="no prefix"):
        Vrps().covering(b"\0" * 4, 33)
