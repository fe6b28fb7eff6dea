"""Octets that make a product of the hash zero, unless something secret is in each of its factors.

The constants are those of `_hash.pxd`. Where one of them stands at the begin of a step, a hash that has it bare in that
step forgets the seed and all octets before, so a peer could send as many attribute sets of one hash as it likes.
"""

import pytest

from routed.rib._rib import PeerRib, Rib
from routed.rib._update import apply
from tests.oracles.build import attribute, prefix, segments, update

#: More than one place of the path store has room for.
SETS = 1_100
UNASSIGNED = 99
TRANSITIVE = 0xC0
CONSTANTS = (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93)


SHOWN = (attribute(1, b"\0"), attribute(2, segments((2, [65001]))), attribute(3, bytes([192, 0, 2, 1])))


@pytest.mark.parametrize("constant", CONSTANTS, ids=hex)
@pytest.mark.parametrize("behind", [1, 9])
def test_a_peer_cannot_choose_attribute_sets_that_collide(constant: int, behind: int) -> None:
    end = constant.to_bytes(8, "little") + bytes(behind)
    for shift in range(16):  # one of them has the constant at the begin of a step
        rib = Rib(1)
        updates = []
        for number in range(SETS):
            forgotten = bytes(shift) + number.to_bytes(8, "big")
            shown = (*SHOWN, attribute(UNASSIGNED, forgotten + end, flags=TRANSITIVE))
            updates.append(update(shown, prefix(number.to_bytes(3, "big"), 24)))
        applied = apply(PeerRib(rib), b"".join(updates))
        assert (applied.announced, applied.dropped) == (SETS, 0)
        assert sum(rib.memory.values()) < 8 << 20
