"""Names of the files that a flush goes to: each divides its entries by what its variables ask for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address
from typing import Final

from numpy import uint32
from numpy.typing import NDArray

from flowcorr.columns.column import NO_ADDRESS
from flowcorr.correlate._bin import Bin
from flowcorr.correlate._split import split
from flowcorr.correlate.aggregate import KeyPlan
from flowcorr.service.print_settings import PrintSettings
from routed.plumbing.names import NameTemplate, Variable, name_of_address

#: Variables that an entry decides about, and the primitive of each.
OF_ENTRIES: Final[Mapping[Variable, str]] = {
    Variable.PEER_ADDRESS: "peer_src_ip",
    Variable.TAG: "tag",
    Variable.TAG2: "tag2",
}
_ADDRESS_OCTETS: Final = 16
_TAG_OCTETS: Final = 8
#: Microseconds of a second.
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Share:
    """Entries of one bin that go to one name; all of them where `order` is None."""

    bin: Bin
    order: NDArray[uint32] | None
    name: str
    link: str | None


class Names:
    """Chooses the names for the entries of a plugin."""

    def __init__(self, settings: PrintSettings, plan: KeyPlan) -> None:
        self._settings = settings
        variables = (settings.file.variables if settings.file else frozenset()) | (
            settings.latest.variables if settings.latest else frozenset()
        )
        self._divides_by = [variable for variable in OF_ENTRIES if variable in variables]
        self._places = [(plan.places[OF_ENTRIES[variable]], _octets_of(variable)) for variable in self._divides_by]
        self._values = {
            Variable.REFRESH_TIME: str(settings.refresh),
            Variable.HISTORY: str(settings.history),
            Variable.POST_TAG: str(settings.post_tag),
            Variable.POST_TAG2: str(settings.post_tag2),
        }

    def shares(self, bin_: Bin, now: float) -> Iterator[Share]:
        """Divide the entries of a bin."""
        moment = self._moment(bin_.start / _SECOND if bin_.has_times else now)
        if not self._places:
            yield self._share(bin_, None, {}, moment)
            return
        for octets, order in split(bin_, self._places):
            yield self._share(bin_, order, self._read(octets), moment)

    def of_nothing(self, when: float) -> tuple[str, str | None]:
        """Return the name, and that of the link, for a time that has no entries."""
        values = {**self._values, **dict.fromkeys(self._divides_by, "0")}
        return self._expand(values, self._moment(when))

    def _share(
        self, bin_: Bin, order: NDArray[uint32] | None, values: Mapping[Variable, str], moment: datetime
    ) -> Share:
        return Share(bin_, order, *self._expand({**self._values, **values}, moment))

    def _expand(self, values: Mapping[Variable, str], moment: datetime) -> tuple[str, str | None]:
        def expand(template: NameTemplate | None) -> str | None:
            return None if template is None else template.expand(values, moment)

        return expand(self._settings.file) or "", expand(self._settings.latest)

    def _read(self, octets: bytes) -> dict[Variable, str]:
        """Read the values that a part of a key holds."""
        values = {}
        for variable in self._divides_by:
            width = _octets_of(variable)
            value, octets = octets[:width], octets[width:]
            values[variable] = _address(value) if variable is Variable.PEER_ADDRESS else str(_native(value))
        return values

    def _moment(self, when: float) -> datetime:
        utc = datetime.fromtimestamp(when, UTC)
        return utc.astimezone(self._settings.zone)


def _octets_of(variable: Variable) -> int:
    return _ADDRESS_OCTETS if variable is Variable.PEER_ADDRESS else _TAG_OCTETS


def _native(octets: bytes) -> int:
    return int.from_bytes(octets, "little")  # integers of columns are in the order of this machine


def _address(octets: bytes) -> str:
    if octets == NO_ADDRESS:
        return "unknown"
    address = IPv6Address(octets)
    return name_of_address(str(address.ipv4_mapped or address))
