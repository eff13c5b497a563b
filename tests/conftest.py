"""What every test has: fixed seeds, and the proof that a forced target really runs."""

import os

import pytest
from hypothesis import HealthCheck, settings

import vech

settings.register_profile(
    "vech",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("vech")


def pytest_report_header():
    targets = vech.targets()
    where = os.path.dirname(vech.__file__)
    return f"vech {vech.__version__} in {where}, target {targets.active} of {targets.supported}"


@pytest.fixture(autouse=True, scope="session")
def the_forced_target_is_active():
    forced = os.environ.get("VECH_TARGET")
    assert not forced or vech.targets().active == forced
