import numpy as np
from numpy.typing import NDArray

from flowcorr.columns._batch import Batch
from flowcorr.columns.layout import Layout
from flowcorr.correlate.frame_tests import Graph

class ColumnTests:
    """Lets the flows through that a graph of tests wants.

    Raises: ValueError for a layout without some of its columns, and for what is no graph.
    """

    def __init__(self, layout: Layout, graph: Graph) -> None: ...
    def passes(self, batch: Batch) -> NDArray[np.bool_]:
        """Tell for each flow whether it passes."""
