"""A connection has the time that a busy machine may need, but where a test says otherwise."""

import pytest

from lg import connection
from tests.lg.fake import PATIENCE


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_PATIENCE", PATIENCE)
