from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from flowcorr.columns._batch import Batch
from flowcorr.columns.layout import Layout

COLUMNS: Final[tuple[str, ...]]
"""What frames are made of."""

MEMORY: Final[int]
"""Words of memory."""

# Codes of instructions: bpf(4), `struct bpf_insn`.
LD: Final[int]
LDX: Final[int]
ST: Final[int]
STX: Final[int]
ALU: Final[int]
JMP: Final[int]
RET: Final[int]
MISC: Final[int]
IMM: Final[int]
ABS: Final[int]
IND: Final[int]
MEM: Final[int]
LEN: Final[int]
MSH: Final[int]
WORD: Final[int]
HALF: Final[int]
BYTE: Final[int]
ADD: Final[int]
SUB: Final[int]
MUL: Final[int]
DIV: Final[int]
OR: Final[int]
AND: Final[int]
LSH: Final[int]
RSH: Final[int]
NEG: Final[int]
MOD: Final[int]
XOR: Final[int]
JA: Final[int]
JEQ: Final[int]
JGT: Final[int]
JGE: Final[int]
JSET: Final[int]
OF_X: Final[int]
RET_A: Final[int]
TXA: Final[int]

def reckoned(operation: int, a: int, operand: int) -> int:
    """Return what the machine makes of two numbers of 32 bits."""

def compares(operation: int, a: int, operand: int) -> bool:
    """Tell whether a comparison of the machine holds."""

class Program:
    """Instructions of the classic BPF machine, n x 8 octets as `struct bpf_insn` in the order of this machine.

    Raises: ValueError for what is no program: unknown instructions, and those that lead backwards or outside.
    """

    octets: bytes
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
