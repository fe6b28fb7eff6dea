class Datagrams:
    """Datagrams that wait to be walked."""

    capacity: int
    is_full: bool
    def __init__(self, capacity: int) -> None: ...
    def __len__(self) -> int: ...
    @property
    def octets(self) -> int:
        """Octets of all of them."""
    def append(
        self,
        octets: bytes,
        address: bytes,
        port: int,
        arrival: int,
        *,
        captured: int | None = None,
        is_parked: bool = False,
    ) -> None:
        """Add one.

        Args:
            address: of the sender, sixteen octets (IPv4 mapped).
            arrival: when it came, in microseconds since 1970.
            captured: when it was captured, of a replayed one.
            is_parked: it came before, and was counted then.
        Raises: IndexError when there is no room.
        """
    def clear(self) -> None:
        """Forget all of them."""
