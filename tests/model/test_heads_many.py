"""Norms of many tokens, and heads that are normalised and turned, in Triton, equal their reference; without a
GPU in the interpreter."""

from functools import partial

import pytest
import torch
from saccade.model.kernels import reference

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
ALLOWED = {torch.float32: 1e-5, torch.bfloat16: 1.5e-2}  # the interpreter cuts bf16 off where hardware rounds

step_linear = pytest.importorskip("saccade.model.kernels.step_linear", reason="needs triton")
one_pass = partial(step_linear.rms_norm, overlap=False)
heads_many = pytest.importorskip("saccade.model.kernels.heads_many", reason="needs triton")


def apart(got: torch.Tensor, expected: torch.Tensor) -> float:
    return float((got.double() - expected.double()).norm() / expected.double().norm())


@pytest.mark.parametrize("dtype", list(ALLOWED), ids=str)
@pytest.mark.parametrize("offset", [0.0, 1.0])
@pytest.mark.parametrize(("tokens", "dim"), [(1, 24), (5, 128), (70, 40)])
def test_norm(tokens: int, dim: int, offset: float, dtype: torch.dtype):
    torch.manual_seed(dim)
    x, weight = (torch.randn(*s, device=DEVICE).to(dtype) for s in ((2, tokens, dim), (dim,)))
    got, expected = (rule(x, weight, 1e-6, offset) for rule in (one_pass, reference.rms_norm))
    assert got.dtype == dtype
    assert apart(got, expected) < ALLOWED[dtype]


@pytest.mark.parametrize("dtype", list(ALLOWED), ids=str)
@pytest.mark.parametrize("offset", [0.0, 1.0])
@pytest.mark.parametrize("shape", [(1, 1, 3, 16, 16), (2, 37, 5, 64, 16)], ids=str)
def test_heads_turn(shape: tuple[int, ...], offset: float, dtype: torch.dtype):
    """As they come out of a projection: each head's query beside its gate."""
    batch, tokens, heads, dim, turning = shape
    torch.manual_seed(tokens)
    x = torch.randn(batch, tokens, heads, 2 * dim, device=DEVICE).to(dtype)[..., :dim]
    weight = torch.randn(dim, device=DEVICE).to(dtype)
    angles = 3 * torch.randn(
        batch, tokens, turning, device=DEVICE
    )  # halves differ: neither passes for the other
    arguments = (x, weight, 1e-6, offset, angles.cos(), angles.sin())
    got, expected = heads_many.rotate_heads(*arguments), reference.rotate_heads(*arguments)
    assert got.shape == expected.shape == (batch, heads, tokens, dim)
    assert apart(got, expected) < ALLOWED[dtype]


@torch.no_grad()
@pytest.mark.parametrize(("tokens", "heads"), [(1, 1), (5, 3)])
def test_gates_of_heads_that_lie_apart(tokens, heads):
    torch.manual_seed(tokens)
    o = torch.randn(2, heads, tokens, 16, device=DEVICE).transpose(1, 2)
    gate = torch.randn(2, tokens, heads, 32, device=DEVICE)[..., 16:]
    got = heads_many.gate_heads(o, gate)
    assert got.is_contiguous()
    torch.testing.assert_close(got, o * gate.sigmoid())
