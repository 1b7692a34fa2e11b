"""How hypothesis runs here: without a deadline, because a shared machine may stall for seconds."""

from hypothesis import HealthCheck, settings

settings.register_profile("mbsweep", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mbsweep")
