from collections.abc import Mapping

from flowcorr.wire.packet_columns import PacketValue
from flowcorr.wire.template import Template

CODES: Mapping[str, int]

class Plan:
    """How the records of a template become rows; made by `plan.PlanMaker`."""

    template: Template
    octets: int
    is_options: bool
    reverse: Plan | None
    def __init__(
        self,
        template: Template,
        lengths: list[int],
        steps: list[tuple[str, int, int, int, int, int]],
        extras: list[int],
        places: dict[str, int],
        frame: dict[str, int],
        packet_values: list[PacketValue],
        traits: dict[str, int | bool],
        reverse: Plan | None = None,
    ) -> None: ...
