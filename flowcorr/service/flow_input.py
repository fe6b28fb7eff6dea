"""Where datagrams of all inputs meet: the intake reads them into the batch, full batches go their way."""

from collections.abc import Callable
from typing import Final

from flowcorr.collect._datagrams import Datagrams
from flowcorr.collect.intake import Intake
from flowcorr.columns._batch import Batch

#: Rows that are worked on at once: enough to pay for what is done once a batch, few enough for the caches.
BATCH_ROWS: Final = 4096


class FlowInput:
    """Feeds an intake and lets its rows go on.

    `run` takes a batch and leaves it empty.
    """

    def __init__(self, intake: Intake, batch: Batch, run: Callable[[Batch], None]) -> None:
        self.intake = intake
        self._batch = batch
        self._run = run

    def take(self, datagrams: Datagrams) -> None:
        """Read datagrams; their rows go on when the batch is full, or at `flush`."""
        while not self.intake.take(datagrams, self._batch):
            self._run(self._batch)

    def flush(self) -> None:
        """Let go on what is in the batch: nothing more is there to be read at once."""
        if len(self._batch):
            self._run(self._batch)
