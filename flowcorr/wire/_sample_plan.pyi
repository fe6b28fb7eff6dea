from flowcorr.wire.packet_columns import PacketValue

class SamplePlan:
    """How the samples of sFlow become rows; made by `sample_plan.sample_plan`."""

    def __init__(
        self,
        to: dict[str, int],
        packet: dict[str, int],
        tunnel: dict[str, int],
        places: dict[str, int],
        packet_values: list[PacketValue],
        *,
        use_ip_next_hop: bool = False,
        accept_any_type: bool = False,
        rebase_port: int = 0,
    ) -> None: ...
