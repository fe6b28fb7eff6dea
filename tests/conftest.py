"""How many examples the properties try: few under the sanitizers, which are slow and look at every one of them."""

import os

from hypothesis import HealthCheck, settings

PATIENT = settings(deadline=None, report_multiple_bugs=False, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("usual", PATIENT, max_examples=200)
settings.register_profile("sanitized", PATIENT, max_examples=25)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))
