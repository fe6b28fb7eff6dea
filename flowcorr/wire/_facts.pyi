from typing import Literal, TypeAlias

from flowcorr.columns._texts import Texts

Kind: TypeAlias = Literal["sampler", "ingress_rd", "egress_rd", "uptime_began", "vrf_name", "interface_name", "application"]

class FactsRoom:
    """How many facts there may be of all exporters together.

    Attributes:
        left: of these, how many more.
        refused: facts that found no room, here or in those of their exporter.
    """

    left: int
    refused: int
    def __init__(self, left: int) -> None: ...

class Facts:
    """What an exporter told about itself, by kind and key."""

    def __init__(self, texts: Texts, room: FactsRoom) -> None: ...
    def __len__(self) -> int: ...
    def set(self, kind: Kind, key: int, value: int) -> bool:
        """Keep a fact, in place of an older one of its key; False, counted by its room, when there are too many.

        A route distinguisher is its eight octets as an integer in the order of this machine.
        """
    def set_text(self, kind: Kind, key: int, octets: bytes) -> bool:
        """Keep a name; False as of `set`, and when names take too much memory."""
    def get(self, kind: Kind, key: int) -> int | None:
        """Return a fact, of a name its text id."""
