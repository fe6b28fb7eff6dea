import pytest

from routed.daemon import door, outputs
from tests.routed.daemon.plane_rig import Here, Sockets


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> Sockets:
    """Listen nowhere, and do blocking work at once."""
    sockets = Sockets()
    monkeypatch.setattr(door, "open_listener", sockets)
    monkeypatch.setattr(outputs, "PoolThreads", Here)
    return sockets
