"""A flow input whose rows are kept."""

from typing import Any
from unittest.mock import Mock

from flowcorr.columns._batch import Batch
from flowcorr.service.bugs import Bugs
from flowcorr.service.flow_input import FlowInput
from tests.flowcorr.exports import Input


class Kept:
    """What went through a flow input: `rows`, the lengths of its `batches`, and what `bugs` were met."""

    def __init__(self, names: str = "src_host timestamp_arrival", capacity: int = 100, **options: Any) -> None:
        self.input = Input(names, capacity=capacity, **options)
        self.rows: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self.bugs = Bugs(Mock(), lambda: 0.0)
        self.flows = FlowInput(self.input.intake, self.input.batch, self._keep, self.bugs)

    def _keep(self, batch: Batch) -> None:
        self.batches.append(len(batch))
        self.rows += self.input.read_rows()
