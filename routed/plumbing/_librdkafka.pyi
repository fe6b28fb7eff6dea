from typing import Any

def open_library(path: bytes) -> None:
    """Look for the functions of librdkafka behind a shared object that is linked to it; once is enough.

    Raises: ImportError when they are not there.
    """

class Load:
    """Messages on their way. `left`: those that nothing has been heard of; `is_spoiled` is the caller's."""

    number: int
    left: int
    is_spoiled: bool

class Handle:
    """A producer of librdkafka. All but its making wants one thread.

    Raises: KafkaException when the properties are not good.
    """

    def __init__(self, properties: dict[str, str]) -> None: ...
    def load(self, number: int, left: int, counts_rows: bool) -> Load:
        """Begin a load of so many messages, which may have several rows, a newline between."""

    def produce(
        self, topic: str, partition: int, load: Load, octets: bytes, ends: bytes, gap: int, key: bytes | None, begin: int
    ) -> tuple[int, list[tuple[int, int]]]:
        """Hand over values of one buffer, which end at `ends` (a native u32 each) and are `gap` octets apart.

        Returns: the first one that there was no room for, and of those that the library will never take the code and
        the rows. What comes next of the load begins there.

        Raises: ValueError when the ends do not rise or leave the buffer, KafkaException when there is no such topic.
        """

    def produce_list(
        self, topic: str, partition: int, load: Load, messages: list[tuple[bytes | None, bytes | None]]
    ) -> tuple[int, list[tuple[int, int]]]:
        """Hand over messages, each a value and a key; returns the same."""

    def poll(
        self, timeout_ms: int
    ) -> tuple[list[Load], list[tuple[Load, int, int, str]], list[tuple[int, Any]]]:
        """Wait for reports, and take all there are.

        Returns: loads that nothing is left of; failures as load, code, rows and topic; what else was told, as the type
        of the event and a text or a KafkaError.
        """

    def flush(self, timeout_ms: int) -> None:
        """Have what waits for others sent; takes all that time, unless nothing is under way or waits to be reported."""

    def partitions(self, topic: str | None, timeout_ms: int) -> int:
        """Ask a broker how many partitions a topic has; without one, whether it answers.

        Raises: KafkaException.
        """

    def close(self, timeout_ms: int) -> None:
        """Give up what is not delivered, and end."""
