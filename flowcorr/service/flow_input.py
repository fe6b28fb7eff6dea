"""Where datagrams of all inputs meet: the intake reads them into the batch, full batches go their way.

What fails there must not end the reading: a datagram that the intake fails for is left, the others are read.
"""

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from flowcorr.collect._datagrams import Datagrams
from flowcorr.collect.intake import Intake
from flowcorr.columns._batch import Batch
from flowcorr.service.bugs import Bugs

#: Rows that are worked on at once: enough to pay for what is done once a batch, few enough for the caches.
BATCH_ROWS: Final = 4096
#: Rows that go on at once when nothing more is there to be read; fewer wait for others.
ENOUGH_ROWS: Final = 2048
#: How long the first row waits for others. Units: seconds.
PATIENCE: Final = 0.05


class FlowInput:
    """Feeds an intake and lets its rows go on.

    `run` takes a batch and leaves it empty, and contains its own bugs. Without a clock no row waits for others.
    """

    def __init__(
        self, intake: Intake, batch: Batch, run: Callable[[Batch], None], bugs: Bugs, clock: IReactorTime | None = None
    ) -> None:
        self.intake = intake
        self._batch = batch
        self._run = run
        self._bugs = bugs
        self._clock = clock
        self._alarm: IDelayedCall | None = None

    def take(self, datagrams: Datagrams) -> None:
        """Read datagrams; their rows go on when the batch is full, or at `flush`."""
        while not self._read(datagrams):
            self._run(self._batch)

    def _read(self, datagrams: Datagrams) -> bool:
        """Read until the batch is full, False, or all is read."""
        while True:
            try:
                return self.intake.take(datagrams, self._batch)
            except Exception as error:  # noqa: BLE001 (our own bug costs this datagram)
                self._bugs.in_datagram(error)
                if not self.intake.leave():
                    return True

    def read_ready(self) -> None:
        """Read the records whose template has come by another way than with them."""
        if self.intake.waits:
            self.take(Datagrams(1))
            self.flush()

    def flush(self) -> None:
        """Let go on what is in the batch, soon if that is little: nothing more is there to be read at once."""
        if self._clock is None or len(self._batch) >= ENOUGH_ROWS:
            self.finish()
        elif len(self._batch) and self._alarm is None:
            self._alarm = self._clock.callLater(PATIENCE, self._ring)

    def finish(self) -> None:
        """Let go on what is in the batch at once."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if len(self._batch):
            self._run(self._batch)

    def _ring(self) -> None:
        self._alarm = None
        self.finish()
