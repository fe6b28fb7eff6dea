from collections.abc import Callable

import pytest

from routed.octets import Cursor, WireError
from routed.wire.bgp import community


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
