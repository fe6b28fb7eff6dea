"""Received datagrams become rows, and rows go their way in batches that are worth it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime

    from flowcorr.collect._datagrams import Datagrams
    from flowcorr.collect.intake import Intake
    from flowcorr.columns._batch import Batch
    from flowcorr.service.pipeline import Pipeline

#: Rows of a batch: some hundreds of kilobytes, which stay near the processor on their way.
BATCH_ROWS: Final = 4_096
#: Rows that go at once; fewer wait for others.
ENOUGH_ROWS: Final = 2_048
#: How long the first row waits for others. Units: seconds.
PATIENCE: Final = 0.05
#: Between two looks at exporters that are silent and records that wait for templates. Units: seconds.
AGEING: Final = 10.0
MICROSECONDS: Final = 1_000_000


class FlowCollector:
    """Takes datagrams from whoever receives them."""

    def __init__(self, clock: IReactorTime, intake: Intake, batch: Batch, pipeline: Pipeline) -> None:
        self.intake, self.pipeline = intake, pipeline
        self._clock, self._batch = clock, batch
        self._alarm: IDelayedCall | None = None

    def received(self, datagrams: Datagrams) -> None:
        """Take all of these datagrams; whose they are may clear them afterwards."""
        while not self.intake.take(datagrams, self._batch):
            self.flush()
        if len(self._batch) >= ENOUGH_ROWS:
            self.flush()
        elif len(self._batch) and self._alarm is None:
            self._alarm = self._clock.callLater(PATIENCE, self._ring)

    def flush(self) -> None:
        """Let the rows that there are go their way."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self.pipeline.run(self._batch)

    def age(self, now: float) -> None:
        """Forget what is too old; `now` is the wall clock."""
        self.intake.age(int(now * MICROSECONDS))

    def _ring(self) -> None:
        self._alarm = None
        self.pipeline.run(self._batch)
