"""The Triton delta rule equals its reference, both ways; without a GPU in Triton's interpreter."""

import pytest
import torch
from saccade.model.kernels import reference

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

delta_chunks = pytest.importorskip("saccade.model.kernels.delta_chunks", reason="needs triton")


def inputs(
    tokens: int,
    batch: int,
    key_heads: int,
    heads: int,
    key_dim: int,
    value_dim: int,
    dtype: torch.dtype = torch.float32,
) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(tokens)
    joined = torch.randn(batch, tokens, 2 * key_heads * key_dim + heads * value_dim, device=DEVICE).to(dtype)
    sizes = (key_heads * key_dim, key_heads * key_dim, heads * value_dim)
    q, k, v = joined.split(sizes, dim=-1)  # views of one tensor, as in the layer
    q, k, v = q.unflatten(-1, (key_heads, -1)), k.unflatten(-1, (key_heads, -1)), v.unflatten(-1, (heads, -1))
    g = -torch.rand(batch, tokens, heads, device=DEVICE).mul(3).exp() * 0.1
    beta = torch.rand(batch, tokens, heads, device=DEVICE)
    return q, k, v, g, beta, torch.randn(batch, heads, key_dim, value_dim, device=DEVICE) * 0.3


@pytest.mark.parametrize(
    ("tokens", "batch", "key_heads", "heads", "key_dim", "value_dim"),
    [
        (1, 1, 1, 1, 16, 16),
        (64, 1, 1, 1, 16, 32),
        (65, 2, 1, 2, 16, 16),
        (150, 1, 2, 2, 32, 16),
        (70, 1, 1, 1, 64, 64),
    ],
)
def test_equals_the_recurrence_with_gradients(tokens, batch, key_heads, heads, key_dim, value_dim):
    given = inputs(tokens, batch, key_heads, heads, key_dim, value_dim)
    results = []
    for rule in (reference.delta_rule_recurrent, delta_chunks.delta_rule):
        leaves = [x.detach().clone().requires_grad_() for x in given]
        out = rule(*leaves)
        torch.manual_seed(0)
        torch.stack([(o * torch.randn(o.shape, device=DEVICE)).sum() for o in out]).sum().backward()
        results.append([*out, *(x.grad for x in leaves)])
    for expected, got in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=2e-4)


@torch.no_grad()
def test_tiles_of_large_heads_together_are_the_whole():
    """Heads of 128 are more than one program holds: each takes a stretch of the values."""
    given = inputs(70, 1, 1, 2, 128, 128)
    got = delta_chunks.delta_rule(*given)
    for ours, theirs in zip(got, reference.delta_rule_recurrent(*given), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-4)


@torch.no_grad()
def test_value_heads_share_key_heads_where_they_lie():
    given = inputs(70, 2, 2, 6, 16, 32)
    for ours, theirs in zip(
        delta_chunks.delta_rule(*given), reference.delta_rule_recurrent(*given), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-4)


def test_views_of_one_tensor_and_bf16():
    q, k, v, g, beta, state = inputs(70, 1, 2, 2, 16, 16, torch.bfloat16)
    expected, end = reference.delta_rule_recurrent(q, k, v, g, beta, state)
    got, got_end = delta_chunks.delta_rule(q, k, v, g, beta, state)
    assert got.dtype == torch.bfloat16
    assert not v.is_contiguous()
    torch.testing.assert_close(got, expected, rtol=2e-2, atol=1e-2)
    assert (got_end - end).norm() < 2e-3 * end.norm()  # TF32 on a GPU


def test_strong_decay_leaves_no_nan():
    q, k, v, g, beta, state = inputs(130, 1, 1, 1, 16, 16)
    leaves = [x.detach().clone().requires_grad_() for x in (q, k, v, g * 100, beta, state)]
    o, end = delta_chunks.delta_rule(*leaves)
    (o.sum() + end.sum()).backward()
    gradients = [x.grad for x in leaves if x.grad is not None]
    assert len(gradients) == len(leaves)
    assert all(torch.isfinite(x).all() for x in (o, end, *gradients))


@pytest.fixture(params=["highest", "high"])
def precision(request):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(request.param)
    yield request.param
    torch.set_float32_matmul_precision(before)


def test_keys_that_are_alike(precision):
    """As those of blank paper: (I + A)^-1 has entries near one, powers of A have thousands."""
    allowed = 5e-3 if precision == "high" and DEVICE == "cuda" else 2e-5
    q, k, v, g, beta, state = inputs(200, 1, 1, 1, 32, 32)
    leaves = [q, 1 + 0.02 * k, v, 0.0 * g, 0.98 + 0.02 * beta, state]
    results = []
    for rule in (delta_chunks.delta_rule, reference.delta_rule_recurrent):
        leaves = [x.detach().clone().requires_grad_() for x in leaves]
        o, end = rule(*leaves)
        (o.sum() + end.square().sum()).backward()
        results.append([o, end, *(x.grad for x in leaves)])
    for ours, theirs in zip(*results, strict=True):
        assert (ours - theirs).norm() < allowed * theirs.norm()


@torch.no_grad()
@pytest.mark.parametrize("count", [0, 1, 64, 65, 70])
def test_a_state_on_the_way_is_that_after_so_many_tokens(count: int):
    q, k, v, g, beta, state = inputs(70, 1, 1, 2, 128, 128)
    o, end, kept = delta_chunks.delta_rule_kept(q, k, v, g, beta, state, torch.tensor(count, device=DEVICE))
    expected, last = delta_chunks.delta_rule(q, k, v, g, beta, state)
    assert torch.equal(o, expected)
    assert torch.equal(end, last)
    q, k, v, g, beta = (x[:, :count] for x in (q, k, v, g, beta))
    wanted = reference.delta_rule_recurrent(q, k, v, g, beta, state)[1] if count else state
    torch.testing.assert_close(kept, wanted, rtol=1e-3, atol=2e-4)
