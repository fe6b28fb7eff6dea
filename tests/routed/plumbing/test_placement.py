"""Where packets of an address go: the program for the kernel does what `place_of` says."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routed.plumbing.placement import _program, place_of

#: As headers have them: what a socket shows as IPv4 mapped into IPv6 came as IPv4.
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6).map(lambda address: address.ipv4_mapped or address))
IP_HEADER = 0xFFF0_0000


def run(program: list[tuple[int, int, int, int]], header: bytes) -> int:  # noqa: C901 (a table of instructions)
    """Run classic BPF as linux/filter.h describes it, as far as these programs go."""
    a = x = at = 0
    while True:
        code, if_true, if_false, k = program[at]
        at += 1
        match code:
            case 0x20:
                a = int.from_bytes(header[k - IP_HEADER :][:4], "big")
            case 0x30:
                a = header[k - IP_HEADER]
            case 0x07:
                x = a
            case 0xAC:
                a ^= x
            case 0x24:
                a = a * k & 0xFFFF_FFFF
            case 0x74:
                a >>= k
            case 0x05:
                at += k
            case 0x15:
                at += if_true if a == k else if_false
            case 0x16:
                return a
            case _:
                raise AssertionError(f"instruction {code:#x}")


@given(address=ADDRESSES, count=st.integers(1, 128))
def test_the_program_chooses_the_place_of_the_source(address: IPv4Address | IPv6Address, count: int) -> None:
    offset, length = (12, 20) if address.version == 4 else (8, 40)
    header = bytearray([address.version << 4]).ljust(length, b"\xa5")
    header[offset : offset + len(address.packed)] = address.packed
    place = place_of(address, count)
    assert 0 <= place < count
    assert run(_program(count), bytes(header)) == place


@pytest.mark.parametrize("step", [1, 2, 4, 256])
@pytest.mark.parametrize("count", [2, 4, 16])
def test_addresses_in_equal_steps_are_spread_evenly(count: int, step: int) -> None:
    first, each = int(IPv4Address("10.255.0.1")), 32
    places = Counter(place_of(IPv4Address(first + step * number), count) for number in range(count * each))
    assert len(places) == count
    assert max(places.values()) <= each * 1.4


def test_an_address_of_ipv4_has_one_place_however_it_is_written() -> None:
    mapped, plain = IPv6Address("::ffff:192.0.2.7"), IPv4Address("192.0.2.7")
    assert place_of(mapped, 128) == place_of(plain, 128)
