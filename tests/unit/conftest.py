"""How hard the unit tests look for a counterexample.

SATM_EXAMPLES=5000 makes them look harder; a machine that is busy never fails them.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "satm-unit",
    max_examples=int(os.environ.get("SATM_EXAMPLES", "60")),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("satm-unit")
