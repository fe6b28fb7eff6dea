"""Local exceptions to what the RPKI says: filters and assertions of a SLURM file.

Source: RFC 8416; version 2 with ASPA (draft-ietf-sidrops-aspa-slurm). The draft leaves open what an assertion does to
an ASPA that is there: here it adds providers, as an assertion of a prefix adds an origin; who wants to replace it has a
filter for the customer as well. BGPsec members are checked for their presence only: router keys are not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from routed.plumbing.maps import Loaded, MapError
from routed.rib._payloads import Payloads
from routed.rib.payload_set import PayloadSet, origins_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from routed.rib._aspa import Aspas
    from routed.rib._vrps import Vrps

T = TypeVar("T")

MAX_AS: Final = 0xFFFFFFFF
#: The maximum length that stands for any AS in a filter; another one for the AS of the filter.
ANY_AS, ONE_AS = 0, 1
#: Prefixes of a filter that names an AS alone.
EVERYTHING: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class Slurm:
    """What is left out, and what is added then."""

    filters: Vrps
    assertions: tuple[tuple[bytes, int, int, int], ...]  # as `Payloads.add` takes them
    filtered_customers: frozenset[int]
    aspas: Aspas

    def applied_to(self, received: PayloadSet) -> PayloadSet:
        """Return payloads with these exceptions."""
        payloads = Payloads()
        for assertion in self.assertions:
            payloads.add(*assertion)
        aspas = {customer: ps for customer, ps in received.aspas.items() if customer not in self.filtered_customers}
        added = {customer: ps | aspas.get(customer, frozenset()) for customer, ps in self.aspas.items()}
        return PayloadSet(origins_of(payloads, received.vrps.without(self.filters)), aspas | added)


class SlurmError(ValueError):
    """The file is not what RFC 8416 says; the text names the place."""


def parse_slurm(text: str, name: str) -> Loaded[Slurm]:
    """Read a SLURM file, whole or not at all (RFC 8416 section 3.2).

    Raises: MapError.
    """
    try:
        return Loaded(_read(_Object(orjson.loads(text), "the file")))
    except (SlurmError, ValueError) as error:
        raise MapError(f"[{name}] {error}") from error


class _Object:
    """A JSON object whose members are read once each."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise SlurmError(f"{where} is not an object")
        self._members, self.where = dict(value), where

    def take(self, name: str, parse: Callable[[Any], T]) -> T:
        """Read a member that there must be."""
        if name not in self._members:
            raise SlurmError(f"{self.where} has no {name}")
        value = self._members.pop(name)
        try:
            return parse(value)
        except (ValueError, TypeError) as error:
            raise SlurmError(f"{name} of {self.where}: {error}") from None

    def maybe(self, name: str, parse: Callable[[Any], T]) -> T | None:
        """Read a member that there may be."""
        return self.take(name, parse) if name in self._members else None

    def objects(self, name: str) -> list[_Object]:
        """Read a list of objects that there must be."""
        values = self.take(name, _list)
        return [_Object(value, f"{name} #{number}") for number, value in enumerate(values, 1)]

    def finish(self) -> None:
        """Refuse members that nobody read (RFC 8416 section 3.1)."""
        if self._members:
            raise SlurmError(f"unknown member {next(iter(self._members))} of {self.where}")


def _read(file: _Object) -> Slurm:
    version = file.take("slurmVersion", _version)
    filters = _Object(file.take("validationOutputFilters", lambda value: value), "validationOutputFilters")
    assertions = _Object(file.take("locallyAddedAssertions", lambda value: value), "locallyAddedAssertions")
    file.finish()
    left_out = Payloads()
    for one in filters.objects("prefixFilters"):
        _read_filter(one, left_out)
    added = tuple(_read_assertion(one) for one in assertions.objects("prefixAssertions"))
    filters.take("bgpsecFilters", _list)
    assertions.take("bgpsecAssertions", _list)
    customers, aspas = frozenset[int](), dict[int, frozenset[int]]()
    if version > 1:
        customers = frozenset(_read_customer(one) for one in filters.objects("aspaFilters"))
        for customer, providers in map(_read_aspa, assertions.objects("aspaAssertions")):
            aspas[customer] = providers | aspas.get(customer, frozenset())
    filters.finish()
    assertions.finish()
    return Slurm(origins_of(left_out), added, customers, aspas)


def _read_filter(one: _Object, left_out: Payloads) -> None:
    prefix, asn = one.maybe("prefix", _network), one.maybe("asn", _as_number)
    one.maybe("comment", _text)
    one.finish()
    if prefix is None and asn is None:
        raise SlurmError(f"{one.where} has neither prefix nor asn")
    for network in EVERYTHING if prefix is None else (prefix,):
        kind = ANY_AS if asn is None else ONE_AS
        left_out.add(network.network_address.packed, network.prefixlen, kind, asn or 0)


def _read_assertion(one: _Object) -> tuple[bytes, int, int, int]:
    network, asn = one.take("prefix", _network), one.take("asn", _as_number)
    longest = one.maybe("maxPrefixLength", _integer)
    one.maybe("comment", _text)
    one.finish()
    if longest is None:
        longest = network.prefixlen
    if not network.prefixlen <= longest <= network.max_prefixlen:
        raise SlurmError(f"maxPrefixLength of {one.where} is not from {network.prefixlen} to {network.max_prefixlen}")
    return network.network_address.packed, network.prefixlen, longest, asn


def _read_customer(one: _Object) -> int:
    customer = one.maybe("customerAsid", _as_number)  # as a widespread library writes it
    if customer is None:
        customer = one.take("customerAsn", _as_number)
    one.maybe("comment", _text)
    one.finish()
    return customer


def _read_aspa(one: _Object) -> tuple[int, frozenset[int]]:
    customer = one.take("customerAsn", _as_number)
    providers = one.take("providerAsns", _providers)
    one.maybe("comment", _text)
    one.finish()
    return customer, providers


def _providers(value: Any) -> frozenset[int]:
    if not _list(value):
        raise SlurmError("no providers; AS 0 alone says that there are none")
    return frozenset(map(_as_number, value))


def _version(value: Any) -> int:
    if value not in {1, 2}:
        raise SlurmError(f"{value} is neither 1 nor 2")
    return int(value)


def _network(value: Any) -> IPv4Network | IPv6Network:
    return ip_network(_text(value))


def _as_number(value: Any) -> int:
    if not 0 <= _integer(value) <= MAX_AS:
        raise SlurmError(f"{value} is no AS number")
    return int(value)


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise SlurmError(f"{value} is not an integer")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise SlurmError(f"{value} is not a text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise SlurmError("not a list")
    return value
