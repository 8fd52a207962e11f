"""Experts of a prompt, in Triton, equal their reference; without a GPU in the interpreter."""

import pytest
import torch
from saccade.model.kernels import reference
from torch import Tensor

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOLERANCE = {torch.bfloat16: 8e-3}  # all that grouped products take on a GPU
if DEVICE == "cpu":
    TOLERANCE = {
        torch.float32: 1e-6,
        torch.bfloat16: 1.5e-2,
    }  # the interpreter cuts off where hardware rounds

experts_prompt = pytest.importorskip("saccade.model.kernels.experts_prompt", reason="needs triton")


def random(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, device=DEVICE).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("tokens", "experts", "k"), [(1, 37, 3), (70, 37, 3), (9, 256, 8), (3, 5, 5)])
def test_choice(tokens: int, experts: int, k: int, dtype: torch.dtype):
    torch.manual_seed(experts)
    logits = torch.stack([torch.randperm(experts, device=DEVICE) for _ in range(tokens)]) / 32  # none equal
    logits = logits.to(dtype)
    shares, indices = experts_prompt.choose(logits, k)
    expected, chosen = reference.top_experts(logits, k)
    assert shares.dtype == dtype
    assert torch.equal(indices, chosen)
    torch.testing.assert_close(shares, expected)


def test_of_equal_logits_the_first_is_chosen():
    shares, indices = experts_prompt.choose(torch.zeros(2, 37, device=DEVICE), 3)
    assert indices.tolist() == [[0, 1, 2]] * 2
    torch.testing.assert_close(shares, torch.full_like(shares, 1 / 3))


@pytest.mark.parametrize("tokens", [1, 5, 70])
def test_every_place_is_used_once_and_lies_in_its_expert(tokens: int):
    torch.manual_seed(tokens)
    x, experts, k = random(tokens, 24), 37, 5
    indices = random(tokens, experts - 9).topk(k).indices + 4  # the first and the last are chosen by nobody
    rows, places, ends = experts_prompt.gather(x, indices, experts)
    assert torch.equal(ends, indices.flatten().bincount(minlength=experts).cumsum(0).int())
    assert torch.equal(places.flatten().sort().values, torch.arange(tokens * k, device=DEVICE).int())
    assert (places < ends[indices]).all()
    assert (places >= ends[indices - 1]).all()
    assert torch.equal(rows[places.long()], x[:, None].expand(-1, k, -1))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("has_shared", [False, True], ids=["chosen", "shared"])
@pytest.mark.parametrize("tokens", [1, 5, 70])
def test_mixture(tokens: int, has_shared: bool, dtype: torch.dtype):
    torch.manual_seed(tokens)
    experts, k, dim, width, wide = 37, 3, 48, 24, 40
    x, logits = random(tokens, dim, dtype=dtype), random(tokens, experts, dtype=dtype)
    logits[:, 7:19] = -100  # chosen by nobody
    shapes = (experts, 2 * width, dim), (experts, dim, width), (wide, dim), (wide, dim), (dim, wide), (1, dim)
    gate_up, down, *shared = (random(*s, dtype=dtype) * s[-1] ** -0.5 for s in shapes)
    arguments = x, *reference.top_experts(logits, k), gate_up, down, shared if has_shared else ()
    got, expected = experts_prompt.mixture(*arguments), reference.mixture(*arguments)
    assert got.dtype == dtype
    assert (got.float() - expected.float()).norm() < TOLERANCE[dtype] * expected.float().norm()
