"""What stands around the delta rule, in Triton, equals its reference; without a GPU in the interpreter."""

import pytest
import torch
from saccade.model.kernels import reference

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

mix_many = pytest.importorskip("saccade.model.kernels.mix_many", reason="needs triton")


@pytest.mark.parametrize(("batch", "tokens", "channels"), [(1, 1, 8), (2, 2, 40), (1, 33, 130), (3, 64, 128)])
def test_convolution_and_the_window_it_leaves(batch: int, tokens: int, channels: int):
    torch.manual_seed(tokens)
    x, window = (torch.randn(batch, n, channels, device=DEVICE) for n in (tokens, 3))
    weight = torch.randn(channels, 1, 4, device=DEVICE)
    expected, columns = reference.causal_conv(x, window, weight)
    got, left = mix_many.causal_conv(x, window, weight)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(left, columns[:, -3:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("rows", "dim"), [(1, 16), (300, 24), (33, 128)])
def test_gated_norm(rows: int, dim: int, dtype: torch.dtype):
    torch.manual_seed(dim)
    x, z = (torch.randn(1, rows, 2, dim, device=DEVICE).to(dtype) for _ in range(2))
    weight = torch.randn(dim, device=DEVICE).to(dtype)
    expected = reference.gated_norm(x.float(), z.float(), weight.float(), 1e-6)
    got = mix_many.gated_norm(x, z, weight, 1e-6)
    assert got.dtype == dtype
    assert (got - expected).norm() < (1e-5 if dtype is torch.float32 else 2e-2) * expected.norm()


@pytest.mark.parametrize(("rows", "heads"), [(1, 3), (7, 32), (300, 4)])
def test_gates_of_small_and_of_large_numbers(rows: int, heads: int):
    torch.manual_seed(rows)
    b, a = (30 * torch.randn(1, rows, heads, device=DEVICE) for _ in range(2))  # softplus has two branches
    A_log, dt_bias = (torch.randn(heads, device=DEVICE) for _ in range(2))
    for got, expected in zip(
        mix_many.gates(b, a, A_log, dt_bias), reference.gates(b, a, A_log, dt_bias), strict=True
    ):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("tokens", [9, 70])
def test_the_layer_with_these_equals_the_layer_without(tokens: int):
    torch.manual_seed(1)
    heads, dim, channels = 2, 16, 3 * 2 * 16
    qkv, z = (torch.randn(1, tokens, n, device=DEVICE) for n in (channels, heads * dim))
    b, a = (torch.randn(1, tokens, heads, device=DEVICE) for _ in range(2))
    weights = reference.MixWeights(
        *(torch.randn(s, device=DEVICE) for s in ((channels, 1, 4), heads, heads, dim))
    )
    window, state = torch.randn(1, 3, channels, device=DEVICE), torch.randn(1, heads, dim, dim, device=DEVICE)
    arguments = (qkv, z, b, a, weights, 1e-6, 2, window, state, False)
    expected = reference.delta_mix(*arguments)
    around = reference.Around(mix_many.causal_conv, mix_many.gates, mix_many.gated_norm)
    got = reference.delta_mix(*arguments, around=around)
    for ours, theirs in zip((*got[:2], *got[2]), (*expected[:2], *expected[2]), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
