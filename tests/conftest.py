"""How many examples the properties try, by HYPOTHESIS_PROFILE: others at every run, so that they add up.

The sanitizers are slow and look at every one of them; a night has the time for many.
"""

import os

from hypothesis import HealthCheck, settings

PATIENT = settings(deadline=None, report_multiple_bugs=False, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("usual", PATIENT, max_examples=100)
settings.register_profile("sanitized", PATIENT, max_examples=25)
settings.register_profile("thorough", PATIENT, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))
