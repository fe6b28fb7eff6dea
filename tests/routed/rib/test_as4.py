"""AS paths of speakers without four-octet AS numbers (RFC 6793 4.2.3)."""

import pytest

from routed.rib._lookup import Lookups
from routed.rib._rib import PeerRib, Rib
from routed.rib._update import apply
from tests.oracles.build import NET_10, attribute, segments, update

SET, SEQUENCE, CONFED_SEQUENCE, CONFED_SET = 1, 2, 3, 4
AS_TRANS = 23456
Path = list[tuple[int, list[int]]]


def stored(*attributes: bytes) -> dict[int, bytes]:
    """The attributes that the store has of a route that came with these."""
    rib = Rib(1)
    peer = PeerRib(rib, as4=False)
    applied = apply(peer, update([attribute(1, b"\0"), attribute(3, bytes([192, 0, 2, 1])), *attributes], NET_10))
    assert (applied.announced, applied.refusals) == (1, [])
    lookups = Lookups(rib)
    [(_, path)] = lookups.routes(peer, 0, lookups.exact(0, bytes([10, 0, 0, 0]), 8))
    octets, found = lookups.path(path)[2], {}
    while octets:
        head = 4 if octets[0] & 0x10 else 3
        length = int.from_bytes(octets[2:head], "big")
        found[octets[1]] = octets[head : head + length]
        octets = octets[head + length :]
    return found


@pytest.mark.parametrize(
    ("as_path", "as4_path", "merged"),
    [
        ([(SEQUENCE, [1, 2])], None, [(SEQUENCE, [1, 2])]),
        ([], None, []),
        ([(SEQUENCE, [1, AS_TRANS])], [(SEQUENCE, [70000])], [(SEQUENCE, [1]), (SEQUENCE, [70000])]),
        ([(SEQUENCE, [AS_TRANS, 5])], [(SEQUENCE, [70000, 5])], [(SEQUENCE, [70000, 5])]),
        ([(SEQUENCE, [1])], [(SEQUENCE, [70000, 5])], [(SEQUENCE, [1])]),  # longer: ignored
        (
            [(SEQUENCE, [1, AS_TRANS]), (SET, [3, AS_TRANS])],
            [(SEQUENCE, [70000]), (SET, [3, 70001])],
            [(SEQUENCE, [1]), (SEQUENCE, [70000]), (SET, [3, 70001])],
        ),
        (
            [(SET, [1, 2]), (SEQUENCE, [AS_TRANS])],
            [(SEQUENCE, [70000])],
            [(SET, [1, 2]), (SEQUENCE, [70000])],
        ),
        (
            [(CONFED_SEQUENCE, [9]), (SEQUENCE, [1, AS_TRANS])],
            [(SEQUENCE, [70000])],
            [(CONFED_SEQUENCE, [9]), (SEQUENCE, [1]), (SEQUENCE, [70000])],
        ),
        (
            [(SEQUENCE, [AS_TRANS])],
            [(CONFED_SEQUENCE, [9]), (CONFED_SET, [8]), (SEQUENCE, [70000])],
            [(SEQUENCE, [70000])],
        ),
    ],
)
def test_the_two_paths_are_merged(as_path: Path, as4_path: Path | None, merged: Path) -> None:
    attributes = [attribute(2, segments(*as_path, width=2))]
    if as4_path is not None:
        attributes.append(attribute(17, segments(*as4_path)))
    found = stored(*attributes)
    assert found[2] == segments(*merged)
    assert 17 not in found


def test_the_aggregator_is_the_wide_one_where_the_narrow_one_says_so() -> None:
    path = attribute(2, segments((SEQUENCE, [AS_TRANS]), width=2))
    address = bytes([192, 0, 2, 7])
    as4 = [attribute(17, segments((SEQUENCE, [70000]))), attribute(18, (70000).to_bytes(4, "big") + address)]
    narrow = attribute(7, AS_TRANS.to_bytes(2, "big") + address)
    found = stored(path, narrow, *as4)
    assert found[7] == (70000).to_bytes(4, "big") + address
    assert found[2] == segments((SEQUENCE, [70000]))
    assert 18 not in found


def test_an_aggregator_that_knows_only_two_octets_makes_the_wide_attributes_void() -> None:
    path = attribute(2, segments((SEQUENCE, [AS_TRANS]), width=2))
    address = bytes([192, 0, 2, 7])
    as4 = [attribute(17, segments((SEQUENCE, [70000]))), attribute(18, (70000).to_bytes(4, "big") + address)]
    found = stored(path, attribute(7, (65001).to_bytes(2, "big") + address), *as4)
    assert found[7] == (65001).to_bytes(4, "big") + address
    assert found[2] == segments((SEQUENCE, [AS_TRANS]))


def test_wide_attributes_of_a_wide_speaker_are_void() -> None:
    rib = Rib(2)
    peer = PeerRib(rib, as4=True)
    path = attribute(2, segments((SEQUENCE, [1])))
    first = update([attribute(1, b"\0"), path, attribute(3, bytes(4)), attribute(17, path[3:])], NET_10)
    second = update([attribute(1, b"\0"), path, attribute(3, bytes(4))], NET_10)
    assert apply(peer, first).announced == 1
    assert apply(peer, second).unchanged == 1
