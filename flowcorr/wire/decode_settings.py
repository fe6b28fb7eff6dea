"""What a configuration decides about decoding, for all exporters alike."""

from dataclasses import dataclass

from flowcorr.wire.custom_primitive import CustomPrimitive


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeSettings:
    """The keys that decide what of a record goes into which column.

    Attributes:
        use_ip_next_hop: an IP next hop may be the peer of the destination.
        asa_bi_flow: counters of initiator and responder are octets and packets.
        time_from_uptime_seconds: uptimes are in seconds, for the time that chooses a bin.
        time_of_arrival: bins are chosen by arrival.
        uptime_from_options: uptimes of IPFIX without a start beside them count from the one that options told.
        precise_uptime: times from uptimes keep their milliseconds.
        ignore_exporter_address: the exporter is who sent the datagram, whatever records and options say.
        renormalize: packets and octets are multiplied by the sampling rate.
        external_rate: sampling rate of all exporters, 0: none.
        split_biflows: what a record counts of the reverse direction is a row of its own (RFC 5103).
        accept_any_type: sampled packets other than IP count too.
        rebase_port: UDP port of a VXLAN whose inner frames are what counts, 0: none.
        custom: the custom primitives.
    """

    use_ip_next_hop: bool = False
    asa_bi_flow: bool = False
    time_from_uptime_seconds: bool = False
    time_of_arrival: bool = False
    precise_uptime: bool = False
    uptime_from_options: bool = False
    ignore_exporter_address: bool = False
    renormalize: bool = False
    external_rate: int = 0
    split_biflows: bool = True
    accept_any_type: bool = False
    rebase_port: int = 0
    custom: tuple[CustomPrimitive, ...] = ()
