"""The Triton kernels of a decode step equal their references at odd shapes.

Without a GPU they run in Triton's interpreter.
"""

from dataclasses import replace

import pytest
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

pytest.importorskip("triton")
from bench._kernel_cases import CASES, MANY_CASES, TOLERANCE, Noise, Shape

CUTS = 2.0 if DEVICE == "cpu" else 1.0  # the interpreter cuts bf16 off where hardware rounds

ODD = Shape(3, 48, 2, 6, 8, 12, 6, 2, 24, 12, 7, 3, 20, 28, 70)
SHAPES = {
    "odd": ODD,
    "even": Shape(1, 64, 2, 4, 16, 32, 4, 1, 32, 8, 40, 4, 16, 16, 200),
    "plain": replace(ODD, norm_offset=0.0, gated=False, shared=0, rotary=24),
    "fresh": replace(ODD, seen=0, batch=1, key_heads=1, value_heads=1, groups=6),
}
MANY = replace(ODD, batch=21)  # more rows than one tile of the shared expert takes
MANY_SHAPES = {"21": MANY, "plain": replace(MANY, shared=0, norm_offset=0.0), "3": ODD, "1": SHAPES["even"]}


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kernel", CASES)
def test_kernel_equals_reference(kernel: str, shape: str, dtype: torch.dtype):
    case = CASES[kernel](Noise(DEVICE, dtype, seed=1), SHAPES[shape])
    assert case.error() < CUTS * TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", MANY_SHAPES)
@pytest.mark.parametrize("kernel", MANY_CASES)
def test_kernel_for_many_rows_equals_reference(kernel: str, shape: str, dtype: torch.dtype):
    case = MANY_CASES[kernel](Noise(DEVICE, dtype, seed=1), MANY_SHAPES[shape])
    assert case.error() < CUTS * TOLERANCE[dtype]
