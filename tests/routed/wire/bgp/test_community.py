from collections.abc import Callable

import pytest

from routed.octets import Cursor, WireError
from routed.wire.bgp import community
from routed.wire.bgp.community import (
    Communities,
    ExtendedCommunities,
    Ipv6ExtendedCommunities,
    LargeCommunities,
    LargeCommunity,
)


def test_communities_print_sorted_once_and_some_by_name() -> None:
    value = Communities((0xFFFFFF01, 0xFFFF029A, 0xFDE90003, 0xFDE90001, 0xFDE90003, 0, 0xFFFFFF02, 0xFFFFFF03))
    text = community.format_communities(value)
    assert text == "internet 65001:1 65001:3 65535:666 no-export no-advertise local-AS"


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("0002fde800000064", "RT:65000:100"),
        ("0003fde800000065", "SoO:65000:101"),
        ("0102c00002010005", "RT:192.0.2.1:5"),
        ("0202fa56ea000007", "RT:4200000000:7"),
        ("4003fde800000065", "SoO:65000:101"),
        ("0300000000000001", "0x0300000000000001"),
        ("0005fde800000064", "0x0005fde800000064"),
    ],
)
def test_extended_communities_print_by_kind(octets: str, text: str) -> None:
    """RFC 4360 sections 3 to 5, RFC 5668."""
    assert community.format_extended_communities(ExtendedCommunities((bytes.fromhex(octets),))) == text


def test_ipv6_extended_communities_print_by_kind() -> None:
    """RFC 5701 section 3."""
    target = bytes.fromhex("0002" + "20010db8" + "00" * 11 + "01" + "0005")
    other = bytes.fromhex("000b" + "20010db8" + "00" * 11 + "01" + "0005")
    text = community.format_ipv6_extended_communities(Ipv6ExtendedCommunities((other, target)))
    assert text == f"RT:[2001:db8::1]:5 0x{other.hex()}"


def test_large_communities_print_sorted_once() -> None:
    value = LargeCommunities((LargeCommunity(2, 0, 0), LargeCommunity(1, 20, 3), LargeCommunity(1, 3, 3)) * 2)
    assert community.format_large_communities(value) == "1:3:3 1:20:3 2:0:0"


@pytest.mark.parametrize(
    ("decode", "width"),
    [
        (community.decode_communities, 4),
        (community.decode_extended_communities, 8),
        (community.decode_ipv6_extended_communities, 20),
        (community.decode_large_communities, 12),
    ],
)
@pytest.mark.parametrize("surplus", [-1, 1, None])
def test_a_length_that_is_no_multiple_is_refused(
    decode: Callable[[Cursor], object], width: int, surplus: int | None
) -> None:
    """RFC 7606 sections 7.8, 7.14 and 7.15, RFC 8092 section 6: and empty is none."""
    with pytest.raises(WireError):
        decode(Cursor(bytes(0 if surplus is None else 2 * width + surplus)))
