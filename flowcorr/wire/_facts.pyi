from typing import Literal, TypeAlias

from flowcorr.columns._texts import Texts

Kind: TypeAlias = Literal["sampler", "ingress_rd", "egress_rd", "uptime_began", "vrf_name", "interface_name", "application"]

class Facts:
    """What an exporter told about itself, by kind and key."""

    refused: int
    def __init__(self, texts: Texts) -> None: ...
    def __len__(self) -> int: ...
    def set(self, kind: Kind, key: int, value: int) -> bool:
        """Keep a fact, in place of an older one of its key; False, counted in `refused`, when there are too many.

        A route distinguisher is its eight octets as an integer in the order of this machine.
        """
    def set_text(self, kind: Kind, key: int, octets: bytes) -> bool:
        """Keep a name."""
    def get(self, kind: Kind, key: int) -> int | None:
        """Return a fact, of a name its text id."""
