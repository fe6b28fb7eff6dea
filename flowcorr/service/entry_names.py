"""Names that depend on entries: files, topics, keys. A flush is divided by what their variables ask for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from ipaddress import IPv6Address
from typing import Final

from numpy import uint32
from numpy.typing import NDArray

from flowcorr.columns.column import NO_ADDRESS, Kind
from flowcorr.correlate._bin import Bin
from flowcorr.correlate._split import split
from flowcorr.correlate.aggregate import Aggregate, KeyPlan
from routed.plumbing.names import NameTemplate, Variable, name_of_address

#: Variables that an entry decides about, and the primitive of each.
OF_ENTRIES: Final[Mapping[Variable, str]] = {
    Variable.PEER_ADDRESS: "peer_src_ip",
    Variable.TAG: "tag",
    Variable.TAG2: "tag2",
    Variable.SOURCE_ADDRESS: "src_host",
    Variable.DESTINATION_ADDRESS: "dst_host",
    Variable.SOURCE_PORT: "src_port",
    Variable.DESTINATION_PORT: "dst_port",
    Variable.PROTOCOL: "proto",
    Variable.INPUT_INTERFACE: "in_iface",
}
#: Microseconds of a second.
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Share:
    """Entries of one bin that have the same names; all of them where `order` is None."""

    bin: Bin
    order: NDArray[uint32] | None
    names: tuple[str | None, ...]  # of the templates, in their order


@dataclass(frozen=True, slots=True)
class _Part:
    """A variable and where its value stands in a key."""

    variable: Variable
    at: int
    octets: int
    is_address: bool

    def text(self, value: bytes) -> str:
        """Write a value."""
        return _address(value) if self.is_address else str(_native(value))


class Names:
    """Chooses the names for the entries of a plugin.

    Args:
        templates: of the names; None stays None.
        fixed: values that are the same for all entries.
        zone: of the times in names; None is the local one.
    """

    def __init__(
        self,
        templates: Sequence[NameTemplate | None],
        aggregate: Aggregate,
        plan: KeyPlan,
        fixed: Mapping[Variable, str],
        zone: tzinfo | None,
    ) -> None:
        self._templates, self._fixed, self._zone = templates, fixed, zone
        variables = {variable for one in templates if one is not None for variable in one.variables}
        self._parts = [_part(one, aggregate, plan) for one in OF_ENTRIES if one in variables]

    @property
    def divides(self) -> bool:
        """Tell whether names depend on entries."""
        return bool(self._parts)

    def shares(self, bin_: Bin, now: float) -> Iterator[Share]:
        """Divide the entries of a bin."""
        moment = self._moment(bin_.start / _SECOND if bin_.has_times else now)
        if not self._parts:
            yield Share(bin_, None, self._expand(self._fixed, moment))
            return
        for octets, order in split(bin_, [(part.at, part.octets) for part in self._parts]):
            yield Share(bin_, order, self._expand({**self._fixed, **self._read(octets)}, moment))

    def of_nothing(self, when: float) -> tuple[str | None, ...]:
        """Return the names for a time that has no entries."""
        values = {**self._fixed, **{part.variable: "0" for part in self._parts}}
        return self._expand(values, self._moment(when))

    def _expand(self, values: Mapping[Variable, str], moment: datetime) -> tuple[str | None, ...]:
        return tuple(None if one is None else one.expand(values, moment) for one in self._templates)

    def _read(self, octets: bytes) -> dict[Variable, str]:
        """Read the values that a part of a key holds."""
        values = {}
        for part in self._parts:
            value, octets = octets[: part.octets], octets[part.octets :]
            values[part.variable] = part.text(value)
        return values

    def _moment(self, when: float) -> datetime:
        utc = datetime.fromtimestamp(when, UTC)
        return utc.astimezone(self._zone)


def missing_primitive(template: NameTemplate, aggregate: Aggregate) -> str | None:
    """Return the primitive of a variable that is not summed by; None when all are."""
    asked = (OF_ENTRIES[variable] for variable in template.variables if variable in OF_ENTRIES)
    return next((one for one in asked if aggregate.field_of(one) is None), None)


def _part(variable: Variable, aggregate: Aggregate, plan: KeyPlan) -> _Part:
    field = aggregate.field_of(OF_ENTRIES[variable])
    assert field is not None, "a name asks for a primitive that is not summed by"
    column = field.column
    return _Part(variable, plan.places[column.name], column.kind.width, column.kind is Kind.ADDRESS)


def _native(octets: bytes) -> int:
    return int.from_bytes(octets, "little")  # integers of columns are in the order of this machine


def _address(octets: bytes) -> str:
    if octets == NO_ADDRESS:
        return "unknown"
    address = IPv6Address(octets)
    return name_of_address(str(address.ipv4_mapped or address))
