"""Attention of many tokens in Triton equals its reference, in any cut; without a GPU in the interpreter."""

import pytest
import torch
from saccade.model.kernels import reference

pytest.importorskip("triton")
from saccade.model.kernels import attend_prompt
from saccade.model.kernels.attend_prompt import Tiles

from bench._kernel_cases import A3B, PROMPT_CASES, TOLERANCE, Noise, Shape, max_error, poisoned

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CUTS = 2.0 if DEVICE == "cpu" else 1.0  # the interpreter cuts bf16 off where hardware rounds
SHAPE = Shape(1, 48, 2, 6, 8, 12, 8, 1, 24, 12, 7, 3, 20, 28, 63)
GROUPS = {"8:1": (8, 1), "1:1": (2, 2)}


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kernel", PROMPT_CASES)
def test_kernel_equals_reference(kernel: str, dtype: torch.dtype):
    assert PROMPT_CASES[kernel](Noise(DEVICE, dtype, seed=1), SHAPE).error() < CUTS * TOLERANCE[dtype]


@pytest.mark.parametrize("heads", GROUPS)
@pytest.mark.parametrize(("new", "before", "splits"), [(2, 0, 1), (2, 1, 2), (65, 300, 2), (200, 63, 1)])
def test_any_lengths(new: int, before: int, splits: int, heads: str):
    noise = Noise(DEVICE, torch.bfloat16, seed=new)
    (many, few), seen = GROUPS[heads], before + new
    q, k, v = noise(1, many, new, 64), noise(1, few, seen, 64), noise(1, few, seen, 64)
    with poisoned():
        got = attend_prompt.attend(q, k, v, Tiles(), splits)
    expected = reference.causal_attention(q.float(), k.float(), v.float())
    assert got.dtype == q.dtype
    assert max_error((got,), (expected,)) < CUTS * TOLERANCE[torch.bfloat16]


def test_the_last_round_of_programs_is_nearly_full():
    programs = 2 * -(-1197 * A3B.heads // A3B.groups // 128)
    splits = attend_prompt.splits_of(programs, 32197, 132)
    assert programs * splits / 132 % 1 > 0.9
    assert attend_prompt.splits_of(1024, 8192, 132) == 1
