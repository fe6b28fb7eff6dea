from flowcorr.collect._exporters import Exporters
from flowcorr.collect._walk import Walk
from flowcorr.collect.settings import IntakeSettings
from flowcorr.columns._texts import Texts
from flowcorr.wire._plan import Plan

class NetflowWalk(Walk):
    """Reads NetFlow and IPFIX."""

    def __init__(self, exporters: Exporters, texts: Texts, settings: IntakeSettings, v5_plan: Plan) -> None: ...
