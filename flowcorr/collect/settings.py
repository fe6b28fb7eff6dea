"""What a configuration decides about the input."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from flowcorr.collect.limits import MOST_EXPORTERS
from flowcorr.wire.decode_settings import DecodeSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings:
    """The keys of the input.

    Attributes:
        is_sflow: datagrams are sFlow, or else NetFlow and IPFIX.
        wants_counters: counter samples of sFlow are reported.
        decode: what goes into which column.
        account_options: records of options are rows too.
        options_are_global: options hold for all domains of their exporter.
        check_padding: a set with padding other than zero is refused.
        report_sequence: jumps of sequence numbers are reported, not only counted.
        report_templates: sets of templates are reported, each time they come from their exporter.
        most_exporters: exporters known at a time.
    """

    is_sflow: bool = False
    wants_counters: bool = False
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    account_options: bool = False
    options_are_global: bool = False
    check_padding: bool = False
    report_sequence: bool = False
    report_templates: bool = False
    most_exporters: int = MOST_EXPORTERS


@dataclass(frozen=True, slots=True)
class InterfaceRate:
    """A rule of a sampling map that looks at interfaces; None: any interface."""

    rate: int
    in_iface: int | None = None
    out_iface: int | None = None
    not_in: bool = False
    not_out: bool = False


@dataclass(frozen=True, slots=True)
class MappedRates:
    """What a sampling map says of an exporter: one rate, or rules by interface, the first that matches."""

    rate: int | None = None
    rules: tuple[InterfaceRate, ...] = ()


#: Tells whether an address may send.
Allow: TypeAlias = Callable[[bytes], bool]
#: Tells the rates of an exporter by the address that maps compare.
RateMap: TypeAlias = Callable[[bytes], MappedRates]
