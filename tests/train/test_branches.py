"""Attention on a shared prefix is attention on copies of it, gradients included."""

import torch
from torch.nn import functional as F

from train.branches import shared_prefix_attention


def test_shared_prefix_attention():
    torch.manual_seed(0)
    prefixes, branches, heads, tokens, seen, dim = 2, 3, 4, 10, 33, 16
    q, k, v = (torch.randn(prefixes * branches, heads, tokens, dim, requires_grad=True) for _ in range(3))
    k_prefix, v_prefix = (torch.randn(prefixes, heads, seen, dim, requires_grad=True) for _ in range(2))
    inputs = (q, k_prefix, v_prefix, k, v)
    copied = [
        torch.cat((far.repeat_interleave(branches, 0), near), dim=2)
        for far, near in ((k_prefix, k), (v_prefix, v))
    ]
    mask = torch.ones(tokens, seen + tokens, dtype=torch.bool).tril(seen)
    expected = F.scaled_dot_product_attention(q, *copied, attn_mask=mask)
    got = shared_prefix_attention(*inputs)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)
    gradient = torch.randn_like(got)
    torch.testing.assert_close(
        torch.autograd.grad(got, inputs, gradient),
        torch.autograd.grad(expected, inputs, gradient),
        atol=1e-5,
        rtol=1e-5,
    )
