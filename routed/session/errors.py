"""What is well-formed and yet not allowed now."""

from enum import Enum


class ProtocolViolation(Exception):  # noqa: N818 (the name the RFCs' readers expect)
    """A peer's input that no row of a session's table allows in its state."""

    def __init__(self, state: Enum, received: Enum) -> None:
        super().__init__(state, received)
        self.state = state
        self.received = received

    def __str__(self) -> str:
        return f"{self.received.name} is not allowed in {self.state.name}"
