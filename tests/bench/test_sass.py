"""`bench sass` finds sums that the compiler of CUDA 12.8 gets wrong, and our kernels have none."""

import json
import os
import subprocess
import sys

import pytest

from bench.sass import faults

pytest.importorskip("triton")
SUM = "UIADD3.X UR7, UR8, -0x7fffffe0, URZ, UP0, !UPT"


def code(*lines: str) -> str:
    """As nvdisasm prints it; a line that ends in a colon is a label."""
    return "\n".join(line if line.endswith(":") else f"        /*0010*/    {line} ;" for line in lines)


def test_a_zero_that_is_set_is_right():
    assert not faults(code("UMOV UR8, URZ", "UMOV UR9, 0x4", SUM, "EXIT"))
    assert not faults(code("UMOV.64 UR8, URZ", SUM, "EXIT"))


@pytest.mark.parametrize(
    "lines",
    [
        (SUM, "EXIT"),
        ("UMOV UR8, 0x4", SUM, "EXIT"),
        ("UMOV UR8, URZ", "R2UR UR8, R118", SUM, "EXIT"),
        ("UMOV UR8, URZ", "UIADD3.64 UR8, UR4, UR6, URZ", SUM, "EXIT"),
        ("@UP1 UMOV UR8, URZ", SUM, "EXIT"),
        ("@P1 BRA `(.L_x_1)", "UMOV UR8, URZ", ".L_x_1:", SUM, "EXIT"),
    ],
)
def test_a_zero_that_is_not_set_on_every_way_is_a_fault(lines):
    assert faults(code(*lines)) == [SUM]


def test_a_sum_that_takes_the_place_of_its_zero_is_wrong_from_the_second_round_on():
    own = SUM.replace("UR8", "UR7")
    assert faults(code("UMOV UR7, URZ", ".L_x_2:", own, "@P0 BRA `(.L_x_2)", "EXIT")) == [own]
    assert not faults(code(".L_x_2:", "UMOV UR7, URZ", own, "@P0 BRA `(.L_x_2)", "EXIT"))


def test_our_kernels_have_none():
    environment = {**os.environ, "TRITON_INTERPRET": "0"}
    command = [sys.executable, "-m", "bench", "sass", "--quick"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["kernels"] == 10


def test_an_interpreter_compiles_nothing():
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "bench", "sass"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "TRITON_INTERPRET" in done.stderr
