"""An intake with every column, custom primitives among them, for whatever octets a fuzzer makes."""

from typing import Final

from flowcorr.collect._datagrams import Datagrams
from flowcorr.collect.intake import Intake
from flowcorr.collect.settings import IntakeSettings
from flowcorr.columns._batch import Batch
from flowcorr.columns._texts import Texts
from flowcorr.columns.builtin import BUILTIN
from flowcorr.columns.layout import Layout
from flowcorr.wire.custom_primitive import CustomPrimitive, ElementField, PacketPointer, Semantics
from flowcorr.wire.decode_settings import DecodeSettings

_POINTERS: Final = tuple(
    PacketPointer(layer, None, offset)
    for layer, offset in (("payload", 2), ("l4", 0), ("l3", 8), ("mpls", 1), ("vlan", 2), ("mac", 6), ("packet", 3))
)


def _custom(name: str, element: int | None, length: int | None, semantics: Semantics) -> CustomPrimitive:
    field = None if element is None else ElementField(element)
    pointers = _POINTERS if length else ()
    return CustomPrimitive(
        name=name, field=field, pointers=pointers, length=length, semantics=semantics, where="fuzzed"
    )


CUSTOM: Final = (
    _custom("number", 7, 2, Semantics.U_INT),
    _custom("wide", 1, 8, Semantics.HEX),
    _custom("text", 82, None, Semantics.STR),
    _custom("fixed", 96, 24, Semantics.STR),
    _custom("raw", 315, 40, Semantics.RAW),
    _custom("address", 8, 4, Semantics.IP),
    _custom("mac", 56, 6, Semantics.MAC),
    _custom("packet", None, 5, Semantics.STR),
)
LAYOUT: Final = Layout([*BUILTIN.values(), *(primitive.column for primitive in CUSTOM)])
_NOW: Final = 1_700_000_000_000_000


class FlowReader:
    """Reads datagrams into batches of some capacity and forgets their rows."""

    def __init__(self, *, is_sflow: bool, capacity: int) -> None:
        decode = DecodeSettings(custom=CUSTOM, renormalize=True, use_ip_next_hop=True)
        settings = IntakeSettings(
            is_sflow=is_sflow, decode=decode, account_options=True, wants_counters=True, most_exporters=4
        )
        self._texts = Texts()
        self._intake = Intake(LAYOUT, self._texts, settings)
        self._batch = Batch(LAYOUT, capacity)

    def take(self, octets: bytes, *, sender: int) -> tuple[int, ...]:
        """Read a datagram; return how many rows it made, what they count together, and what was refused so far."""
        datagrams = Datagrams(1)
        datagrams.append(octets, bytes(10) + b"\xff\xff\x0a\x00\x00" + bytes([sender]), 4000, _NOW)
        rows = packets = 0
        done = False
        while not done:
            done = self._intake.take(datagrams, self._batch)
            rows += len(self._batch)
            packets += int(self._batch.rows["packets"].sum())
            for name in ("mpls_label_stack", "label", "as_path", "custom:text"):
                for text in self._batch.rows[name]:
                    self._texts.octets_of(int(text))
            self._batch.clear()
            self._texts.sweep()
        return rows, packets & 0xFFFFFFFFFFFFFFFF, *self._intake.refused.values()

    def held_texts(self) -> int:
        """Forget all exporters; return how many texts are held beyond the one that every intake holds."""
        self._intake.age(1 << 62)
        self._texts.sweep()
        return self._texts.count - 1
