"""What the courier asks of a producer, whatever speaks to librdkafka: its own interface, or confluent-kafka's.

`kafka_native` goes through the library's own interface, without a Python object for a message; where that is not to be
had `kafka_confluent` does the same through the package's, which is slower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from confluent_kafka import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from routed.plumbing.kafka_messages import Message, Values

#: Failures of a message that no repetition heals.
REFUSALS: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
    }
)
#: How long the end waits for the library to let go. Units: seconds.
LAST_TURN: Final = 1.0


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What a client tells, in the thread that polls and produces; nothing after it was closed.

    `finished`: nothing is left of a load, by its number. `refused`: so many rows of it will never be taken, and why.
    `failed`: messages were given up for another reason; that load is not going to be finished. `error`: an error that
    is no message's. `statistics`, `log`: what the library says.
    """

    finished: Callable[[int], None]
    refused: Callable[[int, int, str], None]
    failed: Callable[[str], None]
    error: Callable[[KafkaError], None]
    statistics: Callable[[str], None]
    log: Callable[[str], None]


class Client(Protocol):
    """A producer: takes loads of messages, and tells when nothing is left of one."""

    def load(self, number: int, messages: int, *, counts_rows: bool) -> Any:
        """Begin a load of so many messages; rows of a message that has several are told by newlines."""

    def produce(self, topic: str, partition: int, load: Any, messages: Values | list[Message], begin: int) -> int:
        """Hand over messages from the one at `begin` on, in order; the first one that there is no room for yet.

        Raises: KafkaException when the library takes none of them.
        """

    def poll(self, timeout: float) -> None:
        """Wait for something to be told, and tell all there is."""

    def flush(self, timeout: float) -> None:
        """Have messages sent that wait for others; for so long at most, and what it hears meanwhile it may tell."""

    def partitions(self, topic: str | None, timeout: float) -> int:
        """Ask a broker how many partitions a topic has; without one, whether it answers.

        Raises: KafkaException.
        """

    def close(self) -> None:
        """Give up what is not delivered, and end."""
