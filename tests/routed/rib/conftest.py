"""Fixtures of more than one module."""

import pytest

from tests.oracles.compiled_router import CompiledRouter
from tests.oracles.monitored import Agreed


@pytest.fixture
def router() -> CompiledRouter:
    """A router whose peers are all up, with nothing agreed."""
    return CompiledRouter(lambda _header: Agreed())
