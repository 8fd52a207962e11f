"""What `saccade.model` tells OpenMP before torch is there."""

import os
import subprocess
import sys

import pytest

ASK = "import saccade.model, os, sys; print('torch' in sys.modules, os.environ.get('GOMP_SPINCOUNT'))"


@pytest.mark.parametrize(
    ("given", "told"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None")],
)
def test_threads_that_wait_spin_shortly_or_as_the_user_said(given: dict[str, str], told: str) -> None:
    clean = {key: it for key, it in os.environ.items() if key not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    asked = subprocess.run(
        [sys.executable, "-c", ASK], env=clean | given, capture_output=True, text=True, check=True
    )
    assert asked.stdout.split() == ["False", told]
