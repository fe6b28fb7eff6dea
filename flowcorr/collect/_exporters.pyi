from collections.abc import Mapping

from flowcorr.collect.settings import InterfaceRate
from flowcorr.columns.layout import Layout
from flowcorr.wire._facts import Facts
from flowcorr.wire._plan import Plan

class Exporters:
    """Exporters by slot, and by sender address, version and domain."""

    capacity: int
    count: int
    def __init__(self, layout: Layout, capacity: int) -> None: ...
    def __len__(self) -> int: ...
    def slot_of(self, address: bytes, version: int, domain: int) -> int | None: ...
    def add(self, address: bytes, version: int, domain: int, port: int) -> int:
        """Give an exporter a slot.

        Raises: IndexError when all are taken.
        """
    def forget(self, slot: int) -> None:
        """Free a slot; between two walks only."""
    def idle(self, since: int, most: int) -> list[int]:
        """Return slots not heard since a time, in microseconds since 1970."""
    def see(self, slot: int, when: int) -> None:
        """Know that something was heard of an exporter, in microseconds since 1970."""
    def set_address(self, slot: int, shown: bytes, compared: bytes) -> None:
        """Say what is the exporter of its records, and what maps compare."""
    def set_sender(self, slot: int, sender: bytes) -> None:
        """Say who sends its datagrams: of sFlow not always the agent."""
    def set_facts(self, slot: int, near: Facts | None, far: Facts | None) -> None:
        """Say what is known of the domain and of the sender; the caller keeps both alive."""
    def set_plans(self, slot: int, plans: dict[int, Plan]) -> None:
        """Say how records are read, by template id; the caller keeps the plans alive."""
    def set_rates(self, slot: int, rate: int | None, rules: list[InterfaceRate]) -> None:
        """Say what a sampling map has for the exporter."""
    def statistics(self, slot: int) -> Mapping[str, int]:
        """Return its counters by name, and when it was heard last."""
    def offset(self, name: str) -> int: ...
