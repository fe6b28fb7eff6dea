from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from flowcorr.columns._batch import Batch
from flowcorr.columns.layout import Layout

COLUMNS: Final[tuple[str, ...]]
"""What frames are made of."""

class Program:
    """Instructions of the classic BPF machine, n x 8 octets as `struct bpf_insn` in the order of this machine.

    Raises: ValueError for what is no program: unknown instructions, and those that lead backwards or outside.
    """

    def __init__(self, octets: bytes) -> None: ...
    def __len__(self) -> int: ...
    def runs(self, frame: Buffer) -> bool:
        """Tell whether a frame is wanted."""

class Frames:
    """The frames of flows; raises ValueError for a layout without some of COLUMNS."""

    def __init__(self, layout: Layout) -> None: ...
    def of_row(self, batch: Batch, row: int) -> bytes:
        """Return the Ethernet frame that a flow stands for."""

class PacketFilter:
    """Lets the flows through whose frames any of some programs wants."""

    def __init__(self, layout: Layout, programs: Sequence[Program]) -> None: ...
    def passes(self, batch: Batch) -> NDArray[np.bool_]:
        """Tell for each flow whether it passes."""
