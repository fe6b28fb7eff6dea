from flowcorr.collect._exporters import Exporters
from flowcorr.collect._walk import Walk
from flowcorr.collect.settings import IntakeSettings
from flowcorr.columns._texts import Texts
from flowcorr.wire._sample_plan import SamplePlan

class SflowWalk(Walk):
    """Reads sFlow."""

    def __init__(self, exporters: Exporters, texts: Texts, settings: IntakeSettings, plan: SamplePlan) -> None: ...
