"""Fixtures of more than one module."""

from collections.abc import Iterator

import pytest

from tests.oracles.build import MANDATORY, prefix, update
from tests.routed.service.asked_rig import Asked
from tests.routed.service.collector_rig import announce
from tests.routed.service.doubles import bugs_logged


@pytest.fixture
def rig() -> Asked:
    """A peer with 10.1.0.0/16, 10.2.0.0/16 and 10.2.3.0/24."""
    rig = Asked()
    peer = rig.connect()
    rig.send(peer, announce(1, 2), update(MANDATORY, prefix(bytes([10, 2, 3, 0]), 24)))
    return rig


@pytest.fixture
def bugs() -> Iterator[list[tuple[str, type]]]:
    """What Twisted's log is told of failures: where and what."""
    with bugs_logged() as bugs:
        yield bugs
