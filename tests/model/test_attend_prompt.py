"""Attention of many tokens in Triton equals its reference, in any cut; without a GPU in the interpreter."""

import pytest
import torch
from saccade.model.kernels import reference

pytest.importorskip("triton")
from saccade.model.kernels import attend_prompt, attend_tiles
from saccade.model.kernels.attend_tiles import Tiles

from bench._kernel_cases import A3B, PROMPT_CASES, TOLERANCE, Noise, Shape, max_error, poisoned

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CUTS = 2.0 if DEVICE == "cpu" else 1.0  # the interpreter cuts bf16 off where hardware rounds
SHAPE = Shape(1, 48, 2, 6, 8, 12, 8, 1, 24, 12, 7, 3, 20, 28, 63)
GROUPS = {"8:1": (8, 1), "1:1": (2, 2)}


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kernel", PROMPT_CASES)
def test_kernel_equals_reference(kernel: str, dtype: torch.dtype):
    assert PROMPT_CASES[kernel](Noise(DEVICE, dtype, seed=1), SHAPE).error() < CUTS * TOLERANCE[dtype]


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("heads", GROUPS)
@pytest.mark.parametrize(("new", "before", "splits"), [(2, 0, 1), (2, 1, 2), (65, 300, 2), (200, 63, 1)])
def test_any_lengths(new: int, before: int, splits: int, heads: str, ahead: bool):
    noise = Noise(DEVICE, torch.bfloat16, seed=new)
    (many, few), seen = GROUPS[heads], before + new
    q, k, v = noise(1, many, new, 64), noise(1, few, seen, 64), noise(1, few, seen, 64)
    with poisoned():
        got = attend_tiles.attend(q, k, v, Tiles(128, 64, ahead=ahead), splits)
    expected = reference.causal_attention(q.float(), k.float(), v.float())
    assert got.dtype == q.dtype
    assert max_error((got,), (expected,)) < CUTS * TOLERANCE[torch.bfloat16]


@pytest.mark.parametrize(("new", "seen"), [(70, 70), (70, 150), (70, 198)])
def test_parts(new: int, seen: int, monkeypatch: pytest.MonkeyPatch):
    """Blocks, what is left of them, and the new tokens; torch's softmax stands in for what a CPU lacks."""
    if DEVICE == "cpu":
        monkeypatch.setattr(attend_prompt, "cudnn", softmax)
        monkeypatch.setattr(attend_prompt, "flash", softmax)
    noise = Noise(DEVICE, torch.bfloat16, seed=new)
    q, k, v = noise(1, 16, new, 64), noise(1, 2, seen, 64), noise(1, 2, seen, 64)
    got = attend_prompt.in_parts(q, k, v, block=64)
    expected = reference.causal_attention(q.float(), k.float(), v.float())
    assert max_error((got,), (expected,)) < CUTS * TOLERANCE[torch.bfloat16]


def softmax(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool = False):
    k, v = (x.float().repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
    scores = q.float() @ k.mT * q.shape[-1] ** -0.5
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf)
    return (scores.softmax(-1) @ v).to(q.dtype), scores.logsumexp(-1)


def test_few_shapes():
    assert {attend_prompt.padded_tokens(n) for n in range(1, 2049)} == {256 * n for n in range(1, 9)}
    assert attend_prompt.padded_tokens(2049) == attend_prompt.padded_tokens(4096) == 4096


def test_the_last_round_of_programs_is_nearly_full():
    programs = 2 * -(-1197 * A3B.heads // A3B.groups // 128)
    splits = attend_tiles.splits_of(programs, 32197, 132)
    assert programs * splits / 132 % 1 > 0.9
    assert attend_tiles.splits_of(1024, 8192, 132) == 1
