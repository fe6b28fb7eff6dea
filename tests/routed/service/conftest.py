"""Fixtures of more than one module."""

import pytest

from tests.oracles.build import MANDATORY, prefix, update
from tests.routed.service.asked_rig import Asked
from tests.routed.service.collector_rig import announce


@pytest.fixture
def rig() -> Asked:
    """A peer with 10.1.0.0/16, 10.2.0.0/16 and 10.2.3.0/24."""
    rig = Asked()
    peer = rig.connect()
    rig.send(peer, announce(1, 2), update(MANDATORY, prefix(bytes([10, 2, 3, 0]), 24)))
    return rig
