"""Attention on a shared prefix is attention on copies of it, gradients included."""

import pytest
import torch
from torch.nn import functional as F

from train.branches import shared_prefix_attention

GPU = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here"))


@pytest.mark.parametrize("device", ["cpu", GPU])
def test_shared_prefix_attention(device):
    torch.manual_seed(0)
    dtype, tolerance = (torch.float32, 1e-5) if device == "cpu" else (torch.bfloat16, 2e-2)
    made = {"device": device, "dtype": dtype, "requires_grad": True}
    prefixes, branches, heads, tokens, seen, dim = 2, 3, 4, 10, 33, 16
    q, k, v = (torch.randn(prefixes * branches, tokens, heads, dim, **made) for _ in range(3))
    k_prefix, v_prefix = (torch.randn(prefixes, seen, heads, dim, **made) for _ in range(2))
    inputs = (q, k_prefix, v_prefix, k, v)
    copied = [
        torch.cat((far.repeat_interleave(branches, 0), near), dim=1).transpose(1, 2)
        for far, near in ((k_prefix, k), (v_prefix, v))
    ]
    mask = torch.ones(tokens, seen + tokens, dtype=torch.bool, device=device).tril(seen)
    expected = F.scaled_dot_product_attention(q.transpose(1, 2), *copied, attn_mask=mask).transpose(1, 2)
    got = shared_prefix_attention(*inputs)
    torch.testing.assert_close(got, expected, atol=tolerance, rtol=tolerance)
    gradient = torch.randn_like(got)
    torch.testing.assert_close(
        torch.autograd.grad(got, inputs, gradient),
        torch.autograd.grad(expected, inputs, gradient),
        atol=tolerance,
        rtol=tolerance,
    )
